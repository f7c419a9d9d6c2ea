//! A batch of outcomes, turned on its side.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::super::row::to_json;
use super::Outcome;
use crate::domain::event::PaymentEvent;
use crate::domain::payment::PaymentState;

/// A batch as `unnest` wants it: one array per column, all of one length.
#[derive(Default)]
pub(super) struct Columns {
    pub(super) operation: Vec<Uuid>,
    pub(super) fence: Vec<i64>,
    pub(super) next: Vec<&'static str>,
    pub(super) due_at: Vec<Option<OffsetDateTime>>,
    pub(super) nudge_at: Vec<Option<OffsetDateTime>>,
    pub(super) spent: Vec<bool>,
    pub(super) inquired: Vec<bool>,
    pub(super) result: Vec<Option<Value>>,
    pub(super) letter: Vec<Option<&'static str>>,
    pub(super) letter_reason: Vec<Option<&'static str>>,
    pub(super) payment: Vec<Uuid>,
    pub(super) version: Vec<i64>,
    pub(super) status: Vec<Option<&'static str>>,
    pub(super) money_state: Vec<Option<&'static str>>,
    pub(super) state: Vec<Option<Value>>,
    pub(super) class: Vec<Option<&'static str>>,
    pub(super) kind: Vec<Option<&'static str>>,
    pub(super) trace_id: Vec<String>,
    pub(super) reference: Vec<Option<String>>,
    pub(super) resolution: Vec<Option<&'static str>>,
    pub(super) attempt: Vec<Option<Uuid>>,
    pub(super) answer: Vec<Option<&'static str>>,
    pub(super) code: Vec<Option<String>>,
    pub(super) latency_ms: Vec<Option<i32>>,
    pub(super) canceled: Vec<i64>,
    pub(super) reserved: Vec<i64>,
    pub(super) capture_at: Vec<Option<OffsetDateTime>>,
    pub(super) posting: Vec<Option<&'static str>>,
    pub(super) debit: Vec<Option<&'static str>>,
    pub(super) credit: Vec<Option<&'static str>>,
    pub(super) amount: Vec<Option<i64>>,
    /// How many payments the batch moves.
    pub(super) moved: i64,
}

impl Columns {
    pub(super) fn of(outcomes: &[Outcome]) -> Self {
        let mut c = Self::default();
        for outcome in outcomes {
            let decision = &outcome.decision;
            let state = outcome.state.as_ref();
            let event = decision.event.as_ref().filter(|_| state.is_some());
            let answered = outcome.answered.as_ref();
            c.operation.push(outcome.operation.0);
            c.fence.push(outcome.fence);
            c.next.push(decision.next.status().as_str());
            c.due_at.push(decision.next.due_at());
            c.nudge_at.push(outcome.nudge_at());
            c.spent.push(outcome.spent());
            c.inquired.push(outcome.inquired());
            c.result.push(outcome.result().map(to_json));
            c.letter.push(decision.letter.map(|letter| letter.kind.as_str()));
            c.letter_reason.push(decision.letter.map(|letter| letter.reason.as_str()));
            c.payment.push(outcome.payment.0);
            c.version.push(outcome.version);
            c.status.push(state.map(|state| state.status().as_str()));
            c.money_state.push(state.map(|state| state.money_state.as_str()));
            c.state.push(state.map(to_json));
            c.class.push(event.map(|event| event.class().as_str()));
            c.kind.push(event.map(PaymentEvent::name));
            c.trace_id.push(outcome.trace_id.clone());
            c.reference.push(decision.resolved.as_ref().map(|(reference, _)| reference.0.clone()));
            c.resolution.push(decision.resolved.as_ref().map(|(_, resolution)| resolution.as_str()));
            c.attempt.push(answered.map(|a| a.attempt.0));
            c.answer.push(answered.map(|a| a.word.as_str()));
            c.code.push(answered.and_then(|a| a.code.clone()));
            c.latency_ms.push(answered.map(|a| a.latency_ms));
            c.canceled.push(state.map_or(0, |state| state.canceled));
            c.reserved.push(state.map_or(0, |state| state.reserved));
            c.capture_at.push(state.and_then(PaymentState::capture_at));
            let posting = outcome.posting.as_ref();
            c.posting.push(posting.map(|posting| posting.kind.as_str()));
            c.debit.push(posting.map(|posting| posting.debit.as_str()));
            c.credit.push(posting.map(|posting| posting.credit.as_str()));
            c.amount.push(posting.map(|posting| posting.amount));
            c.moved += i64::from(state.is_some());
        }
        c
    }
}

//! `GET /v1/payments/{paymentKey}/timeline`: how a payment came to stand as it does.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::attempt::{AnswerWord, Call};
use naru_shared::domain::id::OperationId;
use naru_shared::domain::operation::{Connector, OperationKind};
use naru_shared::store::{Timeline, ToldAttempt, ToldEvent, ToldLook, ToldOperation};
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Merchant;
use crate::openapi::FindRefusals;
use crate::problem::{Code, Problem};
use crate::unavailable::refuse;
use crate::view::{seoul_millis, transaction_key};

/// Events that somebody asked for; every other is what came of work.
const ASKED_FOR: [&str; 8] = [
    naru_shared::domain::event::CREATED,
    "payment.authenticated",
    "payment.payer_canceled",
    "operation.queued",
    "cancel.queued",
    "capture.queued",
    "checkout.scanned",
    "deposit.refund_account_given",
];

/// What happened to a payment, in the order of cause and effect.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TimelineView {
    /// Which payment.
    payment_key: String,
    /// The trace of the request that asked for the payer's money; until one has, of the one that created the payment. Our logs
    /// and the acquirer's know it by this.
    trace_id: String,
    /// Whether this is all; else the newest is left out.
    is_whole: bool,
    /// Step by step.
    steps: Vec<StepView>,
}

/// One step. What does not belong to its sort is left out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepView {
    /// `request`: somebody asked, and it was accepted. `queue`: work was put into the queue. `attempt`: an acquirer was called.
    /// `callback`: a bank called back about an account that somebody paid into. `look`: the bank was asked what is in it, and told
    /// something new. `commit`: what came of any of these, or of time, was written down.
    step: &'static str,
    /// When it began, by the merchant's clock, at +09:00.
    at: String,
    /// The type of the event, the kind of the work, or what was asked of the acquirer; `deposits` of a callback and of a look.
    #[serde(rename = "type")]
    kind: String,
    /// The trace it happened in.
    trace_id: String,
    /// The version of the payment that it made: the `id` of its event.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<i64>,
    /// Where the payment stood from then on.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    /// Where its money was.
    #[serde(skip_serializing_if = "Option::is_none")]
    money_state: Option<&'static str>,
    /// Which work it is, or belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction_key: Option<String>,
    /// Who carries it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    connector: Option<&'static str>,
    /// For how much, in minor units.
    #[serde(skip_serializing_if = "Option::is_none")]
    amount: Option<i64>,
    /// What the acquirer answered, in a word; left out while it has not.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'static str>,
    /// The acquirer's own code, or what went wrong with the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    acquirer_code: Option<String>,
    /// When the answer was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    answered_at: Option<String>,
    /// How long the answer took.
    #[serde(skip_serializing_if = "Option::is_none")]
    latency_ms: Option<i32>,
}

/// What happened to a payment, step by step: requests, the queue, calls to the acquirer, and what came of them.
#[utoipa::path(
    get,
    path = "/v1/payments/{paymentKey}/timeline",
    tag = "Payments",
    params(("paymentKey" = String, Path, description = "Which payment")),
    responses((status = 200, description = "In the order of cause and effect", body = TimelineView), FindRefusals),
    security(("secretKey" = []))
)]
pub(super) async fn timeline(
    State(app): State<App>,
    merchant: Merchant,
    Path(payment_key): Path<String>,
) -> Result<Json<TimelineView>, Problem> {
    let missing = || Problem::of(Code::NotFoundPayment);
    // Postgres has no text with NUL in it; nothing of ours is longer.
    if payment_key.len() > 200 || payment_key.contains('\0') {
        return Err(missing());
    }
    let told = app.store.timeline(merchant.tenant(), &payment_key).await.map_err(refuse)?.ok_or_else(missing)?;
    let trace_id = main_trace(&told);
    Ok(Json(TimelineView { payment_key, trace_id, is_whole: told.is_whole, steps: in_order(&told) }))
}

fn main_trace(told: &Timeline) -> String {
    let approval = told.operations.iter().find(|operation| operation.kind == OperationKind::Approve);
    let first = told.events.first().map(|event| event.trace_id.as_str());
    approval.map(ToldOperation::trace_id).or(first).unwrap_or_default().to_owned()
}

/// A step with what it is sorted by.
enum Told<'a> {
    Event(&'a ToldEvent),
    Operation(&'a ToldOperation),
    Attempt(&'a ToldAttempt),
    Callback(&'a ToldLook),
    Look(&'a ToldLook),
}

/// All of it in the order of cause and effect: by the database's clock, with events in the order of their versions whatever
/// it says, and work behind the event of the same commit.
fn in_order(told: &Timeline) -> Vec<StepView> {
    let mut all: Vec<(OffsetDateTime, u8, Told<'_>)> = Vec::new();
    let mut latest = OffsetDateTime::UNIX_EPOCH;
    for event in &told.events {
        // A commit that waited for the payment's lock says when it began to.
        latest = latest.max(event.at);
        all.push((latest, 0, Told::Event(event)));
    }
    all.extend(told.operations.iter().map(|operation| (operation.at, 1, Told::Operation(operation))));
    all.extend(told.attempts.iter().map(|attempt| (attempt.at, 2, Told::Attempt(attempt))));
    all.extend(told.looks.iter().filter_map(|look| Some((look.called_back_at?, 2, Told::Callback(look)))));
    all.extend(told.looks.iter().map(|look| (look.at, 3, Told::Look(look))));
    // Equals stay as they are.
    all.sort_by_key(|(at, rank, _)| (*at, *rank));
    let mut ahead = Duration::ZERO;
    all.into_iter()
        .map(|(at, _, step)| {
            if let Told::Event(event) = step {
                ahead = ahead.max(Duration::microseconds(event.ahead_us));
            }
            let shown = |at: OffsetDateTime| seoul_millis(at.saturating_add(ahead));
            match step {
                Told::Event(event) => StepView::of_event(event, shown(at)),
                Told::Operation(operation) => StepView::of_operation(operation, shown(at)),
                Told::Attempt(attempt) => {
                    let operation = told.operations.iter().find(|operation| operation.id == attempt.operation);
                    StepView::of_attempt(attempt, operation, shown(at), attempt.answered_at.map(shown))
                }
                Told::Callback(look) => StepView::of_account("callback", look, shown(at)),
                Told::Look(look) => {
                    StepView { latency_ms: look.latency_ms, ..StepView::of_account("look", look, shown(at)) }
                }
            }
        })
        .collect()
}

impl StepView {
    fn new(step: &'static str, at: String, kind: String, trace_id: &str) -> Self {
        Self {
            step,
            at,
            kind,
            trace_id: trace_id.to_owned(),
            sequence: None,
            status: None,
            money_state: None,
            transaction_key: None,
            connector: None,
            amount: None,
            answer: None,
            acquirer_code: None,
            answered_at: None,
            latency_ms: None,
        }
    }

    fn of_event(event: &ToldEvent, at: String) -> Self {
        let step = if ASKED_FOR.contains(&event.kind.as_str()) { "request" } else { "commit" };
        Self {
            sequence: Some(event.version),
            status: Some(event.status.as_str()),
            money_state: Some(event.money_state.as_str()),
            ..Self::new(step, at, event.kind.clone(), &event.trace_id)
        }
    }

    fn of_operation(operation: &ToldOperation, at: String) -> Self {
        Self {
            transaction_key: Some(transaction_key(operation.operation())),
            connector: Some(Connector::as_str(operation.connector)),
            amount: Some(operation.amount),
            ..Self::new("queue", at, operation.kind.as_str().to_owned(), operation.trace_id())
        }
    }

    fn of_account(step: &'static str, look: &ToldLook, at: String) -> Self {
        let connector = Some(Connector::VirtualAccount.as_str());
        Self { connector, ..Self::new(step, at, "deposits".to_owned(), &look.trace_id) }
    }

    fn of_attempt(
        attempt: &ToldAttempt,
        operation: Option<&ToldOperation>,
        at: String,
        answered_at: Option<String>,
    ) -> Self {
        let trace_id = operation.map(ToldOperation::trace_id).unwrap_or_default();
        Self {
            transaction_key: Some(transaction_key(OperationId(attempt.operation))),
            connector: operation.map(|operation| Connector::as_str(operation.connector)),
            answer: attempt.answer.map(AnswerWord::as_str),
            acquirer_code: attempt.code.clone(),
            answered_at,
            latency_ms: attempt.latency_ms,
            ..Self::new("attempt", at, Call::as_str(attempt.call).to_owned(), trace_id)
        }
    }
}

#[cfg(test)]
mod tests {
    use naru_shared::domain::event::{CREATED, PaymentEvent};
    use naru_shared::domain::payment::{MoneyState, PaymentStatus};
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn event(version: i64, kind: &str, at: OffsetDateTime, ahead_us: i64) -> ToldEvent {
        let (status, money_state) = (PaymentStatus::InProgress, MoneyState::Unknown);
        ToldEvent { version, kind: kind.to_owned(), status, money_state, trace_id: TRACE.to_owned(), at, ahead_us }
    }

    #[test]
    fn versions_rule_where_clocks_disagree_and_work_follows_its_commit() {
        let at = |millis| datetime!(2026-11-22 12:00 UTC) + Duration::milliseconds(millis);
        let operation = Uuid::from_u128(1);
        let attempt = |sent: i64, call| ToldAttempt {
            operation,
            call,
            at: at(sent),
            answered_at: Some(at(sent + 20)),
            answer: None,
            code: None,
            latency_ms: None,
        };
        let told = Timeline {
            // The second event's commit began before the first one's did, and had to wait for it.
            events: vec![
                event(1, CREATED, at(0), 0),
                event(2, "operation.unknown", at(120), 0),
                event(3, "payment.done", at(110), 3_600_000_000),
            ],
            operations: vec![ToldOperation {
                id: operation,
                kind: OperationKind::Approve,
                connector: Connector::Card,
                amount: 15_000,
                trace_parent: format!("00-{TRACE}-00f067aa0ba902b7-01"),
                at: at(0),
            }],
            attempts: vec![attempt(10, Call::Approve), attempt(200, Call::Inquire)],
            looks: Vec::new(),
            is_whole: true,
        };
        let steps = in_order(&told);
        let told_as: Vec<_> = steps.iter().map(|step| (step.step, step.kind.as_str())).collect();
        let expected = [
            ("request", CREATED),
            ("queue", "approve"),
            ("attempt", "approve"),
            ("commit", "operation.unknown"),
            ("commit", "payment.done"),
            ("attempt", "inquire"),
        ];
        assert_eq!(told_as, expected);
        assert!(steps.iter().all(|step| step.trace_id == TRACE) && main_trace(&told) == TRACE);
        // From when on the merchant's clock was ahead, all is shown by it.
        assert_eq!(steps.last().map(|step| step.at.as_str()), Some("2026-11-22T22:00:00.200+09:00"));
        assert_eq!(steps.first().map(|step| step.at.as_str()), Some("2026-11-22T21:00:00.000+09:00"));
    }

    #[test]
    fn what_is_asked_for_is_an_event() {
        assert!(ASKED_FOR.contains(&PaymentEvent::PayerCanceled.name()));
    }
}

//! The course of a change of an approval: its capture, and giving money back.
//!
//! Nothing undoes a change, so it is never sent blindly again:
//!
//! 1. Nothing open and in time: send, under a new reference. A cancel that finds its approval captured is a refund.
//! 2. Sent and not heard: inquire by our reference until something believable is heard, however long that takes.
//! 3. Not found: an acquirer that dedupes gets the same reference again; another gets a new one, once "not found" can be
//!    believed.
//! 4. "Already captured": the payment learns it; a capture is done, and a cancel becomes a refund under a new reference.
//!    "Already cancelled": believed when an inquiry shows our reference and our amount, else a person's case.
//! 5. Too late: given up with a letter that can be replayed. What was reserved stays reserved.

use time::OffsetDateTime;

use super::attempt::{Call, ChangeAnswer, ChangeFacts, ChangeRefusal, InquiryAnswer, RefusedBecause, Resolution};
use super::cancel::CancelKind;
use super::course::{CaseKind, Claimed, Decision, Delays, Next, Step, decide};
use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::Reference;
use super::money::Money;
use super::operation::{CLAIMED_EARLY_BY, Connector, LetterKind, OperationKind, OperationResult, OperationStatus};
use super::payment::{MoneyState, Stage};
use super::virtual_account;

/// So many tries are asked after by the time that "not found" can be believed of them, however long the tries before took to be
/// found out about. Later ones follow the schedule: an acquirer that is in trouble for hours is asked less and less often.
const PROMPT_TRIES: i32 = 5;

pub(super) fn first_step(claimed: &Claimed, now: OffsetDateTime) -> Step {
    if let Some(open) = claimed.open.first() {
        let reference = open.reference.clone();
        return if open.doubted { Step::Verify { call: open.call, reference } } else { Step::Inquire { reference } };
    }
    if claimed.amount().is_none() {
        // Cancels that were accepted before it took all there was.
        return decide(
            claimed.change_failed(Failure::ours(FailureCode::ProviderError, FailureReason::NothingToCapture), now),
        );
    }
    if let Some(decision) = virtual_account::decided_before(claimed, now) {
        return decide(decision);
    }
    if claimed.is_past_deadline(now) {
        return decide(claimed.change_died());
    }
    Step::Change { call: claimed.call(), again: None }
}

impl Claimed {
    /// What an answer to [`Step::Change`] means.
    #[must_use]
    pub fn after_change(
        &self,
        call: Call,
        reference: &Reference,
        answer: &ChangeAnswer,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            ChangeAnswer::Done(facts) => self.changed(call, reference, *facts, now, delays),
            ChangeAnswer::Declined(refusal) => self.change_refused(call, reference, refusal, now, delays),
            // It was sent before, and what became of that is as open as it was.
            ChangeAnswer::Busy(_) | ChangeAnswer::NotSent(_) if self.was_sent(reference) => {
                self.unknown(now, None, delays, None)
            }
            ChangeAnswer::Busy(_) => self.change_again(reference, false, now, delays),
            ChangeAnswer::NotSent(_) => self.change_again(reference, true, now, delays),
            ChangeAnswer::Pending | ChangeAnswer::Unknown(_) => {
                let is_prompt = !self.was_sent(reference) && self.operation.attempt_count < PROMPT_TRIES;
                self.unknown(now, is_prompt.then(|| self.manners.believable_at(now)), delays, None)
            }
        }
    }

    /// What an answer to [`Step::Inquire`] means for a change. `asked`: when the question was sent.
    #[must_use]
    pub fn after_change_inquiry(
        &self,
        reference: &Reference,
        answer: &InquiryAnswer,
        asked: OffsetDateTime,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        let call = self.call_of(reference).unwrap_or_else(|| self.call());
        match answer {
            InquiryAnswer::Approved(facts) => {
                self.changed(call, reference, ChangeFacts { money: facts.money }, now, delays)
            }
            InquiryAnswer::Declined(failure) => {
                let code = failure.acquirer_code.clone().unwrap_or_default();
                let refusal = ChangeRefusal { why: RefusedBecause::Declined, code };
                self.change_refused(call, reference, &refusal, now, delays)
            }
            InquiryAnswer::Refused(refusal) if self.operation.connector == Connector::VirtualAccount => {
                self.account_refused(reference, refusal, now, delays)
            }
            // This is the inquiry that says whether it was ours.
            InquiryAnswer::Refused(ChangeRefusal { why: RefusedBecause::AlreadyCanceled, .. }) => {
                decide(self.disagreed(reference))
            }
            InquiryAnswer::Refused(refusal) => self.change_refused(call, reference, refusal, now, delays),
            InquiryAnswer::NotFound
                if self.manners.dedupes_by_reference && !self.is_past_deadline(now) && self.can_be_sent_again(call) =>
            {
                Step::Change { call, again: Some(reference.clone()) }
            }
            InquiryAnswer::NotFound => match self.believable_at(reference) {
                Some(believable_at) if asked < believable_at => self.unknown(now, Some(believable_at), delays, None),
                Some(_) | None => {
                    decide(self.at_once(OperationStatus::Waiting, now).resolving(reference, Resolution::NotMoved))
                }
            },
            // No change is ever net-cancelled: whoever says so speaks of something else.
            InquiryAnswer::Reversed | InquiryAnswer::Pending | InquiryAnswer::NoAnswer(_) => {
                self.unknown(now, None, delays, None)
            }
        }
    }

    /// What an answer to [`Step::Verify`] means.
    #[must_use]
    pub fn after_doubt(
        &self,
        call: Call,
        reference: &Reference,
        answer: &InquiryAnswer,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            InquiryAnswer::Approved(facts) => {
                self.changed(call, reference, ChangeFacts { money: facts.money }, now, delays)
            }
            // Somebody gave it back, and it was not this operation.
            InquiryAnswer::Declined(_)
            | InquiryAnswer::Refused(_)
            | InquiryAnswer::NotFound
            | InquiryAnswer::Reversed => decide(self.disagreed(reference)),
            InquiryAnswer::Pending | InquiryAnswer::NoAnswer(_) => self.unknown(now, None, delays, None),
        }
    }

    /// How much is to be asked for: of a capture, all that has not gone back by now; nothing when that is nothing.
    #[must_use]
    pub fn amount(&self) -> Option<Money> {
        match self.operation.kind {
            OperationKind::Capture => {
                let total = self.payment.total;
                Money::new(self.payment.state.balance(total.amount()), total.currency())
            }
            OperationKind::Approve
            | OperationKind::Cancel
            | OperationKind::NetCancel
            | OperationKind::IssueAccount
            | OperationKind::CloseAccount
            | OperationKind::ReturnDeposit => Some(self.operation.amount),
        }
    }

    /// What is to be asked of the acquirer, as the payment stands.
    fn call(&self) -> Call {
        match self.operation.kind {
            OperationKind::Capture => Call::Capture,
            OperationKind::IssueAccount => Call::Issue,
            OperationKind::CloseAccount => Call::Close,
            OperationKind::ReturnDeposit => Call::Return,
            OperationKind::Cancel if self.operation.connector == Connector::VirtualAccount => {
                if matches!(self.payment.state.stage, Stage::WaitingForDeposit { .. }) {
                    Call::Close
                } else {
                    Call::Refund
                }
            }
            OperationKind::Cancel | OperationKind::Approve | OperationKind::NetCancel => {
                let has_moved = self.payment.state.is_captured() || self.operation.connector.refunds();
                if has_moved { Call::Refund } else { Call::Cancel }
            }
        }
    }

    fn changed(
        &self,
        call: Call,
        reference: &Reference,
        facts: ChangeFacts,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        if facts.money.is_none() || facts.money != self.amount() {
            // Nothing undoes it. What is known is that our books and the acquirer's differ.
            return self
                .unknown(now, None, delays, Some(LetterKind::NeedsPerson))
                .with_case(reference, CaseKind::AmountMismatch);
        }
        let (operation, at) = (self.operation.id, self.payment.merchant_time(now));
        if let Some(event) = self.account_changed(self.operation.kind) {
            return decide(
                Decision {
                    event: Some(PaymentEvent::Account(event)),
                    // What went out may come back: when the last of it has gone, that is looked for.
                    looks: call == Call::Return && self.payment.state.owed_deposits().nth(1).is_none(),
                    ..Decision::of(Next::Settled(OperationResult::Succeeded))
                }
                .resolving(reference, Resolution::Approved),
            );
        }
        let event = match (self.operation.kind, call) {
            (OperationKind::Capture, _) => PaymentEvent::Captured { operation: Some(operation), at },
            (_, Call::Refund) => PaymentEvent::CancelDone { operation, kind: CancelKind::Refund, at },
            (_, _) => PaymentEvent::CancelDone { operation, kind: CancelKind::Cancel, at },
        };
        let looks = call == Call::Refund && self.operation.connector == Connector::VirtualAccount;
        decide(
            Decision { event: Some(event), looks, ..Decision::of(Next::Settled(OperationResult::Succeeded)) }
                .resolving(reference, Resolution::Approved),
        )
    }

    fn change_refused(
        &self,
        call: Call,
        reference: &Reference,
        refusal: &ChangeRefusal,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        if self.operation.connector == Connector::VirtualAccount {
            return self.account_refused(reference, refusal, now, delays);
        }
        let at = self.payment.merchant_time(now);
        match (refusal.why, call) {
            (RefusedBecause::AlreadyCaptured, Call::Cancel) if self.operation.connector.captures() => {
                let found = PaymentEvent::Captured { operation: None, at };
                let event = if self.payment.state.is_captured() { None } else { Some(found) };
                decide(
                    Decision { event, ..Decision::of(Next::Waiting { due_at: now, spent: false }) }
                        .resolving(reference, Resolution::Declined),
                )
            }
            // What was to be done is done, by whomever: there is but one slip, of all that had not gone back.
            (RefusedBecause::AlreadyCaptured, Call::Capture) => {
                let event = PaymentEvent::Captured { operation: Some(self.operation.id), at };
                decide(
                    Decision { event: Some(event), ..Decision::of(Next::Settled(OperationResult::Succeeded)) }
                        .resolving(reference, Resolution::Declined),
                )
            }
            (RefusedBecause::AlreadyCanceled, _) => Step::Verify { call, reference: reference.clone() },
            (RefusedBecause::AlreadyCaptured | RefusedBecause::Disagrees, _) => decide(self.disagreed(reference)),
            (RefusedBecause::MonthOver, _) => {
                let failure = Failure::declined(FailureCode::ExceedMaxRefundDue, refusal.code.clone());
                decide(self.change_failed(failure, now).resolving(reference, Resolution::Declined))
            }
            (
                RefusedBecause::NotEmpty
                | RefusedBecause::WrongBank
                | RefusedBecause::WrongNumber
                | RefusedBecause::WrongHolder
                | RefusedBecause::Declined,
                _,
            ) => {
                let code = match self.operation.kind {
                    OperationKind::Capture => FailureCode::ProviderError,
                    OperationKind::Cancel
                    | OperationKind::Approve
                    | OperationKind::NetCancel
                    | OperationKind::IssueAccount
                    | OperationKind::CloseAccount
                    | OperationKind::ReturnDeposit => FailureCode::RefundRejected,
                };
                let failure = Failure::declined(code, refusal.code.clone());
                let refused = self.change_failed(failure, now).resolving(reference, Resolution::Declined);
                let letter = match self.operation.kind {
                    OperationKind::Capture if self.payment.state.is_last_try_to_capture() => {
                        Some(LetterKind::NeedsPerson)
                    }
                    OperationKind::Capture => Some(LetterKind::Information),
                    // Whoever asked for it is told.
                    OperationKind::Cancel
                    | OperationKind::Approve
                    | OperationKind::NetCancel
                    | OperationKind::IssueAccount
                    | OperationKind::CloseAccount
                    | OperationKind::ReturnDeposit => None,
                };
                decide(Decision { letter, ..refused })
            }
        }
    }

    /// The acquirer's books differ from ours, and nothing was done. Not for lack of balance is an accepted cancel ever
    /// refused: a person finds out whose books are right, and what was reserved stays reserved.
    pub(super) fn disagreed(&self, reference: &Reference) -> Decision {
        Decision { letter: Some(LetterKind::NeedsPerson), ..self.change_died() }
            .resolving(reference, Resolution::Declined)
            .with_case(reference, CaseKind::BooksDisagree)
    }

    pub(super) fn change_failed(&self, failure: Failure, now: OffsetDateTime) -> Decision {
        let operation = self.operation.id;
        let event = match self.operation.kind {
            OperationKind::Capture => PaymentEvent::CaptureFailed { operation, failure: failure.clone(), at: now },
            OperationKind::Cancel
            | OperationKind::Approve
            | OperationKind::NetCancel
            | OperationKind::IssueAccount
            | OperationKind::CloseAccount
            | OperationKind::ReturnDeposit => PaymentEvent::CancelFailed { operation, failure: failure.clone() },
        };
        // The effect of this request: nothing moved.
        let result = OperationResult::Failed { failure, money_state: MoneyState::NotMoved };
        Decision { event: Some(event), ..Decision::of(Next::Settled(result)) }
    }

    pub(super) fn change_died(&self) -> Decision {
        let work = self.work(OperationStatus::Dead, None, 0);
        Decision {
            event: Some(PaymentEvent::WorkDied { work }),
            letter: Some(LetterKind::Replayable),
            ..Decision::of(Next::Dead)
        }
    }

    pub(super) fn at_once(&self, status: OperationStatus, now: OffsetDateTime) -> Decision {
        let work = self.work(status, Some(now), 1);
        Decision {
            event: Some(PaymentEvent::RetryScheduled { work, reversed: false }),
            ..Decision::of(Next::Waiting { due_at: now, spent: true })
        }
    }

    pub(super) fn change_again(
        &self,
        reference: &Reference,
        spent: bool,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        let claims_before = i32::try_from(self.operation.fence - 1).unwrap_or(i32::MAX);
        let tries = if spent { self.operation.attempt_count } else { claims_before };
        let due_at = (now + delays(tries)).min(self.operation.deadline_at.max(now) + CLAIMED_EARLY_BY);
        let work = self.work(OperationStatus::Waiting, Some(due_at), i32::from(spent));
        decide(
            Decision {
                event: Some(PaymentEvent::RetryScheduled { work, reversed: false }),
                ..Decision::of(Next::Waiting { due_at, spent })
            }
            .resolving(reference, Resolution::NotMoved),
        )
    }
}

#[cfg(test)]
mod tests;

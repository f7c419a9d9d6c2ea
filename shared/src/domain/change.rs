//! The course of a change of an approval: its capture, and giving money back.
//!
//! Nothing undoes a change, so it is never sent blindly again:
//!
//! 1. Nothing open and in time: send, under a new reference. A cancel that finds its approval captured is a refund.
//! 2. Sent and not heard: inquire by our reference until something believable is heard, however long that takes.
//! 3. Not found: an acquirer that dedupes gets the same reference again; another gets a new one, once "not found" can be
//!    believed.
//! 4. "Already captured": the payment learns it; a capture is done, and a cancel becomes a refund under a new reference.
//!    "Already cancelled", or less left than we think: every earlier reference of the change is asked about. One of them did it
//!    if the acquirer says so, with our amount; else the books differ, which is a person's case.
//! 5. Too late: given up with a letter that can be replayed, after the same questions. What was reserved stays reserved.
//! 6. Sent back to work by a person: the same questions before anything is sent.

use time::OffsetDateTime;

use super::attempt::{
    Call, ChangeAnswer, ChangeFacts, ChangeRefusal, Earlier, InquiryAnswer, RefusedBecause, Resolution,
};
use super::cancel::CancelKind;
use super::course::{CaseKind, Claimed, Decision, Delays, Doubt, Next, Step, decide};
use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::{OperationId, Reference};
use super::money::Money;
use super::operation::{
    CLAIMED_EARLY_BY, Connector, LetterKind, LetterReason, Operation, OperationKind, OperationResult, OperationStatus,
};
use super::payment::{MoneyState, Payment, PaymentState, Stage};
use super::virtual_account::{self, AccountEvent, Deposit};

/// So many tries are asked after by the time that "not found" can be believed of them, however long the tries before took to be
/// found out about. Later ones follow the schedule: an acquirer that is in trouble for hours is asked less and less often.
const PROMPT_TRIES: i32 = 5;

pub(super) fn first_step(claimed: &Claimed, now: OffsetDateTime) -> Step {
    if let Some(open) = claimed.open.first() {
        let reference = open.reference.clone();
        let Some(why) = open.doubted else { return Step::Inquire { reference } };
        let refused = (reference.clone(), ChangeRefusal { why, code: why.as_str().into() });
        return Step::Verify(claimed.doubting(open.call, reference, refused));
    }
    if let Some(decision) = claimed.captured_before(now) {
        return decide(decision);
    }
    let ended = claimed.ended_before(now);
    match claimed.doubting_earlier(None) {
        Some(doubt) if claimed.operation.rearmed || ended.is_some() => Step::Verify(doubt),
        Some(_) | None => ended.map_or_else(|| Step::Change { call: claimed.call(), again: None }, decide),
    }
}

impl Claimed {
    /// There is but one slip: of one that a cancel was told about before the capture's turn came nothing is asked any more, not
    /// even under which reference it was bought.
    fn captured_before(&self, now: OffsetDateTime) -> Option<Decision> {
        let found = self.operation.kind == OperationKind::Capture && self.payment.state.is_captured();
        found.then(|| {
            let event = captured(&self.operation, &self.payment, now);
            Decision { event: Some(event), ..Decision::of(Next::Settled(OperationResult::Succeeded)) }
        })
    }

    /// What is decided without anything being sent, if anything is.
    fn ended_before(&self, now: OffsetDateTime) -> Option<Decision> {
        if self.amount().is_none() {
            // Cancels that were accepted before it took all there was.
            let failure = Failure::ours(FailureCode::ProviderError, FailureReason::NothingToCapture);
            return Some(self.change_failed(failure, now));
        }
        let decided = virtual_account::decided_before(self, now);
        decided.or_else(|| self.is_past_deadline(now).then(|| self.change_died(false)))
    }

    /// The question about a reference that was refused because the acquirer's books are not as ours, and then about earlier ones.
    fn doubting(&self, call: Call, reference: Reference, refused: (Reference, ChangeRefusal)) -> Doubt {
        let rest = self.earlier.iter().filter(|earlier| earlier.reference != reference).cloned().collect();
        Doubt { call, reference, rest, refused: Some(refused) }
    }

    /// The questions about earlier references, if there are any.
    fn doubting_earlier(&self, refused: Option<(Reference, ChangeRefusal)>) -> Option<Doubt> {
        let own = refused.as_ref().map(|(reference, _)| reference);
        let mut rest = self.earlier.iter().filter(|earlier| Some(&earlier.reference) != own).cloned();
        let Earlier { call, reference } = rest.next()?;
        Some(Doubt { call, reference, rest: rest.collect(), refused })
    }

    /// A refusal that says that the acquirer's books are not as ours, once its own reference needs no asking.
    fn doubted(&self, reference: &Reference, refusal: &ChangeRefusal, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        match self.doubting_earlier(Some((reference.clone(), refusal.clone()))) {
            Some(doubt) => Step::Verify(doubt),
            None => self.not_ours(reference, refusal, now, delays),
        }
    }

    /// Such a refusal, when none of our references did it.
    fn not_ours(
        &self,
        reference: &Reference,
        refusal: &ChangeRefusal,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        if self.operation.connector == Connector::VirtualAccount {
            return self.account_refused(reference, refusal, now, delays);
        }
        decide(self.disagreed(reference))
    }

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
            // This is the inquiry that says whether it was done under this one.
            InquiryAnswer::Refused(refusal) if refusal.why == RefusedBecause::AlreadyCanceled => {
                self.doubted(reference, refusal, now, delays)
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

    /// What an answer to [`Step::Verify`] means. `asked`: when the question was sent.
    #[must_use]
    pub fn after_doubt(
        &self,
        doubt: &Doubt,
        answer: &InquiryAnswer,
        asked: OffsetDateTime,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            InquiryAnswer::Approved(facts) => {
                let facts = ChangeFacts { money: facts.money };
                let step = self.changed(doubt.call, &doubt.reference, facts, now, delays);
                let refused = doubt.refused.as_ref().map(|(reference, _)| reference);
                step.refusing(refused.filter(|reference| **reference != doubt.reference))
            }
            InquiryAnswer::NotFound if self.believable_at(&doubt.reference).is_some_and(|at| asked < at) => {
                self.unknown(now, self.believable_at(&doubt.reference), delays, None)
            }
            // Not under this one.
            InquiryAnswer::Declined(_)
            | InquiryAnswer::Refused(_)
            | InquiryAnswer::NotFound
            | InquiryAnswer::Reversed => self.next_doubt(doubt, now, delays),
            InquiryAnswer::Pending | InquiryAnswer::NoAnswer(_) => self.unknown(now, None, delays, None),
        }
    }

    fn next_doubt(&self, doubt: &Doubt, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        let refused = doubt.refused.clone();
        match (doubt.rest.split_first(), &doubt.refused) {
            (Some((Earlier { call, reference }, rest)), _) => {
                Step::Verify(Doubt { call: *call, reference: reference.clone(), rest: rest.to_vec(), refused })
            }
            (None, Some((reference, refusal))) => self.not_ours(reference, refusal, now, delays),
            (None, None) => {
                let ended = self.ended_before(now);
                ended.map_or_else(|| Step::Change { call: self.call(), again: None }, decide)
            }
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
        call_for(&self.operation, &self.payment)
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
                .unknown(now, None, delays, Some(LetterReason::AmountMismatch))
                .with_case(reference, CaseKind::AmountMismatch);
        }
        let event = made(&self.operation, &self.payment, call, now);
        // What went out may come back: of deposits that is looked for when the last of them has gone.
        let of_another = |deposit: &Deposit| deposit.work.as_ref().is_none_or(|work| work.id != self.operation.id);
        let is_last = call == Call::Return && !self.payment.state.owed_deposits().any(of_another);
        let looks = is_last || (call == Call::Refund && self.operation.connector == Connector::VirtualAccount);
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
            if refusal.why.is_doubtful() {
                return self.doubted(reference, refusal, now, delays);
            }
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
                let event = captured(&self.operation, &self.payment, now);
                decide(
                    Decision { event: Some(event), ..Decision::of(Next::Settled(OperationResult::Succeeded)) }
                        .resolving(reference, Resolution::Declined),
                )
            }
            (RefusedBecause::AlreadyCanceled, _) => {
                Step::Verify(self.doubting(call, reference.clone(), (reference.clone(), refusal.clone())))
            }
            (RefusedBecause::AlreadyCaptured | RefusedBecause::Disagrees, _) => {
                self.doubted(reference, refusal, now, delays)
            }
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
                    OperationKind::Capture if self.payment.state.is_last_try_to_capture() => LetterKind::NeedsPerson,
                    OperationKind::Capture => LetterKind::Information,
                    // Whoever asked for it is told.
                    OperationKind::Cancel
                    | OperationKind::Approve
                    | OperationKind::NetCancel
                    | OperationKind::IssueAccount
                    | OperationKind::CloseAccount
                    | OperationKind::ReturnDeposit => return decide(refused),
                };
                decide(refused.with_letter(letter, LetterReason::AcquirerDeclined))
            }
        }
    }

    /// The acquirer's books differ from ours, and nothing was done. Not for lack of balance is an accepted cancel ever
    /// refused: a person finds out whose books are right, and what was reserved stays reserved.
    pub(super) fn disagreed(&self, reference: &Reference) -> Decision {
        self.change_died(true)
            .with_letter(LetterKind::NeedsPerson, LetterReason::BooksDisagree)
            .resolving(reference, Resolution::Declined)
            .with_case(reference, CaseKind::BooksDisagree)
    }

    pub(super) fn change_failed(&self, failure: Failure, now: OffsetDateTime) -> Decision {
        let event = not_made(&self.operation, &self.payment, failure.clone(), now);
        // The effect of this request: nothing moved.
        let result = OperationResult::Failed { failure, money_state: MoneyState::NotMoved };
        Decision { event: Some(event), ..Decision::of(Next::Settled(result)) }
    }

    pub(super) fn change_died(&self, disputed: bool) -> Decision {
        let work = self.work(OperationStatus::Dead, None, 0);
        Decision { event: Some(PaymentEvent::WorkDied { work, disputed }), ..Decision::of(Next::Dead) }
            .with_letter(LetterKind::Replayable, LetterReason::OutOfTime)
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

impl PaymentState {
    /// The changes that are disputed after an event that happened.
    pub(super) fn disputes(&self, event: &PaymentEvent) -> Vec<OperationId> {
        let mut disputed = self.disputed.clone();
        if let PaymentEvent::WorkDied { work, disputed: true } = event
            && !disputed.contains(&work.id)
        {
            disputed.push(work.id);
        }
        disputed.retain(|operation| self.afterwards().any(|work| work.id == *operation));
        disputed
    }
}

/// What is to be asked of the acquirer for a change, as the payment stands.
pub(super) fn call_for(operation: &Operation, payment: &Payment) -> Call {
    match operation.kind {
        OperationKind::Capture => Call::Capture,
        OperationKind::IssueAccount => Call::Issue,
        OperationKind::CloseAccount => Call::Close,
        OperationKind::ReturnDeposit => Call::Return,
        OperationKind::Cancel if operation.connector == Connector::VirtualAccount => {
            if matches!(payment.state.stage, Stage::WaitingForDeposit { .. }) { Call::Close } else { Call::Refund }
        }
        OperationKind::Cancel | OperationKind::Approve | OperationKind::NetCancel => {
            let has_moved = payment.state.is_captured() || operation.connector.refunds();
            if has_moved { Call::Refund } else { Call::Cancel }
        }
    }
}

/// What happened to a payment when a change of it was made.
pub(super) fn made(operation: &Operation, payment: &Payment, call: Call, now: OffsetDateTime) -> PaymentEvent {
    let (id, at) = (operation.id, payment.merchant_time(now));
    if let Some(event) = virtual_account::changed(operation, payment) {
        return PaymentEvent::Account(event);
    }
    match (operation.kind, call) {
        (OperationKind::Capture, _) => captured(operation, payment, now),
        (_, Call::Refund) => PaymentEvent::CancelDone { operation: id, kind: CancelKind::Refund, at },
        (_, _) => PaymentEvent::CancelDone { operation: id, kind: CancelKind::Cancel, at },
    }
}

/// What happened to a payment when its capture was made, or a slip that had been bought before was found: that is told once.
fn captured(operation: &Operation, payment: &Payment, now: OffsetDateTime) -> PaymentEvent {
    let id = operation.id;
    match payment.state.is_captured() {
        true => PaymentEvent::CaptureDone { operation: id },
        false => PaymentEvent::Captured { operation: Some(id), at: payment.merchant_time(now) },
    }
}

/// What happened to a payment when a change of it was given up for good, and nothing was done.
pub(super) fn not_made(
    operation: &Operation,
    payment: &Payment,
    failure: Failure,
    now: OffsetDateTime,
) -> PaymentEvent {
    let (id, at) = (operation.id, payment.merchant_time(now));
    match operation.kind {
        OperationKind::Capture => PaymentEvent::CaptureFailed { operation: id, failure, at },
        OperationKind::CloseAccount => PaymentEvent::Account(AccountEvent::NotClosed { operation: id }),
        OperationKind::Cancel
        | OperationKind::Approve
        | OperationKind::NetCancel
        | OperationKind::IssueAccount
        | OperationKind::ReturnDeposit => PaymentEvent::CancelFailed { operation: id, failure },
    }
}

#[cfg(test)]
mod tests;

//! The course of an approval.
//!
//! Never a blind resend, never "failed" while money may have moved:
//!
//! 1. Nothing open and in time: send. An answer settles it; "nothing was sent" and "busy" are tried again.
//! 2. Sent and not heard: inquire by our reference until something believable is heard.
//! 3. Not found, in time: an acquirer that dedupes gets the same reference again; another gets a net-cancel
//!    first, and then a new reference.
//! 4. Too late, or another amount than ours: net-cancel, and say so.
//! 5. A reference whose net-cancel was once asked for is wanted no more, whatever an inquiry says of it: that
//!    net-cancel may still be on its way. It is net-cancelled until the acquirer says that it is gone.

use time::OffsetDateTime;

use super::attempt::{ApprovalFacts, ApproveAnswer, Because, InquiryAnswer, NetCancelAnswer, Resolution};
use super::course::{CaseKind, Claimed, Decision, Delays, Next, Step, decide};
use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::Reference;
use super::operation::{CLAIMED_EARLY_BY, LetterKind, LetterReason, OperationResult, OperationStatus};
use super::payment::Approval;

/// A busy acquirer is asked again after 8 seconds at most: a payer is waiting.
const BUSY_TRIES_MAX: i32 = 4;

pub(super) fn first_step(claimed: &Claimed, now: OffsetDateTime) -> Step {
    if let Some(open) = claimed.open.first() {
        return Step::Inquire { reference: open.reference.clone() };
    }
    match &claimed.fresh {
        Some(fresh) if !claimed.is_past_deadline(now) => {
            Step::Approve { reference: fresh.reference.clone(), written: true }
        }
        Some(fresh) => decide(abandoned(claimed, false).resolving(&fresh.reference, Resolution::NotMoved)),
        None => decide(abandoned(claimed, false)),
    }
}

impl Claimed {
    /// What an answer to [`Step::Approve`] means.
    #[must_use]
    pub fn after_approve(
        &self,
        reference: &Reference,
        answer: &ApproveAnswer,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            ApproveAnswer::Approved(facts) => self.approved(reference, facts, now),
            ApproveAnswer::Declined(failure) => {
                decide(self.failed(failure.clone(), false).resolving(reference, Resolution::Declined))
            }
            // It was sent before, and what became of that is as open as it was: this reference is not done with.
            ApproveAnswer::Busy(_) | ApproveAnswer::NotSent(_) if self.was_sent(reference) => {
                self.unknown(now, None, delays, None)
            }
            ApproveAnswer::Busy(_) => self.try_again(reference, false, now, delays),
            ApproveAnswer::NotSent(_) => self.try_again(reference, true, now, delays),
            ApproveAnswer::Pending | ApproveAnswer::Unknown(_) => self.unknown(now, None, delays, None),
        }
    }

    /// What an answer to [`Step::Inquire`] means for an approval. `asked`: when the question was sent.
    #[must_use]
    pub fn after_inquiry(
        &self,
        reference: &Reference,
        answer: &InquiryAnswer,
        asked: OffsetDateTime,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        let too_late = self.is_past_deadline(now);
        let condemned = self.condemned(reference);
        let net_cancel = |because| Step::NetCancel { reference: reference.clone(), because };
        match (answer, condemned) {
            (InquiryAnswer::Declined(failure), _) => {
                decide(self.failed(failure.clone(), false).resolving(reference, Resolution::Declined))
            }
            (InquiryAnswer::Reversed, because) => decide(self.gone(reference, because, true, now)),
            (
                InquiryAnswer::Approved(_)
                | InquiryAnswer::NotFound
                | InquiryAnswer::Pending
                | InquiryAnswer::Refused(_)
                | InquiryAnswer::NoAnswer(_),
                Some(because),
            ) => net_cancel(because),
            (InquiryAnswer::Approved(facts), None) => self.approved(reference, facts, now),
            // Only a change is refused: who says so of an approval speaks of something else.
            (
                InquiryAnswer::NotFound
                | InquiryAnswer::Pending
                | InquiryAnswer::Refused(_)
                | InquiryAnswer::NoAnswer(_),
                None,
            ) if too_late => net_cancel(Because::TooLate),
            (InquiryAnswer::NotFound, None) if self.manners.dedupes_by_reference => {
                Step::Approve { reference: reference.clone(), written: false }
            }
            (InquiryAnswer::NotFound, None) => match self.believable_at(reference) {
                Some(believable_at) if asked < believable_at => self.unknown(now, Some(believable_at), delays, None),
                Some(_) | None => net_cancel(Because::NotFound),
            },
            (InquiryAnswer::Pending | InquiryAnswer::Refused(_) | InquiryAnswer::NoAnswer(_), None) => {
                self.unknown(now, None, delays, None)
            }
        }
    }

    /// What an answer to [`Step::NetCancel`] means for an approval. `asked`: when it was sent.
    #[must_use]
    pub fn after_net_cancel(
        &self,
        reference: &Reference,
        because: Because,
        answer: &NetCancelAnswer,
        asked: OffsetDateTime,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            NetCancelAnswer::Reversed => decide(self.gone(reference, Some(because), true, now)),
            NetCancelAnswer::NoOriginal => match self.believable_at(reference) {
                Some(believable_at) if asked < believable_at => self.unknown(now, Some(believable_at), delays, None),
                Some(_) | None => decide(self.gone(reference, Some(because), false, now)),
            },
            NetCancelAnswer::Refused(_) => self
                .unknown(now, None, delays, Some(LetterReason::NetCancelRefused))
                .with_case(reference, CaseKind::NetCancelRefused),
            NetCancelAnswer::NoAnswer(_) => self.unknown(now, None, delays, None),
        }
    }

    fn approved(&self, reference: &Reference, facts: &ApprovalFacts, now: OffsetDateTime) -> Step {
        let net_cancel = |because| Step::NetCancel { reference: reference.clone(), because };
        if !self.is_ours(facts) {
            return net_cancel(Because::WrongAmount);
        }
        if self.is_past_deadline(now) {
            return net_cancel(Because::TooLate);
        }
        let approval = Approval {
            number: facts.number.clone(),
            approved_at: self.payment.merchant_time(now),
            operation: self.operation.id,
            reference: reference.clone(),
            amount: self.operation.amount.amount(),
            interest_payer: facts.interest_payer,
        };
        decide(
            Decision {
                event: Some(PaymentEvent::Approved { approval }),
                ..Decision::of(Next::Settled(OperationResult::Succeeded))
            }
            .resolving(reference, Resolution::Approved),
        )
    }

    /// No money is out under this reference any more. In time there is another try, under a new one; but an acquirer
    /// that took another amount than ours is not asked again.
    fn gone(&self, reference: &Reference, because: Option<Because>, reversed: bool, now: OffsetDateTime) -> Decision {
        let resolution = if reversed { Resolution::Reversed } else { Resolution::NotMoved };
        if because == Some(Because::WrongAmount) {
            let failure = Failure::ours(FailureCode::ProviderError, FailureReason::AcquirerAmountMismatch);
            return self
                .failed(failure, reversed)
                .resolving(reference, resolution)
                .with_case(reference, CaseKind::AmountMismatch);
        }
        if self.is_past_deadline(now) {
            return abandoned(self, reversed).resolving(reference, resolution);
        }
        let work = self.work(OperationStatus::Waiting, Some(now), 1);
        Decision {
            event: Some(PaymentEvent::RetryScheduled { work, reversed }),
            ..Decision::of(Next::Waiting { due_at: now, spent: true })
        }
        .resolving(reference, resolution)
    }

    fn try_again(&self, reference: &Reference, spent: bool, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        // A busy answer uses up no attempt, but a busy acquirer must be asked less and less often all the same.
        let claims_before = i32::try_from(self.operation.fence - 1).unwrap_or(i32::MAX);
        let tries = if spent { self.operation.attempt_count } else { claims_before.min(BUSY_TRIES_MAX) };
        // At the deadline it is claimed once more, to be given up.
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

/// Too late. Nothing more is sent; the letter tells, it can't be replayed.
fn abandoned(claimed: &Claimed, reversed: bool) -> Decision {
    let failure = Failure::ours(FailureCode::ProviderError, FailureReason::ApprovalDeadlinePassed);
    claimed.failed(failure, reversed).with_letter(LetterKind::Information, LetterReason::OutOfTime)
}

#[cfg(test)]
mod tests;

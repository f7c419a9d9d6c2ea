//! The course of a net-cancel operation: an approval was found that nobody wants, and it must go back.
//!
//! A net-cancel is harmless to repeat, so there is no inquiry first. It never ends without the acquirer's word.

use time::OffsetDateTime;

use super::attempt::{Because, NetCancelAnswer, Resolution};
use super::course::{CaseKind, Claimed, Decision, Delays, Next, Step, decide};
use super::event::PaymentEvent;
use super::id::{OperationId, Reference};
use super::operation::{LetterReason, OperationResult};
use super::payment::{PaymentState, PaymentStatus};

pub(super) fn first_step(claimed: &Claimed) -> Step {
    match &claimed.operation.target {
        Some(reference) => Step::NetCancel { reference: reference.clone(), because: Because::Asked },
        // The database refuses such a row.
        None => decide(Decision::of(Next::Dead)),
    }
}

impl Claimed {
    /// What an answer to [`Step::NetCancel`] means for an operation that exists to reverse. `asked`: when it was sent.
    #[must_use]
    pub fn after_reversal(
        &self,
        reference: &Reference,
        answer: &NetCancelAnswer,
        asked: OffsetDateTime,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        let finished = |reversed| {
            let resolution = if reversed { Resolution::Reversed } else { Resolution::NotMoved };
            decide(
                Decision {
                    event: Some(PaymentEvent::ReversalFinished { operation: self.operation.id, reversed }),
                    ..Decision::of(Next::Settled(OperationResult::Succeeded))
                }
                .resolving(reference, resolution),
            )
        };
        // The acquirer itself told us of the approval; the row's age stands in for when it was sent.
        let believable_at = self.manners.believable_at(self.operation.created_at);
        match answer {
            NetCancelAnswer::Reversed => finished(true),
            NetCancelAnswer::NoOriginal if asked >= believable_at => finished(false),
            NetCancelAnswer::NoOriginal => self.unknown(now, Some(believable_at), delays, None),
            NetCancelAnswer::Refused(_) => self
                .unknown(now, None, delays, Some(LetterReason::NetCancelRefused))
                .with_case(reference, CaseKind::NetCancelRefused),
            NetCancelAnswer::NoAnswer(_) => self.unknown(now, None, delays, None),
        }
    }
}

impl PaymentState {
    /// What a reversal's event changes; nothing when no such reversal is owed. Its course is apart from the
    /// payment's own: a payment stays what it is while an approval that nobody wants goes back.
    pub(super) fn reverse(&mut self, event: &PaymentEvent) -> Option<()> {
        use PaymentEvent as E;
        let place = |id: OperationId| self.reversals.iter().position(|work| work.id == id);
        match event {
            E::LateApproval { work } if self.status() != PaymentStatus::Ready && place(work.id).is_none() => {
                self.reversals.push(work.clone());
            }
            E::OutcomeUnknown { work } => {
                let place = place(work.id)?;
                *self.reversals.get_mut(place)? = work.clone();
            }
            E::ReversalFinished { operation, reversed } => {
                let place = place(*operation)?;
                self.reversals.remove(place);
                self.ever_reversed |= reversed;
            }
            E::Authenticated { .. }
            | E::Scanned { .. }
            | E::Delayed { .. }
            | E::PayerCanceled
            | E::Expired
            | E::ApprovalQueued { .. }
            | E::Approved { .. }
            | E::ApprovalFailed { .. }
            | E::RetryScheduled { .. }
            | E::WorkDied { .. }
            | E::WorkRearmed { .. }
            | E::LateApproval { .. }
            | E::CancelQueued { .. }
            | E::CancelDone { .. }
            | E::CancelFailed { .. }
            | E::CaptureQueued { .. }
            | E::Captured { .. }
            | E::CaptureDone { .. }
            | E::CaptureFailed { .. }
            | E::Account(_) => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests;

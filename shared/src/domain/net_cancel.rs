//! The course of a net-cancel operation: an approval was found that nobody wants, and it must go back.
//!
//! A net-cancel is harmless to repeat, so there is no inquiry first. It never ends without the acquirer's word.

use time::OffsetDateTime;

use super::attempt::{Because, NetCancelAnswer, Resolution};
use super::course::{CaseKind, Claimed, Decision, Delays, Next, Step, decide};
use super::event::PaymentEvent;
use super::id::Reference;
use super::operation::{LetterKind, OperationResult};

pub(super) fn first_step(claimed: &Claimed) -> Step {
    match &claimed.operation.target {
        Some(reference) => Step::NetCancel { reference: reference.clone(), because: Because::Asked },
        // The database refuses such a row.
        None => decide(Decision::of(Next::Dead)),
    }
}

impl Claimed {
    /// What an answer to [`Step::NetCancel`] means for an operation that exists to reverse.
    #[must_use]
    pub fn after_reversal(
        &self,
        reference: &Reference,
        answer: &NetCancelAnswer,
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
            NetCancelAnswer::NoOriginal if now >= believable_at => finished(false),
            NetCancelAnswer::NoOriginal => self.unknown(now, Some(believable_at), delays, None),
            NetCancelAnswer::Refused(_) => self
                .unknown(now, None, delays, Some(LetterKind::NeedsPerson))
                .with_case(reference, CaseKind::NetCancelRefused),
            NetCancelAnswer::NoAnswer(_) => self.unknown(now, None, delays, None),
        }
    }
}

#[cfg(test)]
mod tests;

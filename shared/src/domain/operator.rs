//! What an operator says of a change that was given up, when nobody else can tell any more how it ends: that it was done, or
//! that it is not going to be. Their word is booked as the acquirer's would be.

use time::OffsetDateTime;

use super::attempt::Call;
use super::change::{call_for, made, not_made};
use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::operation::{LetterOwed, LetterReason, Operation, OperationKind, OperationResult, OperationStatus};
use super::payment::{MoneyState, Payment, Stage};
use crate::words::words;

words! {
    /// What an operator says of it.
    OperatorWord {
        /// It was done, by the acquirer or otherwise.
        Settled = "settled",
        /// It was not, and is not going to be: what it reserved is free again.
        Released = "released",
    }
}

/// What an operator's word comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// What happened to the payment.
    pub event: PaymentEvent,
    /// How the operation ended.
    pub result: OperationResult,
}

/// Whether the acquirer says that it did this for another amount, and will say so each time it is asked.
#[must_use]
pub fn is_of_another_amount(operation: &Operation) -> bool {
    let mismatch = |letter: &LetterOwed| letter.reason == LetterReason::AmountMismatch;
    operation.status == OperationStatus::Unknown && operation.letter.as_ref().is_some_and(mismatch)
}

/// What an operator's word about this operation comes to; nothing when it is no change that was given up or was done for another
/// amount, or its payment does not take it. `refund_sent`: whether what was sent for it last is a refund. A deposit
/// that goes back is owed to whoever paid it in, so its return is not released: it is done, or tried again.
#[must_use]
pub fn spoken(
    operation: &Operation,
    payment: &Payment,
    word: OperatorWord,
    refund_sent: bool,
    now: OffsetDateTime,
) -> Option<Spoken> {
    let is_open = operation.status == OperationStatus::Dead || is_of_another_amount(operation);
    if !is_open || !operation.kind.is_change() {
        return None;
    }
    let spoken = match word {
        // Of what went back nothing can have been bought.
        OperatorWord::Settled
            if operation.kind == OperationKind::Capture && payment.state.balance(payment.total.amount()) == 0 =>
        {
            return None;
        }
        OperatorWord::Settled => {
            // What was sent as a refund went out of a deposit, though that is there no more.
            let lapsed = matches!(payment.state.stage, Stage::WaitingForDeposit { lapsed: Some(_), .. });
            let call = if refund_sent && lapsed { Call::Refund } else { call_for(operation, payment) };
            Spoken { event: made(operation, payment, call, now), result: OperationResult::Succeeded }
        }
        OperatorWord::Released if operation.kind == OperationKind::ReturnDeposit => return None,
        // It is bought: a replay ends it.
        OperatorWord::Released if operation.kind == OperationKind::Capture && payment.state.is_captured() => {
            return None;
        }
        OperatorWord::Released => {
            let code = match operation.kind {
                OperationKind::Capture => FailureCode::ProviderError,
                OperationKind::Cancel
                | OperationKind::Approve
                | OperationKind::NetCancel
                | OperationKind::IssueAccount
                | OperationKind::CloseAccount
                | OperationKind::ReturnDeposit => FailureCode::RefundRejected,
            };
            let failure = Failure::ours(code, FailureReason::ReleasedByOperator);
            let event = not_made(operation, payment, failure.clone(), now);
            Spoken { event, result: OperationResult::Failed { failure, money_state: MoneyState::NotMoved } }
        }
    };
    payment.state.on(&spoken.event).is_ok().then_some(spoken)
}

#[cfg(test)]
mod tests;

//! An operator's word: of what it is heeded, and what it comes to.

use super::super::fixtures::{START, approval_of, payment, standings, won};
use super::super::ledger::{TransactionKind, posting};
use super::super::operation::OperationKind as K;
use super::*;

/// The change that was given up of this payment, if there is one.
fn dead(standing: &str) -> (Operation, Payment) {
    let mut payment = payment();
    payment.state = standings().into_iter().find(|(name, _)| *name == standing).unwrap().1;
    let work = payment.state.work().unwrap().clone();
    let mut operation = approval_of(&payment);
    operation.id = work.id;
    operation.kind = work.kind;
    operation.status = work.status;
    operation.amount = payment.state.cancel(work.id).map_or(payment.total, |cancel| won(cancel.amount));
    (operation, payment)
}

fn told(standing: &str, word: OperatorWord) -> String {
    let (operation, payment) = dead(standing);
    let Some(Spoken { event, result }) = spoken(&operation, &payment, word, false, START) else {
        return "nothing".into();
    };
    let after = payment.state.on(&event).unwrap();
    let posted = posting(&payment, &event).map_or("", |posting| posting.kind.as_str());
    let ended = match result {
        OperationResult::Succeeded => "succeeded".to_owned(),
        OperationResult::Failed { failure, money_state } => {
            assert_eq!(failure.reason, FailureReason::ReleasedByOperator);
            format!("failed {}", money_state.as_str())
        }
    };
    let (status, money) = (after.status(), after.money_state.as_str());
    format!("{ended}; {}: {status} {money} reserved {}; {posted}", event.name(), after.reserved)
}

#[test]
fn what_an_operators_word_comes_to() {
    use OperatorWord::{Released, Settled};
    for (standing, word, expected) in [
        ("done, cancel dead", Settled, "succeeded; cancel.done: PARTIAL_CANCELED MOVED reserved 0; CANCEL"),
        ("done, cancel dead", Released, "failed NOT_MOVED; cancel.aborted: DONE MOVED reserved 0; "),
        ("done, capture dead", Settled, "succeeded; payment.captured: DONE MOVED reserved 0; CAPTURE"),
        ("done, capture dead", Released, "failed NOT_MOVED; capture.aborted: DONE MOVED reserved 0; "),
        // What is at work ends by itself, and an approval is no change.
        ("done, part canceling", Settled, "nothing"),
        ("done, all canceling, unknown", Released, "nothing"),
        ("done, capturing", Settled, "nothing"),
        ("in progress, dead", Settled, "nothing"),
        ("in progress, dead", Released, "nothing"),
    ] {
        assert_eq!(told(standing, word), expected, "{standing} {word:?}");
    }
}

#[test]
fn the_acquirers_books_are_not_doubted_any_more_once_somebody_has_said_how_it_is() {
    let (operation, mut payment) = dead("done, cancel dead");
    // As if it had died because they differ.
    payment.state.disputed = vec![operation.id];
    payment.state.money_state = MoneyState::Unknown;
    for word in [OperatorWord::Settled, OperatorWord::Released] {
        let spoken = spoken(&operation, &payment, word, false, START).unwrap();
        let after = payment.state.on(&spoken.event).unwrap();
        assert_eq!((after.disputed.len(), after.money_state), (0, MoneyState::Moved), "{word:?}");
    }
}

#[test]
fn what_was_bought_meanwhile_is_a_refund() {
    let (operation, mut payment) = dead("done, cancel dead");
    let found = PaymentEvent::Captured { operation: None, at: START };
    payment.state = payment.state.on(&found).unwrap();
    let spoken = spoken(&operation, &payment, OperatorWord::Settled, false, START).unwrap();
    assert_eq!(posting(&payment, &spoken.event).unwrap().kind, TransactionKind::Refund);
}

/// A slip that was found bought is bought: nobody's word makes upkeep ask for it again.
#[test]
fn a_capture_of_what_was_found_captured_is_not_released() {
    let (operation, mut payment) = dead("done, capture dead");
    let found = PaymentEvent::Captured { operation: None, at: START };
    payment.state = payment.state.on(&found).unwrap();
    assert_eq!(spoken(&operation, &payment, OperatorWord::Released, false, START), None);
    let failure = Failure::declined(FailureCode::ProviderError, "05");
    let failed = PaymentEvent::CaptureFailed { operation: operation.id, failure, at: START };
    assert_eq!(payment.state.on(&failed).unwrap().capture_at(), None, "nor does a refusal");
    let settled = spoken(&operation, &payment, OperatorWord::Settled, false, START).unwrap();
    assert_eq!(settled.event.name(), "capture.done");
}

#[test]
fn only_changes_that_were_given_up() {
    let (operation, payment) = dead("done, cancel dead");
    for kind in K::ALL {
        for status in OperationStatus::ALL {
            let other = Operation { kind: *kind, status: *status, ..operation.clone() };
            let heeded = spoken(&other, &payment, OperatorWord::Settled, false, START).is_some();
            assert_eq!(heeded, *kind == K::Cancel && *status == OperationStatus::Dead, "{kind:?} {status:?}");
        }
    }
}

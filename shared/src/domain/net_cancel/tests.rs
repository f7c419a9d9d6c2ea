//! The decision table of a reversal.

use time::Duration;
use uuid::Uuid;

use super::super::attempt::Manners;
use super::super::fixtures::{START, approval_of, payment, reversal};
use super::super::id::AttemptId;
use super::super::operation::{Operation, OperationKind, OperationStatus};
use super::*;

fn target() -> Reference {
    Reference::of(AttemptId(Uuid::from_u128(5)))
}

/// A reversal that was queued at the beginning, on a payment that knows of it.
fn claimed() -> Claimed {
    let mut payment = payment();
    let work = reversal(8, OperationStatus::Queued);
    let operation = Operation {
        id: work.id,
        number: 2,
        kind: OperationKind::NetCancel,
        target: Some(target()),
        deadline_at: START,
        fence: 1,
        claim_count: 1,
        unknown_since: Some(START),
        ..approval_of(&payment)
    };
    payment.state = payment.state.on(&PaymentEvent::LateApproval { work }).unwrap();
    let manners = Manners {
        dedupes_by_reference: true,
        settle_window: Duration::seconds(5),
        total_timeout: Duration::seconds(10),
    };
    Claimed { operation, payment, open: vec![], earlier: vec![], fresh: None, manners }
}

#[test]
fn it_begins_with_the_net_cancel_for_that_is_harmless_to_repeat() {
    let step = claimed().first_step(START, &mut |_| Duration::seconds(2));
    assert_eq!(step, Step::NetCancel { reference: target(), because: Because::Asked });
}

#[test]
fn after_a_reversal_was_asked_for() {
    use NetCancelAnswer as A;
    let no_answer = || A::NoAnswer("timeout".into());
    let refused = || A::Refused("96".into());
    #[rustfmt::skip]
    let table = [
        // heard          at   operation      due, ms   resolution       letter case
        (A::Reversed,      1, "succeeded",   None,      Some("reversed"),  false, false),
        (A::NoOriginal,    1, "unknown",     Some(2_000),   None,              false, false),
        (A::NoOriginal,   16, "unknown",     Some(17_250),  None,              false, false),
        (A::NoOriginal,   17, "succeeded",   None,      Some("not_moved"), false, false),
        (no_answer(),      1, "unknown",     Some(2_000),   None,              false, false),
        (no_answer(),    600, "unknown",     Some(602_000), None,              true,  false),
        (refused(),        1, "unknown",     Some(2_000),   None,              true,  true),
    ];
    for (answer, seconds, status, due, resolution, letter, case) in table {
        let claimed = claimed();
        let now = START + Duration::seconds(seconds);
        let step = claimed.after_reversal(&target(), &answer, now, now, &mut |_| Duration::seconds(2));
        let Step::Decide(decision) = step else { panic!("{answer:?} is decided at once") };
        let message = format!("heard {answer:?} at {seconds} s");
        assert_eq!(decision.next.status().as_str(), status, "{message}");
        assert_eq!(decision.next.due_at(), due.map(|due| START + Duration::milliseconds(due)), "{message}");
        assert_eq!(decision.resolved.as_ref().map(|(_, resolution)| resolution.as_str()), resolution, "{message}");
        assert_eq!((decision.letter.is_some(), decision.case.is_some()), (letter, case), "{message}");
        if let Some(event) = &decision.event {
            let after = claimed.payment.state.on(event).unwrap();
            assert_eq!(after.reversals.is_empty(), status == "succeeded", "{message}");
        }
    }
}

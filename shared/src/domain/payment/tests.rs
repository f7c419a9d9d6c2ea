use std::fmt::Write as _;

use super::super::fixtures::{self, events, standings};
use super::super::operation::OperationKind;
use super::*;

/// The specification: every standing × every event. A changed rule is a changed line in the snapshot.
#[test]
fn the_grid_of_standings_and_events() {
    let mut grid = String::new();
    for (name, state) in standings() {
        writeln!(grid, "{name}: {}", in_a_line(&state)).unwrap();
        for (event, what) in events() {
            let outcome = state.on(&what).map_or_else(|_| "—".to_owned(), |next| in_a_line(&next));
            writeln!(grid, "    {event:<28} {outcome}").unwrap();
        }
    }
    insta::assert_snapshot!(grid);
}

/// Every change of status that an event can make, and every event that leaves it. `testbed/tests/it/grid.rs` reaches each through
/// HTTP, or says why it can't.
#[test]
fn the_transitions_of_statuses() {
    use PaymentEvent as E;
    let mut events: Vec<PaymentEvent> = events().into_iter().map(|(_, event)| event).collect();
    // What becomes of a second cancel, and of one that takes the rest.
    events.push(E::CancelQueued { cancel: fixtures::cancel(23, 10_000) });
    for number in [21, 23] {
        let work = |status| fixtures::later(number, OperationKind::Cancel, status);
        let (operation, kind) = (fixtures::id(number), super::super::cancel::CancelKind::Refund);
        events.extend([
            E::CancelDone { operation, kind, at: fixtures::START },
            E::CancelFailed { operation, failure: Failure::declined(FailureCode::RefundRejected, "05") },
            E::RetryScheduled { work: work(OperationStatus::Waiting), reversed: false },
            E::OutcomeUnknown { work: work(OperationStatus::Unknown) },
            E::WorkDied { work: work(OperationStatus::Dead), disputed: false },
            E::WorkRearmed { work: work(OperationStatus::Queued) },
            E::Delayed { operation },
        ]);
    }
    let standings = standings().into_iter().map(|(_, state)| state);
    insta::assert_snapshot!(fixtures::transitions(standings.collect(), &events));
}

fn in_a_line(state: &PaymentState) -> String {
    let work = |work: &Work| format!("[{} {}]", work.kind.as_str(), work.status.as_str());
    let mut line = format!("{} {}", state.status(), state.money_state.as_str());
    for each in state.operation.iter().chain(&state.reversals).chain(state.afterwards()).map(work) {
        write!(line, " {each}").unwrap();
    }
    if state.is_captured() {
        line.push_str(" captured");
    }
    if state.scanned_at.is_some() {
        line.push_str(" scanned");
    }
    if state.delayed.is_some() {
        line.push_str(" delayed");
    }
    for (name, amount) in [("reserved", state.reserved), ("canceled", state.canceled)] {
        if amount > 0 {
            write!(line, " {name} {amount}").unwrap();
        }
    }
    line
}

#[test]
fn what_is_at_rest_takes_no_event_but_what_somebody_asks_for_or_hears_late() {
    use PaymentEvent as E;
    for (name, state) in standings().into_iter().filter(|(_, state)| state.is_at_rest()) {
        for (event, what) in events() {
            let asked = matches!(
                what,
                E::LateApproval { .. }
                    | E::CancelQueued { .. }
                    | E::CaptureQueued { .. }
                    | E::Captured { operation: None, .. }
                    | E::WorkRearmed { .. }
                    | E::WorkDied { .. }
            );
            // What was given up is still there to be taken up again, and to be heard of.
            if !asked && state.afterwards().next().is_none() {
                assert!(state.on(&what).is_err(), "{name} took {event}");
            }
        }
    }
}

#[test]
fn what_was_paid_is_held_reserved_or_gone_and_never_more() {
    for (name, state) in standings() {
        for next in events().iter().filter_map(|(_, event)| state.on(event).ok()) {
            let Some(approval) = next.approval() else { continue };
            let open = |cancel: &&Cancel| cancel.end.is_none();
            let done = |cancel: &&Cancel| matches!(cancel.end, Some(super::super::cancel::CancelEnd::Done { .. }));
            let reserved: i64 = next.cancels.iter().filter(open).map(|cancel| cancel.amount).sum();
            let canceled: i64 = next.cancels.iter().filter(done).map(|cancel| cancel.amount).sum();
            assert_eq!((next.reserved, next.canceled), (reserved, canceled), "after {name}: {next:?}");
            assert!(reserved + canceled <= approval.amount, "after {name}: {next:?}");
            assert_eq!(next.status() == PaymentStatus::Canceled, canceled == approval.amount, "after {name}");
        }
    }
}

#[test]
fn money_is_told_only_when_nothing_can_move_it() {
    for (name, state) in standings() {
        for next in events().iter().filter_map(|(_, event)| state.on(event).ok()) {
            let paid = matches!(next.status(), PaymentStatus::Done | PaymentStatus::PartialCanceled);
            // Of what is paid something stays whatever becomes of the cancels, or else nobody knows.
            if !paid && next.status() != PaymentStatus::Canceled {
                assert_eq!(
                    next.money_state == MoneyState::Unknown,
                    next.has_unsettled_work(),
                    "after {name}: {next:?}"
                );
            }
            assert!(next.money_state != MoneyState::Moved || paid, "after {name}");
            assert!(!next.is_at_rest() || next.money_state != MoneyState::Unknown, "after {name}");
        }
    }
}

#[test]
fn a_payment_stays_what_it_is_while_an_approval_that_nobody_wants_goes_back() {
    for (name, state) in standings().into_iter().filter(|(_, state)| state.status() != PaymentStatus::Ready) {
        let late = PaymentEvent::LateApproval { work: fixtures::reversal(9, OperationStatus::Queued) };
        let reversing = state.on(&late).unwrap();
        assert!(!reversing.is_at_rest(), "{name}");
        let back = PaymentEvent::ReversalFinished { operation: OperationId(uuid::Uuid::from_u128(9)), reversed: false };
        assert_eq!(reversing.on(&back).unwrap(), state, "{name}");
    }
}

#[test]
fn the_work_in_view_is_the_one_that_is_done_now() {
    use OperationKind::{Approve, NetCancel};
    #[rustfmt::skip]
    let table = [
        ("ready",                       None),
        ("in progress, queued",         Some((Approve,   OperationStatus::Queued))),
        ("in progress, retrying, late", Some((Approve,   OperationStatus::Waiting))),
        ("in progress, dead",           Some((Approve,   OperationStatus::Dead))),
        ("in progress, dead, late",     Some((NetCancel, OperationStatus::Queued))),
        ("done",                        None),
        ("done, late",                  Some((NetCancel, OperationStatus::Queued))),
    ];
    let standings = standings();
    for (name, work) in table {
        let (_, state) = standings.iter().find(|(standing, _)| *standing == name).unwrap();
        assert_eq!(state.work().map(|work| (work.kind, work.status)), work, "{name}");
    }
}

#[test]
fn a_standing_survives_being_written_and_read() {
    for (name, state) in standings() {
        let json = serde_json::to_value(&state).unwrap();
        assert_eq!(json["status"], state.status().as_str(), "{name}");
        assert_eq!(serde_json::from_value::<PaymentState>(json).unwrap(), state, "{name}");
    }
}

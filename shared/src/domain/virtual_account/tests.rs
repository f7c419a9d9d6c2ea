//! How a payment with an account stands, and what each event makes of it.

mod courses;
mod looks;
mod model;

use time::Duration;

use super::super::bank::Bank;
use super::super::cancel::{Cancel, NotCancelable};
use super::super::failure::{Failure, FailureCode};
use super::super::fixtures::{self, START, id, later, own};
use super::super::operation::{OperationKind, OperationStatus as S};
use super::*;

const ASKED: i64 = 15_000;

fn reference() -> Reference {
    Reference("va-1".into())
}

fn due() -> OffsetDateTime {
    START + Duration::hours(168)
}

fn instrument() -> Instrument {
    let customer_name = "홍길동".into();
    Instrument::VirtualAccount(VirtualAccount { bank: Bank::Shinhan, customer_name, due_at: due() })
}

fn payee() -> Payee {
    Payee { id: PayeeId(uuid::Uuid::from_u128(70)), bank: Bank::Kb, last4: "1234".into(), holder: "홍길동".into() }
}

pub(in super::super) fn account() -> Account {
    let number = "X0000000000001".into();
    let (amount, due_at, operation) = (ASKED, due(), id(7));
    Account { reference: reference(), number, amount, due_at, operation, expired: false, closed: false }
}

pub(in super::super) fn issuing() -> PaymentState {
    let work = Work { kind: OperationKind::IssueAccount, ..own(S::Queued) };
    PaymentState::issuing(instrument(), work)
}

fn after(state: &PaymentState, event: AccountEvent) -> PaymentState {
    state.on(&PaymentEvent::Account(event)).unwrap()
}

fn deposit(key: &str, amount: i64, standing: DepositStanding) -> Deposit {
    let owed = standing == DepositStanding::Owed;
    Deposit {
        key: key.into(),
        reference: reference(),
        amount,
        depositor_name: "홍길동".into(),
        deposited_at: START,
        standing,
        because: owed.then_some(NotTaken::Short),
        paid: standing == DepositStanding::Taken,
        work: owed.then(|| later(40, OperationKind::ReturnDeposit, S::Queued)),
        lost: 0,
    }
}

pub(in super::super) fn deposited(key: &str, amount: i64, standing: DepositStanding) -> AccountEvent {
    AccountEvent::Deposited { deposit: deposit(key, amount, standing), transaction: id(60), at: START }
}

fn cancel(amount: i64, payee: Option<Payee>) -> PaymentEvent {
    let work = later(20, OperationKind::Cancel, S::Queued);
    let reason = "changed their mind".into();
    PaymentEvent::CancelQueued {
        cancel: Cancel { work, amount, tax_free: 0, reason, payee, requested_at: START, end: None },
    }
}

fn canceled(kind: CancelKind) -> PaymentEvent {
    PaymentEvent::CancelDone { operation: id(20), kind, at: START }
}

/// Every standing that only a payment with an account has, reached through events.
fn standings() -> Vec<(&'static str, PaymentState)> {
    use DepositStanding as D;
    let waiting = after(&issuing(), AccountEvent::Issued { account: account() });
    let done = after(&waiting, deposited("d1", ASKED, D::Taken));
    let short = after(&waiting, deposited("d2", 5_000, D::Owed));
    let died = PaymentEvent::WorkDied { work: later(40, OperationKind::ReturnDeposit, S::Dead), disputed: false };
    let stuck = short.on(&died).unwrap();
    let returned = after(&short, AccountEvent::Returned { operation: id(40) });
    let taken_back = after(&short, AccountEvent::TakenBack { key: "d2".into() });
    let twice = after(&taken_back, AccountEvent::Returned { operation: id(40) });
    let overdue = after(&waiting, AccountEvent::Overdue);
    let work = later(50, OperationKind::CloseAccount, S::Queued);
    let closing = after(&overdue, AccountEvent::CloseQueued { work });
    let closed = after(&closing, AccountEvent::Closed { operation: Some(id(50)), own: true });
    let canceling = waiting.on(&cancel(ASKED, None)).unwrap();
    let gone = canceling.on(&canceled(CancelKind::Cancel)).unwrap();
    let meanwhile = after(&canceling, deposited("d1", ASKED, D::Taken));
    let refunding = done.on(&cancel(ASKED, Some(payee()))).unwrap();
    let refunded = refunding.on(&canceled(CancelKind::Refund)).unwrap();
    let second = after(&done, deposited("d2", ASKED, D::Owed));
    let unwanted = after(&gone, deposited("d2", ASKED, D::Owed));
    let error = after(&done, AccountEvent::TakenBack { key: "d1".into() });
    let part = done.on(&cancel(5_000, Some(payee()))).unwrap().on(&canceled(CancelKind::Refund)).unwrap();
    let lost = after(&part, AccountEvent::TakenBack { key: "d1".into() });
    let more = after(&part, deposited("d2", ASKED, D::Owed));
    vec![
        ("issuing", issuing()),
        ("waiting", waiting),
        ("waiting, short", short),
        ("waiting, short, nobody says where to", stuck),
        ("waiting, short returned", returned),
        ("waiting, short taken back while it goes back", taken_back),
        ("waiting, short taken back and returned", twice),
        ("waiting, overdue", overdue),
        ("waiting, overdue, closing", closing),
        ("waiting, overdue, closed", closed),
        ("waiting, canceling", canceling),
        ("waiting again, taken back", error),
        ("done", done),
        ("done, canceling as it waited", meanwhile),
        ("done, refunding", refunding),
        ("done, a second deposit", second),
        ("canceled, never paid", gone),
        ("canceled, never paid, a deposit", unwanted),
        ("canceled, refunded", refunded),
        ("refunded in part", part),
        ("refunded in part, taken back", lost),
        ("refunded in part, a second deposit", more),
    ]
}

fn events() -> Vec<(&'static str, PaymentEvent)> {
    use DepositStanding as D;
    let account_events = vec![
        ("issued", AccountEvent::Issued { account: account() }),
        ("deposit taken", deposited("d3", ASKED, D::Taken)),
        ("deposit of less taken", deposited("d3", 5_000, D::Taken)),
        ("deposit owed", deposited("d3", 5_000, D::Owed)),
        ("deposit known", deposited("d1", ASKED, D::Taken)),
        ("d1 taken back", AccountEvent::TakenBack { key: "d1".into() }),
        ("d2 taken back", AccountEvent::TakenBack { key: "d2".into() }),
        ("payee given", AccountEvent::PayeeGiven { payee: payee() }),
        ("returned", AccountEvent::Returned { operation: id(40) }),
        ("nothing to return", AccountEvent::NothingToReturn { operation: id(40) }),
        ("overdue", AccountEvent::Overdue),
        ("close queued", AccountEvent::CloseQueued { work: later(51, OperationKind::CloseAccount, S::Queued) }),
        ("closed", AccountEvent::Closed { operation: Some(id(50)), own: true }),
        ("found closed", AccountEvent::Closed { operation: None, own: true }),
        ("not closed", AccountEvent::NotClosed { operation: id(50) }),
    ];
    let mut events: Vec<_> =
        account_events.into_iter().map(|(name, event)| (name, PaymentEvent::Account(event))).collect();
    let of_return = |status| later(40, OperationKind::ReturnDeposit, status);
    events.extend([
        ("return unknown", PaymentEvent::OutcomeUnknown { work: of_return(S::Unknown) }),
        ("return dead", PaymentEvent::WorkDied { work: of_return(S::Dead), disputed: false }),
        ("return rearmed", PaymentEvent::WorkRearmed { work: of_return(S::Queued) }),
        ("cancel of a part", cancel(5_000, Some(payee()))),
        ("cancel done", canceled(CancelKind::Cancel)),
        ("refund done", canceled(CancelKind::Refund)),
        ("expired", PaymentEvent::Expired),
        ("payer canceled", PaymentEvent::PayerCanceled),
    ]);
    events
}

#[test]
fn the_grid_of_accounts() {
    let mut grid = String::new();
    for (name, state) in standings() {
        grid.push_str(&format!("{name}: {} {}\n", state.status(), state.money_state.as_str()));
        for (event, what) in events() {
            let outcome = match state.on(&what) {
                Ok(next) => format!("{} {}", next.status(), next.money_state.as_str()),
                Err(_) => "-".into(),
            };
            grid.push_str(&format!("    {event:<24} {outcome}\n"));
        }
    }
    insta::assert_snapshot!(grid);
}

/// Every change of status that an event can make of a virtual account, and every event that leaves it. `testbed/tests/it/grid.rs`
/// reaches each through HTTP, or says why it can't.
#[test]
fn the_transitions_of_accounts() {
    let mut events: Vec<PaymentEvent> = events().into_iter().map(|(_, event)| event).collect();
    let refused = Failure::declined(FailureCode::ProviderError, "05");
    events.extend([cancel(ASKED, Some(payee())), PaymentEvent::ApprovalFailed { failure: refused, reversed: false }]);
    // What becomes of a closing that was queued meanwhile, of this account or of one that came too late.
    let ends = [true, false].map(|own| AccountEvent::Closed { operation: Some(id(51)), own });
    events.extend(ends.into_iter().chain([AccountEvent::NotClosed { operation: id(51) }]).map(PaymentEvent::Account));
    let works = [OperationKind::IssueAccount, OperationKind::Cancel, OperationKind::ReturnDeposit];
    for (kind, operation) in works.into_iter().zip([own(S::Queued).id, id(20), id(40)]) {
        let work = |status| Work { id: operation, kind, status, ..own(S::Queued) };
        events.extend([
            PaymentEvent::RetryScheduled { work: work(S::Waiting), reversed: false },
            PaymentEvent::OutcomeUnknown { work: work(S::Unknown) },
            PaymentEvent::WorkDied { work: work(S::Dead), disputed: false },
            PaymentEvent::WorkRearmed { work: work(S::Queued) },
            PaymentEvent::Delayed { operation },
            PaymentEvent::CancelFailed { operation, failure: Failure::declined(FailureCode::RefundRejected, "05") },
        ]);
    }
    let standings = standings().into_iter().map(|(_, state)| state);
    insta::assert_snapshot!(fixtures::transitions(standings.collect(), &events));
}

#[test]
fn a_standing_survives_being_written_and_read() {
    for (name, state) in standings() {
        let json = serde_json::to_value(&state).unwrap();
        assert_eq!(json["status"], state.status().as_str(), "{name}");
        assert_eq!(serde_json::from_value::<PaymentState>(json).unwrap(), state, "{name}");
    }
}

#[test]
fn while_it_waits_only_the_whole_is_cancelled() {
    let (_, waiting) = standings().into_iter().find(|(name, _)| *name == "waiting").unwrap();
    assert_eq!(waiting.cancelable(0, None, None), Ok((ASKED, 0)));
    assert_eq!(waiting.cancelable(0, Some(5_000), None), Err(NotCancelable::PartWhileWaiting));
    assert!(!waiting.needs_payee());
    let canceling = waiting.on(&cancel(ASKED, None)).unwrap();
    assert_eq!(canceling.cancelable(0, Some(ASKED), None), Err(NotCancelable::TooMuch { refundable: 0 }));
    let (_, done) = standings().into_iter().find(|(name, _)| *name == "done").unwrap();
    assert!(done.needs_payee());
}

#[test]
fn saying_where_to_sends_what_waited_for_it_back_to_work() {
    let given = || AccountEvent::PayeeGiven { payee: payee() };
    let (_, stuck) = standings().into_iter().find(|(name, _)| *name == "waiting, short, nobody says where to").unwrap();
    let again = after(&stuck, given());
    assert_eq!(again.deposits[0].work.as_ref().map(|work| work.status), Some(S::Queued));
    // Of a payment whose account came too late, too.
    let failure = Failure::declined(FailureCode::ProviderError, "05");
    let failed = PaymentEvent::ApprovalFailed { failure, reversed: false };
    let aborted = issuing().on(&failed).unwrap();
    let late = after(&aborted, deposited("d2", 5_000, DepositStanding::Owed));
    let died = PaymentEvent::WorkDied { work: later(40, OperationKind::ReturnDeposit, S::Dead), disputed: false };
    let told = after(&late.on(&died).unwrap(), given());
    assert_eq!(
        (told.payee.as_ref(), told.deposits[0].work.as_ref().map(|work| work.status)),
        (Some(&payee()), Some(S::Queued))
    );
    let card = PaymentState::key_in(fixtures::card(), own(S::Queued));
    assert!(card.on(&PaymentEvent::Account(given())).is_err(), "a card has no account");
}

#[test]
fn a_return_or_closing_that_was_given_up_is_not_sent_back_beside_others() {
    let (_, stuck) = standings().into_iter().find(|(name, _)| *name == "waiting, short, nobody says where to").unwrap();
    let rearmed = PaymentEvent::WorkRearmed { work: later(40, OperationKind::ReturnDeposit, S::Queued) };
    assert!(stuck.on(&rearmed).is_ok());
    let busy = after(&stuck, AccountEvent::CloseQueued { work: later(51, OperationKind::CloseAccount, S::Queued) });
    assert!(busy.on(&rearmed).is_err());
}

use proptest::prelude::*;
use time::Duration;

use super::super::bank::Bank;
use super::super::cancel::{Cancel, NotCancelable};
use super::super::failure::{Failure, FailureCode, FailureReason};
use super::super::fixtures::{self, START, id, later, own, won};
use super::super::ledger::{self, posting};
use super::super::operation::{OperationKind, OperationStatus as S};
use super::super::payment::{Payment, PaymentStatus};
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
    Payee { bank: Bank::Kb, last4: "1234".into(), holder: "홍길동".into() }
}

pub(in super::super) fn account() -> Account {
    let number = "X0000000000001".into();
    let (amount, due_at, operation) = (ASKED, due(), id(7));
    Account { reference: reference(), number, amount, due_at, operation, expired: false, closed: false }
}

pub(in super::super) fn issuing() -> PaymentState {
    let work = Work { kind: OperationKind::IssueAccount, ..own(S::Queued) };
    PaymentState::issuing(instrument(), None, work)
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
        work: owed.then(|| later(40, OperationKind::ReturnDeposit, S::Queued)),
    }
}

pub(in super::super) fn deposited(key: &str, amount: i64, standing: DepositStanding) -> AccountEvent {
    AccountEvent::Deposited { deposit: deposit(key, amount, standing), at: START }
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
    let died = PaymentEvent::WorkDied { work: later(40, OperationKind::ReturnDeposit, S::Dead) };
    let stuck = short.on(&died).unwrap();
    let returned = after(&short, AccountEvent::Returned { operation: id(40) });
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
    vec![
        ("issuing", issuing()),
        ("waiting", waiting),
        ("waiting, short", short),
        ("waiting, short, nobody says where to", stuck),
        ("waiting, short returned", returned),
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
        ("return dead", PaymentEvent::WorkDied { work: of_return(S::Dead) }),
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
    let works = [OperationKind::IssueAccount, OperationKind::Cancel, OperationKind::ReturnDeposit];
    for (kind, operation) in works.into_iter().zip([own(S::Queued).id, id(20), id(40)]) {
        let work = |status| Work { id: operation, kind, status, ..own(S::Queued) };
        events.extend([
            PaymentEvent::RetryScheduled { work: work(S::Waiting), reversed: false },
            PaymentEvent::OutcomeUnknown { work: work(S::Unknown) },
            PaymentEvent::WorkDied { work: work(S::Dead) },
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
fn looks_come_less_and_less_often_and_one_at_the_due_time() {
    let seconds = |now, looks| (next_look(now, due(), looks) - now).whole_seconds();
    let table: Vec<i64> = (0..13).map(|looks| seconds(START, looks)).collect();
    assert_eq!(table, [15, 30, 60, 120, 240, 480, 960, 1_920, 3_840, 7_680, 15_360, 21_600, 21_600]);
    assert_eq!(seconds(due() - Duration::seconds(7), 9), 7, "at its due time");
    assert_eq!(seconds(due(), 13), 86_400, "and then once a day");
    assert_eq!(seconds(due(), i32::MAX), 86_400);
}

/// A bank account in miniature.
#[derive(Debug, Default)]
struct Till {
    deposits: Vec<FoundDeposit>,
    paid_out: i64,
    is_closed: bool,
}

impl Till {
    fn found(&self) -> AccountFacts {
        AccountFacts {
            number: "X0000000000001".into(),
            money: Some(won(ASKED)),
            is_closed: self.is_closed,
            balance: self.balance(),
            deposits: self.deposits.clone(),
        }
    }

    fn balance(&self) -> i64 {
        self.deposits.iter().filter(|found| !found.is_taken_back).map(|found| found.amount).sum::<i64>() - self.paid_out
    }
}

#[derive(Debug, Clone, Copy)]
enum Happens {
    Deposit(i64, i64),
    TakenBack(usize),
    Look,
    Cancel,
    Work,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (prop_oneof![Just(ASKED), Just(5_000), Just(20_000)], 0..400_i64).prop_map(|(won, h)| Happens::Deposit(won, h)),
        1 => (0..6_usize).prop_map(Happens::TakenBack),
        4 => Just(Happens::Look),
        1 => Just(Happens::Cancel),
        4 => Just(Happens::Work),
    ]
}

/// A payment whose account is looked at, with a bank that does what it is asked.
struct Model {
    payment: Payment,
    till: Till,
    now: OffsetDateTime,
    next: u128,
    /// What each account of the ledger holds: what the bank owes us, the merchant's, and what goes back.
    books: [i64; 3],
    queue: Vec<(OperationId, OperationKind, i64)>,
}

impl Model {
    fn new() -> Self {
        let state = after(&issuing(), AccountEvent::Issued { account: account() });
        let payment = Payment { total: won(ASKED), state, ..super::super::fixtures::payment() };
        Self { payment, till: Till::default(), now: START, next: 100, books: [0; 3], queue: Vec::new() }
    }

    fn fresh(&mut self) -> OperationId {
        self.next += 1;
        id(self.next)
    }

    fn happened(&mut self, event: &PaymentEvent) {
        let before = posting(&self.payment, event);
        self.payment.state = self.payment.state.on(event).unwrap();
        if let Some(posting) = before {
            for (account, amount) in [(posting.debit, posting.amount), (posting.credit, -posting.amount)] {
                let place = match account {
                    ledger::Account::Receivable => 0,
                    ledger::Account::Payable => 1,
                    ledger::Account::Returnable => 2,
                    ledger::Account::Authorized => panic!("a bank authorizes nothing"),
                };
                self.books[place] += amount;
            }
        }
    }

    fn look(&mut self) {
        for _ in 0..50 {
            let fresh = self.fresh();
            let found = self.till.found();
            let Some(finding) = self.payment.state.finding(&reference(), &found, fresh, self.now) else { return };
            self.happened(&PaymentEvent::Account(finding.event));
            if let Some((kind, amount, _)) = finding.owes {
                self.queue.push((fresh, kind, amount));
            }
        }
        panic!("a look that finds no end: {:?}", self.payment.state);
    }

    fn cancel(&mut self) {
        if self.payment.state.cancelable(0, None, None).is_ok() {
            let operation = self.fresh();
            let work = later(self.next, OperationKind::Cancel, S::Queued);
            let amount = self.payment.state.refundable();
            let reason = "changed their mind".into();
            let cancel =
                Cancel { work, amount, tax_free: 0, reason, payee: Some(payee()), requested_at: self.now, end: None };
            self.happened(&PaymentEvent::CancelQueued { cancel });
            self.queue.push((operation, OperationKind::Cancel, amount));
        }
    }

    /// Whether the bank still has the deposit that pays the payment: it refunds it with no other's money.
    fn has_taken_deposit(&self) -> bool {
        let taken = self.payment.state.taken_deposit().map(|deposit| &deposit.key);
        self.till.deposits.iter().any(|found| Some(&found.key) == taken && !found.is_taken_back)
    }

    /// The next operation is carried out, with a bank that says the truth.
    fn work(&mut self) {
        if self.queue.is_empty() {
            return;
        }
        let (operation, kind, amount) = self.queue.remove(0);
        let state = &self.payment.state;
        let waits = state.status() == PaymentStatus::WaitingForDeposit;
        let event = match kind {
            OperationKind::ReturnDeposit => {
                let deposit = state.returned_by(operation).expect("it is owed");
                let at_bank = self.till.deposits.iter().find(|found| found.key == deposit.key).expect("it was there");
                match (deposit.standing, at_bank.is_taken_back) {
                    (DepositStanding::TakenBack, _) => AccountEvent::NothingToReturn { operation },
                    // The bank refuses: it is looked at, and tried again.
                    (_, true) => {
                        self.queue.insert(0, (operation, kind, amount));
                        return self.look();
                    }
                    (_, false) => {
                        self.till.paid_out += amount;
                        AccountEvent::Returned { operation }
                    }
                }
            }
            OperationKind::CloseAccount if self.till.balance() > 0 => AccountEvent::NotClosed { operation },
            OperationKind::CloseAccount => {
                self.till.is_closed = true;
                AccountEvent::Closed { operation: Some(operation), own: true }
            }
            OperationKind::Cancel => {
                let failure = Failure::ours(FailureCode::RefundRejected, FailureReason::DepositedMeanwhile);
                let event = if waits && state.owed_deposits().next().is_some() {
                    PaymentEvent::CancelFailed { operation, failure }
                } else if waits && self.till.balance() == 0 {
                    self.till.is_closed = true;
                    PaymentEvent::CancelDone { operation, kind: CancelKind::Cancel, at: self.now }
                } else if !waits && self.has_taken_deposit() {
                    self.till.paid_out += amount;
                    PaymentEvent::CancelDone { operation, kind: CancelKind::Refund, at: self.now }
                } else {
                    self.queue.insert(0, (operation, kind, amount));
                    return self.look();
                };
                return self.happened(&event);
            }
            OperationKind::Approve
            | OperationKind::Capture
            | OperationKind::NetCancel
            | OperationKind::IssueAccount => panic!("nobody asks for {kind:?}"),
        };
        self.happened(&PaymentEvent::Account(event));
    }

    fn happen(&mut self, what: Happens) {
        match what {
            Happens::Deposit(amount, hours) => {
                self.now = self.now.max(START + Duration::hours(hours));
                if !self.till.is_closed {
                    let key = format!("d{}", self.till.deposits.len());
                    let depositor_name = "홍길동".into();
                    let at = self.now;
                    self.till.deposits.push(FoundDeposit { key, amount, depositor_name, at, is_taken_back: false });
                }
            }
            // A bank takes nothing back that was paid out.
            Happens::TakenBack(place) => {
                let balance = self.till.balance();
                let untouched = self.till.paid_out == 0;
                if let Some(found) = self.till.deposits.get_mut(place).filter(|_| untouched)
                    && balance >= found.amount
                {
                    found.is_taken_back = true;
                }
            }
            Happens::Look => self.look(),
            Happens::Cancel => self.cancel(),
            Happens::Work => self.work(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// However deposits, looks, cancels and returns follow each other: when nothing is owed any more, our books say what the
    /// bank's say, every deposit is recorded, and the merchant has what was asked or nothing.
    #[test]
    fn the_books_agree_with_the_bank(course in prop::collection::vec(happens(), 0..24)) {
        let mut model = Model::new();
        for what in course {
            model.happen(what);
        }
        // Whatever happens no more, what is owed is done.
        model.now = model.now.max(due());
        for _ in 0..60 {
            model.look();
            model.work();
        }
        let state = &model.payment.state;
        prop_assert!(model.queue.is_empty() && !state.has_unsettled_work(), "work is owed: {:?}", model.queue);
        prop_assert_eq!(state.deposits.len(), model.till.deposits.len());
        let [receivable, payable, returnable] = model.books;
        prop_assert_eq!(receivable, model.till.balance(), "what the bank holds: {:?}", state);
        prop_assert_eq!(returnable, 0, "what goes back: {:?}", state);
        let paid = state.status() == PaymentStatus::Done;
        prop_assert_eq!(-payable, if paid { ASKED } else { 0 }, "what is the merchant's: {:?}", state);
        prop_assert_eq!(receivable + payable + returnable, 0);
        prop_assert!(paid || model.till.is_closed, "what nobody wants to be paid is closed: {:?}", state);
        let expected = match (paid, model.till.deposits.is_empty()) {
            (true, _) => MoneyState::Moved,
            (false, true) => MoneyState::NotMoved,
            (false, false) => MoneyState::Reversed,
        };
        prop_assert_eq!(state.money_state, expected);
    }
}

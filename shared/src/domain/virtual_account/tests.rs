use proptest::prelude::*;
use time::Duration;

use super::super::attempt::{ChangeRefusal, InquiryAnswer, Manners, OpenAttempt, RefusedBecause};
use super::super::bank::Bank;
use super::super::cancel::{Cancel, NotCancelable};
use super::super::course::{CaseKind, Claimed, Next, Step};
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
    Cancel(i64),
    Work,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (prop_oneof![Just(ASKED), Just(5_000), Just(20_000)], 0..400_i64).prop_map(|(won, h)| Happens::Deposit(won, h)),
        1 => (0..6_usize).prop_map(Happens::TakenBack),
        4 => Just(Happens::Look),
        1 => prop_oneof![Just(ASKED), Just(6_000)].prop_map(Happens::Cancel),
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

    fn cancel(&mut self, at_most: i64) {
        let amount = at_most.min(self.payment.state.refundable());
        if self.payment.state.cancelable(0, Some(amount), None).is_ok() {
            let operation = self.fresh();
            let work = later(self.next, OperationKind::Cancel, S::Queued);
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
                let event = if (waits && (state.owed_deposits().next().is_some() || amount != ASKED))
                    || (!waits && state.taken_deposit().is_none())
                {
                    PaymentEvent::CancelFailed { operation, failure }
                } else if waits && self.till.balance() <= 0 {
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
            // Even what was paid out before.
            Happens::TakenBack(place) => {
                if let Some(found) = self.till.deposits.get_mut(place) {
                    found.is_taken_back = true;
                }
            }
            Happens::Look => self.look(),
            Happens::Cancel(at_most) => self.cancel(at_most),
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
        // What went back and was taken back is lost, and a person's.
        let lost = |owed: bool| {
            let of = state.deposits.iter().filter(|deposit| deposit.because.is_some() == owed);
            of.map(|deposit| deposit.lost).sum::<i64>()
        };
        prop_assert_eq!(returnable, lost(true), "what goes back: {:?}", state);
        let paid = state.taken_deposit().is_some() && state.status() != PaymentStatus::Canceled;
        let merchants = if paid { ASKED - state.canceled } else { 0 };
        prop_assert_eq!(-payable, merchants - lost(false), "what is the merchant's: {:?}", state);
        prop_assert!(!state.disagrees(&reference(), &model.till.found()), "nothing is wrong at the bank: {:?}", state);
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

/// A state with an account that waits, and what the bank says of it.
fn waiting() -> PaymentState {
    after(&issuing(), AccountEvent::Issued { account: account() })
}

fn found(key: String, amount: i64) -> FoundDeposit {
    FoundDeposit { key, amount, depositor_name: "홍길동".into(), at: START, is_taken_back: false }
}

fn facts(deposits: Vec<FoundDeposit>, paid_out: i64) -> AccountFacts {
    let till = Till { deposits, paid_out, is_closed: false };
    till.found()
}

/// All that a look finds is recorded, and its returns are carried out when `returns`.
fn looked(mut state: PaymentState, facts: &AccountFacts, returns: bool) -> PaymentState {
    let mut facts = facts.clone();
    let mut recorded = std::collections::HashSet::new();
    for number in 1_000_u128..2_000 {
        // What is not listed any more is known from the list that is only ever added to.
        let is_listed = |key: &str| state.deposits.iter().any(|known| known.key == key);
        facts.deposits.retain(|found| !recorded.contains(&found.key) || is_listed(&found.key));
        let Some(finding) = state.finding(&reference(), &facts, id(number), START) else { return state };
        if let AccountEvent::Deposited { deposit, .. } = &finding.event {
            recorded.insert(deposit.key.clone());
        }
        state = after(&state, finding.event);
        if returns && state.returned_by(id(number)).is_some() {
            state = after(&state, AccountEvent::Returned { operation: id(number) });
        }
        if state.closing.is_some() {
            return state;
        }
    }
    panic!("a look that finds no end");
}

#[test]
fn the_deposit_that_pays_is_taken_however_many_came_before_it() {
    let mut all: Vec<FoundDeposit> = (0..250).map(|number| found(format!("s{number}"), 1)).collect();
    all.push(found("d1".into(), ASKED));
    // They went back: the oldest of them are not listed any more.
    let paid = looked(waiting(), &facts(all.clone(), 250), true);
    assert_eq!((paid.status(), paid.deposits.len(), paid.deposits_gone), (PaymentStatus::Done, DEPOSITS_MAX, 151));
    assert!(!paid.overflows(&reference(), &facts(all[151..].to_vec(), 250)));
    // Nobody says where to: some are not recorded yet, which somebody is told. The one that pays has its place.
    let all = facts(all, 0);
    let paid = looked(waiting(), &all, false);
    assert_eq!((paid.status(), paid.owed_deposits().count()), (PaymentStatus::Done, DEPOSITS_MAX - 1));
    assert!(paid.overflows(&reference(), &all));
}

#[test]
fn what_is_taken_back_after_it_went_back_is_a_persons() {
    let (_, part) = standings().into_iter().find(|(name, _)| *name == "refunded in part").unwrap();
    let gone = || FoundDeposit { is_taken_back: true, ..found("d1".into(), ASKED) };
    let facts_now = facts(vec![gone()], 5_000);
    let finding = part.finding(&reference(), &facts_now, id(90), START).unwrap();
    assert!(finding.needs_person);
    let lost = after(&part, finding.event);
    assert_eq!((lost.status(), lost.money_state), (PaymentStatus::PartialCanceled, MoneyState::Reversed));
    assert_eq!((lost.refundable(), lost.deposits[0].lost), (0, 5_000));
    assert_eq!(lost.cancelable(0, Some(1_000), None), Err(NotCancelable::TooMuch { refundable: 0 }));
    // Nobody waits for anything any more: its account is closed.
    let next = lost.finding(&reference(), &facts_now, id(91), START).unwrap();
    assert_eq!(next.event.name(), "account.close_queued");

    let returned = looked(waiting(), &facts(vec![found("d2".into(), 5_000)], 0), true);
    let gone = FoundDeposit { is_taken_back: true, ..found("d2".into(), 5_000) };
    let finding = returned.finding(&reference(), &facts(vec![gone.clone()], 5_000), id(92), START).unwrap();
    assert!(finding.needs_person);
    let twice = after(&returned, finding.event);
    assert!(!twice.disagrees(&reference(), &facts(vec![gone], 5_000)), "it is known by now");
    assert_eq!(twice.deposits[0].lost, 5_000);
}

#[test]
fn what_comes_back_to_the_account_is_noticed() {
    let (_, refunded) = standings().into_iter().find(|(name, _)| *name == "canceled, refunded").unwrap();
    let all = || vec![found("d1".into(), ASKED)];
    assert!(!refunded.disagrees(&reference(), &facts(all(), ASKED)));
    assert!(refunded.disagrees(&reference(), &facts(all(), 0)), "the pay-out has bounced");
    assert!(refunded.disagrees(&reference(), &facts(all(), ASKED - 1)));
    let (_, refunding) = standings().into_iter().find(|(name, _)| *name == "done, refunding").unwrap();
    assert!(!refunding.disagrees(&reference(), &facts(all(), ASKED)), "it is under way");
    let (_, part) = standings().into_iter().find(|(name, _)| *name == "refunded in part").unwrap();
    assert!(!part.disagrees(&reference(), &facts(all(), 5_000)));
    assert!(part.disagrees(&reference(), &facts(all(), 0)));
    let more = vec![found("d1".into(), ASKED), found("d9".into(), 1)];
    assert!(!part.disagrees(&reference(), &facts(more, 0)), "there is something that is not recorded yet");
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
fn what_was_found_in_time_is_not_overdue_by_the_time_of_the_answer() {
    let state = waiting();
    let empty = facts(Vec::new(), 0);
    let asked = |at| state.finding(&reference(), &empty, id(90), at).map(|finding| finding.event.name());
    assert_eq!(asked(due() - Duration::milliseconds(1)), None);
    assert_eq!(asked(due()), Some("payment.overdue"));
    // Found all the same, it is not overdue any more.
    let paid = looked(after(&state, AccountEvent::Overdue), &facts(vec![found("d1".into(), ASKED)], 0), true);
    assert_eq!((paid.status(), paid.account.map(|account| account.expired)), (PaymentStatus::Done, Some(false)));
}

/// A refund of the whole that was sent once, and of which nobody has heard, at a bank that dedupes.
fn refund_of(state: PaymentState, tries: i32) -> Claimed {
    let payment = Payment { total: won(ASKED), state, ..fixtures::payment() };
    let mut operation = fixtures::approval_of(&payment);
    operation.id = id(20);
    operation.kind = OperationKind::Cancel;
    operation.connector = super::super::operation::Connector::VirtualAccount;
    operation.deadline_at = START + Duration::hours(24);
    operation.attempt_count = tries;
    let open = OpenAttempt {
        id: super::super::id::AttemptId(uuid::Uuid::from_u128(5)),
        call: super::super::attempt::Call::Refund,
        doubted: None,
        reference: Reference("r-1".into()),
        sent_at: START,
        condemned: None,
    };
    let manners = Manners {
        dedupes_by_reference: true,
        settle_window: Duration::seconds(5),
        total_timeout: Duration::seconds(10),
    };
    Claimed { operation, payment, open: vec![open], earlier: Vec::new(), fresh: None, manners }
}

/// A slow answer may say "not found" of what was done while it was under way.
#[test]
fn that_there_is_no_account_is_believed_by_when_it_was_asked() {
    let mut claimed = refund_of(issuing(), 0);
    claimed.operation.kind = OperationKind::IssueAccount;
    claimed.open[0].call = super::super::attempt::Call::Issue;
    claimed.manners.dedupes_by_reference = false;
    let believable_at = claimed.manners.believable_at(START);
    let heard = |asked| {
        let now = believable_at + Duration::seconds(10);
        let answer = IssueInquiry::NotFound;
        let step = claimed.after_issue_inquiry(&Reference("r-1".into()), &answer, asked, now, &mut delays_of_two);
        let Step::Decide(decision) = step else { panic!("{step:?}") };
        decision.next
    };
    assert!(matches!(heard(believable_at - Duration::milliseconds(1)), Next::Unknown { .. }));
    assert!(matches!(heard(believable_at), Next::Waiting { .. }));
}

fn refunding() -> PaymentState {
    let (_, done) = standings().into_iter().find(|(name, _)| *name == "done").unwrap();
    done.on(&cancel(ASKED, Some(payee()))).unwrap()
}

#[test]
fn what_has_nothing_to_come_from_is_not_sent_again() {
    let reference = Reference("r-1".into());
    let mut delays = |_| Duration::seconds(2);
    let mut not_found = |claimed: &Claimed, seconds: i64| {
        let at = START + Duration::seconds(seconds);
        claimed.after_change_inquiry(&reference, &InquiryAnswer::NotFound, at, at, &mut delays)
    };
    let there = refund_of(refunding(), 0);
    assert!(matches!(not_found(&there, 1), Step::Change { again: Some(_), .. }));
    let gone = refund_of(after(&refunding(), AccountEvent::TakenBack { key: "d1".into() }), 0);
    let Step::Decide(early) = not_found(&gone, 1) else { panic!("nothing is sent") };
    assert!(matches!(early.next, Next::Unknown { .. }), "it may still arrive: {early:?}");
    let Step::Decide(later) = not_found(&gone, 60) else { panic!("nothing is sent") };
    assert!(matches!(later.next, Next::Waiting { .. }) && later.denies().is_some(), "it never will: {later:?}");
    // By then there is nothing that it could give back.
    let (_, part) = standings().into_iter().find(|(name, _)| *name == "refunded in part, taken back").unwrap();
    let mut queued = refund_of(part, 0);
    queued.open.clear();
    queued.operation.id = id(21);
    let mut second = queued.payment.state.cancels[0].clone();
    (second.work.id, second.end, second.amount) = (id(21), None, 1_000);
    queued.payment.state.cancels.push(second);
    let Step::Decide(decision) = queued.first_step(START, &mut delays_of_two) else { panic!("nothing is sent") };
    assert!(matches!(decision.event, Some(PaymentEvent::CancelFailed { .. })), "{decision:?}");
}

fn delays_of_two(_: i32) -> Duration {
    Duration::seconds(2)
}

#[test]
fn a_bank_whose_books_stay_others_is_a_persons_case() {
    for why in [RefusedBecause::Disagrees, RefusedBecause::AlreadyCanceled, RefusedBecause::NotEmpty] {
        let refusal = super::super::attempt::ChangeAnswer::Declined(ChangeRefusal { why, code: "61".into() });
        let heard = |tries| {
            let claimed = refund_of(refunding(), tries);
            let call = super::super::attempt::Call::Refund;
            let step = claimed.after_change(call, &Reference("r-1".into()), &refusal, START, &mut delays_of_two);
            let Step::Decide(decision) = step else { panic!("{step:?}") };
            decision
        };
        assert!(heard(0).looks, "{why:?}: a look may tell why");
        let decided = heard(5);
        assert_eq!((decided.next, decided.case.map(|(_, kind)| kind)), (Next::Dead, Some(CaseKind::BooksDisagree)));
    }
}

#[test]
fn nothing_is_sent_when_it_is_not_known_where_to() {
    let refund = refund_of(refunding(), 0);
    let Step::Decide(decision) = refund.payee_lost(START) else { panic!("nothing is sent") };
    assert!(matches!(decision.event, Some(PaymentEvent::CancelFailed { .. })), "{decision:?}");
}

#[test]
fn a_return_or_closing_that_was_given_up_is_not_sent_back_beside_others() {
    let (_, stuck) = standings().into_iter().find(|(name, _)| *name == "waiting, short, nobody says where to").unwrap();
    let rearmed = PaymentEvent::WorkRearmed { work: later(40, OperationKind::ReturnDeposit, S::Queued) };
    assert!(stuck.on(&rearmed).is_ok());
    let busy = after(&stuck, AccountEvent::CloseQueued { work: later(51, OperationKind::CloseAccount, S::Queued) });
    assert!(busy.on(&rearmed).is_err());
}

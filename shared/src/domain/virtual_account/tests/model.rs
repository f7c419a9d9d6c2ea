//! An account at a bank in miniature, beside our books: whatever happens, they agree.

use proptest::prelude::*;

use super::super::super::failure::FailureReason;
use super::super::super::fixtures::{self, won};
use super::super::super::ledger::{self, posting};
use super::super::super::payment::{Payment, PaymentStatus};
use super::looks::Till;
use super::*;

#[derive(Debug, Clone, Copy)]
enum Happens {
    Deposit(i64, i64),
    TakenBack(usize),
    Look,
    Cancel(i64),
    /// The bank pays the next return out, and nobody hears of it yet.
    PaidOut,
    Work,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => (prop_oneof![Just(ASKED), Just(5_000), Just(20_000)], 0..400_i64).prop_map(|(won, h)| Happens::Deposit(won, h)),
        1 => (0..6_usize).prop_map(Happens::TakenBack),
        4 => Just(Happens::Look),
        1 => prop_oneof![Just(ASKED), Just(6_000)].prop_map(Happens::Cancel),
        2 => Just(Happens::PaidOut),
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
    /// Returns that the bank has made and nobody has heard of.
    unheard: Vec<OperationId>,
}

impl Model {
    fn new() -> Self {
        let state = after(&issuing(), AccountEvent::Issued { account: account() });
        let payment = Payment { total: won(ASKED), state, ..fixtures::payment() };
        Self {
            payment,
            till: Till::default(),
            now: START,
            next: 100,
            books: [0; 3],
            queue: Vec::new(),
            unheard: Vec::new(),
        }
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

    /// The next operation is a return or a refund: the bank makes it, once.
    fn paid_out(&mut self) {
        let Some((operation, kind, amount)) = self.queue.first().copied() else { return };
        let key = self.payment.state.returned_by(operation).map(|deposit| &deposit.key);
        let at_bank = if kind == OperationKind::Cancel {
            self.has_taken_deposit()
        } else {
            self.till.deposits.iter().any(|found| Some(&found.key) == key && !found.is_taken_back)
        };
        if at_bank && !self.unheard.contains(&operation) {
            self.till.paid_out += amount;
            self.unheard.push(operation);
        }
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
                    _ if self.unheard.contains(&operation) => AccountEvent::Returned { operation },
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
            OperationKind::Cancel if self.unheard.contains(&operation) => {
                return self.happened(&PaymentEvent::CancelDone { operation, kind: CancelKind::Refund, at: self.now });
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
            Happens::PaidOut => self.paid_out(),
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

//! What a look at an account brings to light, and when it is looked at again.

use time::{Duration, OffsetDateTime};

use super::super::cancel::{Cancel, CancelEnd, CancelKind};
use super::super::event::PaymentEvent;
use super::super::id::{OperationId, Reference};
use super::super::money::Money;
use super::super::operation::OperationKind;
use super::super::payment::{PaymentState, Stage, Work};
use super::{AccountEvent, AccountFacts, Deposit, DepositStanding, FoundDeposit, NotTaken};

/// How long after a change an account is first looked at.
const FIRST_LOOK: Duration = Duration::seconds(15);
/// How long it is not looked at, at most, while a deposit may come in time.
const LOOK_MAX: Duration = Duration::hours(6);
/// The same, when that time is over.
const LATE_LOOK_MAX: Duration = Duration::hours(24);
/// An account that can't be closed, because the payment's money is in it, is looked at for so long after its due time.
const LOOKED_AT_FOR: Duration = Duration::days(30);

/// What a look at an account brought to light, one thing at a time, and the work that is owed for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What happened.
    pub event: AccountEvent,
    /// The work owed from now on: its kind, how much, and the deposit or account it is about.
    pub owes: Option<(OperationKind, i64, Reference)>,
}

/// When an account is looked at again, after it was looked at so often since its last change: each time after twice as
/// long, and just after its due time. Both times are the database's.
#[must_use]
pub fn next_look(now: OffsetDateTime, due_at: OffsetDateTime, looks: i32) -> OffsetDateTime {
    let longest = if now < due_at { LOOK_MAX } else { LATE_LOOK_MAX };
    let doublings = u32::try_from(looks.clamp(0, 16)).unwrap_or(16);
    let next = now + (FIRST_LOOK * 2_i32.pow(doublings)).min(longest);
    // Not due before it is due.
    if now < due_at { next.min(due_at) } else { next }
}

impl PaymentState {
    /// Whether an account needs no more looking at: closed with nothing owed, or long over by its merchant's clock.
    #[must_use]
    pub fn is_done_with(&self, reference: &Reference, found: &AccountFacts, now: OffsetDateTime) -> bool {
        let of_it = |deposit: &&Deposit| deposit.reference == *reference;
        let owed = self.owed_deposits().any(|deposit| of_it(&deposit));
        let is_over = self.account.as_ref().is_some_and(|account| now >= account.due_at + LOOKED_AT_FOR);
        !owed && (found.is_closed || (is_over && self.approval().is_some()))
    }

    /// The next thing that `found`, which is what the bank says of the account of `reference`, brings to light; nothing when
    /// all of it is known. `fresh` names the work that it owes, or the transaction that it is. `asked` is when the bank was asked,
    /// for it says nothing of what was later; that, and the times of what was found, are the merchant's.
    #[must_use]
    pub fn finding(
        &self,
        reference: &Reference,
        found: &AccountFacts,
        fresh: OperationId,
        asked: OffsetDateTime,
    ) -> Option<Finding> {
        match self.stage {
            // What is in an account that nobody was told of yet is found when it is.
            Stage::Ready => return None,
            Stage::InProgress { .. } if self.operation.is_some() => return None,
            Stage::InProgress { .. }
            | Stage::WaitingForDeposit { .. }
            | Stage::Done { .. }
            | Stage::PartialCanceled { .. }
            | Stage::Canceled { .. }
            | Stage::Aborted { .. }
            | Stage::Expired { .. } => {}
        }
        let simple = |event| Some(Finding { event, owes: None });
        // What pays goes first: whoever paid waits, however much else was paid in.
        let is_known = |deposit: &FoundDeposit| self.deposits.iter().any(|known| known.key == deposit.key);
        let mut new = found.deposits.iter().filter(|deposit| !is_known(deposit));
        let pays = new.find(|deposit| self.standing_of(reference, deposit).0 == DepositStanding::Taken);
        if let Some(deposit) = pays.filter(|_| self.has_room(DepositStanding::Taken)) {
            return Some(self.deposited(reference, deposit, fresh, asked));
        }
        for deposit in &found.deposits {
            match self.deposits.iter().find(|known| known.key == deposit.key) {
                None if self.has_room(self.standing_of(reference, deposit).0) => {
                    return Some(self.deposited(reference, deposit, fresh, asked));
                }
                Some(known) if deposit.is_taken_back && known.standing != DepositStanding::TakenBack => {
                    return simple(AccountEvent::TakenBack { key: deposit.key.clone() });
                }
                None | Some(_) => {}
            }
        }
        let own = self.account.as_ref().filter(|account| account.reference == *reference);
        let waits = matches!(self.stage, Stage::WaitingForDeposit { .. });
        if let Some(account) = own
            && waits
            && !account.expired
            && asked >= account.due_at
        {
            return simple(AccountEvent::Overdue);
        }
        if found.is_closed {
            let known = own.is_none_or(|account| account.closed);
            return if known { None } else { simple(AccountEvent::Closed { operation: None, own: true }) };
        }
        let wanted = own.is_some_and(|account| {
            (self.approval().is_some() && !matches!(self.stage, Stage::Canceled { .. }) && !self.has_lost_its_deposit())
                || (waits && !account.expired)
        });
        let is_open = |cancel: &Cancel| cancel.end.is_none();
        let busy = self.closing.is_some() || self.cancels.iter().any(is_open);
        if wanted || busy || found.balance > 0 || self.owed_deposits().next().is_some() {
            return None;
        }
        let amount = self.account.as_ref().map(|account| account.amount).or(found.money.map(Money::amount));
        let event = AccountEvent::CloseQueued { work: Work::queued(fresh, OperationKind::CloseAccount) };
        let owes = Some((OperationKind::CloseAccount, amount?, reference.clone()));
        Some(Finding { event, owes })
    }

    /// Whether there is something in `found` that was never recorded, for want of a place.
    #[must_use]
    pub fn overflows(&self, reference: &Reference, found: &AccountFacts) -> bool {
        let is_new = |deposit: &&FoundDeposit| !self.deposits.iter().any(|known| known.key == deposit.key);
        found.deposits.iter().filter(is_new).any(|new| !self.has_room(self.standing_of(reference, new).0))
    }

    /// Whether the bank says that something else is in the account than what our books make of it, though all that was
    /// paid in is known and nothing is on its way: what was paid out has come back (반송), or more went than we know of.
    /// `found` is of a moment at which the payment stood like this.
    #[must_use]
    pub fn disagrees(&self, reference: &Reference, found: &AccountFacts) -> bool {
        let is_known = |deposit: &FoundDeposit| self.deposits.iter().any(|known| known.key == deposit.key);
        if self.has_unsettled_work() || !found.deposits.iter().all(is_known) {
            return false;
        }
        let is_refund = |cancel: &&Cancel| matches!(cancel.end, Some(CancelEnd::Done { kind: CancelKind::Refund, .. }));
        let refunded: i64 = self.cancels.iter().filter(is_refund).map(|cancel| cancel.amount).sum();
        let of_it = self.deposits.iter().filter(|deposit| deposit.reference == *reference);
        let holds = of_it.map(|deposit| match deposit.standing {
            DepositStanding::Taken => deposit.amount - refunded,
            DepositStanding::Owed => deposit.amount,
            DepositStanding::Returned => 0,
            DepositStanding::TakenBack => -deposit.lost,
        });
        holds.sum::<i64>() != found.balance
    }

    /// The deposit that went twice by this event, back to whoever paid it in and to their bank: a person has to see to it.
    #[must_use]
    pub fn went_twice(&self, event: &PaymentEvent) -> Option<&Deposit> {
        use AccountEvent as A;
        if let PaymentEvent::CancelDone { kind: CancelKind::Refund, .. } = event {
            return self.lapsed_deposit();
        }
        let PaymentEvent::Account(event) = event else { return None };
        let (deposit, went_before) = match event {
            A::TakenBack { key } => {
                let deposit = self.deposits.iter().find(|deposit| deposit.key == *key)?;
                let went_before = match deposit.standing {
                    DepositStanding::Taken => self.canceled > 0,
                    DepositStanding::Returned => true,
                    DepositStanding::Owed | DepositStanding::TakenBack => false,
                };
                (deposit, went_before)
            }
            A::Returned { operation } => {
                let deposit = self.returned_by(*operation)?;
                (deposit, deposit.standing == DepositStanding::TakenBack)
            }
            A::Issued { .. }
            | A::Deposited { .. }
            | A::PayeeGiven { .. }
            | A::NothingToReturn { .. }
            | A::Overdue
            | A::CloseQueued { .. }
            | A::Closed { .. }
            | A::NotClosed { .. } => return None,
        };
        went_before.then_some(deposit)
    }

    /// What becomes of a deposit, and why if it can't be taken.
    fn standing_of(&self, reference: &Reference, found: &FoundDeposit) -> (DepositStanding, Option<NotTaken>) {
        match self.takes(reference, found) {
            _ if found.is_taken_back => (DepositStanding::TakenBack, None),
            Ok(()) => (DepositStanding::Taken, None),
            Err(because) => (DepositStanding::Owed, Some(because)),
        }
    }

    fn deposited(
        &self,
        reference: &Reference,
        found: &FoundDeposit,
        fresh: OperationId,
        at: OffsetDateTime,
    ) -> Finding {
        let (standing, because) = self.standing_of(reference, found);
        let owed = standing == DepositStanding::Owed;
        let deposit = Deposit {
            key: found.key.clone(),
            reference: reference.clone(),
            amount: found.amount,
            depositor_name: found.depositor_name.clone(),
            deposited_at: found.at,
            standing,
            because,
            paid: standing == DepositStanding::Taken,
            work: owed.then(|| Work::queued(fresh, OperationKind::ReturnDeposit)),
            lost: 0,
        };
        let owes = owed.then(|| (OperationKind::ReturnDeposit, found.amount, Reference(found.key.clone())));
        Finding { event: AccountEvent::Deposited { deposit, transaction: fresh, at }, owes }
    }

    /// Whether it can take a deposit.
    fn takes(&self, reference: &Reference, found: &FoundDeposit) -> Result<(), NotTaken> {
        let Some(account) = self.account.as_ref().filter(|account| account.reference == *reference) else {
            return Err(NotTaken::Unwanted);
        };
        match self.stage {
            Stage::WaitingForDeposit { .. } if found.amount < account.amount => Err(NotTaken::Short),
            Stage::WaitingForDeposit { .. } if found.amount > account.amount => Err(NotTaken::Over),
            Stage::WaitingForDeposit { .. } if found.at > account.due_at => Err(NotTaken::Late),
            Stage::WaitingForDeposit { .. } => Ok(()),
            Stage::Done { .. } | Stage::PartialCanceled { .. } => Err(NotTaken::Second),
            Stage::Ready
            | Stage::InProgress { .. }
            | Stage::Canceled { .. }
            | Stage::Aborted { .. }
            | Stage::Expired { .. } => Err(NotTaken::Unwanted),
        }
    }
}

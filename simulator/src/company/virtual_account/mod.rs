//! Virtual accounts (가상계좌): numbers to pay into, what was paid into them, and what was paid out of them again.

mod close;
mod deposit;
mod issue;
mod lines;
mod pay_out;
mod view;

use std::collections::{BTreeMap, HashMap};

pub use close::Close;
pub use deposit::{Arrival, Callback, TAKE_BACK_MAX};
pub use issue::Issue;
pub use lines::{DepositLine, IssueLine, NoticeLine, PayOutLine};
pub use pay_out::{PayOut, PresentedPayOut, Purpose};
pub use view::{AccountView, DepositView, Notice};

use super::{Amount, Company, Currency, Effect, Entry, Id, Timestamp};

/// All virtual accounts.
#[derive(Debug, Default)]
pub struct VirtualAccounts {
    /// By number.
    pub(super) accounts: HashMap<Id, VirtualAccount>,
    /// The numbers given under a reference: one in mode D, one per request in mode N.
    pub(super) of_reference: HashMap<Id, Vec<Id>>,
    /// The number that a deposit went to, by its transaction key.
    of_deposit: HashMap<Id, Id>,
    /// Callbacks that were neither delivered nor given up, by their event.
    owed: BTreeMap<Id, Notice>,
}

/// One virtual account.
#[derive(Debug)]
pub struct VirtualAccount {
    /// The reference it was issued under.
    pub reference: Id,
    /// For whom.
    pub merchant_id: Id,
    /// For which order.
    pub order_id: Id,
    /// The terms.
    pub terms: IssueLine,
    /// What the payer is asked to pay.
    pub asked: Amount,
    /// Of what.
    pub currency: Currency,
    /// Whether it takes deposits.
    pub state: AccountState,
    /// Closures that wait for the deposits on their way.
    closing: Vec<Id>,
    /// In the order in which they set out.
    pub deposits: Vec<Deposit>,
    /// What was paid out of it.
    pub paid_out: i64,
    /// What is being paid out, and not decided.
    held: i64,
}

/// Whether an account takes deposits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountState {
    /// It does.
    Open,
    /// It takes no new ones, and waits for what is on its way.
    Closing,
    /// It never will again, and is empty.
    Closed,
}

/// One deposit.
#[derive(Debug)]
pub struct Deposit {
    /// The bank's name for it.
    pub key: Id,
    /// How much.
    pub amount: Amount,
    /// As it stands in the transfer.
    pub depositor_name: super::Name,
    /// When it arrived; or, before that, when it set out.
    pub at: Timestamp,
    /// Where it is.
    pub state: DepositState,
    /// How the gateway hears of it.
    callback: Callback,
    /// How much of it was paid back as a deposit, or is being paid back.
    returned: i64,
}

/// Where a deposit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DepositState {
    /// On its way.
    OnItsWay,
    /// In the account.
    Arrived,
    /// It was taken back.
    TakenBack,
    /// It never arrived.
    Vanished,
}

impl VirtualAccount {
    /// What came into it and stayed.
    pub fn deposited(&self) -> i64 {
        self.sum(|deposit| deposit.state == DepositState::Arrived)
    }

    /// What came into it and was taken back.
    pub fn taken_back(&self) -> i64 {
        self.sum(|deposit| deposit.state == DepositState::TakenBack)
    }

    /// What is in it.
    pub fn balance(&self) -> i64 {
        self.deposited() - self.paid_out
    }

    /// What is in it and not spoken for.
    pub fn left(&self) -> i64 {
        self.balance() - self.held
    }

    fn sum(&self, which: impl Fn(&Deposit) -> bool) -> i64 {
        self.deposits.iter().filter(|deposit| which(deposit)).map(|deposit| deposit.amount.get()).sum()
    }

    fn awaits(&self) -> bool {
        self.deposits.iter().any(|deposit| deposit.state == DepositState::OnItsWay)
    }

    fn deposit(&self, key: &Id) -> Option<&Deposit> {
        self.deposits.iter().find(|deposit| deposit.key == *key)
    }
}

impl VirtualAccounts {
    /// The accounts issued under a reference, the newest last.
    pub fn of(&self, reference: &Id) -> impl DoubleEndedIterator<Item = (&Id, &VirtualAccount)> {
        let numbers = self.of_reference.get(reference).map(Vec::as_slice).unwrap_or_default();
        numbers.iter().filter_map(|number| self.accounts.get_key_value(number))
    }

    fn of_key(&self, key: &Id) -> Option<(&Id, &VirtualAccount, &Deposit)> {
        let (number, account) = self.accounts.get_key_value(self.of_deposit.get(key)?)?;
        Some((number, account, account.deposit(key)?))
    }
}

impl Company {
    /// What an entry does to the money of a virtual account: a pay-out, at once or when an inquiry settles it.
    pub(super) fn virtual_account_suffered(&mut self, entry: &Entry, line: &PayOutLine, settles: bool) {
        let Some(account) = self.virtual_accounts.accounts.get_mut(&line.from) else { return };
        let amount = entry.amount.map_or(0, Amount::get);
        let on_hold = entry.result == super::Outcome::Pending && entry.pending.is_some();
        let paid = match entry.effect {
            Effect::PaidOut => amount,
            Effect::Restored => -amount,
            Effect::Charged
            | Effect::Captured
            | Effect::Voided
            | Effect::Refunded
            | Effect::Reversed
            | Effect::Deposited
            | Effect::TakenBack
            | Effect::None => 0,
        };
        let held = i64::from(on_hold) * amount - i64::from(settles) * amount;
        account.paid_out += paid;
        account.held += held;
        let deposit = line.transaction_key.as_ref().and_then(|key| account.deposits.iter_mut().find(|d| d.key == *key));
        if let Some(deposit) = deposit {
            deposit.returned += paid + held;
        }
    }
}

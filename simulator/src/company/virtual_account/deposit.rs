//! Deposits: nobody's request, but the tests' lever. Somebody at some bank pays, and the gateway hears of it by callback.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{AccountState, Deposit, DepositLine, DepositState, Notice, NoticeLine};
use crate::company::change::code_of;
use crate::company::{Amount, Answer, Around, Call, Code, Company, Decision, Details, Done, Effect, Entry, Id, Method};
use crate::company::{More, Name, Outcome, Reason};

/// How long after its arrival a deposit can be taken back.
pub const TAKE_BACK_MAX: Duration = Duration::from_secs(120);

/// How the gateway hears of a deposit, or of its being taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Callback {
    /// At once.
    #[default]
    Send,
    /// Never.
    Lose,
    /// Twice.
    Double,
    /// After so many milliseconds.
    Late(u64),
    /// Before it hears the number: the issue is answered after the callback was tried once.
    BeforeIssueAnswer,
}

/// Money that somebody sends.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The bank's name for it, chosen by the caller.
    pub key: Id,
    /// Where to.
    pub account_number: Id,
    /// How much; what was asked when nothing is said.
    pub amount: Option<Amount>,
    /// By whom; the customer when nobody is named.
    pub depositor_name: Option<Name>,
    /// How the gateway hears of it.
    pub callback: Callback,
    /// Whether it stays on its way until [`Company::deposit_ends`].
    pub is_on_its_way: bool,
}

impl Company {
    /// Somebody pays into an account. `None` when there is no such account.
    pub fn deposit(&mut self, arrival: &Arrival, around: Around) -> Option<Done> {
        let account = self.virtual_accounts.accounts.get(&arrival.account_number)?;
        let mut entry = self.draft(Method::VirtualAccount, Call::Deposit, around);
        entry.lag_ms = 0;
        entry.reference = Some(arrival.key.clone());
        entry.original_reference = Some(account.reference.clone());
        entry.merchant_id = Some(account.merchant_id.clone());
        entry.order_id = Some(account.order_id.clone());
        entry.amount = Some(arrival.amount.unwrap_or(account.asked));
        entry.currency = Some(account.currency);
        entry.details = Some(Details::Deposit(DepositLine {
            account_number: arrival.account_number.clone(),
            depositor_name: arrival.depositor_name.clone().unwrap_or_else(|| account.terms.customer_name.clone()),
            callback: arrival.callback,
        }));
        match (account.state, arrival.is_on_its_way) {
            (AccountState::Open, true) => entry.result = Outcome::Pending,
            (AccountState::Open, false) => arrive(&mut entry),
            (AccountState::Closing | AccountState::Closed, _) => {
                refuse(&mut entry, Reason::Closed);
            }
        }
        Some(self.deposit_entered(entry))
    }

    /// What was on its way arrives, or never will. `None` when nothing of that name is on its way.
    pub fn deposit_ends(&mut self, key: &Id, arrives: bool, around: Around) -> Option<Done> {
        let is_on_its_way = |d: &Deposit| d.state == DepositState::OnItsWay;
        let line = self.line_of_deposit(key, Call::Deposit, around).filter(|(_, deposit)| is_on_its_way(deposit));
        let (mut entry, _) = line?;
        if arrives {
            arrive(&mut entry);
        } else {
            entry.result = Outcome::Declined;
            entry.response_code = Some(Code::DO_NOT_HONOR);
        }
        Some(self.deposit_entered(entry))
    }

    /// A deposit was a mistake, and the bank takes it back; when `paid_out` even if there is nothing left to take, so that less
    /// than nothing is in the account. `None` when nothing of that name ever arrived.
    pub fn take_back(&mut self, key: &Id, callback: Callback, paid_out: bool, around: Around) -> Option<Done> {
        let now = around.now;
        let (mut entry, deposit) = self.line_of_deposit(key, Call::TakeBack, around)?;
        let (state, at, is_returned) = (deposit.state, deposit.at, deposit.returned > 0);
        let left = self.virtual_accounts.of_key(key).map_or(0, |(_, account, _)| account.left());
        let amount = entry.amount.map_or(0, Amount::get);
        if let Some(Details::Deposit(line)) = &mut entry.details {
            line.callback = callback;
        }
        match state {
            DepositState::OnItsWay | DepositState::Vanished => return None,
            DepositState::TakenBack => refuse(&mut entry, Reason::AlreadyCancelled),
            DepositState::Arrived if now.since(at) > TAKE_BACK_MAX => refuse(&mut entry, Reason::TooLate),
            // It was paid out meanwhile.
            DepositState::Arrived if !paid_out && (is_returned || left < amount) => {
                refuse(&mut entry, Reason::InsufficientBalance)
            }
            DepositState::Arrived => {
                entry.effect = Effect::TakenBack;
                entry.result = Outcome::Approved;
                entry.response_code = Some(Code::APPROVED);
            }
        }
        Some(self.deposit_entered(entry))
    }

    /// A callback was taken, or given up.
    pub fn notified(&mut self, notice: &Notice, delivered: bool, around: Around) -> Vec<Entry> {
        let mut entry = self.draft(Method::VirtualAccount, Call::Notify, around);
        entry.lag_ms = 0;
        entry.reference = Some(notice.transaction_key.clone());
        entry.original_reference = Some(notice.reference.clone());
        entry.result = if delivered { Outcome::Delivered } else { Outcome::GivenUp };
        entry.details = Some(Details::Notice(NoticeLine { event_id: notice.event_id.clone() }));
        self.apply(&entry);
        vec![entry]
    }

    /// The newest account issued under a reference.
    pub fn account_of_reference(&self, reference: &Id) -> Option<Id> {
        self.virtual_accounts.of(reference).next_back().map(|(number, _)| number.clone())
    }

    /// The newest account issued for an order.
    pub fn account_of_order(&self, order_id: &Id) -> Option<Id> {
        let references = self.orders.get(order_id)?;
        references.iter().rev().find_map(|reference| self.account_of_reference(reference))
    }

    /// Callbacks that were neither delivered nor given up: those of a program that ended before.
    pub fn owed_callbacks(&self) -> Vec<Notice> {
        self.virtual_accounts.owed.values().cloned().collect()
    }

    /// The callback that a deposit's entry asks for, if any.
    pub fn callback_of(&self, entries: &[Entry]) -> Option<Notice> {
        let key = entries.last().filter(|entry| is_heard_of(entry))?.reference.as_ref()?;
        let (_, account, deposit) = self.virtual_accounts.of_key(key)?;
        let event_id = Notice::of(account, deposit, deposit.at, Callback::Send)?.event_id;
        self.virtual_accounts.owed.get(&event_id).cloned()
    }

    fn line_of_deposit(&self, key: &Id, call: Call, around: Around) -> Option<(Entry, &Deposit)> {
        let (number, account, deposit) = self.virtual_accounts.of_key(key)?;
        let mut entry = self.draft(Method::VirtualAccount, call, around);
        entry.lag_ms = 0;
        entry.reference = Some(key.clone());
        entry.original_reference = Some(account.reference.clone());
        entry.merchant_id = Some(account.merchant_id.clone());
        entry.order_id = Some(account.order_id.clone());
        entry.amount = Some(deposit.amount);
        entry.currency = Some(account.currency);
        entry.details = Some(Details::Deposit(DepositLine {
            account_number: number.clone(),
            depositor_name: deposit.depositor_name.clone(),
            callback: deposit.callback,
        }));
        Some((entry, deposit))
    }

    fn deposit_entered(&mut self, entry: Entry) -> Done {
        self.apply(&entry);
        let mut decision = Decision::of(&entry, entry.at);
        if let (Some(key), Some(Details::Deposit(line))) = (&entry.reference, &entry.details) {
            let (transaction_key, account_number) = (key.clone(), line.account_number.clone());
            decision.more = Some(More::Deposit { transaction_key, account_number });
        }
        Done { answer: Answer::Decision(Box::new(decision)), entries: vec![entry] }
    }

    /// Takes over a deposit, its arrival, its end on the way, or its being taken back.
    pub(in crate::company) fn apply_deposit(&mut self, entry: &Entry) {
        let (Some(Details::Deposit(line)), Some(key)) = (&entry.details, &entry.reference) else { return };
        let Some(amount) = entry.amount else { return };
        let Some(account) = self.virtual_accounts.accounts.get_mut(&line.account_number) else { return };
        let state = match (entry.request, entry.effect, entry.result) {
            (_, Effect::Deposited, _) => DepositState::Arrived,
            (_, Effect::TakenBack, _) => DepositState::TakenBack,
            (_, _, Outcome::Pending) => DepositState::OnItsWay,
            // What a closed account refuses is no deposit, but what was on its way before is one that vanished.
            (Call::Deposit, _, Outcome::Declined) if account.deposit(key).is_some() => DepositState::Vanished,
            _ => return,
        };
        match account.deposits.iter_mut().find(|deposit| deposit.key == *key) {
            Some(deposit) => {
                deposit.state = state;
                // That it was taken back doesn't change when it arrived.
                if state == DepositState::Arrived {
                    deposit.at = entry.at;
                }
            }
            None => account.deposits.push(Deposit {
                key: key.clone(),
                amount,
                depositor_name: line.depositor_name.clone(),
                at: entry.at,
                state,
                callback: line.callback,
                returned: 0,
            }),
        }
        if is_heard_of(entry)
            && line.callback != Callback::Lose
            && let Some(deposit) = account.deposit(key)
            && let Some(notice) = Notice::of(account, deposit, entry.at, line.callback)
        {
            self.virtual_accounts.owed.insert(notice.event_id.clone(), notice);
        }
        self.virtual_accounts.of_deposit.insert(key.clone(), line.account_number.clone());
        if matches!(state, DepositState::Arrived | DepositState::Vanished) {
            self.closures_decided(&line.account_number, entry);
        }
    }

    /// A callback came to its end.
    pub(in crate::company) fn apply_notice(&mut self, entry: &Entry) {
        if let Some(Details::Notice(line)) = &entry.details {
            self.virtual_accounts.owed.remove(&line.event_id);
        }
    }
}

fn arrive(entry: &mut Entry) {
    entry.effect = Effect::Deposited;
    entry.result = Outcome::Approved;
    entry.response_code = Some(Code::APPROVED);
}

fn refuse(entry: &mut Entry, reason: Reason) {
    entry.result = Outcome::Declined;
    entry.response_code = Some(code_of(reason));
    entry.reason = Some(reason);
}

fn is_heard_of(entry: &Entry) -> bool {
    matches!(entry.effect, Effect::Deposited | Effect::TakenBack)
}

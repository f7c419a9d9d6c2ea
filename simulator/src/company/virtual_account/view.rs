//! What is shown of virtual accounts: in answers and in callbacks.

use serde::Serialize;

use super::deposit::Callback;
use super::{AccountState, Deposit, DepositState, VirtualAccount};
use crate::company::{Address, Currency, Id, Name, Timestamp};

/// An account, in the answers to its issue and to inquiries.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    account_number: Id,
    bank_code: Id,
    customer_name: Name,
    due_at: Timestamp,
    state: AccountState,
    /// What is in it.
    balance: i64,
    /// What was paid out of it.
    paid_out: i64,
    /// What arrived, the oldest first.
    deposits: Vec<DepositView>,
}

/// A deposit.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DepositView {
    transaction_key: Id,
    amount: i64,
    depositor_name: Name,
    at: Timestamp,
    /// `deposited` or `taken_back`.
    state: &'static str,
    /// Whether it came after the due time.
    is_late: bool,
}

/// What is called back about, and where.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The same each time it is sent.
    pub event_id: Id,
    /// `deposit` or `deposit_error`.
    pub event: &'static str,
    /// The reference the account was issued under.
    pub reference: Id,
    merchant_id: Id,
    order_id: Id,
    account_number: Id,
    bank_code: Id,
    /// The deposit.
    pub transaction_key: Id,
    amount: i64,
    currency: Currency,
    depositor_name: Name,
    /// When the money arrived, or was taken back.
    at: Timestamp,
    /// Where to.
    #[serde(skip)]
    pub address: Address,
    /// In which way.
    #[serde(skip)]
    pub callback: Callback,
}

impl AccountView {
    pub(in crate::company) fn of(number: &Id, account: &VirtualAccount) -> Self {
        Self {
            account_number: number.clone(),
            bank_code: account.terms.bank_code.clone(),
            customer_name: account.terms.customer_name.clone(),
            due_at: account.terms.due_at,
            state: account.state,
            balance: account.balance(),
            paid_out: account.paid_out,
            deposits: account.deposits.iter().filter_map(|deposit| DepositView::of(deposit, account)).collect(),
        }
    }
}

impl DepositView {
    /// What is on its way, or vanished there, the bank says nothing of.
    fn of(deposit: &Deposit, account: &VirtualAccount) -> Option<Self> {
        let state = match deposit.state {
            DepositState::Arrived => "deposited",
            DepositState::TakenBack => "taken_back",
            DepositState::OnItsWay | DepositState::Vanished => return None,
        };
        Some(Self {
            transaction_key: deposit.key.clone(),
            amount: deposit.amount.get(),
            depositor_name: deposit.depositor_name.clone(),
            at: deposit.at,
            state,
            is_late: deposit.at > account.terms.due_at,
        })
    }
}

impl Notice {
    /// Of a deposit that arrived or was taken back; none when nobody wants to hear of it.
    pub(super) fn of(account: &VirtualAccount, deposit: &Deposit, at: Timestamp, callback: Callback) -> Option<Self> {
        let (event, event_id) = match deposit.state {
            DepositState::Arrived => ("deposit", format!("evt_{}", deposit.key)),
            DepositState::TakenBack => ("deposit_error", format!("evt_{}_error", deposit.key)),
            DepositState::OnItsWay | DepositState::Vanished => return None,
        };
        Some(Self {
            event_id: Id::try_from(event_id).ok()?,
            event,
            reference: account.reference.clone(),
            merchant_id: account.merchant_id.clone(),
            order_id: account.order_id.clone(),
            account_number: account.terms.account_number.clone(),
            bank_code: account.terms.bank_code.clone(),
            transaction_key: deposit.key.clone(),
            amount: deposit.amount.get(),
            currency: account.currency,
            depositor_name: deposit.depositor_name.clone(),
            at,
            address: account.terms.callback_url.clone()?,
            callback,
        })
    }
}

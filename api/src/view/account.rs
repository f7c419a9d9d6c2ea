//! How an account to pay into looks, and what was paid into it.

use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::payment::Payment;
use naru_shared::domain::virtual_account::{Deposit, Payee, refund_status};
use serde::Serialize;
use utoipa::ToSchema;

use super::seoul;

/// An account to pay into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualAccountView {
    /// `일반`: for this payment only.
    pub account_type: &'static str,
    /// What the payer pays into.
    pub account_number: String,
    /// Its bank, two digits.
    pub bank_code: &'static str,
    /// Who is to pay.
    pub customer_name: String,
    /// Who did; null until then.
    pub depositor_name: Option<String>,
    /// Until when, at +09:00.
    pub due_date: String,
    /// `NONE`, `PENDING`, `FAILED`, `PARTIAL_FAILED` or `COMPLETED`.
    pub refund_status: &'static str,
    /// Whether it was not paid in time.
    pub expired: bool,
    /// `INCOMPLETED`.
    pub settlement_status: &'static str,
    /// Where money goes back to, masked; null when nobody said.
    pub refund_receive_account: Option<RefundAccountView>,
}

/// A bank account that money goes back to, masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundAccountView {
    /// Its bank, two digits.
    pub bank_code: &'static str,
    /// The last four digits.
    pub account_number: String,
    /// Whose it is.
    pub holder_name: String,
}

/// Something that was paid in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DepositView {
    /// The bank's name for it.
    pub transaction_key: String,
    /// How much, in won.
    pub amount: i64,
    /// The name in the transfer.
    pub depositor_name: String,
    /// When it arrived, at +09:00.
    pub deposited_at: String,
    /// `taken`, `owed` (it goes back), `returned`, or `taken_back` by the payer's bank.
    pub status: &'static str,
    /// Why it was not taken: `short`, `over`, `late`, `second` or `unwanted`.
    pub reason: Option<&'static str>,
    /// How far its return is: `queued`, `waiting`, `unknown`, or `dead` while it is not known where to.
    pub return_status: Option<&'static str>,
}

impl VirtualAccountView {
    /// The account of a payment, if it was opened.
    pub(super) fn of(instrument: &Instrument, payment: &Payment) -> Option<Self> {
        let Instrument::VirtualAccount(asked) = instrument else { return None };
        let state = &payment.state;
        let account = state.account.as_ref()?;
        let payee = state.cancels.iter().rev().find_map(|cancel| cancel.payee.as_ref()).or(state.payee.as_ref());
        Some(Self {
            account_type: "일반",
            account_number: account.number.clone(),
            bank_code: asked.bank.as_str(),
            customer_name: asked.customer_name.clone(),
            depositor_name: state.taken_deposit().map(|deposit| deposit.depositor_name.clone()),
            due_date: seoul(account.due_at),
            refund_status: refund_status(state).as_str(),
            expired: account.expired,
            settlement_status: "INCOMPLETED",
            refund_receive_account: payee.map(RefundAccountView::of),
        })
    }
}

impl RefundAccountView {
    fn of(payee: &Payee) -> Self {
        Self { bank_code: payee.bank.as_str(), account_number: payee.masked(), holder_name: payee.holder.clone() }
    }
}

impl DepositView {
    pub(super) fn of(deposit: &Deposit) -> Self {
        Self {
            transaction_key: deposit.key.clone(),
            amount: deposit.amount,
            depositor_name: deposit.depositor_name.clone(),
            deposited_at: seoul(deposit.deposited_at),
            status: deposit.standing.as_str(),
            reason: deposit.because.map(naru_shared::domain::virtual_account::NotTaken::as_str),
            return_status: deposit.work.as_ref().map(|work| work.status.as_str()),
        }
    }
}

//! What is owed to whom. Double entry: every transaction takes an amount from one account and gives it to another, so that
//! the sum over all accounts of a currency is nothing, always. Postings are only ever added, in the commit of the
//! outcome they are of.

use super::cancel::CancelKind;
use super::event::PaymentEvent;
use super::instrument::Instrument;
use super::payment::{Payment, PaymentState};
use super::virtual_account::{AccountEvent, DepositStanding};
use crate::words::words;

words! {
    /// An account, per merchant, mode, connector and currency.
    Account {
        /// 승인: what acquirers have approved for a merchant and not bought yet. A claim of ours; where nothing is bought it is
        /// skipped.
        Authorized = "authorized",
        /// 매입: what acquirers have bought, or taken from the payer at once, and owe us. A claim of ours.
        Receivable = "receivable",
        /// What we owe the merchant.
        Payable = "payable",
        /// What we owe to whoever paid into an account what its payment could not take.
        Returnable = "returnable",
    }
}

words! {
    /// What kind of transaction a posting is.
    TransactionKind {
        /// A payment was approved.
        Payment = "PAYMENT",
        /// An approval was cancelled, in part or whole, before its capture; or what has none was.
        Cancel = "CANCEL",
        /// Money went back after it had moved.
        Refund = "REFUND",
        /// An acquirer bought the sales slip: between our own accounts, and nothing a merchant would list.
        Capture = "CAPTURE",
        /// Something was paid in that goes back.
        Deposit = "DEPOSIT",
        /// It went back.
        Return = "RETURN",
        /// The payer's bank took a deposit back.
        DepositError = "DEPOSIT_ERROR",
    }
}

/// One transaction: `amount` goes from the account `credit` to the account `debit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posting {
    /// What it is.
    pub kind: TransactionKind,
    /// The account that gets.
    pub debit: Account,
    /// The account that gives.
    pub credit: Account,
    /// In minor units of the payment's currency; above zero.
    pub amount: i64,
}

/// What an event that happens to `payment`, as it stands before it, moves between accounts.
#[must_use]
pub fn posting(payment: &Payment, event: &PaymentEvent) -> Option<Posting> {
    let state = &payment.state;
    // Until the sales slip is bought, where slips are: everything else moves money with the approval.
    let captures = state.instrument().is_some_and(|instrument| instrument.connector().captures());
    let claim = if captures && !state.is_captured() { Account::Authorized } else { Account::Receivable };
    let (kind, debit, credit, amount) = match event {
        PaymentEvent::Approved { approval } => (TransactionKind::Payment, claim, Account::Payable, approval.amount),
        PaymentEvent::Captured { .. } => {
            let left = state.balance(payment.total.amount());
            (TransactionKind::Capture, Account::Receivable, Account::Authorized, left)
        }
        PaymentEvent::CancelDone { operation, kind, .. } => {
            let amount = state.cancel(*operation)?.amount;
            // An account that is closed had nothing in it.
            let is_account = matches!(state.instrument(), Some(Instrument::VirtualAccount(_)));
            if is_account && *kind == CancelKind::Cancel {
                return None;
            }
            let kind = match kind {
                CancelKind::Cancel => TransactionKind::Cancel,
                CancelKind::Refund => TransactionKind::Refund,
            };
            (kind, Account::Payable, claim, amount)
        }
        PaymentEvent::Account(event) => deposited(state, event)?,
        PaymentEvent::Authenticated { .. }
        | PaymentEvent::PayerCanceled
        | PaymentEvent::Scanned { .. }
        | PaymentEvent::Delayed { .. }
        | PaymentEvent::Expired
        | PaymentEvent::ApprovalQueued { .. }
        | PaymentEvent::RetryScheduled { .. }
        | PaymentEvent::OutcomeUnknown { .. }
        | PaymentEvent::WorkDied { .. }
        | PaymentEvent::WorkRearmed { .. }
        | PaymentEvent::ApprovalFailed { .. }
        | PaymentEvent::LateApproval { .. }
        | PaymentEvent::ReversalFinished { .. }
        | PaymentEvent::CancelQueued { .. }
        | PaymentEvent::CancelFailed { .. }
        | PaymentEvent::CaptureQueued { .. }
        | PaymentEvent::CaptureDone { .. }
        | PaymentEvent::CaptureFailed { .. } => return None,
    };
    (amount > 0).then_some(Posting { kind, debit, credit, amount })
}

/// What is paid in is ours to collect from the bank, and owed to the merchant, or back to whoever paid it in.
fn deposited(state: &PaymentState, event: &AccountEvent) -> Option<(TransactionKind, Account, Account, i64)> {
    let owed_to = |standing| match standing {
        DepositStanding::Taken => Some(Account::Payable),
        DepositStanding::Owed => Some(Account::Returnable),
        // Should it be taken back after that.
        DepositStanding::Returned => Some(Account::Returnable),
        DepositStanding::TakenBack => None,
    };
    match event {
        AccountEvent::Deposited { deposit, .. } => {
            let credit = owed_to(deposit.standing)?;
            let taken = deposit.standing == DepositStanding::Taken;
            let kind = if taken { TransactionKind::Payment } else { TransactionKind::Deposit };
            Some((kind, Account::Receivable, credit, deposit.amount))
        }
        AccountEvent::TakenBack { key } => {
            let deposit = state.deposits.iter().find(|deposit| deposit.key == *key)?;
            Some((TransactionKind::DepositError, owed_to(deposit.standing)?, Account::Receivable, deposit.amount))
        }
        AccountEvent::Returned { operation } => {
            let amount = state.returned_by(*operation)?.amount;
            Some((TransactionKind::Return, Account::Returnable, Account::Receivable, amount))
        }
        AccountEvent::Issued { .. }
        | AccountEvent::PayeeGiven { .. }
        | AccountEvent::NothingToReturn { .. }
        | AccountEvent::Overdue
        | AccountEvent::CloseQueued { .. }
        | AccountEvent::Closed { .. }
        | AccountEvent::NotClosed { .. } => None,
    }
}

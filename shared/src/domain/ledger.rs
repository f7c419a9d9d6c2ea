//! What is owed to whom. Double entry: every transaction takes an amount from one account and gives it to another, so that
//! the sum over all accounts of a currency is nothing, always. Postings are only ever added, in the commit of the
//! outcome they are of.

use super::cancel::CancelKind;
use super::event::PaymentEvent;
use super::payment::Payment;
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
        PaymentEvent::Captured { .. } if !state.is_captured() => {
            let left = state.balance(payment.total.amount());
            (TransactionKind::Capture, Account::Receivable, Account::Authorized, left)
        }
        PaymentEvent::CancelDone { operation, kind, .. } => {
            let amount = state.cancel(*operation)?.amount;
            let kind = match kind {
                CancelKind::Cancel => TransactionKind::Cancel,
                CancelKind::Refund => TransactionKind::Refund,
            };
            (kind, Account::Payable, claim, amount)
        }
        PaymentEvent::Captured { .. }
        | PaymentEvent::Authenticated { .. }
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
        | PaymentEvent::CaptureFailed { .. } => return None,
    };
    (amount > 0).then_some(Posting { kind, debit, credit, amount })
}

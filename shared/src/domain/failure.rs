//! Why a payment failed, in words that merchants' clients know.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// A failure of a payment. `code` is one of Toss Payments' closed list (typed clients lose the whole error on an
/// unknown one); our finer cause is in `reason`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// What kind of failure.
    pub code: FailureCode,
    /// Why, more finely than the code can say.
    pub reason: FailureReason,
    /// The acquirer's own response code, when it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acquirer_code: Option<String>,
}

impl Failure {
    /// The acquirer said no.
    #[must_use]
    pub fn declined(code: FailureCode, acquirer_code: impl Into<String>) -> Self {
        Self { code, reason: FailureReason::AcquirerDeclined, acquirer_code: Some(acquirer_code.into()) }
    }

    /// A failure that no acquirer had a say in.
    #[must_use]
    pub const fn ours(code: FailureCode, reason: FailureReason) -> Self {
        Self { code, reason, acquirer_code: None }
    }
}

words! {
    /// Toss Payments' error codes for a payment that did not come about.
    FailureCode {
        /// The card company refused, without saying more.
        RejectCardCompany = "REJECT_CARD_COMPANY",
        /// Not enough money, or over the card's limit.
        RejectCardPayment = "REJECT_CARD_PAYMENT",
        /// The card is reported lost or stolen.
        InvalidCardLostOrStolen = "INVALID_CARD_LOST_OR_STOLEN",
        /// The card is stopped.
        InvalidStoppedCard = "INVALID_STOPPED_CARD",
        /// The card has expired, or its expiry is wrong.
        InvalidCardExpiration = "INVALID_CARD_EXPIRATION",
        /// No such card, or a wrong CVC.
        InvalidCardNumber = "INVALID_CARD_NUMBER",
        /// The card password is wrong.
        InvalidCardPassword = "INVALID_CARD_PASSWORD",
        /// The identity number does not belong to the card.
        InvalidCardIdentity = "INVALID_CARD_IDENTITY",
        /// Too many payments in a day.
        ExceedMaxDailyPaymentCount = "EXCEED_MAX_DAILY_PAYMENT_COUNT",
        /// The account or membership does not hold enough.
        RejectAccountPayment = "REJECT_ACCOUNT_PAYMENT",
        /// No such account, another holder's, or stopped.
        InvalidAccountInfo = "INVALID_ACCOUNT_INFO_RE_REGISTER",
        /// More than the account may draw in a day.
        ExceedMaxOneDayAmount = "EXCEED_MAX_ONE_DAY_AMOUNT",
        /// More than the phone may be charged in a month.
        ExceedMaxPaymentAmount = "EXCEED_MAX_PAYMENT_AMOUNT",
        /// The code or password that the payer typed is wrong.
        InvalidPassword = "INVALID_PASSWORD",
        /// What the payer proved themselves by is not valid, or no longer.
        InvalidAuthorizeAuth = "INVALID_AUTHORIZE_AUTH",
        /// Too many wrong codes.
        ExceedMaxAuthCount = "EXCEED_MAX_AUTH_COUNT",
        /// Fraud is suspected.
        FdsError = "FDS_ERROR",
        /// Nobody could be reached in time, or what they answered was not about this payment.
        ProviderError = "PROVIDER_ERROR",
        /// The acquirer would give it back only until the month of the approval was over.
        ExceedMaxRefundDue = "EXCEED_MAX_REFUND_DUE",
        /// The acquirer would not give the money back.
        RefundRejected = "REFUND_REJECTED",
        /// The payer changed their mind.
        PayProcessCanceled = "PAY_PROCESS_CANCELED",
        /// There is no such bank, or it gives no accounts.
        InvalidBank = "INVALID_BANK",
        /// There is no such account to give the money back to.
        InvalidRefundAccountNumber = "INVALID_REFUND_ACCOUNT_NUMBER",
        /// The account to give the money back to is somebody else's.
        InvalidRefundAccountInfo = "INVALID_REFUND_ACCOUNT_INFO",
        /// The bank is closed at this hour.
        NotAvailableBank = "NOT_AVAILABLE_BANK",
    }
}

words! {
    /// Why a payment failed, more finely than [`FailureCode`].
    FailureReason {
        /// The acquirer answered no.
        AcquirerDeclined = "ACQUIRER_DECLINED",
        /// No approval could be had before the deadline; nothing is sent after it.
        ApprovalDeadlinePassed = "APPROVAL_DEADLINE_PASSED",
        /// The acquirer approved another amount or currency than ours; it was reversed.
        AcquirerAmountMismatch = "ACQUIRER_AMOUNT_MISMATCH",
        /// All of it went back before it could be captured.
        NothingToCapture = "NOTHING_TO_CAPTURE",
        /// The payer cancelled before paying.
        PayerCanceled = "PAYER_CANCELED",
        /// No account could be had from the bank in time.
        IssueDeadlinePassed = "ISSUE_DEADLINE_PASSED",
        /// Money was paid in before the account could be closed.
        DepositedMeanwhile = "DEPOSITED_MEANWHILE",
        /// The payer's bank took the deposit back: there is nothing to give back.
        DepositTakenBack = "DEPOSIT_TAKEN_BACK",
        /// It was given up, and an operator has freed what it would have taken.
        ReleasedByOperator = "RELEASED_BY_OPERATOR",
        /// Where the money was to go back to can't be read any more: it has to be said again.
        RefundAccountLost = "REFUND_ACCOUNT_LOST",
    }
}

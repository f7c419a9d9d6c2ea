//! One call to an acquirer, and what was heard.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::failure::Failure;
use super::id::{AttemptId, Reference};
use super::installment::InterestPayer;
use super::money::Money;
use super::virtual_account::IssueAnswer;
use crate::words::words;

words! {
    /// What was asked of the acquirer.
    Call {
        /// Take the money.
        Approve = "approve",
        /// Buy the sales slip.
        Capture = "capture",
        /// Give the money back; the slip was not bought yet.
        Cancel = "cancel",
        /// Give the money back; the slip was bought.
        Refund = "refund",
        /// What became of that reference?
        Inquire = "inquire",
        /// Reverse whatever was done under that reference.
        NetCancel = "net_cancel",
        /// Open an account to pay into.
        Issue = "issue",
        /// Close it, if it is empty.
        Close = "close",
        /// Pay a deposit back.
        Return = "return",
    }
}

words! {
    /// What was heard, in one word.
    AnswerWord {
        /// The money was taken.
        Approved = "approved",
        /// It was not, and will not be.
        Declined = "declined",
        /// The acquirer is still at it.
        Pending = "pending",
        /// It was taken and went back.
        Reversed = "reversed",
        /// The acquirer knows no such reference.
        NotFound = "not_found",
        /// The acquirer would not net-cancel.
        Refused = "refused",
        /// The acquirer did nothing and wants us to come back.
        Busy = "busy",
        /// No byte left us.
        NotSent = "not_sent",
        /// Bytes left; nothing that can be believed came back.
        Unknown = "unknown",
    }
}

words! {
    /// What became of the money that an attempt may have moved.
    Resolution {
        /// What was asked was done.
        Approved = "approved",
        /// The acquirer refused.
        Declined = "declined",
        /// It moved and went back.
        Reversed = "reversed",
        /// It never moved.
        NotMoved = "not_moved",
        /// It was done with, and then an answer came late: a net-cancel is owed for it.
        Reversing = "reversing",
    }
}

/// An attempt whose outcome is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAttempt {
    /// Its id.
    pub id: AttemptId,
    /// What was asked.
    pub call: Call,
    /// Our name for it at the acquirer.
    pub reference: Reference,
    /// When it was written down, which is before it was sent.
    pub sent_at: OffsetDateTime,
    /// As what the acquirer refused it, if its books are not as ours: that is believed only after inquiries.
    pub doubted: Option<RefusedBecause>,
    /// Why its reversal was asked for, if it ever was. Such a reference is never wanted again: the reversal may still
    /// be on its way.
    pub condemned: Option<Because>,
}

/// A reference under which a change was asked for earlier, and of which was decided that nothing was done. What never left us is
/// none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// What was asked.
    pub call: Call,
    /// Our name for it at the acquirer.
    pub reference: Reference,
}

words! {
    /// Why something is net-cancelled. Written down before the net-cancel is sent.
    Because {
        /// Nobody wants it any more.
        TooLate = "too_late",
        /// The acquirer approved another amount than ours.
        WrongAmount = "wrong_amount",
        /// It can't be found, and the acquirer would charge again if asked again.
        NotFound = "not_found",
        /// The operation exists to reverse it.
        Asked = "asked",
    }
}

/// An approval as the acquirer tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApprovalFacts {
    /// What it says it took; nothing when it is no amount of a currency we know.
    #[serde(skip)]
    pub money: Option<Money>,
    /// 승인번호, at most 8 characters.
    pub number: String,
    /// Who pays the interest; nothing when it is one payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest_payer: Option<InterestPayer>,
}

/// What a fault was, in a word for logs and the attempt's row (`connect_refused`, `timeout`, `http_503` …).
pub type Fault = String;

/// What came of asking for an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApproveAnswer {
    /// Yes.
    Approved(ApprovalFacts),
    /// No.
    Declined(Failure),
    /// Not yet.
    Pending,
    /// Nothing was done; come back.
    Busy(Fault),
    /// No byte left us.
    NotSent(Fault),
    /// Bytes left; nothing believable came back.
    Unknown(Fault),
}

/// What came of asking for a change of an approval: its capture, or giving money back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeAnswer {
    /// It is done.
    Done(ChangeFacts),
    /// It is not, and will not be.
    Declined(ChangeRefusal),
    /// Not yet.
    Pending,
    /// Nothing was done; come back.
    Busy(Fault),
    /// No byte left us.
    NotSent(Fault),
    /// Bytes left; nothing believable came back.
    Unknown(Fault),
}

/// A change of an approval as the acquirer tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeFacts {
    /// How much it says was changed; nothing when it is no amount of a currency we know.
    pub money: Option<Money>,
}

/// Why an acquirer would not change an approval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRefusal {
    /// Which of the ways it can be.
    pub why: RefusedBecause,
    /// Its own code.
    pub code: String,
}

words! {
    /// In which way an acquirer would not change an approval.
    RefusedBecause {
        /// A cancel came after the capture: it takes a refund.
        AlreadyCaptured = "already_captured",
        /// It says that there is nothing left to cancel. Believed only after an inquiry about our own reference.
        AlreadyCanceled = "already_cancelled",
        /// It is not what we think it is: not captured, less left, no such approval.
        Disagrees = "disagrees",
        /// There is money in the account that is to be closed.
        NotEmpty = "not_empty",
        /// There is no such bank to pay to.
        WrongBank = "wrong_bank",
        /// There is no such account to pay to.
        WrongNumber = "wrong_number",
        /// The account to pay to is somebody else's.
        WrongHolder = "wrong_holder",
        /// The month of the approval is over, and with it the time for a cancel.
        MonthOver = "past_month",
        /// Anything else.
        Declined = "declined",
    }
}

impl RefusedBecause {
    /// Whether it says that the acquirer's books are not as ours: perhaps because it did, under an earlier reference, what we
    /// believe that it did not.
    #[must_use]
    pub const fn is_doubtful(self) -> bool {
        match self {
            Self::AlreadyCanceled | Self::Disagrees => true,
            Self::AlreadyCaptured
            | Self::NotEmpty
            | Self::WrongBank
            | Self::WrongNumber
            | Self::WrongHolder
            | Self::MonthOver
            | Self::Declined => false,
        }
    }
}

impl ChangeRefusal {
    /// What is kept of it: which of the ways it is, where that says more than the acquirer's code.
    #[must_use]
    pub fn word(&self) -> &str {
        match self.why {
            RefusedBecause::AlreadyCaptured
            | RefusedBecause::AlreadyCanceled
            | RefusedBecause::Disagrees
            | RefusedBecause::MonthOver
            | RefusedBecause::NotEmpty => self.why.as_str(),
            RefusedBecause::WrongBank
            | RefusedBecause::WrongNumber
            | RefusedBecause::WrongHolder
            | RefusedBecause::Declined => &self.code,
        }
    }
}

/// What came of asking what became of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InquiryAnswer {
    /// It was approved.
    Approved(ApprovalFacts),
    /// It was declined.
    Declined(Failure),
    /// It was a change, and refused in a way that says more than no.
    Refused(ChangeRefusal),
    /// The acquirer is still at it.
    Pending,
    /// It was net-cancelled.
    Reversed,
    /// No such reference.
    NotFound,
    /// Unreachable or malformed: no answer.
    NoAnswer(Fault),
}

/// What came of a net-cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetCancelAnswer {
    /// It is reversed, now or before.
    Reversed,
    /// No such reference.
    NoOriginal,
    /// It is there and the acquirer will not reverse it.
    Refused(Fault),
    /// Unreachable or malformed: no answer.
    NoAnswer(Fault),
}

/// What a call to an acquirer brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Of [`Call::Approve`].
    Approve(ApproveAnswer),
    /// Of [`Call::Capture`], [`Call::Cancel`], [`Call::Refund`], [`Call::Close`] or [`Call::Return`].
    Change(Call, ChangeAnswer),
    /// Of [`Call::Inquire`].
    Inquire(InquiryAnswer),
    /// Of [`Call::NetCancel`].
    NetCancel(NetCancelAnswer),
    /// Of [`Call::Issue`].
    Issue(IssueAnswer),
}

impl Answer {
    /// What was asked.
    #[must_use]
    pub const fn call(&self) -> Call {
        match self {
            Self::Approve(_) => Call::Approve,
            Self::Inquire(_) => Call::Inquire,
            Self::Change(call, _) => *call,
            Self::NetCancel(_) => Call::NetCancel,
            Self::Issue(_) => Call::Issue,
        }
    }

    /// As it is written to the attempt.
    #[must_use]
    pub fn word(&self) -> AnswerWord {
        match self {
            Self::Issue(answer) => answer.word(),
            Self::Approve(ApproveAnswer::Approved(_))
            | Self::Change(_, ChangeAnswer::Done(_))
            | Self::Inquire(InquiryAnswer::Approved(_)) => AnswerWord::Approved,
            Self::Approve(ApproveAnswer::Declined(_))
            | Self::Change(_, ChangeAnswer::Declined(_))
            | Self::Inquire(InquiryAnswer::Declined(_) | InquiryAnswer::Refused(_)) => AnswerWord::Declined,
            Self::Approve(ApproveAnswer::Pending)
            | Self::Change(_, ChangeAnswer::Pending)
            | Self::Inquire(InquiryAnswer::Pending) => AnswerWord::Pending,
            Self::Approve(ApproveAnswer::Busy(_)) | Self::Change(_, ChangeAnswer::Busy(_)) => AnswerWord::Busy,
            Self::Approve(ApproveAnswer::NotSent(_)) | Self::Change(_, ChangeAnswer::NotSent(_)) => AnswerWord::NotSent,
            Self::Inquire(InquiryAnswer::Reversed) | Self::NetCancel(NetCancelAnswer::Reversed) => AnswerWord::Reversed,
            Self::Inquire(InquiryAnswer::NotFound) | Self::NetCancel(NetCancelAnswer::NoOriginal) => {
                AnswerWord::NotFound
            }
            Self::NetCancel(NetCancelAnswer::Refused(_)) => AnswerWord::Refused,
            Self::Approve(ApproveAnswer::Unknown(_))
            | Self::Change(_, ChangeAnswer::Unknown(_))
            | Self::Inquire(InquiryAnswer::NoAnswer(_))
            | Self::NetCancel(NetCancelAnswer::NoAnswer(_)) => AnswerWord::Unknown,
        }
    }

    /// The acquirer's code, or the fault that we met, when there was one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Issue(answer) => answer.code(),
            Self::Approve(ApproveAnswer::Declined(failure)) | Self::Inquire(InquiryAnswer::Declined(failure)) => {
                failure.acquirer_code.as_deref()
            }
            Self::Change(_, ChangeAnswer::Declined(refusal)) | Self::Inquire(InquiryAnswer::Refused(refusal)) => {
                Some(refusal.word())
            }
            Self::Change(
                _,
                ChangeAnswer::Busy(fault) | ChangeAnswer::NotSent(fault) | ChangeAnswer::Unknown(fault),
            )
            | Self::Approve(
                ApproveAnswer::Busy(fault) | ApproveAnswer::NotSent(fault) | ApproveAnswer::Unknown(fault),
            )
            | Self::Inquire(InquiryAnswer::NoAnswer(fault))
            | Self::NetCancel(NetCancelAnswer::Refused(fault) | NetCancelAnswer::NoAnswer(fault)) => Some(fault),
            Self::Approve(ApproveAnswer::Approved(_) | ApproveAnswer::Pending)
            | Self::Change(_, ChangeAnswer::Done(_) | ChangeAnswer::Pending)
            | Self::Inquire(
                InquiryAnswer::Approved(_) | InquiryAnswer::Pending | InquiryAnswer::Reversed | InquiryAnswer::NotFound,
            )
            | Self::NetCancel(NetCancelAnswer::Reversed | NetCancelAnswer::NoOriginal) => None,
        }
    }
}

/// What a connector promises of its acquirer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// The same reference again gives the first answer and has no second effect.
    pub dedupes_by_reference: bool,
    /// How long after it took effect a call may still be missing from an inquiry.
    pub settle_window: Duration,
    /// Our own time-out for one whole call.
    pub total_timeout: Duration,
}

/// How long after it was written down an approval may still be sent. When it is written down is what everybody counts
/// from, and the bytes leave later: the claim's answer may take seconds to come, and the worker may have no time. Unbounded,
/// somebody could believe "not found" while they are still to leave. It is many times what a busy worker needs, and small
/// beside the call itself.
pub const SENT_WITHIN: Duration = Duration::seconds(2);

impl Manners {
    /// From when on "not found" is believed of something written down at `sent_at`: when the longest call that can have been
    /// made for it is over, and what it did is to be seen. Before that it means "ask again".
    #[must_use]
    pub fn believable_at(&self, sent_at: OffsetDateTime) -> OffsetDateTime {
        sent_at + SENT_WITHIN + self.total_timeout + self.settle_window
    }
}

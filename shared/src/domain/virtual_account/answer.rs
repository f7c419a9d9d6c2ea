//! What a bank answers to a question about an account.

use super::super::attempt::{AnswerWord, ApprovalFacts, Fault, InquiryAnswer};
use super::super::failure::Failure;
use super::AccountFacts;

/// What came of asking for an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueAnswer {
    /// Here it is.
    Issued(AccountFacts),
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

impl IssueAnswer {
    /// As it is written to the attempt.
    #[must_use]
    pub const fn word(&self) -> AnswerWord {
        match self {
            Self::Issued(_) => AnswerWord::Approved,
            Self::Declined(_) => AnswerWord::Declined,
            Self::Pending => AnswerWord::Pending,
            Self::Busy(_) => AnswerWord::Busy,
            Self::NotSent(_) => AnswerWord::NotSent,
            Self::Unknown(_) => AnswerWord::Unknown,
        }
    }

    /// The bank's code, or the fault that we met.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Declined(failure) => failure.acquirer_code.as_deref(),
            Self::Busy(fault) | Self::NotSent(fault) | Self::Unknown(fault) => Some(fault),
            Self::Issued(_) | Self::Pending => None,
        }
    }
}

/// What came of asking after an account that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssueInquiry {
    /// It is there.
    Issued(AccountFacts),
    /// It was refused.
    Declined(Failure),
    /// The bank is still at it.
    Pending,
    /// No such reference.
    NotFound,
    /// Unreachable or malformed: no answer.
    NoAnswer(Fault),
}

impl IssueInquiry {
    /// The same, as inquiries are kept.
    #[must_use]
    pub fn kept(&self) -> InquiryAnswer {
        match self {
            Self::Issued(facts) => InquiryAnswer::Approved(ApprovalFacts {
                money: facts.money,
                number: String::new(),
                interest_payer: None,
            }),
            Self::Declined(failure) => InquiryAnswer::Declined(failure.clone()),
            Self::Pending => InquiryAnswer::Pending,
            Self::NotFound => InquiryAnswer::NotFound,
            Self::NoAnswer(fault) => InquiryAnswer::NoAnswer(fault.clone()),
        }
    }
}

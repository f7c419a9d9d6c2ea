//! One unit of queued work on a payment.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

pub use super::connector::Connector;
use super::failure::Failure;
use super::id::{OperationId, PaymentId, Reference};
use super::money::Money;
use crate::words::words;

/// How long after its acceptance an approval may still be sent, unless the merchant said sooner (`approveBefore`).
pub const APPROVE_WITHIN: Duration = Duration::minutes(3);

/// How long anything else may still be sent: an account after its acceptance, a change after its first turn. Then it is given
/// up with a letter.
pub const CHANGE_WITHIN: Duration = Duration::hours(24);

/// A claim may come this much before it is due; what is left of the wait is not worth another hop. Where something else is to
/// be done from a moment on, the claim for it is due this much after that moment: an early one would only repeat itself.
pub const CLAIMED_EARLY_BY: Duration = Duration::milliseconds(250);

/// After this long without knowing, a letter asks for a person. The work goes on.
pub const NEEDS_PERSON_AFTER: Duration = Duration::minutes(10);

/// Claims in a row that may end without a recorded result before the row is buried.
pub const CRASH_BUDGET: i32 = 5;

words! {
    /// What is to be done.
    OperationKind {
        /// Ask for the payer's money.
        Approve = "approve",
        /// 취소 or 환불: give money back. Which of the two is decided when it is carried out.
        Cancel = "cancel",
        /// 매입: have the acquirer buy the sales slip.
        Capture = "capture",
        /// 망취소: reverse what an acquirer may have done under a reference of ours that we no longer want.
        NetCancel = "net_cancel",
        /// Have a bank open an account for the payer to pay into.
        IssueAccount = "issue_account",
        /// Have it closed: it is done when the bank says that it is closed and empty.
        CloseAccount = "close_account",
        /// Give back a deposit that the payment can't take.
        ReturnDeposit = "return_deposit",
    }
}

words! {
    /// How far it is. Each says who takes it out of here.
    OperationStatus {
        /// Accepted, never claimed. A worker's claim.
        Queued = "queued",
        /// Claimed. The claiming worker records an outcome; failing that, another takes it over when the
        /// owner's lease is out, or after 60 s.
        Processing = "processing",
        /// To be tried again at `due_at`. A worker's claim.
        Waiting = "waiting",
        /// Sent, and no answer that can be believed. A worker's inquiry at `due_at`.
        Unknown = "unknown",
        /// Done. Nobody.
        Succeeded = "succeeded",
        /// Came to nothing, for good. Nobody.
        Failed = "failed",
        /// Given up with a letter. An operator's replay.
        Dead = "dead",
    }
}

impl OperationKind {
    /// How long it may still be sent to the acquirer, from its acceptance or, of a change, its first turn. Nothing ends a
    /// net-cancel.
    #[must_use]
    pub const fn within(self) -> Duration {
        match self {
            Self::Approve => APPROVE_WITHIN,
            Self::Cancel | Self::Capture | Self::IssueAccount | Self::CloseAccount | Self::ReturnDeposit => {
                CHANGE_WITHIN
            }
            Self::NetCancel => Duration::ZERO,
        }
    }
}

impl OperationKind {
    /// Whether it changes what an acquirer did before: nothing undoes that.
    #[must_use]
    pub const fn is_change(self) -> bool {
        match self {
            Self::Cancel | Self::Capture | Self::CloseAccount | Self::ReturnDeposit => true,
            Self::Approve | Self::NetCancel | Self::IssueAccount => false,
        }
    }

    /// Whether somebody may be waiting for it before a screen.
    #[must_use]
    pub const fn is_waited_for(self) -> bool {
        match self {
            Self::Approve | Self::Cancel | Self::IssueAccount => true,
            Self::Capture | Self::NetCancel | Self::CloseAccount | Self::ReturnDeposit => false,
        }
    }
}

impl OperationStatus {
    /// Whether work is still owed without anybody's help.
    #[must_use]
    pub const fn is_unsettled(self) -> bool {
        match self {
            Self::Queued | Self::Processing | Self::Waiting | Self::Unknown => true,
            Self::Succeeded | Self::Failed | Self::Dead => false,
        }
    }
}

words! {
    /// Which of a connector's queues it waits in, so that recovery never waits behind the storm it should end.
    Urgency {
        /// A payer is waiting.
        Pay = "pay",
        /// Nobody is waiting: cancels, refunds, captures.
        Back = "back",
        /// Finding out and reversing.
        Recover = "recover",
    }
}

words! {
    /// What a dead letter asks of its reader.
    LetterKind {
        /// Nothing: it tells.
        Information = "information",
        /// Replay it when the cause is gone.
        Replayable = "replayable",
        /// Find out by other means; work goes on meanwhile.
        NeedsPerson = "needs_person",
    }
}

words! {
    /// Why a letter is owed, in a word that groups well.
    LetterReason {
        /// Five claims in a row ended without a recorded result.
        CrashedItsWorkers = "CRASHED_ITS_WORKERS",
        /// It could not be sent for as long as it may be.
        OutOfTime = "OUT_OF_TIME",
        /// For long nobody could find out what became of it.
        OutcomeUnknown = "OUTCOME_UNKNOWN",
        /// The acquirer speaks of another amount, or other terms, than ours.
        AmountMismatch = "AMOUNT_MISMATCH",
        /// The acquirer would not net-cancel.
        NetCancelRefused = "NET_CANCEL_REFUSED",
        /// The acquirer's books of an approval differ from ours.
        BooksDisagree = "BOOKS_DISAGREE",
        /// The acquirer declined what nobody's request waits for.
        AcquirerDeclined = "ACQUIRER_DECLINED",
        /// Nobody has said where a deposit goes back to.
        PayeeMissing = "PAYEE_MISSING",
        /// What happened does not fit its payment.
        OutcomeImpossible = "OUTCOME_IMPOSSIBLE",
    }
}

/// A letter that is owed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterOwed {
    /// What it asks of its reader.
    pub kind: LetterKind,
    /// Why it is owed.
    pub reason: LetterReason,
}

/// A unit of work as it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Its id.
    pub id: OperationId,
    /// Whose work.
    pub payment: PaymentId,
    /// Its place among the payment's operations, from 1: only the lowest unsettled one may be claimed.
    pub number: i32,
    /// What is to be done.
    pub kind: OperationKind,
    /// By whom.
    pub connector: Connector,
    /// For how much.
    pub amount: Money,
    /// What a net-cancel reverses, which account is closed, or which deposit (by the bank's name for it) is returned.
    pub target: Option<Reference>,
    /// How far it is.
    pub status: OperationStatus,
    /// Raised by every claim; only its newest holder decides.
    pub fence: i64,
    /// Claims in a row without a recorded result, this one included.
    pub claim_count: i32,
    /// Tries that used up an attempt.
    pub attempt_count: i32,
    /// Inquiries and net-cancels that settled nothing.
    pub inquiry_count: i32,
    /// Looks at its account that its refusals asked for, since somebody sent it to work.
    pub look_count: i32,
    /// When it may be claimed next.
    pub due_at: OffsetDateTime,
    /// Past this nothing new is sent. Of a change it is counted from its first turn: what had none is not given up.
    pub deadline_at: OffsetDateTime,
    /// How it ended, once it has.
    pub result: Option<OperationResult>,
    /// The payment version that says so.
    pub result_version: Option<i64>,
    /// The letter that is owed or was written for it.
    pub letter: Option<LetterOwed>,
    /// Since when it is not known what became of it; nothing while it is.
    pub unknown_since: Option<OffsetDateTime>,
    /// Whether it was given up once, and a person has sent it back to work.
    pub rearmed: bool,
    /// W3C `traceparent` of the request that accepted it.
    pub trace_parent: String,
    /// When it was accepted.
    pub created_at: OffsetDateTime,
}

impl Operation {
    /// Why a letter was written for it, in a word that groups well.
    #[must_use]
    pub fn letter_reason(&self) -> &'static str {
        match (&self.result, self.letter) {
            // What a person has to see to is more than how it ended.
            (_, Some(letter)) if letter.kind == LetterKind::NeedsPerson => letter.reason.as_str(),
            (Some(OperationResult::Failed { failure, .. }), _) => failure.reason.as_str(),
            (_, Some(letter)) => letter.reason.as_str(),
            // Its message died although its row owes no letter: delivered too often.
            (_, None) => "MESSAGE_DIED",
        }
    }

    /// Which of its connector's queues its next hint belongs in.
    #[must_use]
    pub const fn urgency(&self) -> Urgency {
        urgency(self.kind, self.status)
    }
}

/// Which queue an operation of this kind and status waits in.
#[must_use]
pub const fn urgency(kind: OperationKind, status: OperationStatus) -> Urgency {
    match (kind, status) {
        // A claimed row that needs a hint again has lost its owner: it begins with an inquiry.
        (OperationKind::NetCancel, _) | (_, OperationStatus::Unknown | OperationStatus::Processing) => Urgency::Recover,
        (
            OperationKind::Approve | OperationKind::IssueAccount,
            OperationStatus::Queued
            | OperationStatus::Waiting
            | OperationStatus::Succeeded
            | OperationStatus::Failed
            | OperationStatus::Dead,
        ) => Urgency::Pay,
        (
            OperationKind::Cancel | OperationKind::Capture | OperationKind::CloseAccount | OperationKind::ReturnDeposit,
            OperationStatus::Queued
            | OperationStatus::Waiting
            | OperationStatus::Succeeded
            | OperationStatus::Failed
            | OperationStatus::Dead,
        ) => Urgency::Back,
    }
}

/// How an operation ended: what the answer to its caller is rendered from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum OperationResult {
    /// The payment at `result_version` is the answer.
    Succeeded,
    /// This failure is the answer.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether the money moved and went back (`REVERSED`), never moved (`NOT_MOVED`), or something of it is
        /// still to be reversed (`UNKNOWN`).
        money_state: super::payment::MoneyState,
    },
}

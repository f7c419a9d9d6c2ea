//! What can happen to a payment, in the past tense.

use time::OffsetDateTime;

use super::cancel::{Cancel, CancelKind};
use super::failure::Failure;
use super::id::OperationId;
use super::instrument::Instrument;
use super::operation::OperationKind;
use super::payment::{Approval, Work};
use super::virtual_account::AccountEvent;
use crate::words::words;

words! {
    /// Who an event is for.
    EventClass {
        /// The status changed, or money was found where it should not be, or went back: for everybody.
        State = "state",
        /// A milestone for a waiting page: SSE and timeline only.
        Progress = "progress",
    }
}

/// A fact about a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PaymentEvent {
    /// The payer said what to pay with and proved to be themselves.
    Authenticated {
        /// What with.
        instrument: Instrument,
    },
    /// The payer's device opened the checkout.
    Scanned {
        /// When, by the merchant's clock.
        at: OffsetDateTime,
    },
    /// Work that somebody waits for takes long.
    Delayed {
        /// The work.
        operation: OperationId,
    },
    /// The payer changed their mind.
    PayerCanceled,
    /// Time ran out, by its merchant's clock.
    Expired,
    /// The merchant confirmed; the approval is queued.
    ApprovalQueued {
        /// The approval.
        work: Work,
    },
    /// It came to nothing this time and is tried again.
    RetryScheduled {
        /// The work, with when.
        work: Work,
        /// Whether what the last try moved was reversed.
        reversed: bool,
    },
    /// The acquirer was asked and no believable answer came.
    OutcomeUnknown {
        /// The work, with when it is inquired after.
        work: Work,
    },
    /// The work was given up with a letter.
    WorkDied {
        /// The work.
        work: Work,
        /// Whether the acquirer's books of it are not as ours.
        disputed: bool,
    },
    /// An operator sent it back to work.
    WorkRearmed {
        /// The work.
        work: Work,
    },
    /// The acquirer holds the money for us.
    Approved {
        /// Its word.
        approval: Approval,
    },
    /// There will be no approval.
    ApprovalFailed {
        /// Why.
        failure: Failure,
        /// Whether money had moved and went back.
        reversed: bool,
    },
    /// An approval was found that nobody wants any more, or may be there; its reversal is queued.
    LateApproval {
        /// The reversal.
        work: Work,
    },
    /// The merchant asked for money back; what it will take is reserved.
    CancelQueued {
        /// As it was accepted.
        cancel: Cancel,
    },
    /// The acquirer gives it back.
    CancelDone {
        /// The cancel.
        operation: OperationId,
        /// What it was to the acquirer.
        kind: CancelKind,
        /// When we recorded it, by its merchant's clock.
        at: OffsetDateTime,
    },
    /// The acquirer does not give it back.
    CancelFailed {
        /// The cancel.
        operation: OperationId,
        /// Why.
        failure: Failure,
    },
    /// The acquirer is to buy the sales slip.
    CaptureQueued {
        /// The capture.
        work: Work,
    },
    /// It has.
    Captured {
        /// The capture; nothing when a cancel was told so.
        operation: Option<OperationId>,
        /// When we recorded it, by its merchant's clock.
        at: OffsetDateTime,
    },
    /// Nothing was left to do for it: it was found captured before.
    CaptureDone {
        /// The capture.
        operation: OperationId,
    },
    /// It will not.
    CaptureFailed {
        /// The capture.
        operation: OperationId,
        /// Why.
        failure: Failure,
        /// When we recorded it, by its merchant's clock.
        at: OffsetDateTime,
    },
    /// That reversal is through.
    ReversalFinished {
        /// The reversal.
        operation: OperationId,
        /// Whether there was anything to reverse.
        reversed: bool,
    },
    /// Something about an account to pay into.
    Account(AccountEvent),
}

/// What goes on beside each other on a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// From creation to its approval or its end without one.
    Own,
    /// An approval that nobody wants goes back.
    Reversal,
    /// Money goes back because the merchant asks for it.
    Cancel,
    /// The acquirer buys the sales slip.
    Capture,
    /// An account to pay into: opened, paid into, closed.
    Account,
    /// Somebody who waits is told how it goes.
    Progress,
}

/// The type of the event with which every payment begins.
pub const CREATED: &str = "payment.created";

impl PaymentEvent {
    /// Its type, as the event log and streams name it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authenticated { .. } => "payment.authenticated",
            Self::PayerCanceled => "payment.payer_canceled",
            Self::Scanned { .. } => "checkout.scanned",
            Self::Delayed { .. } => "operation.delayed",
            Self::Expired => "payment.expired",
            Self::ApprovalQueued { .. } => "operation.queued",
            Self::RetryScheduled { .. } => "operation.retry_scheduled",
            Self::OutcomeUnknown { .. } => "operation.unknown",
            Self::WorkDied { .. } => "operation.dead",
            Self::WorkRearmed { .. } => "operation.rearmed",
            Self::Approved { .. } => "payment.done",
            Self::ApprovalFailed { .. } => "payment.aborted",
            Self::LateApproval { .. } => "payment.late_approval",
            Self::ReversalFinished { .. } => "payment.reversed",
            Self::CancelQueued { .. } => "cancel.queued",
            Self::CancelDone { .. } => "cancel.done",
            Self::CancelFailed { .. } => "cancel.aborted",
            Self::CaptureQueued { .. } => "capture.queued",
            Self::Captured { .. } => "payment.captured",
            Self::CaptureDone { .. } => "capture.done",
            Self::CaptureFailed { .. } => "capture.aborted",
            Self::Account(event) => event.name(),
        }
    }

    /// To which of the payment's courses it belongs.
    #[must_use]
    pub const fn course(&self) -> Course {
        match self {
            Self::LateApproval { .. } | Self::ReversalFinished { .. } => Course::Reversal,
            Self::CancelQueued { .. } | Self::CancelDone { .. } | Self::CancelFailed { .. } => Course::Cancel,
            Self::CaptureQueued { .. }
            | Self::Captured { .. }
            | Self::CaptureDone { .. }
            | Self::CaptureFailed { .. } => Course::Capture,
            Self::Account(_) => Course::Account,
            Self::Scanned { .. } | Self::Delayed { .. } => Course::Progress,
            Self::ApprovalQueued { work }
            | Self::RetryScheduled { work, .. }
            | Self::OutcomeUnknown { work }
            | Self::WorkDied { work, .. }
            | Self::WorkRearmed { work } => match work.kind {
                OperationKind::Approve | OperationKind::IssueAccount => Course::Own,
                OperationKind::CloseAccount | OperationKind::ReturnDeposit => Course::Account,
                OperationKind::NetCancel => Course::Reversal,
                OperationKind::Cancel => Course::Cancel,
                OperationKind::Capture => Course::Capture,
            },
            Self::Authenticated { .. }
            | Self::PayerCanceled
            | Self::Expired
            | Self::Approved { .. }
            | Self::ApprovalFailed { .. } => Course::Own,
        }
    }

    /// Who it is for.
    #[must_use]
    pub const fn class(&self) -> EventClass {
        match self {
            Self::Account(event) => event.class(),
            Self::Authenticated { .. }
            | Self::PayerCanceled
            | Self::Expired
            | Self::Approved { .. }
            | Self::ApprovalFailed { .. }
            | Self::LateApproval { .. }
            | Self::ReversalFinished { .. }
            | Self::CancelQueued { .. }
            | Self::CancelDone { .. }
            | Self::CancelFailed { .. }
            | Self::Captured { .. }
            | Self::CaptureFailed { .. } => EventClass::State,
            Self::ApprovalQueued { .. }
            | Self::Scanned { .. }
            | Self::Delayed { .. }
            | Self::CaptureQueued { .. }
            | Self::CaptureDone { .. }
            | Self::RetryScheduled { .. }
            | Self::OutcomeUnknown { .. }
            | Self::WorkDied { .. }
            | Self::WorkRearmed { .. } => EventClass::Progress,
        }
    }
}

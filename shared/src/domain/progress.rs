//! What a waiting page is told and nothing else hangs on: each once.

use super::event::PaymentEvent;
use super::operation::OperationStatus;
use super::payment::{PaymentState, Stage};

impl PaymentState {
    /// What a milestone changes: that it was told. Nothing when it was told before, or is not so.
    pub(super) fn tell(&mut self, event: &PaymentEvent) -> Option<()> {
        use PaymentEvent as E;
        match event {
            E::Scanned { at } if self.stage == Stage::Ready && self.scanned_at.is_none() => self.scanned_at = Some(*at),
            E::Delayed { operation } if self.may_tell_delay_of(*operation) => self.delayed = Some(*operation),
            E::Scanned { .. }
            | E::Delayed { .. }
            | E::Authenticated { .. }
            | E::PayerCanceled
            | E::Expired
            | E::ApprovalQueued { .. }
            | E::Approved { .. }
            | E::ApprovalFailed { .. }
            | E::RetryScheduled { .. }
            | E::OutcomeUnknown { .. }
            | E::WorkDied { .. }
            | E::WorkRearmed { .. }
            | E::LateApproval { .. }
            | E::ReversalFinished { .. }
            | E::CancelQueued { .. }
            | E::CancelDone { .. }
            | E::CancelFailed { .. }
            | E::CaptureQueued { .. }
            | E::Captured { .. }
            | E::CaptureDone { .. }
            | E::CaptureFailed { .. }
            | E::Account(_) => return None,
        }
        Some(())
    }

    /// Whether this work is the one that is done now, and has not been said to take long. One whose outcome is unknown was
    /// said to be just that.
    fn may_tell_delay_of(&self, operation: super::id::OperationId) -> bool {
        let is_at_work = |status| match status {
            OperationStatus::Queued | OperationStatus::Processing | OperationStatus::Waiting => true,
            OperationStatus::Unknown | OperationStatus::Succeeded | OperationStatus::Failed | OperationStatus::Dead => {
                false
            }
        };
        self.delayed != Some(operation)
            && self.work().is_some_and(|work| work.id == operation && is_at_work(work.status))
    }
}

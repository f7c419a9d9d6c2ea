//! What the shop sells for, and where it stands.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::{CheckoutId, OperationId, PaymentId, PaymentKey, Tenant};
use super::instrument::Instrument;
use super::money::Money;
use super::operation::{OperationKind, OperationStatus};
use crate::words::words;

/// How long a payer has to authenticate (Toss Payments: 30 minutes).
pub const READY_FOR: Duration = Duration::minutes(30);
/// How long a merchant has to confirm after that (Toss Payments: 10 minutes).
pub const IN_PROGRESS_FOR: Duration = Duration::minutes(10);

words! {
    /// Where a payment stands; names as in Toss Payments v1. Each says who moves it out.
    PaymentStatus {
        /// Created. The payer authenticates or cancels; upkeep expires it after 30 minutes.
        Ready = "READY",
        /// The payer is authenticated. A confirm queues the approval, whose outcome moves it; without one the
        /// payer cancels, or upkeep expires it after 10 minutes.
        InProgress = "IN_PROGRESS",
        /// Paid. Nobody, in this slice.
        Done = "DONE",
        /// Came to nothing. Nobody.
        Aborted = "ABORTED",
        /// Ran out of time. Nobody.
        Expired = "EXPIRED",
    }
}

words! {
    /// Where the payer's money is.
    MoneyState {
        /// With the payer, where it always was.
        NotMoved = "NOT_MOVED",
        /// With us.
        Moved = "MOVED",
        /// It was with us and went back, all of it.
        Reversed = "REVERSED",
        /// Work is owed that may move it, or have moved it.
        Unknown = "UNKNOWN",
    }
}

words! {
    /// By which door it came in.
    PaymentSource {
        /// The payer authenticates on their own device; the merchant confirms.
        Checkout = "checkout",
        /// The merchant types the card in; approval is queued at once.
        KeyIn = "key_in",
    }
}

/// A payment: what was ordered, which never changes, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Payment {
    /// Its id inside Naru.
    pub id: PaymentId,
    /// What merchants call it.
    pub key: PaymentKey,
    /// What the payer's page calls it.
    pub checkout_id: CheckoutId,
    /// Whose it is, and in which world.
    pub tenant: Tenant,
    /// The merchant's public id (`mId`).
    pub mid: String,
    /// By which door it came in.
    pub source: PaymentSource,
    /// The merchant's name for the order, 6 to 64 characters.
    pub order_id: String,
    /// What is bought, 1 to 100 characters.
    pub order_name: String,
    /// What it costs.
    pub total: Money,
    /// How much of that bears no tax, in minor units.
    pub tax_free: i64,
    /// The rest of what the merchant said at creation.
    pub details: PaymentDetails,
    /// How many operations it ever had.
    pub operation_count: i32,
    /// Raised by one with every change.
    pub version: i64,
    /// Where it stands at that version.
    pub state: PaymentState,
    /// When it was created.
    pub created_at: OffsetDateTime,
}

/// What a merchant may say of a payment and nothing ever changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PaymentDetails {
    /// Where the payer goes when authenticated. Its origin is registered with the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_url: Option<String>,
    /// Where the payer goes when it failed. Its origin is registered with the merchant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_url: Option<String>,
    /// Shown to the payer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// Where the receipt goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_email: Option<String>,
    /// At most 5 pairs of the merchant's own, returned as they came.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

/// Where a payment stands. Written whole with every version, so that any version can be shown for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PaymentState {
    /// The status, with what is true only in it.
    #[serde(flatten)]
    pub stage: Stage,
    /// Where the payer's money is.
    pub money_state: MoneyState,
    /// The work of its own course: the approval that was asked for. What a waiting client is shown is
    /// [`PaymentState::work`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Work>,
    /// Approvals that nobody wants, on their way back: the work that reverses each, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reversals: Vec<Work>,
    /// Whether some of the payer's money ever moved and went back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ever_reversed: bool,
}

/// A status with what is true only in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE", rename_all_fields = "camelCase")]
pub enum Stage {
    /// Nobody has said what to pay with.
    Ready,
    /// The payer said what to pay with.
    InProgress {
        /// What with.
        instrument: Instrument,
    },
    /// Paid.
    Done {
        /// What with.
        instrument: Instrument,
        /// What the acquirer said to it.
        approval: Approval,
    },
    /// Came to nothing.
    Aborted {
        /// What with, if that was ever said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instrument: Option<Instrument>,
        /// Why.
        failure: Failure,
    },
    /// Ran out of time.
    Expired {
        /// What with, if that was ever said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instrument: Option<Instrument>,
    },
}

/// An approval of the whole amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// 승인번호, at most 8 characters.
    pub number: String,
    /// When we recorded it.
    #[serde(with = "time::serde::rfc3339")]
    pub approved_at: OffsetDateTime,
    /// The operation that brought it: `lastTransactionKey`.
    pub operation: OperationId,
}

/// Queued work as a waiting client sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Work {
    /// The operation.
    pub id: OperationId,
    /// What is being done.
    #[serde(rename = "type")]
    pub kind: OperationKind,
    /// How far it is.
    pub status: OperationStatus,
    /// Tries so far.
    pub attempt: i32,
    /// When it is tried next; nothing when that is now.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub next_attempt_at: Option<OffsetDateTime>,
}

/// An event that the payment's standing does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a payment that is {status} ({work}) does not take the event {event}")]
pub struct IllegalTransition {
    /// Where it stands.
    pub status: &'static str,
    /// Whether work is queued on it.
    pub work: &'static str,
    /// What was tried.
    pub event: &'static str,
}

impl PaymentState {
    /// A payment that was just created for a payer to authenticate.
    #[must_use]
    pub const fn ready() -> Self {
        Self {
            stage: Stage::Ready,
            money_state: MoneyState::NotMoved,
            operation: None,
            reversals: Vec::new(),
            ever_reversed: false,
        }
    }

    /// A payment whose card the merchant typed in: its approval is queued at once.
    #[must_use]
    pub const fn key_in(instrument: Instrument, work: Work) -> Self {
        Self {
            stage: Stage::InProgress { instrument },
            money_state: MoneyState::Unknown,
            operation: Some(work),
            reversals: Vec::new(),
            ever_reversed: false,
        }
    }

    /// The bare status.
    #[must_use]
    pub const fn status(&self) -> PaymentStatus {
        match self.stage {
            Stage::Ready => PaymentStatus::Ready,
            Stage::InProgress { .. } => PaymentStatus::InProgress,
            Stage::Done { .. } => PaymentStatus::Done,
            Stage::Aborted { .. } => PaymentStatus::Aborted,
            Stage::Expired { .. } => PaymentStatus::Expired,
        }
    }

    /// What it is paid with, if that was ever said.
    #[must_use]
    pub const fn instrument(&self) -> Option<&Instrument> {
        match &self.stage {
            Stage::Ready => None,
            Stage::InProgress { instrument } | Stage::Done { instrument, .. } => Some(instrument),
            Stage::Aborted { instrument, .. } | Stage::Expired { instrument } => instrument.as_ref(),
        }
    }

    /// The approval, of a payment that is paid.
    #[must_use]
    pub const fn approval(&self) -> Option<&Approval> {
        match &self.stage {
            Stage::Done { approval, .. } => Some(approval),
            Stage::Ready | Stage::InProgress { .. } | Stage::Aborted { .. } | Stage::Expired { .. } => None,
        }
    }

    /// The work that is owed on it now, or that was given up: what a waiting client is shown.
    #[must_use]
    pub fn work(&self) -> Option<&Work> {
        let own = self.operation.as_ref();
        own.filter(|work| work.status.is_unsettled()).or(self.reversals.first()).or(own)
    }

    /// Whether work is owed on it without anybody's help.
    #[must_use]
    pub fn has_unsettled_work(&self) -> bool {
        self.is_in_course() || !self.reversals.is_empty()
    }

    /// Whether the approval that was asked for is still open.
    fn is_in_course(&self) -> bool {
        self.operation.as_ref().is_some_and(|work| work.status.is_unsettled())
    }

    fn is_unknown(&self) -> bool {
        self.operation.as_ref().is_some_and(|work| work.status == OperationStatus::Unknown)
    }

    /// How far this operation is, as the payment's newest version tells it.
    #[must_use]
    pub fn told_of(&self, operation: OperationId) -> Option<OperationStatus> {
        let told = self.operation.iter().chain(&self.reversals).find(|work| work.id == operation)?;
        Some(told.status)
    }

    /// Whether a stream of it may end: nothing will happen any more unless somebody asks for it.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match self.stage {
            Stage::Ready | Stage::InProgress { .. } => false,
            Stage::Done { .. } | Stage::Aborted { .. } | Stage::Expired { .. } => !self.has_unsettled_work(),
        }
    }

    /// The only place where a payment's next standing is decided.
    ///
    /// # Errors
    /// When the event cannot happen to a payment that stands like this; both are named.
    pub fn on(&self, event: &PaymentEvent) -> Result<Self, IllegalTransition> {
        let illegal = || IllegalTransition {
            status: self.status().as_str(),
            work: if self.has_unsettled_work() { "with unsettled work" } else { "without unsettled work" },
            event: event.name(),
        };
        let mut next = self.clone();
        if event.is_of_reversal() { next.reverse(event) } else { next.proceed(event) }.ok_or_else(illegal)?;
        next.money_state = next.money();
        Ok(next)
    }

    /// What the payment's own course makes of an event; nothing when it can't be.
    fn proceed(&mut self, event: &PaymentEvent) -> Option<()> {
        use PaymentEvent as E;
        let in_course = self.is_in_course();
        let busy = self.has_unsettled_work();
        match (&self.stage, event) {
            (Stage::Ready, E::Authenticated { instrument }) => {
                self.stage = Stage::InProgress { instrument: instrument.clone() };
            }
            (Stage::Ready | Stage::InProgress { .. }, E::PayerCanceled) if !busy => {
                self.stage = Stage::Aborted {
                    instrument: self.instrument().cloned(),
                    failure: Failure::ours(FailureCode::PayProcessCanceled, FailureReason::PayerCanceled),
                };
                self.operation = None;
            }
            (Stage::Ready | Stage::InProgress { .. }, E::Expired) if !busy => {
                self.stage = Stage::Expired { instrument: self.instrument().cloned() };
                self.operation = None;
            }
            (Stage::InProgress { .. }, E::ApprovalQueued { work }) if self.operation.is_none() => {
                self.operation = Some(work.clone());
            }
            (Stage::InProgress { instrument }, E::Approved { approval }) if in_course => {
                self.stage = Stage::Done { instrument: instrument.clone(), approval: approval.clone() };
                self.operation = None;
            }
            (Stage::InProgress { instrument }, E::ApprovalFailed { failure, reversed }) if in_course => {
                self.stage = Stage::Aborted { instrument: Some(instrument.clone()), failure: failure.clone() };
                self.operation = None;
                self.ever_reversed |= reversed;
            }
            (Stage::InProgress { .. }, E::RetryScheduled { work, reversed }) if in_course => {
                self.operation = Some(work.clone());
                self.ever_reversed |= reversed;
            }
            (Stage::InProgress { .. }, E::OutcomeUnknown { work }) if in_course => {
                self.operation = Some(work.clone());
            }
            // What may have moved money is found out, never given up.
            (Stage::InProgress { .. }, E::WorkDied { work }) if in_course && !self.is_unknown() => {
                self.operation = Some(work.clone());
            }
            // Only when nothing else is at work: one operation of a payment at a time.
            (Stage::InProgress { .. }, E::WorkRearmed { work }) if !busy && self.operation.is_some() => {
                self.operation = Some(work.clone());
            }
            (
                Stage::Ready
                | Stage::InProgress { .. }
                | Stage::Done { .. }
                | Stage::Aborted { .. }
                | Stage::Expired { .. },
                E::Authenticated { .. }
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
                | E::ReversalFinished { .. },
            ) => return None,
        }
        Some(())
    }

    /// What a reversal's event changes; nothing when no such reversal is owed. Its course is apart from the
    /// payment's own: a payment stays what it is while an approval that nobody wants goes back.
    fn reverse(&mut self, event: &PaymentEvent) -> Option<()> {
        use PaymentEvent as E;
        let place = |id: OperationId| self.reversals.iter().position(|work| work.id == id);
        match event {
            E::LateApproval { work } if self.status() != PaymentStatus::Ready && place(work.id).is_none() => {
                self.reversals.push(work.clone());
            }
            E::OutcomeUnknown { work } => {
                let place = place(work.id)?;
                *self.reversals.get_mut(place)? = work.clone();
            }
            E::ReversalFinished { operation, reversed } => {
                let place = place(*operation)?;
                self.reversals.remove(place);
                self.ever_reversed |= reversed;
            }
            E::Authenticated { .. }
            | E::PayerCanceled
            | E::Expired
            | E::ApprovalQueued { .. }
            | E::Approved { .. }
            | E::ApprovalFailed { .. }
            | E::RetryScheduled { .. }
            | E::WorkDied { .. }
            | E::WorkRearmed { .. }
            | E::LateApproval { .. } => return None,
        }
        Some(())
    }

    /// Where the money is. While work is owed that may move it nobody knows: a claim raises no version, so what is
    /// queued for us may be under way at the acquirer.
    fn money(&self) -> MoneyState {
        if self.has_unsettled_work() {
            return MoneyState::Unknown;
        }
        match self.stage {
            Stage::Done { .. } => MoneyState::Moved,
            Stage::Ready | Stage::InProgress { .. } | Stage::Aborted { .. } | Stage::Expired { .. } => {
                if self.ever_reversed { MoneyState::Reversed } else { MoneyState::NotMoved }
            }
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;

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
        /// An open attempt may move it, or have moved it.
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
    /// The work that is queued on it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Work>,
    /// Whether some of the payer's money ever moved and went back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ever_reversed: bool,
    /// How many approvals that nobody wants are still to be reversed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reversals_owed: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's skip_serializing_if passes a reference")]
const fn is_zero(n: &u32) -> bool {
    *n == 0
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
            ever_reversed: false,
            reversals_owed: 0,
        }
    }

    /// A payment whose card the merchant typed in: its approval is queued at once.
    #[must_use]
    pub const fn key_in(instrument: Instrument, work: Work) -> Self {
        Self {
            stage: Stage::InProgress { instrument },
            money_state: MoneyState::NotMoved,
            operation: Some(work),
            ever_reversed: false,
            reversals_owed: 0,
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

    /// Whether work is owed on it without anybody's help.
    #[must_use]
    pub fn has_unsettled_work(&self) -> bool {
        self.operation.as_ref().is_some_and(|work| work.status.is_unsettled())
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
        use PaymentEvent as E;
        let busy = self.has_unsettled_work();
        let mut next = self.clone();
        match (&self.stage, event) {
            (Stage::Ready, E::Authenticated { instrument }) => {
                next.stage = Stage::InProgress { instrument: instrument.clone() };
            }
            (Stage::Ready | Stage::InProgress { .. }, E::PayerCanceled) if !busy => {
                next.stage = Stage::Aborted {
                    instrument: self.instrument().cloned(),
                    failure: Failure::ours(FailureCode::PayProcessCanceled, FailureReason::PayerCanceled),
                };
                next.operation = None;
            }
            (Stage::Ready | Stage::InProgress { .. }, E::Expired) if !busy => {
                next.stage = Stage::Expired { instrument: self.instrument().cloned() };
                next.operation = None;
            }
            (Stage::InProgress { .. }, E::ApprovalQueued { work }) if self.operation.is_none() => {
                next.operation = Some(work.clone());
            }
            (Stage::InProgress { instrument }, E::Approved { approval }) if busy => {
                next.stage = Stage::Done { instrument: instrument.clone(), approval: approval.clone() };
                next.operation = None;
            }
            (Stage::InProgress { instrument }, E::ApprovalFailed { failure, reversed }) if busy => {
                next.stage = Stage::Aborted { instrument: Some(instrument.clone()), failure: failure.clone() };
                next.operation = None;
                next.ever_reversed |= reversed;
            }
            (Stage::InProgress { .. }, E::RetryScheduled { work, reversed }) if busy => {
                next.operation = Some(work.clone());
                next.ever_reversed |= reversed;
            }
            (Stage::Done { .. } | Stage::Aborted { .. } | Stage::Expired { .. }, E::RetryScheduled { work, .. })
                if busy =>
            {
                next.operation = Some(work.clone());
            }
            (
                Stage::InProgress { .. } | Stage::Done { .. } | Stage::Aborted { .. } | Stage::Expired { .. },
                E::OutcomeUnknown { work },
            ) if busy => {
                next.operation = Some(work.clone());
            }
            (Stage::InProgress { .. }, E::WorkDied { work }) if busy => {
                next.operation = Some(work.clone());
            }
            (Stage::InProgress { .. }, E::WorkRearmed { work }) if !busy && self.operation.is_some() => {
                next.operation = Some(work.clone());
            }
            (
                Stage::InProgress { .. } | Stage::Done { .. } | Stage::Aborted { .. } | Stage::Expired { .. },
                E::LateApproval { work },
            ) => {
                next.reversals_owed = self.reversals_owed.saturating_add(1);
                // The one that is at work stays in view; they are done in order.
                next.operation = if busy { self.operation.clone() } else { Some(work.clone()) };
            }
            (
                Stage::InProgress { .. } | Stage::Done { .. } | Stage::Aborted { .. } | Stage::Expired { .. },
                E::ReversalFinished { reversed },
            ) if self.reversals_owed > 0 => {
                next.reversals_owed = self.reversals_owed - 1;
                next.ever_reversed |= reversed;
                next.operation = None;
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
            ) => {
                return Err(IllegalTransition {
                    status: self.status().as_str(),
                    work: if busy { "with unsettled work" } else { "without unsettled work" },
                    event: event.name(),
                });
            }
        }
        next.money_state = next.money_after(event);
        Ok(next)
    }

    /// Where the money is, given everything else and what just happened.
    fn money_after(&self, event: &PaymentEvent) -> MoneyState {
        let open = self.reversals_owed > 0
            || matches!(event, PaymentEvent::OutcomeUnknown { .. })
            || (self.money_state == MoneyState::Unknown
                && matches!(event, PaymentEvent::WorkDied { .. } | PaymentEvent::WorkRearmed { .. }));
        if open {
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
mod tests {
    use super::super::fixtures;
    use super::*;

    /// The specification: every standing × every event. A changed rule is a changed line in the snapshot.
    #[test]
    fn the_grid_of_standings_and_events() {
        let mut grid = String::new();
        for (name, state) in fixtures::standings() {
            for event in fixtures::events() {
                let outcome = match state.on(&event) {
                    Ok(next) => format!(
                        "{} {}{}",
                        next.status(),
                        next.money_state.as_str(),
                        next.operation.as_ref().map_or(String::new(), |w| format!(
                            " [{} {}]",
                            w.kind.as_str(),
                            w.status.as_str()
                        ))
                    ),
                    Err(_) => "—".to_owned(),
                };
                grid.push_str(&format!("{name:<34} {:<20} {outcome}\n", event.name()));
            }
            grid.push('\n');
        }
        insta::assert_snapshot!(grid);
    }

    #[test]
    fn what_is_at_rest_takes_no_event_but_a_late_approval() {
        for (name, state) in fixtures::standings().into_iter().filter(|(_, state)| state.is_at_rest()) {
            for event in fixtures::events() {
                if !matches!(event, PaymentEvent::LateApproval { .. }) {
                    assert!(state.on(&event).is_err(), "{name} took {}", event.name());
                }
            }
        }
    }

    #[test]
    fn a_standing_survives_being_written_and_read() {
        for (name, state) in fixtures::standings() {
            let json = serde_json::to_value(&state).unwrap();
            assert_eq!(json["status"], state.status().as_str(), "{name}");
            assert_eq!(serde_json::from_value::<PaymentState>(json).unwrap(), state, "{name}");
        }
    }
}

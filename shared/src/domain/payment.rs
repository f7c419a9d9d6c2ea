//! What the shop sells for, and where it stands.

mod work;

use std::fmt;

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::cancel::Cancel;
use super::capture::Capture;
use super::event::{Course, PaymentEvent};
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::{CheckoutId, OperationId, PaymentId, PaymentKey, Reference, Tenant};
use super::installment::InterestPayer;
use super::instrument::{Instrument, Method};
use super::money::Money;
use super::operation::OperationStatus;
use super::virtual_account::{Account, Deposit, Payee};
use crate::words::words;

pub use self::work::Work;

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
        /// The payer has an account to pay into. A deposit that is found, or a cancel that is carried out.
        WaitingForDeposit = "WAITING_FOR_DEPOSIT",
        /// Paid. A cancel that is carried out; or, of a virtual account, that the payer's bank takes the deposit back.
        Done = "DONE",
        /// Paid, and a part went back. The next cancel that is carried out.
        PartialCanceled = "PARTIAL_CANCELED",
        /// Paid, and all of it went back. Nobody.
        Canceled = "CANCELED",
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
        /// The merchant charges a billing key; approval is queued at once.
        Billing = "billing",
        /// The merchant asks for an account that the payer pays into; its issue is queued at once.
        VirtualAccount = "virtual_account",
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
    /// When it was created, by its merchant's clock.
    pub created_at: OffsetDateTime,
    /// How far its merchant's clock was ahead of the database's when it was read; nothing outside the sandbox.
    pub ahead: Duration,
}

impl Payment {
    /// What its merchant's clock shows when the database's shows this.
    #[must_use]
    pub fn merchant_time(&self, database: OffsetDateTime) -> OffsetDateTime {
        database.saturating_add(self.ahead)
    }
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
    /// By which method the payer is to pay, if the merchant has chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Shown to the payer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_name: Option<String>,
    /// Where the receipt goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_email: Option<String>,
    /// The merchant's name for whose billing key was charged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customer_key: Option<String>,
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
    /// What was asked to go back of it, in the order of acceptance.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cancels: Vec<Cancel>,
    /// What went back of it, in minor units: the sum of the cancels that are done.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub canceled: i64,
    /// What cancels that have not ended will take of it, in minor units.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reserved: i64,
    /// Where its capture stands; nothing while nobody has thought of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capture: Option<Capture>,
    /// Changes that were given up because the acquirer's books are not as ours, until they end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disputed: Vec<OperationId>,
    /// Approvals that nobody wants, on their way back: the work that reverses each, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reversals: Vec<Work>,
    /// When the payer's device opened its checkout, by the merchant's clock.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub scanned_at: Option<OffsetDateTime>,
    /// The last work that was said to take long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delayed: Option<OperationId>,
    /// The account to pay into, since the bank opened it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Account>,
    /// What was paid into accounts of it, in the order in which it was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deposits: Vec<Deposit>,
    /// How many deposits are not listed any more: they went back, and others came.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub deposits_gone: i64,
    /// Where deposits that it can't take go back to, if that was ever said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<Payee>,
    /// The work that closes an account of it, while it is owed or when it was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closing: Option<Work>,
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
    /// There is an account to pay into.
    WaitingForDeposit {
        /// What was asked for.
        instrument: Instrument,
        /// What it was paid by, until the payer's bank took that back: a refund of it may have gone out, and not be heard of yet.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lapsed: Option<Approval>,
    },
    /// Paid.
    Done {
        /// What with.
        instrument: Instrument,
        /// What the acquirer said to it.
        approval: Approval,
    },
    /// Paid, and a part of it went back.
    PartialCanceled {
        /// What with.
        instrument: Instrument,
        /// What the acquirer said to it.
        approval: Approval,
    },
    /// Paid, and all of it went back; or cancelled while it waited for its deposit.
    Canceled {
        /// What with.
        instrument: Instrument,
        /// What the acquirer said to it, if it was paid.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approval: Option<Approval>,
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
    /// When we recorded it, by its merchant's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub approved_at: OffsetDateTime,
    /// The operation that brought it: its `transactionKey`.
    pub operation: OperationId,
    /// Our name for it at the acquirer: what a cancel, refund or capture refers to.
    pub reference: Reference,
    /// How much was approved, in minor units: the payment's whole.
    pub amount: i64,
    /// Who pays the interest of its instalments, as the acquirer tells; nothing when it is one payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest_payer: Option<InterestPayer>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
pub(super) const fn is_zero(amount: &i64) -> bool {
    *amount == 0
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
            cancels: Vec::new(),
            canceled: 0,
            reserved: 0,
            capture: None,
            disputed: Vec::new(),
            reversals: Vec::new(),
            account: None,
            deposits: Vec::new(),
            deposits_gone: 0,
            payee: None,
            closing: None,
            ever_reversed: false,
            scanned_at: None,
            delayed: None,
        }
    }

    /// A payment whose card the merchant typed in: its approval is queued at once.
    #[must_use]
    pub fn key_in(instrument: Instrument, work: Work) -> Self {
        let (stage, money_state) = (Stage::InProgress { instrument }, MoneyState::Unknown);
        Self { stage, money_state, operation: Some(work), ..Self::ready() }
    }

    /// The bare status.
    #[must_use]
    pub const fn status(&self) -> PaymentStatus {
        match self.stage {
            Stage::Ready => PaymentStatus::Ready,
            Stage::InProgress { .. } => PaymentStatus::InProgress,
            Stage::WaitingForDeposit { .. } => PaymentStatus::WaitingForDeposit,
            Stage::Done { .. } => PaymentStatus::Done,
            Stage::PartialCanceled { .. } => PaymentStatus::PartialCanceled,
            Stage::Canceled { .. } => PaymentStatus::Canceled,
            Stage::Aborted { .. } => PaymentStatus::Aborted,
            Stage::Expired { .. } => PaymentStatus::Expired,
        }
    }

    /// What it is paid with, if that was ever said.
    #[must_use]
    pub const fn instrument(&self) -> Option<&Instrument> {
        match &self.stage {
            Stage::Ready => None,
            Stage::InProgress { instrument }
            | Stage::WaitingForDeposit { instrument, .. }
            | Stage::Done { instrument, .. }
            | Stage::PartialCanceled { instrument, .. }
            | Stage::Canceled { instrument, .. } => Some(instrument),
            Stage::Aborted { instrument, .. } | Stage::Expired { instrument } => instrument.as_ref(),
        }
    }

    /// The approval, of a payment that is or was paid.
    #[must_use]
    pub const fn approval(&self) -> Option<&Approval> {
        match &self.stage {
            Stage::Done { approval, .. } | Stage::PartialCanceled { approval, .. } => Some(approval),
            Stage::Canceled { approval, .. } => approval.as_ref(),
            Stage::Ready
            | Stage::InProgress { .. }
            | Stage::WaitingForDeposit { .. }
            | Stage::Aborted { .. }
            | Stage::Expired { .. } => None,
        }
    }

    /// The work that is owed on it now, or that was given up: what a waiting client is shown.
    #[must_use]
    pub fn work(&self) -> Option<&Work> {
        let own = self.operation.as_ref();
        let given_up = own.or_else(|| self.afterwards().next());
        // Ids of what is asked for are in the order of its acceptance, in which it is carried out.
        let later = self.afterwards().filter(|work| work.status.is_unsettled()).min_by_key(|work| work.id);
        // Nobody waits for what goes back by itself, and it holds up nothing.
        own.filter(|work| work.status.is_unsettled()).or(later).or(self.reversals.first()).or(given_up)
    }

    /// The work beside the payment's own course that has not ended: its capture, what is to go back, and an account to close.
    pub(super) fn afterwards(&self) -> impl Iterator<Item = &Work> {
        let capture = self.capture.iter().filter_map(|capture| capture.work.as_ref());
        let returns = self.deposits.iter().filter_map(|deposit| deposit.work.as_ref());
        capture
            .chain(&self.closing)
            .chain(returns)
            .chain(self.cancels.iter().filter(|cancel| cancel.end.is_none()).map(|cancel| &cancel.work))
    }

    /// Whether this work was given up, until a person speaks about it.
    #[must_use]
    pub fn is_given_up(&self, operation: OperationId) -> bool {
        let work = self.operation.iter().chain(&self.reversals).chain(self.afterwards());
        work.into_iter().any(|work| work.id == operation && work.status == OperationStatus::Dead)
    }

    /// Whether work is owed on it without anybody's help.
    #[must_use]
    pub fn has_unsettled_work(&self) -> bool {
        self.is_in_course() || !self.reversals.is_empty() || self.afterwards().any(|work| work.status.is_unsettled())
    }

    /// Whether anything that waits for its turn has to wait: for what goes back by itself nothing has.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.is_in_course() || self.afterwards().any(|work| work.status.is_unsettled())
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
        let mut told = self.operation.iter().chain(&self.reversals).chain(self.afterwards());
        told.find(|work| work.id == operation).map(|work| work.status)
    }

    /// Whether a stream of it may end: nothing will happen any more unless somebody asks for it.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        match self.stage {
            Stage::Ready | Stage::InProgress { .. } | Stage::WaitingForDeposit { .. } => false,
            Stage::Done { .. }
            | Stage::PartialCanceled { .. }
            | Stage::Canceled { .. }
            | Stage::Aborted { .. }
            | Stage::Expired { .. } => !self.has_unsettled_work(),
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
        match event.course() {
            Course::Own => next.proceed(event),
            Course::Reversal => next.reverse(event),
            Course::Cancel => next.give_back(event),
            Course::Capture => next.collect(event),
            Course::Account => next.hold_account(event),
            Course::Progress => next.tell(event),
        }
        .ok_or_else(illegal)?;
        next.disputed = next.disputes(event);
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
                self.capture = Capture::of_approval(instrument.connector(), approval.approved_at);
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
            (Stage::InProgress { .. }, E::WorkDied { work, .. }) if in_course && !self.is_unknown() => {
                self.operation = Some(work.clone());
            }
            // Only when nothing else is at work: one operation of a payment at a time.
            (Stage::InProgress { .. }, E::WorkRearmed { work }) if !busy && self.operation.is_some() => {
                self.operation = Some(work.clone());
            }
            (
                Stage::Ready
                | Stage::InProgress { .. }
                | Stage::WaitingForDeposit { .. }
                | Stage::Done { .. }
                | Stage::PartialCanceled { .. }
                | Stage::Canceled { .. }
                | Stage::Aborted { .. }
                | Stage::Expired { .. },
                E::Authenticated { .. }
                | E::PayerCanceled
                | E::Scanned { .. }
                | E::Delayed { .. }
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
                | E::Account(_),
            ) => return None,
        }
        Some(())
    }

    /// Where the money is. While work is owed that may move the last of it nobody knows: a claim raises no version, so
    /// what is queued for us may be under way at the acquirer.
    fn money(&self) -> MoneyState {
        // Nor does anybody know while the acquirer says otherwise than we.
        if self.is_in_course() || !self.reversals.is_empty() || !self.disputed.is_empty() {
            return MoneyState::Unknown;
        }
        match self.stage {
            Stage::Done { .. } | Stage::PartialCanceled { .. } if self.has_lost_its_deposit() => {
                self.deposited_money().unwrap_or(MoneyState::Reversed)
            }
            Stage::Done { .. } | Stage::PartialCanceled { .. } => {
                let going = |cancel: &&Cancel| cancel.end.is_none() && cancel.work.status.is_unsettled();
                let going: i64 = self.cancels.iter().filter(going).map(|cancel| cancel.amount).sum();
                let stays = self.refundable() + self.reserved > going;
                if stays || self.deposited_money() == Some(MoneyState::Moved) {
                    MoneyState::Moved
                } else {
                    MoneyState::Unknown
                }
            }
            Stage::Canceled { .. } => self.deposited_money().unwrap_or(MoneyState::Reversed),
            Stage::WaitingForDeposit { .. } => self.deposited_money().unwrap_or(MoneyState::NotMoved),
            Stage::Ready | Stage::InProgress { .. } | Stage::Aborted { .. } | Stage::Expired { .. } => {
                let reversed = if self.ever_reversed { MoneyState::Reversed } else { MoneyState::NotMoved };
                self.deposited_money().unwrap_or(reversed)
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

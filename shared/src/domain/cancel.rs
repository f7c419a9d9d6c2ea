//! Giving money back, whole or in part: cancel 취소 before capture, refund 환불 after it. One call for the merchant; which
//! of the two it is, is decided when it is carried out, in the payment's own order with the capture.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, UtcOffset};

use super::event::PaymentEvent;
use super::failure::Failure;
use super::id::OperationId;
use super::operation::OperationStatus;
use super::payment::{PaymentState, Stage, Work};
use super::virtual_account::Payee;
use crate::words::words;

/// Cancels of one payment at most: its standing is written whole with every version.
pub const CANCELS_MAX: usize = 100;

words! {
    /// What giving money back was to the acquirer.
    CancelKind {
        /// 취소: the sales slip was not bought yet, and is void in part or whole.
        Cancel = "CANCEL",
        /// 환불: it was, and money goes back.
        Refund = "REFUND",
    }
}

/// A cancel that was accepted. What it will take is reserved from its acceptance until it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cancel {
    /// The operation that carries it out; its id is the `transactionKey`.
    pub work: Work,
    /// How much goes back, in minor units; above zero.
    pub amount: i64,
    /// How much of that bears no tax.
    pub tax_free: i64,
    /// Why, in the merchant's words: 1 to 200 characters.
    pub reason: String,
    /// Where it goes to, when the payer's own means can't be paid to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payee: Option<Payee>,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub requested_at: OffsetDateTime,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<CancelEnd>,
}

impl Cancel {
    /// Whether it ended without anything going back.
    const fn is_refused(&self) -> bool {
        matches!(self.end, Some(CancelEnd::Aborted { .. }))
    }
}

/// How a cancel ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum CancelEnd {
    /// The acquirer gives the money back.
    Done {
        /// What it was to the acquirer.
        kind: CancelKind,
        /// When we recorded it.
        #[serde(with = "time::serde::rfc3339")]
        canceled_at: OffsetDateTime,
        /// What could still be cancelled afterwards, of what is neither cancelled nor reserved.
        refundable: i64,
    },
    /// It does not, and what was reserved is free again.
    Aborted {
        /// Why.
        failure: Failure,
    },
}

/// Why a cancel can't be accepted as the payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCancelable {
    /// There is no approval to cancel.
    NotPaid,
    /// Everything went back already.
    AllCanceled,
    /// More than what is neither cancelled nor reserved, which is so much.
    TooMuch {
        /// In minor units; may be zero.
        refundable: i64,
    },
    /// Of what is left, so much can't be free of tax.
    TaxFree {
        /// The least that must be.
        least: i64,
        /// The most that can be.
        most: i64,
    },
    /// It was cancelled in too many parts.
    TooMany,
    /// It waits for its deposit, and can only be cancelled as a whole.
    PartWhileWaiting,
    /// What it was paid with gives back the whole only.
    OnlyWhole,
}

impl PaymentState {
    /// What a new cancel could take: neither cancelled nor reserved, in minor units.
    #[must_use]
    pub fn refundable(&self) -> i64 {
        if self.has_lost_its_deposit() {
            return 0;
        }
        self.cancelable_whole().map_or(0, |whole| whole - self.canceled - self.reserved)
    }

    /// What could be cancelled of it if nothing had been: what was approved, or what its deposit is to be.
    fn cancelable_whole(&self) -> Option<i64> {
        match self.stage {
            Stage::WaitingForDeposit { .. } => self.account.as_ref().map(|account| account.amount),
            Stage::Ready
            | Stage::InProgress { .. }
            | Stage::Done { .. }
            | Stage::PartialCanceled { .. }
            | Stage::Canceled { .. }
            | Stage::Aborted { .. }
            | Stage::Expired { .. } => self.approval().map(|approval| approval.amount),
        }
    }

    /// What the payer has paid and not got back, in minor units: `total` until anything is cancelled.
    #[must_use]
    pub const fn balance(&self, total: i64) -> i64 {
        total - self.canceled
    }

    /// Whether a cancel of `amount` can be accepted, and how much of it is free of tax: as asked, or else as little as
    /// what is left allows. `tax_free_total` is that of the whole payment. An `amount` of nothing means all of it.
    ///
    /// # Errors
    /// Why it can't.
    pub fn cancelable(
        &self,
        tax_free_total: i64,
        amount: Option<i64>,
        tax_free: Option<i64>,
    ) -> Result<(i64, i64), NotCancelable> {
        let refundable = self.refundable();
        let amount = amount.unwrap_or(refundable);
        self.is_cancelable(amount)?;
        let tax_free_left = tax_free_total - self.tax_free_canceled();
        let taxed_left = refundable - tax_free_left;
        let (least, most) = ((amount - taxed_left).max(0), amount.min(tax_free_left));
        match tax_free {
            Some(tax_free) if (least..=most).contains(&tax_free) => Ok((amount, tax_free)),
            Some(_) => Err(NotCancelable::TaxFree { least, most }),
            None => Ok((amount, least)),
        }
    }

    fn is_cancelable(&self, amount: i64) -> Result<(), NotCancelable> {
        match self.stage {
            Stage::Done { .. } | Stage::PartialCanceled { .. } => {}
            Stage::WaitingForDeposit { .. } if self.reserved == 0 && self.cancelable_whole() != Some(amount) => {
                return Err(NotCancelable::PartWhileWaiting);
            }
            Stage::WaitingForDeposit { .. } => {}
            Stage::Canceled { .. } => return Err(NotCancelable::AllCanceled),
            Stage::Ready | Stage::InProgress { .. } | Stage::Aborted { .. } | Stage::Expired { .. } => {
                return Err(NotCancelable::NotPaid);
            }
        }
        let refundable = self.refundable();
        if amount <= 0 || amount > refundable {
            return Err(NotCancelable::TooMuch { refundable });
        }
        if self.cancels.iter().filter(|cancel| !cancel.is_refused()).count() >= CANCELS_MAX {
            return Err(NotCancelable::TooMany);
        }
        let in_parts = self.instrument().is_none_or(|instrument| instrument.connector().cancels_in_parts());
        let is_whole = self.approval().is_some_and(|approval| approval.amount == amount);
        if in_parts || is_whole { Ok(()) } else { Err(NotCancelable::OnlyWhole) }
    }

    /// Until when money can be given back, where that ends: with the month, in Korea, in which it was paid.
    #[must_use]
    pub fn cancelable_until(&self) -> Option<OffsetDateTime> {
        let within = self.instrument()?.connector().cancels_within_the_month();
        within.then(|| month_after(self.approval()?.approved_at)).flatten()
    }

    /// How much of what bears no tax was cancelled, or is reserved for a cancel.
    #[must_use]
    pub fn tax_free_canceled(&self) -> i64 {
        self.cancels.iter().filter(|cancel| !cancel.is_refused()).map(|cancel| cancel.tax_free).sum()
    }

    /// How much of what bears no tax went back.
    #[must_use]
    pub fn tax_free_returned(&self) -> i64 {
        let done = |cancel: &&Cancel| matches!(cancel.end, Some(CancelEnd::Done { .. }));
        self.cancels.iter().filter(done).map(|cancel| cancel.tax_free).sum()
    }

    /// The newest transaction: the approval, or the cancel that was done last.
    #[must_use]
    pub fn last_transaction(&self) -> Option<OperationId> {
        let done = self.cancels.iter().filter_map(|cancel| match &cancel.end {
            Some(CancelEnd::Done { canceled_at, .. }) => Some((*canceled_at, cancel.work.id)),
            Some(CancelEnd::Aborted { .. }) | None => None,
        });
        done.max().map(|(_, operation)| operation).or(self.approval().map(|approval| approval.operation))
    }

    /// The cancel that this operation carries out.
    #[must_use]
    pub fn cancel(&self, operation: OperationId) -> Option<&Cancel> {
        self.cancels.iter().find(|cancel| cancel.work.id == operation)
    }

    /// What a cancel's event changes; nothing when it can't be.
    pub(super) fn give_back(&mut self, event: &PaymentEvent) -> Option<()> {
        use PaymentEvent as E;
        let busy = self.is_busy();
        match event {
            E::CancelQueued { cancel } => {
                if self.operation.is_some() || self.cancel(cancel.work.id).is_some() || cancel.end.is_some() {
                    return None;
                }
                self.is_cancelable(cancel.amount).ok()?;
                // The log keeps what was refused; a payment that is refused a refund every hour does not grow without end.
                if self.cancels.len() >= CANCELS_MAX
                    && let Some(oldest) = self.cancels.iter().position(Cancel::is_refused)
                {
                    self.cancels.remove(oldest);
                }
                self.reserved += cancel.amount;
                self.cancels.push(cancel.clone());
            }
            // It dies only when nothing it sent is open; what was unknown may have been found out in the same claim.
            E::RetryScheduled { work, .. } | E::OutcomeUnknown { work } | E::WorkDied { work, .. } => {
                self.open_cancel(work.id)?.work = work.clone();
            }
            E::WorkRearmed { work } if !busy => self.open_cancel(work.id)?.work = work.clone(),
            E::CancelDone { operation, kind, at } => {
                let approved = self.cancelable_whole()?;
                let cancel = self.open_cancel(*operation)?;
                let amount = cancel.amount;
                cancel.work.status = OperationStatus::Succeeded;
                cancel.work.next_attempt_at = None;
                self.reserved -= amount;
                self.canceled += amount;
                let refundable = approved - self.canceled - self.reserved;
                if let Some(cancel) = self.cancels.iter_mut().find(|cancel| cancel.work.id == *operation) {
                    cancel.end = Some(CancelEnd::Done { kind: *kind, canceled_at: *at, refundable });
                }
                let instrument = self.instrument()?.clone();
                let approval = if let Stage::WaitingForDeposit { lapsed, .. } = &self.stage
                    && *kind == CancelKind::Refund
                {
                    // It had gone out before its deposit was taken back, and nobody had heard of it.
                    lapsed.clone()
                } else {
                    self.approval().cloned()
                };
                if *kind == CancelKind::Refund
                    && let Some(key) = self.lapsed_deposit().map(|deposit| deposit.key.clone())
                    && let Some(deposit) = self.deposits.iter_mut().find(|deposit| deposit.key == key)
                {
                    deposit.lost += amount;
                }
                if *kind == CancelKind::Cancel
                    && let Some(account) = &mut self.account
                {
                    account.closed = true;
                }
                if self.canceled == approved
                    && let Some(capture) = &mut self.capture
                {
                    capture.due_at = None;
                }
                self.stage = if self.canceled == approved {
                    Stage::Canceled { instrument, approval }
                } else {
                    Stage::PartialCanceled { instrument, approval: approval? }
                };
            }
            E::CancelFailed { operation, failure } => {
                let cancel = self.open_cancel(*operation)?;
                let amount = cancel.amount;
                cancel.work.status = OperationStatus::Failed;
                cancel.work.next_attempt_at = None;
                cancel.end = Some(CancelEnd::Aborted { failure: failure.clone() });
                self.reserved -= amount;
            }
            E::WorkRearmed { .. }
            | E::Authenticated { .. }
            | E::Scanned { .. }
            | E::Delayed { .. }
            | E::PayerCanceled
            | E::Expired
            | E::ApprovalQueued { .. }
            | E::Approved { .. }
            | E::ApprovalFailed { .. }
            | E::LateApproval { .. }
            | E::ReversalFinished { .. }
            | E::CaptureQueued { .. }
            | E::Captured { .. }
            | E::CaptureDone { .. }
            | E::CaptureFailed { .. }
            | E::Account(_) => return None,
        }
        Some(())
    }

    fn open_cancel(&mut self, operation: OperationId) -> Option<&mut Cancel> {
        self.cancels.iter_mut().find(|cancel| cancel.work.id == operation && cancel.end.is_none())
    }
}

/// When the month after this moment's begins in Korea.
fn month_after(at: OffsetDateTime) -> Option<OffsetDateTime> {
    let seoul = UtcOffset::from_hms(9, 0, 0).ok()?;
    let today = at.to_offset(seoul).date();
    let days = i64::from(today.month().length(today.year())) + 1 - i64::from(today.day());
    Some((today + Duration::days(days)).midnight().assume_offset(seoul).to_offset(UtcOffset::UTC))
}

#[cfg(test)]
mod tests;

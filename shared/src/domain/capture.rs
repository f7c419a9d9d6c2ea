//! 매입: the acquirer buys the sales slip. Until then an approval is cancelled without a trace on the payer's bill;
//! afterwards money goes back.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime, UtcOffset};

use super::event::PaymentEvent;
use super::failure::Failure;
use super::operation::Connector;
use super::payment::{PaymentState, Stage, Work};

/// Korean time, by whose days slips are bought. It knows no daylight saving.
const SEOUL: (i8, i8, i8) = (9, 0, 0);

/// A capture that the acquirer refuses is asked for again when the next day begins, this often in all; then a person has to
/// see to it, or the merchant is never paid.
pub const REFUSALS_MAX: u8 = 3;

/// Where the capture of an approval stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capture {
    /// When it is asked for unless the merchant asks sooner; nothing once it was, or nothing is left to be bought.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub due_at: Option<OffsetDateTime>,
    /// The work that carries it out, while it is owed or when it was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work: Option<Work>,
    /// Since when the slip is bought, as far as we know.
    #[serde(skip_serializing_if = "Option::is_none", with = "time::serde::rfc3339::option")]
    pub captured_at: Option<OffsetDateTime>,
    /// Why the last try came to nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How often it was refused.
    #[serde(skip_serializing_if = "is_none")]
    pub refusals: u8,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_none(refusals: &u8) -> bool {
    *refusals == 0
}

/// When an approval is captured unless the merchant asks sooner: the next day in Korea begins.
#[must_use]
pub fn due(approved_at: OffsetDateTime) -> OffsetDateTime {
    let (hours, minutes, seconds) = SEOUL;
    let seoul = UtcOffset::from_hms(hours, minutes, seconds).unwrap_or(UtcOffset::UTC);
    let day = approved_at.to_offset(seoul).date().midnight().assume_offset(seoul);
    (day + Duration::DAY).to_offset(UtcOffset::UTC)
}

impl Capture {
    /// That of an approval that nobody has asked to be captured.
    #[must_use]
    pub fn of_approval(connector: Connector, approved_at: OffsetDateTime) -> Option<Self> {
        connector.captures().then(|| Self { due_at: Some(due(approved_at)), ..Self::default() })
    }
}

impl PaymentState {
    /// When upkeep should have it captured, if it should.
    #[must_use]
    pub fn capture_at(&self) -> Option<OffsetDateTime> {
        self.capture.as_ref()?.due_at
    }

    /// Whether the slip is bought, as far as we know.
    #[must_use]
    pub fn is_captured(&self) -> bool {
        self.capture.as_ref().is_some_and(|capture| capture.captured_at.is_some())
    }

    /// Whether one more refusal of its capture is one too many.
    #[must_use]
    pub fn is_last_try_to_capture(&self) -> bool {
        self.capture.as_ref().is_some_and(|capture| capture.refusals.saturating_add(1) >= REFUSALS_MAX)
    }

    /// Whether a capture can be queued.
    #[must_use]
    pub fn is_capturable(&self) -> bool {
        let idle = self.capture.as_ref().is_some_and(|capture| capture.work.is_none() && capture.captured_at.is_none());
        matches!(self.stage, Stage::Done { .. } | Stage::PartialCanceled { .. }) && idle && self.operation.is_none()
    }

    /// What a capture's event changes; nothing when it can't be.
    pub(super) fn collect(&mut self, event: &PaymentEvent) -> Option<()> {
        use PaymentEvent as E;
        let busy = self.is_busy();
        match event {
            E::CaptureQueued { work } if self.is_capturable() => {
                let refusals = self.capture.as_ref().map_or(0, |capture| capture.refusals);
                self.capture = Some(Capture { work: Some(work.clone()), refusals, ..Capture::default() });
            }
            // It dies only when nothing it sent is open; what was unknown may have been found out in the same claim.
            E::RetryScheduled { work, .. } | E::OutcomeUnknown { work } | E::WorkDied { work, .. } => {
                *self.open_capture(work)? = work.clone();
            }
            E::WorkRearmed { work } if !busy => *self.open_capture(work)? = work.clone(),
            // By the work that was to do it; or found, by a cancel that was told so.
            E::Captured { operation, at } => {
                let paid = self.approval().is_some()
                    && self.instrument().is_some_and(|instrument| instrument.connector().captures());
                let capture = self.capture.get_or_insert_default();
                match operation {
                    _ if capture.captured_at.is_some() => return None,
                    Some(operation) => _ = capture.work.take_if(|work| work.id == *operation)?,
                    None if paid => {}
                    None => return None,
                }
                capture.captured_at = Some(*at);
                capture.due_at = None;
                capture.failure = None;
            }
            E::CaptureDone { operation } => {
                let capture = self.capture.as_mut().filter(|capture| capture.captured_at.is_some())?;
                capture.work.take_if(|work| work.id == *operation)?;
            }
            E::CaptureFailed { operation, failure, at } => {
                let over = matches!(self.stage, Stage::Canceled { .. }) || self.is_captured();
                let again = !self.is_last_try_to_capture() && !over;
                let capture = self.capture.as_mut()?;
                capture.work.take_if(|work| work.id == *operation)?;
                capture.failure = Some(failure.clone());
                capture.refusals = capture.refusals.saturating_add(1);
                capture.due_at = again.then(|| due(*at));
            }
            E::CaptureQueued { .. }
            | E::WorkRearmed { .. }
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
            | E::CancelQueued { .. }
            | E::CancelDone { .. }
            | E::CancelFailed { .. }
            | E::Account(_) => return None,
        }
        Some(())
    }

    fn open_capture(&mut self, work: &Work) -> Option<&mut Work> {
        self.capture.as_mut()?.work.as_mut().filter(|open| open.id == work.id)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_slip_is_bought_when_the_next_korean_day_begins() {
        for (approved_at, due_at) in [
            (datetime!(2026-11-22 14:59:59 UTC), datetime!(2026-11-22 15:00 UTC)),
            (datetime!(2026-11-22 15:00 UTC), datetime!(2026-11-23 15:00 UTC)),
            (datetime!(2026-11-23 0:00 UTC), datetime!(2026-11-23 15:00 UTC)),
            (datetime!(2026-12-31 20:00 UTC), datetime!(2027-01-01 15:00 UTC)),
        ] {
            assert_eq!(due(approved_at), due_at);
        }
    }
}

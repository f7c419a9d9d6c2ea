//! Moments, in milliseconds, shown in Korean time.

use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use time::format_description::well_known::Rfc3339;
use time::macros::{format_description, offset};
use time::{OffsetDateTime, format_description::StaticFormatDescription};

const SHOWN: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]+09:00");

/// Milliseconds since 1970, shown as `2026-01-31T09:00:00.000+09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Timestamp(i64);

/// A text that is no moment.
#[derive(Debug, thiserror::Error)]
#[error("must be a date and time with offset (RFC 3339)")]
pub struct NotATimestamp;

impl Timestamp {
    /// A moment by its distance from 1970.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// The moment `ms` milliseconds later.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; nothing when it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Year within its century and month, as on a card, in Korea.
    pub fn year_and_month(self) -> (u8, u8) {
        let day = self.in_korea().date();
        (u8::try_from(day.year().rem_euclid(100)).unwrap_or(0), u8::from(day.month()))
    }

    /// Year and month in Korea.
    pub fn month(self) -> (i32, u8) {
        let day = self.in_korea().date();
        (day.year(), u8::from(day.month()))
    }

    /// The day in Korea, as its number in one long count.
    pub fn day(self) -> i32 {
        self.in_korea().date().to_julian_day()
    }

    /// Whole seconds since 1970.
    pub fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    fn in_korea(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
            .to_offset(offset!(+9))
    }
}

impl TryFrom<String> for Timestamp {
    type Error = NotATimestamp;

    fn try_from(text: String) -> Result<Self, NotATimestamp> {
        let moment = OffsetDateTime::parse(&text, &Rfc3339).map_err(|_| NotATimestamp)?;
        let millis = moment.unix_timestamp_nanos() / 1_000_000;
        i64::try_from(millis).map(Self).map_err(|_| NotATimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.in_korea().format(SHOWN).map_err(serde::ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

//! Cursors: the place of the last row of a page, opaque to whoever holds it.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use naru_shared::store::Cursor;
use time::OffsetDateTime;
use uuid::Uuid;

/// A cursor as it goes over the wire. Postgres keeps microseconds.
#[must_use]
pub fn encode(cursor: Cursor) -> String {
    let micros = i64::try_from(cursor.at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX);
    let mut bytes = micros.to_be_bytes().to_vec();
    bytes.extend_from_slice(cursor.id.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A cursor from the wire; nothing when it was never one of ours.
#[must_use]
pub fn decode(text: &str) -> Option<Cursor> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (micros, id) = bytes.split_first_chunk::<8>()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(i64::from_be_bytes(*micros)) * 1_000).ok()?;
    // Postgres knows no year before 4713 BC; nothing of ours is older than this.
    if at.year() < 2000 {
        return None;
    }
    Some(Cursor { at, id: Uuid::from_slice(id).ok()? })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_cursor_reads_back_to_the_microsecond() {
        let cursor = Cursor { at: datetime!(2026-11-22 12:00:00.123456 UTC), id: Uuid::from_u128(7) };
        assert_eq!(decode(&encode(cursor)), Some(cursor));
        let ancient = Cursor { at: datetime!(1969-01-01 0:00 UTC), ..cursor };
        for wrong in ["", "x", "AAAA", "////", &encode(ancient)] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}

//! What a message says: which operation to look at, and when.
//!
//! A hint carries no card data and no amounts: the row is the truth. A hint that is lost, late,
//! repeated or out of order costs time, never money.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// The longest body that can be a hint, in bytes. Ours have about 120.
pub const BODY_MAX: usize = 4_096;

const VERSION: u64 = 1;

/// A hint to look at an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The operation to look at.
    pub operation: Uuid,
    /// The attempt it is meant for; when the row is at another one the hint is stale.
    pub attempt: u32,
    /// When the operation is due, to the millisecond.
    pub due_at: OffsetDateTime,
    /// How often it has waited in the ladder on the way.
    pub waited: u8,
}

/// Why a message body is no hint. Such a message is rejected, and ends in the archive with its
/// bytes as they came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Poison {
    /// More than [`BODY_MAX`] bytes.
    #[error("the body has {bytes} bytes, a hint at most {BODY_MAX}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not text.
    #[error("the body is not UTF-8 from byte {valid_bytes} on")]
    NotUtf8 {
        /// How many bytes were text.
        valid_bytes: usize,
    },
    /// Text, but not a JSON object.
    #[error("the body is not a JSON object: {0}")]
    NotJson(String),
    /// From another version of Naru, or from nobody we know.
    #[error("the body says version {0}, this program reads version {VERSION}")]
    UnknownVersion(String),
    /// A hint of our version that lacks a field or has a wrong one.
    #[error("the body is no hint: {0}")]
    BadField(String),
}

impl Poison {
    /// A word for metrics and for the archive.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::NotUtf8 { .. } => "not_utf8",
            Self::NotJson(_) => "not_json",
            Self::UnknownVersion(_) => "unknown_version",
            Self::BadField(_) => "bad_field",
        }
    }
}

/// Read before anything else, whatever the version.
#[derive(Deserialize)]
struct Envelope {
    v: Option<serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BodyV1 {
    v: u64,
    operation: Uuid,
    attempt: u32,
    /// Unix time in milliseconds.
    due_at: i64,
    #[serde(default)]
    waited: u8,
}

impl Hint {
    /// The body of a message.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let body = BodyV1 {
            v: VERSION,
            operation: self.operation,
            attempt: self.attempt,
            due_at: unix_ms(self.due_at),
            waited: self.waited,
        };
        // Numbers and a UUID: there is nothing in it that could fail to serialize.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    /// Reads the body of a message.
    ///
    /// # Errors
    /// [`Poison`] says what is wrong with it. No bytes make this panic.
    pub fn decode(body: &[u8]) -> Result<Self, Poison> {
        if body.len() > BODY_MAX {
            return Err(Poison::TooLarge { bytes: body.len() });
        }
        let text = std::str::from_utf8(body).map_err(|error| Poison::NotUtf8 { valid_bytes: error.valid_up_to() })?;
        // serde would read an array as a struct, field by field.
        if !text.trim_start().starts_with('{') {
            return Err(Poison::NotJson("it does not begin with {".to_owned()));
        }
        let envelope: Envelope = serde_json::from_str(text).map_err(|error| Poison::NotJson(error.to_string()))?;
        match envelope.v {
            Some(version) if version.as_u64() == Some(VERSION) => {}
            Some(version) => return Err(Poison::UnknownVersion(shortened(&version.to_string()))),
            None => return Err(Poison::UnknownVersion("(none)".to_owned())),
        }
        let body: BodyV1 =
            serde_json::from_str(text).map_err(|error| Poison::BadField(shortened(&error.to_string())))?;
        let due_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(body.due_at) * 1_000_000)
            .map_err(|error| Poison::BadField(format!("dueAt: {error}")))?;
        Ok(Self { operation: body.operation, attempt: body.attempt, due_at, waited: body.waited })
    }
}

fn unix_ms(at: OffsetDateTime) -> i64 {
    // The range of `OffsetDateTime` in milliseconds fits many times over.
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).unwrap_or(i64::MAX)
}

fn shortened(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OPERATION: &str = "0192d3f4-0000-7000-8000-000000000001";

    #[test]
    fn the_wire_form_is_fixed() {
        let hint = Hint {
            operation: OPERATION.parse().unwrap(),
            attempt: 3,
            due_at: OffsetDateTime::from_unix_timestamp_nanos(1_790_000_000_123_000_000).unwrap(),
            waited: 1,
        };
        let body = format!(r#"{{"v":1,"operation":"{OPERATION}","attempt":3,"dueAt":1790000000123,"waited":1}}"#);
        assert_eq!(String::from_utf8(hint.encode()).unwrap(), body);
        assert_eq!(Hint::decode(body.as_bytes()), Ok(hint));
    }

    #[test]
    fn what_is_no_hint_is_named() {
        let known = format!(r#""operation":"{OPERATION}","attempt":1,"dueAt":0"#);
        let cases: [(&[u8], &str); 14] = [
            (b"", "not_json"),
            (b"\xff\xfe", "not_utf8"),
            (b"hello", "not_json"),
            (b" [1]", "not_json"),
            (b"{}", "unknown_version"),
            (br#"{"v":2}"#, "unknown_version"),
            (br#"{"v":"1"}"#, "unknown_version"),
            (br#"{"v":1,"v":1}"#, "not_json"),
            (br#"{"v":1}"#, "bad_field"),
            (br#"{"v":1,"operation":"x","attempt":1,"dueAt":0}"#, "bad_field"),
            (&format!(r#"{{"v":1,{known},"attempt":2}}"#).into_bytes(), "bad_field"),
            (&format!(r#"{{"v":1,{known},"waited":256}}"#).into_bytes(), "bad_field"),
            (&known.replace(":0", &format!(":{}", i64::MAX)).replacen('"', "{\"v\":1,\"", 1).into_bytes(), "not_json"),
            (&vec![b'{'; BODY_MAX + 1], "too_large"),
        ];
        for (body, kind) in cases {
            let poison = Hint::decode(body).unwrap_err();
            assert_eq!(poison.kind(), kind, "{:?}: {poison}", String::from_utf8_lossy(body));
        }
        let far = format!(r#"{{"v":1,"operation":"{OPERATION}","attempt":1,"dueAt":{}}}"#, i64::MAX);
        assert_eq!(Hint::decode(far.as_bytes()).unwrap_err().kind(), "bad_field");
    }

    #[test]
    fn a_later_program_may_add_fields() {
        let body = format!(r#"{{"v":1,"operation":"{OPERATION}","attempt":1,"dueAt":0,"colour":"red"}}"#);
        assert!(Hint::decode(body.as_bytes()).is_ok());
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let body = "[".repeat(BODY_MAX);
        assert_eq!(Hint::decode(body.as_bytes()).unwrap_err().kind(), "not_json");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Hint::decode(&body);
        }

        #[test]
        fn no_damage_panics(at in 0usize..110, byte in any::<u8>()) {
            let mut body = Hint {
                operation: OPERATION.parse().unwrap(),
                attempt: 7,
                due_at: OffsetDateTime::UNIX_EPOCH,
                waited: 0,
            }.encode();
            let at = at % body.len();
            body[at] = byte;
            let _ = Hint::decode(&body);
        }

        #[test]
        fn what_is_written_reads_back(
            operation in any::<u128>(),
            attempt in any::<u32>(),
            due_ms in -62_135_596_800_000i64..253_402_300_799_999,
            waited in any::<u8>(),
        ) {
            let hint = Hint {
                operation: Uuid::from_u128(operation),
                attempt,
                due_at: OffsetDateTime::from_unix_timestamp_nanos(i128::from(due_ms) * 1_000_000).unwrap(),
                waited,
            };
            prop_assert_eq!(Hint::decode(&hint.encode()), Ok(hint));
        }
    }
}

//! `Idempotency-Key`: the client's name for one request, however often it is sent.

use axum::extract::OptionalFromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use crate::problem::{FieldError, Problem, Reason};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// 1 to 300 printable ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Most characters.
    pub const LENGTH_MAX: usize = 300;

    /// Reads the header; nothing when it was not sent.
    ///
    /// # Errors
    /// `IDEMPOTENCY_KEY_INVALID` when it is empty, too long, not printable ASCII, or there twice.
    pub fn of(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        let mut values = headers.get_all(&IDEMPOTENCY_KEY).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        let key = value
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|key| (1..=Self::LENGTH_MAX).contains(&key.len()))
            .filter(|key| key.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        match (key, values.next()) {
            (Some(key), None) => Ok(Some(Self(key.to_owned()))),
            _ => Err(Problem::because(Reason::IdempotencyKeyInvalid).errors(vec![FieldError::new(
                "Idempotency-Key",
                "must be 1 to 300 printable ASCII characters, sent once",
            )])),
        }
    }

    /// The key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for IdempotencyKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Self::of(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn keys_are_printable_and_bounded() {
        let longest = "k".repeat(300);
        let too_long = "k".repeat(301);
        type Values<'a> = &'a [&'a [u8]];
        let table: [(Values<'_>, Option<Option<&str>>); 8] = [
            (&[], Some(None)),
            (&[b"order-1"], Some(Some("order-1"))),
            (&[b"with space \"and quotes\""], Some(Some("with space \"and quotes\""))),
            (&[longest.as_bytes()], Some(Some(&longest))),
            (&[too_long.as_bytes()], None),
            (&[b""], None),
            (&["한글".as_bytes()], None),
            (&[b"a", b"b"], None),
        ];
        for (values, expected) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
            }
            let key = IdempotencyKey::of(&headers);
            match expected {
                Some(expected) => {
                    assert_eq!(key.unwrap().as_ref().map(IdempotencyKey::as_str), expected)
                }
                None => assert_eq!(key.unwrap_err().reason(), Some(Reason::IdempotencyKeyInvalid)),
            }
        }
    }
}

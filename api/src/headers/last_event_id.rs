//! `Last-Event-ID`: the version of the payment a stream has seen.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::HeaderName;
use axum::http::request::Parts;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The version after which the stream goes on; nothing begins with a snapshot. What is not a version was never sent
/// by us and counts as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastEventId(pub Option<i64>);

impl LastEventId {
    /// Reads the header.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let text = headers.get(&LAST_EVENT_ID).and_then(|value| value.to_str().ok());
        let digits = text.filter(|text| text.bytes().all(|c| c.is_ascii_digit()));
        Self(digits.and_then(|digits| digits.parse().ok()))
    }
}

impl<S: Sync> FromRequestParts<S> for LastEventId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_count() {
        for (text, expected) in [
            ("7", Some(7)),
            ("0", Some(0)),
            ("-7", None),
            ("+7", None),
            ("", None),
            ("7a", None),
            ("99999999999999999999", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LAST_EVENT_ID, text.parse().unwrap());
            assert_eq!(LastEventId::of(&headers).0, expected, "{text}");
        }
        assert_eq!(LastEventId::of(&HeaderMap::new()).0, None);
    }
}

//! `Accept`: JSON whatever it says, unless it asks for a stream by name.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

use super::{listed, weight};

/// The form of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// One JSON document.
    Json,
    /// Server-sent events.
    EventStream,
}

impl Answer {
    /// Reads `Accept`. Clients send `text/html, …` and mean JSON; only `text/event-stream` itself means a stream.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let wants_stream = listed(headers, &header::ACCEPT).any(|item| {
            let kind = item.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("text/event-stream") && weight(item) > 0
        });
        match wants_stream {
            true => Self::EventStream,
            false => Self::Json,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Answer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_explicit_event_stream_is_a_stream() {
        let table = [
            (None, Answer::Json),
            (Some("*/*"), Answer::Json),
            (Some("text/html, image/gif, *; q=.2"), Answer::Json),
            (Some("text/*"), Answer::Json),
            (Some("text/event-stream"), Answer::EventStream),
            (Some("application/json, Text/Event-Stream;q=0.5"), Answer::EventStream),
            (Some("text/event-stream;q=0"), Answer::Json),
        ];
        for (accept, expected) in table {
            let mut headers = HeaderMap::new();
            accept.map(|value| headers.insert(header::ACCEPT, value.parse().unwrap()));
            assert_eq!(Answer::of(&headers), expected, "{accept:?}");
        }
    }
}

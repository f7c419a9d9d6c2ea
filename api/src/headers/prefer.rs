//! `Prefer` (RFC 7240): how long a client waits, and whether it understands that an answer may be open.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::listed;

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// How long the client waits and what it promises to understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prefer {
    /// Nothing was said. We wait [`Prefer::UNSAID`], and a payment that is still open is no success: such clients
    /// take any 2xx as paid.
    Unsaid,
    /// `wait=N`: wait this long, then `202` is understood.
    Wait(Duration),
    /// `respond-async`: wait not at all; `202` is understood.
    Async,
}

impl Prefer {
    /// How long a client waits that says nothing. Widely used ones give up at 10 s.
    pub const UNSAID: Duration = Duration::from_secs(8);

    /// The longest wait granted.
    pub const LONGEST: Duration = Duration::from_secs(60);

    /// Reads `Prefer`. As RFC 7240 asks, what is unknown or unreadable is ignored and the first of equals counts; a
    /// longer wait than [`Prefer::LONGEST`] gets that.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let named = |name: &str| {
            listed(headers, &PREFER).find_map(|item| {
                // Parameters after a semicolon refine a preference; ours have none.
                let (token, value) = item.split(';').next()?.split_once('=').unwrap_or((item, ""));
                let token = token.split(';').next()?.trim();
                token.eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"'))
            })
        };
        if let Some(wait) = named("wait").and_then(seconds) {
            return Self::Wait(wait.min(Self::LONGEST));
        }
        match named("respond-async") {
            Some(_) => Self::Async,
            None => Self::Unsaid,
        }
    }

    /// How long to wait for an outcome.
    #[must_use]
    pub const fn wait(self) -> Duration {
        match self {
            Self::Unsaid => Self::UNSAID,
            Self::Wait(wait) => wait,
            Self::Async => Duration::ZERO,
        }
    }

    /// What `Preference-Applied` says of it: what was granted, not what was asked for.
    #[must_use]
    pub fn applied(self) -> Option<String> {
        match self {
            Self::Unsaid => None,
            Self::Wait(wait) => Some(format!("wait={}", wait.as_secs())),
            Self::Async => Some("respond-async".to_owned()),
        }
    }

    /// Whether `202` with an open payment is understood.
    #[must_use]
    pub const fn understands_open(self) -> bool {
        matches!(self, Self::Wait(_) | Self::Async)
    }
}

fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.len() <= 9 && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok().map(Duration::from_secs))?
}

impl<S: Sync> FromRequestParts<S> for Prefer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_read_is_a_promise() {
        let wait = |seconds| Prefer::Wait(Duration::from_secs(seconds));
        let table: [(&[&str], Prefer); 16] = [
            (&[], Prefer::Unsaid),
            (&["wait=10"], wait(10)),
            (&["Wait = 10"], wait(10)),
            (&["wait=\"10\""], wait(10)),
            (&["wait=0"], wait(0)),
            (&["wait=61"], wait(60)),
            (&["wait=999999999"], wait(60)),
            (&["wait=99999999999999999999"], Prefer::Unsaid),
            (&["wait=-1"], Prefer::Unsaid),
            (&["wait=1.5"], Prefer::Unsaid),
            (&["wait"], Prefer::Unsaid),
            (&["respond-async"], Prefer::Async),
            (&["Respond-Async; foo=bar, wait=5"], wait(5)),
            (&["return=minimal", "respond-async"], Prefer::Async),
            (&["wait=3", "wait=9"], wait(3)),
            (&["handling=lenient;wait=5"], Prefer::Unsaid),
        ];
        for (values, expected) in table {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(PREFER, value.parse().unwrap());
            }
            assert_eq!(Prefer::of(&headers), expected, "{values:?}");
        }
    }

    #[test]
    fn silence_waits_but_promises_nothing() {
        assert_eq!(Prefer::Unsaid.wait(), Duration::from_secs(8));
        assert!(!Prefer::Unsaid.understands_open());
        assert!(Prefer::Wait(Duration::ZERO).understands_open() && Prefer::Async.understands_open());
        assert_eq!(Prefer::Async.wait(), Duration::ZERO);
        let applied = [Prefer::Unsaid, Prefer::Async, Prefer::Wait(Duration::from_secs(7))].map(Prefer::applied);
        assert_eq!(applied.each_ref().map(Option::as_deref), [None, Some("respond-async"), Some("wait=7")]);
    }
}

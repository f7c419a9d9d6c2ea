//! The trace a request belongs to (W3C `traceparent`).

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::company::Id;

/// The trace id, when a well-formed one came along.
#[derive(Debug)]
pub(super) struct Trace(pub(super) Option<Id>);

impl<S: Send + Sync> FromRequestParts<S> for Trace {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let header = parts.headers.get("traceparent").and_then(|value| value.to_str().ok());
        Ok(Self(header.and_then(trace_id)))
    }
}

/// `00-{32 hex}-{16 hex}-{2 hex}`, not all zeros.
fn trace_id(header: &str) -> Option<Id> {
    let mut parts = header.split('-');
    let id = parts.nth(1)?;
    let hex = id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let used = id.bytes().any(|b| b != b'0');
    Id::try_from(id.to_owned()).ok().filter(|_| hex && used && parts.count() >= 2)
}

//! What every request passes on its way in and out, whatever it asks for.
//!
//! From the outside in: `observe` (trace, log line, counts), `dress` (headers of every answer), problems
//! ([`crate::problem::render_problems`]), then `guard` (panics, time, size, concurrency), then the routes.

mod dress;
mod guard;
mod observe;
mod serve;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::middleware::{from_fn, from_fn_with_state};
use naru_shared::clock::Random;
use naru_shared::config::PublicUrl;
use tokio::sync::Semaphore;
use tower::util::MapRequest;

pub use guard::HEADER_BYTES_MAX;
pub use serve::{DRAIN_TIME_MAX, HEADER_TIME_MAX, serve};

use crate::problem::{Audience, render_problems};

/// What the edge needs to know.
#[derive(Clone)]
pub struct EdgeSettings {
    /// What the world reaches us by: problem types live below it.
    pub public_url: PublicUrl,
    /// Requests worked on at once; one that waits for an outcome counts, an open stream does not.
    pub concurrency_max: usize,
    /// Most time until an answer begins: more than the longest wait a client may ask for (60 s) and a body that takes
    /// its time (15 s).
    pub time_max: Duration,
    /// Where new trace ids come from.
    pub random: Arc<dyn Random>,
}

/// `routes` behind everything this module does. A path with slashes at its end is the path without them.
pub fn edge(routes: Router, settings: EdgeSettings) -> Router {
    let audience = Audience { pages: settings.public_url.join("/problems").into() };
    let permits = Arc::new(Semaphore::new(settings.concurrency_max));
    let guarded = routes
        .layer(from_fn_with_state(permits, guard::limit_concurrency))
        .layer(from_fn(guard::limit_headers))
        .layer(from_fn_with_state(settings.time_max, guard::limit_time))
        .layer(from_fn(guard::catch_panics))
        .layer(from_fn_with_state(audience, render_problems))
        .layer(from_fn(dress::dress))
        .layer(from_fn_with_state(settings.random, observe::observe));
    // Layers of a router run after it has chosen a route, so the slash is taken off in front of it.
    Router::new().fallback_service(MapRequest::new(guarded, without_trailing_slash))
}

fn without_trailing_slash(mut request: Request) -> Request {
    let path = request.uri().path();
    let trimmed = path.trim_end_matches('/');
    // The viewer of the API's description lives in a folder: its slash is its own.
    if trimmed.is_empty() || trimmed.len() == path.len() || trimmed == "/docs" {
        return request;
    }
    let shorter = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    if let Ok(shorter) = PathAndQuery::try_from(shorter) {
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(shorter);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

#[cfg(test)]
mod tests;

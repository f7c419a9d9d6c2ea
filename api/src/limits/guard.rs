//! What one request may cost.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tokio::sync::Semaphore;

use crate::problem::{MoneyState, Problem, Reason};

/// Most bytes of a request's line and headers together.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;

/// A fault in a handler becomes a problem, and never an empty answer. The panic itself is logged by its hook.
pub(super) async fn catch_panics(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => {
            metrics::counter!("naru_http_panics_total").increment(1);
            with_money(Problem::because(Reason::InternalError), &method).into_response()
        }
    }
}

/// A handler that never ends is ended.
pub(super) async fn limit_time(State(time_max): State<Duration>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    match tokio::time::timeout(time_max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::error!("a request was given up after {time_max:?}");
            with_money(Problem::because(Reason::InternalError), &method).into_response()
        }
    }
}

/// Nothing that only reads has moved money.
fn with_money(problem: Problem, method: &Method) -> Problem {
    match method.is_safe() {
        true => problem.money(MoneyState::NotMoved).retryable(true),
        false => problem,
    }
}

pub(super) async fn limit_headers(request: Request, next: Next) -> Response {
    let line = request.uri().path().len() + request.uri().query().map_or(0, str::len);
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    match line + headers > HEADER_BYTES_MAX {
        true => Problem::because(Reason::HeadersTooLarge).into_response(),
        false => next.run(request).await,
    }
}

/// Refuses at once what would have to queue: a client that is told may ask another instance.
pub(super) async fn limit_concurrency(State(permits): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = permits.try_acquire() else {
        metrics::counter!("naru_http_overloaded_total").increment(1);
        return Problem::because(Reason::Overloaded).retry_after(Duration::from_secs(1)).into_response();
    };
    next.run(request).await
}

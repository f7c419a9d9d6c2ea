//! One trace, one log line and one count per request. No query, no header and no body is ever logged.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use naru_shared::clock::Random;
use naru_shared::telemetry::TraceContext;
use tracing::Instrument;

use crate::context::RequestContext;
use crate::headers::Language;
use crate::problem::Problem;

/// The header that tells a caller our trace id, on every answer.
const TRACE_ID: &str = "naru-trace-id";

pub(super) async fn observe(State(random): State<Arc<dyn Random>>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let caller = request.headers().get(TraceContext::HEADER).and_then(|value| value.to_str().ok());
    let trace = TraceContext::continue_or_start(caller, &*random);
    let method = request.method().clone();
    // The route, not the path: a path holds payment keys, and has no end of values to count by.
    let route = request.extensions().get::<MatchedPath>().map_or("(none)", MatchedPath::as_str).to_owned();
    let span = tracing::info_span!(
        "request",
        otel.name = format!("{method} {route}"),
        otel.kind = "server",
        trace_id = tracing::field::Empty,
        request_id = tracing::field::Empty,
    );
    trace.attach(&span);
    // The caller names the trace, perhaps. The step in it that is this request, we do.
    let trace = trace.outgoing(&span, &*random);
    span.record("request_id", tracing::field::display(trace.request_hex()));
    let language = Language::of(request.headers());
    request.extensions_mut().insert(RequestContext::new(trace, language));

    async move {
        let mut response = next.run(request).await;
        let status = response.status().as_u16();
        let problem = response.extensions().get::<Problem>();
        let took = begun.elapsed();
        tracing::info!(
            %method,
            route,
            status,
            code = problem.map(Problem::name),
            reason = problem.and_then(Problem::reason).map(crate::problem::Reason::as_str),
            took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "answered"
        );
        let labels = [("method", counted(&method).to_owned()), ("route", route)];
        metrics::histogram!("naru_http_request_seconds", &labels).record(took.as_secs_f64());
        let [method, route] = labels;
        metrics::counter!("naru_http_requests_total", &[method, route, ("status", status.to_string())]).increment(1);
        if let Ok(id) = HeaderValue::from_str(&trace.trace_hex()) {
            response.headers_mut().insert(TRACE_ID, id);
        }
        response
    }
    .instrument(span)
    .await
}

/// The method as a label. Anybody can make one up, and every new label is kept until we end: those are counted as one.
fn counted(method: &Method) -> &str {
    match *method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::PATCH | Method::DELETE | Method::OPTIONS => {
            method.as_str()
        }
        _ => "(other)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_up_methods_are_one_label() {
        for (method, label) in
            [("GET", "GET"), ("DELETE", "DELETE"), ("get", "(other)"), ("BREW", "(other)"), ("X1", "(other)")]
        {
            assert_eq!(counted(&method.parse().unwrap()), label);
        }
    }
}

//! The internal listener: `/livez`, `/readyz` and `/metrics`, for the machines around us and nobody else.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

use super::metrics::Metrics;
use super::readiness::Readiness;

/// Everything the internal listener serves.
pub fn internal_routes(readiness: Readiness, metrics: Metrics) -> Router {
    let counts = get(show_metrics).with_state(metrics);
    health_routes(readiness).route("/metrics", counts)
}

/// `/livez` (the process runs) and `/readyz` (requests may be sent here; the body says which dependency is missing).
pub fn health_routes(readiness: Readiness) -> Router {
    Router::new()
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(show_readiness).with_state(readiness))
}

async fn show_readiness(State(readiness): State<Readiness>) -> impl IntoResponse {
    let report = readiness.report();
    let status = match report.ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(report))
}

async fn show_metrics(State(metrics): State<Metrics>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render())
}

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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::super::readiness::Need;
    use super::*;

    #[tokio::test]
    async fn readiness_says_which_dependency_is_missing() {
        let readiness = Readiness::new();
        let postgres = readiness.dependency("postgres", Need::Required);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(axum::serve(listener, health_routes(readiness)).into_future());
        let ask = |path: &'static str| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer
        };

        let answer = ask("/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains(r#""postgres":{"up":false"#), "{answer}");
        assert!(ask("/livez").await.starts_with("HTTP/1.1 200"));
        postgres.up();
        assert!(ask("/readyz").await.starts_with("HTTP/1.1 200"));
        serving.abort();
    }
}

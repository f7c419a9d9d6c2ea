use axum::body::{Body, to_bytes};
use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::response::Response;
use axum::routing::{get, post};
use naru_shared::system::System;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::problem::Problem;

#[derive(serde::Deserialize)]
struct Asked {
    page: u8,
}

async fn breaks() -> &'static str {
    panic!("4242424242424242")
}

fn app(concurrency_max: usize) -> Router {
    let routes = Router::new()
        .route("/v1/payments", get(|| async { "list" }).post(breaks))
        .route("/v1/echo", get(|query: Query<Asked>| async move { query.0.page.to_string() }))
        .route("/v1/slow", get(|| async { tokio::time::sleep(Duration::from_secs(100)).await }))
        .route("/v1/refused", post(|| async { Problem::of(crate::problem::Code::NotFoundPayment) }));
    let public_url = PublicUrl { url: "https://pay.example".parse().unwrap() };
    edge(
        routes,
        EdgeSettings { public_url, concurrency_max, time_max: Duration::from_millis(100), random: Arc::new(System) },
    )
}

async fn ask(method: &str, path: &str, headers: &[(&str, &str)]) -> (Response, Value) {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = app(10).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)));
    (Response::from_parts(parts, Body::empty()), body)
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn whoever_refuses_it_is_one_kind_of_document() {
    let long = "x".repeat(17_000);
    let table = [
        ("GET", "/nowhere/4242424242424242?card=4242424242424242", vec![], 404, "NOT_FOUND", "NO_SUCH_ROUTE"),
        ("DELETE", "/v1/payments", vec![], 405, "INVALID_REQUEST", "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/payments", vec![], 500, "FAILED_INTERNAL_SYSTEM_PROCESSING", "INTERNAL_ERROR"),
        ("GET", "/v1/echo?page=many", vec![], 400, "INVALID_REQUEST", "INVALID_QUERY"),
        ("GET", "/v1/payments", vec![("x-long", long.as_str())], 431, "INVALID_REQUEST", "HEADERS_TOO_LARGE"),
        ("POST", "/v1/refused", vec![], 404, "NOT_FOUND_PAYMENT", ""),
    ];
    for (method, path, mut headers, status, code, reason) in table {
        headers.extend([("traceparent", TRACE), ("accept-language", "en")]);
        let (response, body) = ask(method, path, &headers).await;
        assert_eq!(response.status(), status, "{method} {path}");
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["code"], code, "{method} {path}");
        assert_eq!(body["reason"].as_str().unwrap_or_default(), reason, "{method} {path}");
        assert_eq!(body["type"], format!("https://pay.example/problems/{code}"));
        assert_eq!(body["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(body["title"].as_str().unwrap().is_ascii(), "English was asked for");
        assert!(!body.to_string().contains("42424242"), "nothing is echoed: {body}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let (response, _) = ask("DELETE", "/v1/payments", &[]).await;
    assert_eq!(response.headers()[header::ALLOW], "GET,HEAD,POST");
}

#[tokio::test]
async fn a_fault_may_have_moved_money_unless_it_only_read() {
    let (_, body) = ask("POST", "/v1/payments", &[]).await;
    assert_eq!((&body["moneyState"], &body["retryable"]), (&"UNKNOWN".into(), &false.into()));
}

#[tokio::test]
async fn every_answer_has_its_trace_and_its_headers() {
    let (response, body) = ask("GET", "/v1/payments//", &[("traceparent", "nonsense")]).await;
    assert_eq!((response.status(), body), (StatusCode::OK, "list".into()), "slashes at the end are tolerated");
    assert_eq!(response.headers()["naru-trace-id"].len(), 32);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert!(response.headers().contains_key(header::CONTENT_SECURITY_POLICY));
    let (_, body) = ask("GET", "/v1/echo/?page=7", &[]).await;
    assert_eq!(body, 7, "the query survives");
}

#[tokio::test]
async fn what_never_ends_is_ended_and_what_is_too_much_is_refused_at_once() {
    let app = app(1);
    let get = |path: &str| Request::get(path).body(Body::empty()).unwrap();
    let slow = tokio::spawn(app.clone().oneshot(get("/v1/slow")));
    tokio::task::yield_now().await;

    let refused = app.clone().oneshot(get("/v1/payments")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");

    let ended = slow.await.unwrap().unwrap();
    assert_eq!(ended.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body: Value = serde_json::from_slice(&to_bytes(ended.into_body(), usize::MAX).await.unwrap()).unwrap();
    assert_eq!(body["moneyState"], "NOT_MOVED");

    let answered = app.oneshot(get("/v1/payments")).await.unwrap();
    assert_eq!(answered.status(), StatusCode::OK, "the place is free again");
}

#[tokio::test]
async fn a_connection_is_served_and_drained() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, app(10), stop.clone()));

    let mut idle = TcpStream::connect(address).await.unwrap();
    let mut asking = TcpStream::connect(address).await.unwrap();
    asking.write_all(b"GET /v1/payments HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    asking.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nlist"), "{answer}");

    stop.cancel();
    tokio::time::timeout(Duration::from_secs(2), serving).await.expect("idle connections hold nothing up").unwrap();
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0, "they are closed");
}

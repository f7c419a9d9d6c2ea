//! The one HTTP client of the load generator.

use std::time::Duration;

use naru_servers::Failure;
use reqwest::Client;

use crate::Outcome;

/// How long any request may take. A payment that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) fn client() -> Outcome<Client> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .timeout(TIMEOUT)
        .tcp_nodelay(true)
        .no_proxy()
        .retry(reqwest::retry::never())
        .build()
        .map_err(|cause| Failure::new("make an HTTP client", cause))
}

/// Sends a request and returns the body of its answer, which must have this status.
pub(crate) async fn answer(step: &str, request: reqwest::RequestBuilder, status: u16) -> Outcome<bytes::Bytes> {
    let failed = |cause| Failure::new(step, cause);
    let response = request.send().await.map_err(failed)?;
    let got = response.status().as_u16();
    let body = response.bytes().await.map_err(failed)?;
    if got == status {
        return Ok(body);
    }
    Err(Failure::new(step, format!("{got} {}", String::from_utf8_lossy(&body))))
}

/// The text of a string member of a JSON object, found without reading the rest. Our servers' members hold no escapes.
pub(crate) fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{name}\":\""))?;
    rest.split('"').next()
}

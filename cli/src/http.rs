//! Requests to Naru's own APIs.

use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;

/// An HTTP client. Every address is one that a person gave.
pub(crate) fn client() -> Result<Client, reqwest::Error> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build()
}

/// The JSON answer of a request, or what the problem document says.
pub(crate) async fn json(request: RequestBuilder) -> Result<Value, Box<dyn std::error::Error>> {
    Ok(answer(request).await?.json().await?)
}

/// The answer of a request that succeeded, or what the problem document says.
pub(crate) async fn answer(request: RequestBuilder) -> Result<Response, Box<dyn std::error::Error>> {
    let response = request.send().await?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    Err(problem(status, &response.json().await.unwrap_or_default()).into())
}

/// The same for a call that makes a payment: that it was made and declined before the answer was written is no trouble, its
/// events tell the rest.
pub(crate) async fn payment(request: RequestBuilder) -> Result<Value, Box<dyn std::error::Error>> {
    let response = request.send().await?;
    let status = response.status();
    let document: Value = response.json().await.unwrap_or_default();
    if status.is_success() || document["paymentKey"].is_string() {
        return Ok(document);
    }
    Err(problem(status.as_u16(), &document).into())
}

/// A refusal in a line.
fn problem(status: u16, document: &Value) -> String {
    let text = |member: &str| document[member].as_str().unwrap_or("-").to_owned();
    let mut line = format!("{status} {}: {}", text("code"), text("detail"));
    for member in ["reason", "moneyState", "acquirerCode", "traceId"] {
        if let Some(value) = document[member].as_str() {
            line.push_str(&format!("\n  {member}: {value}"));
        }
    }
    for error in document["errors"].as_array().into_iter().flatten() {
        let text = |member: &str| error[member].as_str().unwrap_or("-");
        line.push_str(&format!("\n  {} {}", text("field"), text("reason")));
    }
    line
}

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
    let response = request.send().await?;
    if response.status().is_success() {
        return Ok(response.json().await?);
    }
    Err(problem(response).await.into())
}

/// A refusal in a line.
pub(crate) async fn problem(response: Response) -> String {
    let status = response.status().as_u16();
    let document: Value = response.json().await.unwrap_or_default();
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

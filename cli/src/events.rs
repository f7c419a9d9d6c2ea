//! A payment's event stream, told line by line.

use futures::StreamExt as _;
use reqwest::{Client, header};
use serde_json::Value;

/// Follows the events of a payment until the stream ends. `authorization` is the header's value.
pub(crate) async fn follow(
    http: &Client,
    url: &str,
    authorization: &str,
) -> Result<Option<Value>, Box<dyn std::error::Error>> {
    let response = http
        .get(url)
        .header(header::ACCEPT, "text/event-stream")
        .header(header::AUTHORIZATION, authorization)
        .send()
        .await?
        .error_for_status()?;
    let mut chunks = response.bytes_stream();
    let (mut buffer, mut name, mut last) = (Vec::new(), String::new(), None);
    while let Some(chunk) = chunks.next().await {
        buffer.extend_from_slice(&chunk?);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if let Some(event) = line.strip_prefix("event:") {
                event.trim().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data:") {
                let data: Value = serde_json::from_str(data)?;
                tell(&name, &data);
                last = Some(if name == "snapshot" { data } else { data["payment"].clone() });
            }
        }
    }
    Ok(last)
}

fn tell(name: &str, data: &Value) {
    let payment = if name == "snapshot" { data } else { &data["payment"] };
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let at = data["createdAt"].as_str().and_then(|at| at.get(11..23)).unwrap_or("            ").to_owned();
    let mut line = format!(
        "{at}  {:>3}  {name:<26} {:<12} {:<9}",
        payment["sequence"],
        text(&payment["status"]),
        text(&payment["moneyState"]),
    );
    if let Some(operation) = payment["operation"].as_object() {
        let word = |member: &str| operation.get(member).and_then(Value::as_str).unwrap_or("-");
        line.push_str(&format!("  {} {}", word("type"), word("status")));
        if let Some(next) = operation.get("nextAttemptAt").and_then(Value::as_str).and_then(|at| at.get(11..23)) {
            line.push_str(&format!(", next at {next}"));
        }
    }
    if let Some(code) = payment["failure"]["code"].as_str() {
        line.push_str(&format!("  {code}"));
    }
    println!("{}", line.trim_end());
}

//! `POST /callbacks/virtual-account`: a bank says that something was paid into an account, or taken back.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use naru_shared::clock::Clock as _;
use naru_shared::secret::{keyed_hash_of_message, same};
use naru_shared::store::CalledBack;
use naru_shared::system::System;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse;

/// Most bytes of a callback.
pub(super) const BODY_BYTES_MAX: usize = 16 * 1024;
/// How far a callback's time may be from ours, in seconds.
const SECONDS_OFF_MAX: i64 = 300;

/// What is read of a callback: which account. What it says of money is not believed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    event_id: String,
    event: String,
    reference: String,
}

/// Takes a bank's callback: the account that it is about is looked at.
pub(super) async fn virtual_account(
    State(app): State<App>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Value>, Problem> {
    let body = body.map_err(|_| Problem::because(Reason::BodyTooLarge))?;
    let refused = |why: &'static str| {
        metrics::counter!("naru_callbacks_total", "outcome" => why).increment(1);
        tracing::warn!(why, "a callback is refused");
        Problem::because(Reason::CallbackRefused)
    };
    verify(&app, &headers, &body).map_err(refused)?;
    let told: Told = serde_json::from_slice(&body).map_err(|_| refused("unreadable"))?;
    let is_plain = |text: &str| (1..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_plain(&told.event_id) || !is_plain(&told.reference) {
        return Err(refused("unreadable"));
    }
    let outcome = match app.store.called_back(&told.event_id, &told.reference).await.map_err(refuse)? {
        CalledBack::Taken => "taken",
        CalledBack::Known => "known",
        CalledBack::Unknown => {
            metrics::counter!("naru_callbacks_total", "outcome" => "unknown_account").increment(1);
            return Err(Problem::of(Code::NotFound));
        }
    };
    metrics::counter!("naru_callbacks_total", "outcome" => outcome).increment(1);
    let deposit_error = told.event == "deposit_error";
    tracing::info!(reference = told.reference, deposit_error, outcome, "a bank called back");
    Ok(Json(json!({ "taken": true })))
}

/// Whether the bank signed this body, just now; or, in a word, why not.
fn verify(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<(), &'static str> {
    let secret = app.callback_secret.as_ref().ok_or("no_secret")?;
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        match (values.next().and_then(|value| value.to_str().ok()), values.next()) {
            (Some(value), None) => Some(value),
            (Some(_), Some(_)) | (None, _) => None,
        }
    };
    let timestamp = one("x-bank-timestamp").ok_or("no_timestamp")?;
    let signature = one("x-bank-signature").and_then(|value| value.strip_prefix("v1=")).ok_or("no_signature")?;
    let signed = [timestamp.as_bytes(), b".", body].concat();
    let expected: String =
        keyed_hash_of_message(secret.expose().as_bytes(), &signed).iter().map(|byte| format!("{byte:02x}")).collect();
    // The signature before the time: whoever has no key learns nothing of our clock.
    if !same(expected.as_bytes(), signature.as_bytes()) {
        return Err("wrong_signature");
    }
    let sent: i64 = timestamp.parse().map_err(|_| "no_timestamp")?;
    let off = System.now().unix_timestamp().abs_diff(sent);
    if off <= SECONDS_OFF_MAX.unsigned_abs() { Ok(()) } else { Err("stale") }
}

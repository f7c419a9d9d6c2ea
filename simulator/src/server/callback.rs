//! Callbacks: how a gateway hears of deposits. Signed, and sent again until they are taken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::desk::{Desk, now};
use crate::company::virtual_account::{Callback, Notice};
use crate::company::{Around, Mode};

/// How often a callback is sent, at most.
const TRIES_MAX: u32 = 6;
/// How long the other side may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sends callbacks.
pub struct Caller {
    http: reqwest::Client,
    secret: String,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Caller")
    }
}

impl Caller {
    /// A caller that signs with this secret.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(secret: String) -> Result<Self, reqwest::Error> {
        // An error only says that somebody else was first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()?;
        Ok(Self { http, secret })
    }

    /// Sends it once. Says whether it was taken: with a 2xx.
    async fn send(&self, notice: &Notice, nth: u32) -> bool {
        let Ok(body) = serde_json::to_vec(notice) else { return false };
        let timestamp = now().unix_seconds();
        let request = self
            .http
            .post(notice.address.as_str())
            .header("content-type", "application/json")
            .header("x-bank-event-id", notice.event_id.as_str())
            .header("x-bank-timestamp", timestamp)
            .header("x-bank-signature", signature(&self.secret, timestamp, &body))
            .body(body);
        let status = request.send().await.map(|answer| answer.status());
        let taken = status.as_ref().is_ok_and(|status| status.is_success());
        let status = status.map_or(0, |status| status.as_u16());
        tracing::info!(event_id = %notice.event_id, event = notice.event, nth, status, taken, "a callback was sent");
        taken
    }
}

/// `v1=` and the HMAC-SHA256 of `{timestamp}.{body}`, in lower-case hexadecimal.
fn signature(secret: &str, timestamp: i64, body: &[u8]) -> String {
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{timestamp}.").as_bytes());
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("v1={hex}")
}

impl Desk {
    /// Sends what an earlier program still owed.
    pub(super) fn call_back_what_is_owed(self: &Arc<Self>) {
        let owed = self.state().company.owed_callbacks();
        for notice in owed {
            self.call_back(notice);
        }
    }

    /// Sends a callback, in the background.
    pub(super) fn call_back(self: &Arc<Self>, notice: Notice) {
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            if let Callback::Late(ms) = notice.callback {
                tokio::time::sleep(Duration::from_millis(ms)).await;
            }
            desk.call_until_taken(&notice, 1).await;
        });
    }

    /// Sends a callback once, and goes on in the background when it was not taken.
    pub(super) async fn call_back_once(self: &Arc<Self>, notice: Notice) {
        if self.caller.send(&notice, 1).await {
            self.note(&notice, true).await;
            return;
        }
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            desk.back_off(1).await;
            desk.call_until_taken(&notice, 2).await;
        });
    }

    async fn call_until_taken(&self, notice: &Notice, from: u32) {
        let times = if notice.callback == Callback::Double { 2 } else { 1 };
        let mut all_taken = true;
        for _ in 0..times {
            all_taken &= self.call_some_times(notice, from).await;
        }
        self.note(notice, all_taken).await;
    }

    async fn call_some_times(&self, notice: &Notice, from: u32) -> bool {
        for nth in from..=TRIES_MAX {
            if self.caller.send(notice, nth).await {
                return true;
            }
            if nth < TRIES_MAX {
                self.back_off(nth).await;
            }
        }
        false
    }

    async fn back_off(&self, tries: u32) {
        let first = self.state().settings.callback_backoff_ms;
        tokio::time::sleep(Duration::from_millis(first.saturating_mul(1 << (tries - 1)))).await;
    }

    async fn note(&self, notice: &Notice, delivered: bool) {
        let receipt = {
            let mut state = self.state();
            let around = Around { now: now(), mode: Mode::D, lag_ms: 0, fault: None, trace_id: None };
            let entries = state.company.notified(notice, delivered, around);
            self.journal.append(entries)
        };
        if receipt.durable().await.is_err() {
            tracing::error!("the end of a callback could not be written down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn the_signature_is_that_of_the_readme() {
        // printf '1700000000.{"event":"deposit"}' | openssl dgst -sha256 -hmac sandbox-callback-secret
        assert_eq!(
            signature("sandbox-callback-secret", 1_700_000_000, br#"{"event":"deposit"}"#),
            "v1=acefbfb7e38f7e09d975714fa1674dbde440db8da07890ee48030533d9f9a013"
        );
    }
}

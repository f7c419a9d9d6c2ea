//! Who is asking: a merchant's server, a merchant's page, or a browser that watches one payment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use naru_shared::api_key::{ApiKey, CheckoutToken, KeyKind};
use naru_shared::clock::Clock as _;
use naru_shared::domain::id::{ApiKeyId, PaymentId, Tenant};
use naru_shared::secret::MasterSecret;
use naru_shared::store::{Principal, Store};
use naru_shared::system::System;
use uuid::Uuid;

use crate::app::App;
use crate::browser::Address;
use crate::headers::Credentials;
use crate::problem::{Problem, Reason};
use crate::test_code::refuse_as_asked;
use crate::unavailable::refuse;

/// How long a key that was looked up is believed: a revoked one stops working within this.
const BELIEVED_FOR: Duration = Duration::from_secs(2);
/// Keys remembered at once; strangers with made-up keys must not fill our memory.
const REMEMBERED_MAX: usize = 10_000;

/// The keys that tokens and hashes are made with, and the merchants' keys seen lately.
pub struct KeyRing {
    store: Store,
    api_keys: [u8; 32],
    checkout_tokens: [u8; 32],
    fingerprints: [u8; 32],
    payees: [u8; 32],
    payment_secrets: [u8; 32],
    seen: Mutex<HashMap<[u8; 32], Seen>>,
}

/// When a key was looked up, and who it spoke for; nobody, when it is nobody's.
type Seen = (Instant, Option<Arc<Principal>>);

impl KeyRing {
    /// A key ring of this secret.
    #[must_use]
    pub fn new(store: Store, master: &MasterSecret) -> Self {
        Self {
            store,
            api_keys: naru_shared::keys::api_key_hash_key(master),
            checkout_tokens: master.derive("checkout token"),
            fingerprints: master.derive("idempotency fingerprint"),
            payees: naru_shared::keys::payee_key(master),
            payment_secrets: naru_shared::keys::payment_secret_key(master),
            seen: Mutex::default(),
        }
    }

    /// What bodies are fingerprinted with.
    #[must_use]
    pub const fn fingerprints(&self) -> &[u8; 32] {
        &self.fingerprints
    }

    /// What the accounts are sealed with that money goes back to.
    #[must_use]
    pub const fn payees(&self) -> &[u8; 32] {
        &self.payees
    }

    /// What tells a merchant that news of a payment's deposit is ours. Always the same for a payment, and stored nowhere.
    #[must_use]
    pub fn payment_secret(&self, payment: PaymentId) -> String {
        let hash = naru_shared::secret::keyed_hash(&self.payment_secrets, payment.0.as_bytes());
        let digits: String = hash[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("ps_{digits}")
    }

    /// The token with which a browser may watch a payment. Always the same for a payment, and stored nowhere.
    #[must_use]
    pub fn checkout_token(&self, payment: PaymentId) -> String {
        CheckoutToken::issue(&self.checkout_tokens, payment.0).to_string()
    }

    /// What is kept of a merchant's key, and what it is found by.
    #[must_use]
    pub fn hash(&self, key: &ApiKey) -> [u8; 32] {
        key.hash(&self.api_keys)
    }

    fn watched_by(&self, token: &str) -> Option<Uuid> {
        CheckoutToken::verify(&self.checkout_tokens, token)
    }

    /// Whose key it is.
    ///
    /// # Errors
    /// `KEY_UNKNOWN`, `SECRET_KEY_IN_BROWSER`, or that Postgres can't be asked.
    async fn principal(&self, key: &ApiKey, headers: &HeaderMap) -> Result<Arc<Principal>, Problem> {
        let principal = self.holder(self.hash(key)).await?;
        refuse_in_browser(&principal, headers)?;
        Ok(principal)
    }

    /// Whether a key still speaks for somebody. One that can't be looked up now does.
    pub(crate) async fn still_speaks(&self, hash: [u8; 32]) -> bool {
        let Err(problem) = self.holder(hash).await else { return true };
        problem.reason() != Some(Reason::KeyUnknown)
    }

    async fn holder(&self, hash: [u8; 32]) -> Result<Arc<Principal>, Problem> {
        let now = System.monotonic();
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&hash).cloned();
        let principal = match seen {
            Some((at, principal)) if now.duration_since(at) < BELIEVED_FOR => principal,
            _ => {
                let found = self.store.find_principal(&hash).await.map_err(refuse)?.map(Arc::new);
                let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.len() >= REMEMBERED_MAX {
                    seen.clear();
                }
                seen.insert(hash, (now, found.clone()));
                found
            }
        };
        principal.ok_or_else(|| Problem::because(Reason::KeyUnknown))
    }
}

/// Whose key it is, with a note that it was used. The note is taken in memory; nobody waits for it.
async fn owner(app: &App, parts: &mut Parts, key: &ApiKey) -> Result<Arc<Principal>, Problem> {
    let principal = app.keys.principal(key, &parts.headers).await?;
    let Ok(address) = Address::from_request_parts(parts, app).await;
    app.key_uses.note(ApiKeyId(principal.key), &address.place(), System.monotonic());
    // Before anything else of the request is looked at.
    refuse_as_asked(principal.tenant.mode, &parts.headers)?;
    Ok(principal)
}

/// A secret key in a page is everybody's key; only browsers send `Origin`. Counted when it really is a key: anybody can make
/// up one that looks right.
fn refuse_in_browser(principal: &Principal, headers: &HeaderMap) -> Result<(), Problem> {
    if principal.kind == KeyKind::Client || !headers.contains_key(header::ORIGIN) {
        return Ok(());
    }
    // By its id: the log masks whatever looks like a key, its first letters too.
    tracing::warn!(key = %principal.key, mid = principal.mid, "a secret key was used in a browser");
    metrics::counter!("naru_secret_key_in_browser_total").increment(1);
    Err(Problem::because(Reason::SecretKeyInBrowser))
}

/// A merchant's server, by its secret key.
#[derive(Debug, Clone)]
pub struct Merchant(pub Arc<Principal>);

impl Merchant {
    /// Which merchant, in which world.
    #[must_use]
    pub fn tenant(&self) -> Tenant {
        self.0.tenant
    }
}

impl FromRequestParts<App> for Merchant {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = Credentials::of(&parts.headers)?.key()?;
        let principal = owner(app, parts, &key).await?;
        match principal.kind {
            KeyKind::Secret => Ok(Self(principal)),
            KeyKind::Client => Err(Problem::because(Reason::ClientKeyNotAllowed)),
        }
    }
}

/// Whoever may create a payment: a merchant's server, or one of its registered pages by a client key.
#[derive(Debug, Clone)]
pub struct Creator(pub Arc<Principal>);

impl FromRequestParts<App> for Creator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let key = Credentials::of(&parts.headers)?.key()?;
        let principal = owner(app, parts, &key).await?;
        if principal.kind == KeyKind::Client {
            let origin = parts.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
            if !origin.is_some_and(|origin| principal.origins.iter().any(|known| known == origin)) {
                return Err(Problem::because(Reason::OriginNotRegistered));
            }
        }
        Ok(Self(principal))
    }
}

/// Whoever may watch a payment.
#[derive(Debug, Clone)]
pub enum Watcher {
    /// The merchant's server: any payment of its own, for as long as its key is good.
    Merchant {
        /// Which merchant, in which world.
        tenant: Tenant,
        /// What the key is found by.
        key: [u8; 32],
    },
    /// A browser with a checkout token: that payment only.
    Browser(PaymentId),
}

impl FromRequestParts<App> for Watcher {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Credentials::of(&parts.headers)? {
            Credentials::Key(key) => {
                let principal = owner(app, parts, &key).await?;
                match principal.kind {
                    KeyKind::Secret => Ok(Self::Merchant { tenant: principal.tenant, key: app.keys.hash(&key) }),
                    KeyKind::Client => Err(Problem::because(Reason::ClientKeyNotAllowed)),
                }
            }
            Credentials::Bearer(token) => app
                .keys
                .watched_by(token.expose())
                .map(|payment| Self::Browser(PaymentId(payment)))
                .ok_or_else(|| Problem::because(Reason::TokenInvalid)),
        }
    }
}

#[cfg(test)]
mod tests {
    use naru_shared::domain::id::{MerchantId, Mode};

    use super::*;

    #[test]
    fn a_secret_key_from_a_page_is_refused_and_a_client_key_is_not() {
        for (kind, in_a_page, refused) in
            [(KeyKind::Secret, true, true), (KeyKind::Secret, false, false), (KeyKind::Client, true, false)]
        {
            let principal = Principal {
                key: Uuid::nil(),
                tenant: Tenant { merchant: MerchantId(Uuid::nil()), mode: Mode::Test },
                mid: "naru_demo".to_owned(),
                kind,
                expires_at: None,
                origins: Vec::new(),
            };
            let mut headers = HeaderMap::new();
            if in_a_page {
                headers.insert(header::ORIGIN, "https://shop.example".parse().unwrap());
            }
            let reason = refuse_in_browser(&principal, &headers).err().and_then(|problem| problem.reason());
            assert_eq!(reason, refused.then_some(Reason::SecretKeyInBrowser), "{kind:?} {in_a_page}");
        }
    }
}

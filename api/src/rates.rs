//! How often something may be tried: by one account, from one address.
//!
//! Counted in Postgres, for several instances must agree; who it concerns is there as a keyed hash only.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use naru_shared::secret::{MasterSecret, keyed_hash_of_parts};
use naru_shared::store::Store;

use crate::browser::Address;
use crate::problem::{MoneyState, Problem, Reason};
use crate::unavailable::refuse;

/// A minute and an hour.
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// Cards that are being registered for one address at once, at this instance: many share an address, none needs many.
const REGISTERING_MAX: usize = 128;

/// What is counted, and how much of it is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    scope: &'static str,
    limit: i32,
    window: Duration,
}

/// Wrong sign-ins of an account.
pub const SIGN_IN_OF_PAYER: Rate = Rate { scope: "payer_sign_in", limit: 5, window: MINUTE };
/// Wrong passwords of somebody who works for a merchant.
pub const SIGN_IN_OF_STAFF: Rate = Rate { scope: "staff_sign_in", limit: 5, window: MINUTE };
/// Wrong sign-ins from an address.
pub const SIGN_IN_FROM_ADDRESS: Rate = Rate { scope: "sign_in_address", limit: 20, window: MINUTE };
/// Accounts made from an address.
pub const SIGN_UP_FROM_ADDRESS: Rate = Rate { scope: "sign_up_address", limit: 20, window: MINUTE };
/// Cards that a payer registers.
pub const CARDS_OF_PAYER: Rate = Rate { scope: "payer_cards", limit: 5, window: HOUR };
/// Codes that a carrier is asked to send to one phone.
pub const CODES_TO_PHONE: Rate = Rate { scope: "phone_codes", limit: 5, window: HOUR };
/// Cards that are tried for one billing key.
pub const CARDS_OF_BILLING_REQUEST: Rate = Rate { scope: "billing_cards", limit: 10, window: HOUR };
/// Cards, accounts, phones and members that were declined when somebody at an address registered them or authenticated with them.
pub const DECLINES_FROM_ADDRESS: Rate = Rate { scope: "declines_address", limit: 10, window: HOUR };

/// Who is counted, by a hash.
pub type Who = [u8; 32];

/// Counts.
pub struct Rates {
    store: Store,
    key: [u8; 32],
    registering: Arc<Mutex<HashMap<Vec<u8>, usize>>>,
}

/// A card that is being registered for somebody at an address.
pub struct Registering {
    place: Vec<u8>,
    all: Arc<Mutex<HashMap<Vec<u8>, usize>>>,
}

impl Rates {
    /// Counts that are keyed by this secret.
    #[must_use]
    pub fn new(store: Store, master: &MasterSecret) -> Self {
        Self { store, key: master.derive("rate limit"), registering: Arc::default() }
    }

    /// Whoever is named by these parts.
    #[must_use]
    pub fn who(&self, parts: &[&[u8]]) -> Who {
        keyed_hash_of_parts(&self.key, parts)
    }

    /// Whoever is at an address.
    #[must_use]
    pub fn at(&self, address: Address) -> Who {
        self.who(&[b"address", &address.place()])
    }

    /// Counts one more try before it is made.
    ///
    /// # Errors
    /// `RATE_LIMITED`, or that Postgres is away: uncounted nothing is tried.
    pub async fn count(&self, rate: Rate, who: &Who) -> Result<(), Problem> {
        let wait = self.store.count_against(rate.scope, who, rate.limit, rate.window).await;
        wait.map_err(|error| refuse(error).money(MoneyState::NotMoved))?.map_or(Ok(()), |wait| Err(limited(rate, wait)))
    }

    /// Takes one back that did not count after all. If it can't be, it counts until its window is over.
    pub async fn give_back(&self, rate: Rate, who: &Who) {
        if let Err(error) = self.store.uncount(rate.scope, who).await {
            tracing::warn!(%error, scope = rate.scope, "a try could not be given back");
        }
    }

    /// Forgets all of somebody's tries: they were who they said.
    pub async fn forget(&self, rate: Rate, who: &Who) {
        if let Err(error) = self.store.forget_count(rate.scope, who).await {
            tracing::warn!(%error, scope = rate.scope, "tries could not be forgotten");
        }
    }

    /// Lets a card be registered for somebody at an address, unless too many were declined there of late. What is declined
    /// is counted afterwards, for nearly none is: so what is under way at once has a bound of its own.
    ///
    /// # Errors
    /// `RATE_LIMITED`, or that Postgres is away.
    pub async fn registering(&self, address: Address) -> Result<Registering, Problem> {
        let who = self.at(address);
        let rate = DECLINES_FROM_ADDRESS;
        if let Some(wait) = self.store.limit_reached(rate.scope, &who, rate.limit).await.map_err(refuse)? {
            return Err(limited(rate, wait));
        }
        let place = address.place();
        let mut all = self.registering.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(place.clone()).or_default();
        if *count >= REGISTERING_MAX {
            return Err(limited(rate, Duration::from_secs(1)));
        }
        *count += 1;
        Ok(Registering { place, all: Arc::clone(&self.registering) })
    }

    /// Counts a card that was declined. If it can't be counted, that is all the same to who waits for the answer.
    pub async fn declined(&self, address: Address) {
        let rate = DECLINES_FROM_ADDRESS;
        metrics::counter!("naru_declined_registrations_total").increment(1);
        if let Err(error) = self.store.count_against(rate.scope, &self.at(address), rate.limit, rate.window).await {
            tracing::warn!(%error, "a declined card could not be counted");
        }
    }
}

impl Drop for Registering {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.place) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.place);
            }
        }
    }
}

fn limited(rate: Rate, wait: Duration) -> Problem {
    metrics::counter!("naru_rate_limited_total", "scope" => rate.scope).increment(1);
    Problem::because(Reason::RateLimited)
        .detail("너무 자주 시도했습니다. 잠시 후 다시 시도해 주세요.", "Too many tries. Try again later.")
        .retry_after(wait)
}

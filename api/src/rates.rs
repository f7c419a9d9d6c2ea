//! How often something may be tried: by one account, from one address.
//!
//! Counted in Postgres, for several instances must agree; who it concerns is there as a keyed hash only.

use std::time::Duration;

use naru_shared::domain::id::{Mode, Tenant};
use naru_shared::secret::{MasterSecret, keyed_hash_of_parts};
use naru_shared::store::Store;

use crate::browser::Address;
use crate::declines::Registering;
use crate::problem::{MoneyState, Problem, Reason};
use crate::unavailable::refuse;

/// A minute, a quarter of an hour and an hour.
const MINUTE: Duration = Duration::from_secs(60);
const QUARTER: Duration = Duration::from_secs(15 * 60);
const HOUR: Duration = Duration::from_secs(3_600);

/// How much more is allowed in the network around a place of IPv6: it may be a town, or one tunnel.
const SURROUNDINGS: i32 = 10;

/// What is counted, and how much of it is allowed.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub(crate) scope: &'static str,
    pub(crate) limit: i32,
    pub(crate) window: Duration,
}

impl Rate {
    /// The same, where ten times as much is allowed.
    const fn around(self) -> Self {
        Self { limit: self.limit.saturating_mul(SURROUNDINGS), ..self }
    }
}

/// Passwords that are compared for an address, right ones too: each costs a processor some ten milliseconds.
pub const CHECKS_FROM_ADDRESS: Rate = Rate { scope: "password_checks_address", limit: 60, window: MINUTE };
/// Wrong passwords from an address, whosever they should be.
pub const WRONG_FROM_ADDRESS: Rate = Rate { scope: "wrong_passwords_address", limit: 20, window: MINUTE };
/// Wrong passwords of one account from one address.
pub const WRONG_OF_ACCOUNT_HERE: Rate = Rate { scope: "wrong_passwords_here", limit: 5, window: MINUTE };
/// Wrong passwords of one account from everywhere: so many that it takes many addresses to keep its owner out.
pub const WRONG_OF_ACCOUNT: Rate = Rate { scope: "wrong_passwords_account", limit: 100, window: QUARTER };
/// Right passwords of one account from one address. Where there is one, everywhere else's wrong ones keep nobody out.
pub const RIGHT_OF_ACCOUNT_HERE: Rate =
    Rate { scope: "right_passwords_here", limit: i32::MAX - 1, window: Duration::from_secs(30 * 24 * 60 * 60) };
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

/// Keys that are issued or rolled for a merchant in one world.
pub const KEYS_OF_MERCHANT: Rate = Rate { scope: "merchant_keys", limit: 60, window: HOUR };
/// Origins that are registered for a merchant in one world.
pub const ORIGINS_OF_MERCHANT: Rate = Rate { scope: "merchant_origins", limit: 100, window: HOUR };
/// Refusals of one kind, to one person or of one account, that the audit log has.
pub const NOTED_ONCE: Rate = Rate { scope: "noted_refusals", limit: 1, window: QUARTER };
/// Wrong passwords from an address that the audit log has.
pub const NOTED_WRONG_FROM_ADDRESS: Rate = Rate { scope: "noted_wrong_address", limit: 20, window: QUARTER };
/// Accounts that were tried too often from an address, as the audit log has them.
pub const NOTED_LOCK_OUTS_FROM_ADDRESS: Rate = Rate { scope: "noted_lock_outs_address", limit: 20, window: QUARTER };

/// Who is counted, by a hash.
pub type Who = [u8; 32];

/// Counts.
pub struct Rates {
    store: Store,
    key: [u8; 32],
    declines: crate::declines::Gates,
}

impl Rates {
    /// Counts that are keyed by this secret.
    #[must_use]
    pub fn new(store: Store, master: &MasterSecret) -> Self {
        Self { store, key: master.derive("rate limit"), declines: crate::declines::Gates::default() }
    }

    /// Whoever is named by these parts.
    #[must_use]
    pub fn who(&self, parts: &[&[u8]]) -> Who {
        keyed_hash_of_parts(&self.key, parts)
    }

    /// A merchant in one world.
    #[must_use]
    pub fn who_of(&self, tenant: Tenant) -> Who {
        self.who(&[b"merchant", tenant.merchant.0.as_bytes(), tenant.mode.as_str().as_bytes()])
    }

    /// Whoever is at an address.
    fn at(&self, address: Address) -> Who {
        self.who(&[b"address", &address.place()])
    }

    /// Everybody around an address.
    fn around(&self, address: Address) -> Option<Who> {
        address.surroundings().map(|network| self.who(&[b"around", &network]))
    }

    /// Whose tries of an account from one place, or what surrounds it, are counted together.
    #[must_use]
    pub fn of_account_at(&self, account: &Who, address: Address) -> Who {
        let place = address.surroundings().map_or_else(|| address.place(), |network| network.to_vec());
        self.who(&[b"account here", account, &place])
    }

    /// Counts one more try before it is made.
    ///
    /// # Errors
    /// `RATE_LIMITED`, or that Postgres is away: uncounted nothing is tried.
    pub async fn count(&self, rate: Rate, who: &Who) -> Result<(), Problem> {
        let wait = self.store.count_against(rate.scope, who, rate.limit, rate.window).await;
        wait.map_err(|error| refuse(error).money(MoneyState::NotMoved))?.map_or(Ok(()), |wait| Err(limited(rate, wait)))
    }

    /// Counts one more try of whoever is at an address, and ten times as many of all around it.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub async fn count_at(&self, rate: Rate, address: Address) -> Result<(), Problem> {
        if let Some(around) = self.around(address) {
            self.count(rate.around(), &around).await?;
        }
        self.count(rate, &self.at(address)).await
    }

    /// Whether there was any in the window that is open.
    ///
    /// # Errors
    /// That Postgres is away.
    pub async fn is_counted(&self, rate: Rate, who: &Who) -> Result<bool, Problem> {
        self.store.is_counted(rate.scope, who).await.map_err(|error| refuse(error).money(MoneyState::NotMoved))
    }

    /// Counts one more of what nobody is refused for, and says whether it is one of the few that are worth a word. What can't be
    /// counted is.
    pub async fn is_news(&self, rate: Rate, who: &Who) -> bool {
        let wait = self.store.count_against(rate.scope, who, rate.limit, rate.window).await;
        wait.map_or(true, |wait| wait.is_none())
    }

    /// The same of whoever is at an address, and ten times as many of all around it.
    pub async fn is_news_at(&self, rate: Rate, address: Address) -> bool {
        if let Some(around) = self.around(address)
            && !self.is_news(rate.around(), &around).await
        {
            return false;
        }
        self.is_news(rate, &self.at(address)).await
    }

    /// Takes one back that did not count after all. If it can't be, it counts until its window is over.
    pub async fn give_back(&self, rate: Rate, who: &Who) {
        if let Err(error) = self.store.uncount(rate.scope, who).await {
            tracing::warn!(%error, scope = rate.scope, "a try could not be given back");
        }
    }

    /// Takes one back of whoever is at an address.
    pub async fn give_back_at(&self, rate: Rate, address: Address) {
        if let Some(around) = self.around(address) {
            self.give_back(rate.around(), &around).await;
        }
        self.give_back(rate, &self.at(address)).await;
    }

    /// Lets a card be registered for somebody at an address, unless too many were declined there of late in that world. It counts
    /// as declined until it is judged, and then only if it was: at once no more are under way than may still be declined, whichever
    /// instance they come to. Whoever comes on top of that waits for a turn.
    ///
    /// # Errors
    /// `RATE_LIMITED`, or that Postgres is away.
    pub async fn registering(&self, address: Address, mode: Mode) -> Result<Registering, Problem> {
        let rate = DECLINES_FROM_ADDRESS;
        let there = |who: Who| self.who(&[mode.as_str().as_bytes(), &who]);
        let here = there(self.at(address));
        let around = self.around(address).map(|around| (rate.around(), there(around)));
        let places: Vec<_> = std::iter::once((rate, here)).chain(around).collect();
        let entered = self.declines.enter(here, || Registering::take(self.store.clone(), places.clone())).await?;
        entered.map(|(taken, visit)| taken.at(visit)).ok_or_else(|| limited(rate, AGAIN))
    }
}

/// How soon whoever found no turn may come back.
const AGAIN: Duration = Duration::from_secs(1);

/// Too many were tried.
pub(crate) fn limited(rate: Rate, wait: Duration) -> Problem {
    metrics::counter!("naru_rate_limited_total", "scope" => rate.scope).increment(1);
    Problem::because(Reason::RateLimited)
        .detail("너무 자주 시도했습니다. 잠시 후 다시 시도해 주세요.", "Too many tries. Try again later.")
        .retry_after(wait)
}

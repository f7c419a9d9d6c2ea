//! Cancels of one payment that come at the same time take turns. Which of them is accepted Postgres decides, by the payment's
//! version; without turns each would lose to all others first, and be read, decided and written again as often.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

/// Payments share a seat by chance; who is at it leaves it within milliseconds.
const SEATS: usize = 256;
/// How long a turn is waited for at most.
const WAIT_MAX: Duration = Duration::from_secs(2);

/// Whose turn it is, for every payment.
#[derive(Debug)]
pub struct Turns {
    seats: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl Turns {
    /// Nobody's yet.
    #[must_use]
    pub fn new() -> Self {
        Self { seats: (0..SEATS).map(|_| Mutex::new(())).collect(), hasher: RandomState::new() }
    }

    /// A turn at this payment, which ends when it is dropped. Nothing when it took too long: nobody may rely on having one.
    pub async fn take(&self, payment_key: &str) -> Option<MutexGuard<'_, ()>> {
        let seat = usize::try_from(self.hasher.hash_one(payment_key) % SEATS as u64).unwrap_or(0);
        tokio::time::timeout(WAIT_MAX, self.seats.get(seat)?.lock()).await.ok()
    }
}

impl Default for Turns {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_at_a_time() {
        let turns = Turns::new();
        let first = turns.take("naru_1").await;
        assert!(first.is_some());
        assert!(turns.take("naru_1").now_or_never().is_none(), "it is somebody's turn");
        drop(first);
        assert!(turns.take("naru_1").await.is_some());
    }
}

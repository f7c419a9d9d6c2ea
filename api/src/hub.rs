//! Wakes those who wait for a payment: streams and waiting requests.
//!
//! Redis says at once that a payment has a new version; should it not, one question a process (`id = any(…)`, every
//! 1.5 s) says so a little later. Either is only a wake-up: what is shown is read from Postgres.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use naru_shared::bus::BusEvent;
use naru_shared::domain::id::PaymentId;
use naru_shared::store::Store;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// How often all versions are asked for together. Always on: with Redis dead, streams are this late and no later.
const ASK_EVERY: Duration = Duration::from_millis(1_500);
/// Payments in one question at most.
const ASK_MAX: usize = 5_000;

/// Those who wait, by payment.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    watched: Arc<Mutex<HashMap<PaymentId, Watched>>>,
}

#[derive(Debug)]
struct Watched {
    newest: watch::Sender<i64>,
    watchers: usize,
}

impl Hub {
    /// Starts listening and asking, until `shutdown`.
    #[must_use]
    pub fn start(store: Store, mut events: mpsc::Receiver<BusEvent>, shutdown: CancellationToken) -> Self {
        let hub = Self::default();
        let listening = hub.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(ASK_EVERY);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut redis = true;
            loop {
                let ask = tokio::select! {
                    () = shutdown.cancelled() => return,
                    _ = tick.tick() => true,
                    event = events.recv(), if redis => match event {
                        Some(BusEvent::Notice(notice)) => {
                            listening.wake(PaymentId(notice.payment), notice.version);
                            false
                        }
                        Some(BusEvent::Resync) => true,
                        None => {
                            redis = false;
                            false
                        }
                    },
                };
                if ask {
                    listening.ask(&store).await;
                }
            }
        });
        hub
    }

    /// Begins to watch a payment. To miss nothing: watch, then read, then wait for what is newer than what was read.
    #[must_use]
    pub fn watch(&self, payment: PaymentId) -> Watching {
        let mut watched = self.lock();
        let entry = watched.entry(payment).or_insert_with(|| Watched { newest: watch::Sender::new(0), watchers: 0 });
        entry.watchers += 1;
        Watching { payment, newest: entry.newest.subscribe(), hub: self.clone() }
    }

    /// How many payments are watched.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.lock().len()
    }

    fn wake(&self, payment: PaymentId, version: i64) {
        if let Some(watched) = self.lock().get(&payment) {
            watched.newest.send_if_modified(|newest| {
                let newer = version > *newest;
                *newest = (*newest).max(version);
                newer
            });
        }
    }

    async fn ask(&self, store: &Store) {
        let ids: Vec<PaymentId> = self.lock().keys().copied().collect();
        metrics::gauge!("naru_watched_payments").set(u32::try_from(ids.len()).unwrap_or(u32::MAX));
        for ids in ids.chunks(ASK_MAX) {
            match store.versions(ids).await {
                Ok(versions) => versions.into_iter().for_each(|found| self.wake(found.id, found.version)),
                Err(error) => tracing::warn!(%error, "versions are not known for now"),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<PaymentId, Watched>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits for a payment.
#[derive(Debug)]
pub struct Watching {
    payment: PaymentId,
    newest: watch::Receiver<i64>,
    hub: Hub,
}

impl Watching {
    /// Waits until the payment has a version above `seen`.
    pub async fn newer_than(&mut self, seen: i64) {
        // The sender lives as long as anybody watches, and we do.
        let _ = self.newest.wait_for(|newest| *newest > seen).await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut watched = self.hub.lock();
        if let Some(entry) = watched.get_mut(&self.payment) {
            entry.watchers -= 1;
            if entry.watchers == 0 {
                watched.remove(&self.payment);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn an_old_or_repeated_notice_wakes_nobody_and_a_missed_one_is_made_good_by_the_next() {
        let hub = Hub::default();
        let payment = PaymentId(Uuid::from_u128(1));
        let mut watching = hub.watch(payment);
        hub.wake(payment, 3);
        watching.newer_than(2).await;
        hub.wake(payment, 2);
        let waits = tokio::time::timeout(Duration::from_millis(20), watching.newer_than(3)).await;
        assert!(waits.is_err(), "version 2 is not newer than 3");
        hub.wake(payment, 5);
        watching.newer_than(3).await;
    }

    #[tokio::test]
    async fn nobody_is_remembered_after_the_last_has_left() {
        let hub = Hub::default();
        let payment = PaymentId(Uuid::from_u128(1));
        let one = hub.watch(payment);
        let two = hub.watch(payment);
        drop(one);
        assert_eq!(hub.watched(), 1);
        drop(two);
        assert_eq!(hub.watched(), 0);
    }
}

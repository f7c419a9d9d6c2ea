//! The worker's lease: what lets the others wait, and what keeps us from sending when they no longer do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use naru_shared::clock::Clock as _;
use naru_shared::domain::id::WorkerId;
use naru_shared::store::{LEASE_SECONDS, Store};
use naru_shared::system::System;
use naru_shared::telemetry::Dependency;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often the lease is renewed.
const RENEW_EVERY: Duration = Duration::from_secs(1);
/// The database counts from when it renewed; we count from before we asked, and a little less.
const MARGIN: Duration = Duration::from_millis(500);

/// The lease of this worker. Judged by the worker's own monotonic clock, which a wrong wall clock can't fool.
#[derive(Clone)]
pub(crate) struct Lease {
    id: WorkerId,
    store: Arc<Store>,
    valid_until: watch::Receiver<Option<Instant>>,
    /// Cancelled when the lease is given up: it must not be renewed after that.
    ended: CancellationToken,
}

impl Lease {
    /// Takes the lease and renews it until [`Lease::end`]: it outlives the drain.
    pub(crate) fn hold(id: WorkerId, store: Store, postgres: Dependency) -> Self {
        let store = Arc::new(store);
        let (renewed, valid_until) = watch::channel(None);
        let ended = CancellationToken::new();
        let lease = Self { id, store: Arc::clone(&store), valid_until, ended: ended.clone() };
        let renewing = async move {
            let name = format!("naru-worker {}", std::process::id());
            let mut tick = tokio::time::interval(RENEW_EVERY);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tick.tick().await;
                let asked = System.monotonic();
                let lasts = Duration::from_secs(LEASE_SECONDS.unsigned_abs().into());
                match store.renew_lease(id, &name).await {
                    Ok(()) => {
                        postgres.up();
                        // A renewal that took longer than the lease is none: it is over when it is known.
                        if renewed.send(Some(asked + lasts - MARGIN)).is_err() {
                            return;
                        }
                    }
                    Err(error) => {
                        postgres.down(&error);
                        tracing::warn!(%error, "the lease could not be renewed");
                    }
                }
            }
        };
        tokio::spawn(ended.run_until_cancelled_owned(renewing));
        lease
    }

    /// Whether nobody else may take over what this worker holds: only then may anything new be sent.
    pub(crate) fn holds(&self) -> bool {
        self.valid_until.borrow().is_some_and(|until| System.monotonic() < until)
    }

    /// Waits until the lease holds.
    pub(crate) async fn held(&self) {
        let mut valid_until = self.valid_until.clone();
        while !self.holds() {
            if valid_until.changed().await.is_err() {
                return;
            }
        }
    }

    /// Gives the lease up, so that what is left can be taken over at once.
    pub(crate) async fn end(&self) {
        self.ended.cancel();
        if let Err(error) = self.store.end_lease(self.id).await {
            tracing::warn!(%error, "the lease runs out by itself");
        }
    }
}

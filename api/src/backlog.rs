//! Admission: when more is waiting for the acquirers than can be settled in time, nothing more is accepted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use naru_shared::store::Store;
use tokio_util::sync::CancellationToken;

use crate::problem::{Problem, Reason};

/// How often the backlog is counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long a client that was refused should wait.
const COME_BACK: Duration = Duration::from_secs(5);

/// Whether there is room for more work.
#[derive(Debug, Clone, Default)]
pub struct Backlog {
    full: Arc<AtomicBool>,
}

impl Backlog {
    /// Counts unsettled operations every second, no further than `rows_max`, at which the door closes.
    #[must_use]
    pub fn watch(store: Store, rows_max: i64, shutdown: CancellationToken) -> Self {
        let backlog = Self::default();
        let full = Arc::clone(&backlog.full);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(COUNT_EVERY);
            while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
                // What can't be counted keeps its last answer; without Postgres nothing is accepted anyway.
                if let Ok(rows) = store.backlog(rows_max).await {
                    metrics::gauge!("naru_backlog_operations").set(u32::try_from(rows).unwrap_or(u32::MAX));
                    full.store(rows >= rows_max, Ordering::Relaxed);
                }
            }
        });
        backlog
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// `BACKLOG_FULL`: nothing was accepted.
    pub fn admit(&self) -> Result<(), Problem> {
        if self.full.load(Ordering::Relaxed) {
            metrics::counter!("naru_refused_backlog_total").increment(1);
            return Err(Problem::because(Reason::BacklogFull).retry_after(COME_BACK));
        }
        Ok(())
    }
}

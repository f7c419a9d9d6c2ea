//! Admission: when more waits for an acquirer than can be settled in time, nothing more is accepted for it.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use naru_shared::domain::connector::Connector;
use naru_shared::domain::id::Mode;
use naru_shared::store::Store;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::problem::{Problem, Reason};

/// How often the backlog is counted.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// How long a client that was refused should wait.
const COME_BACK: Duration = Duration::from_secs(5);

/// At which acquirers there is no room for more, and in which mode: one that is down holds up no other, nor the sandbox real money.
#[derive(Debug, Clone, Default)]
pub struct Backlog {
    full: Arc<RwLock<Vec<(Connector, Mode)>>>,
}

impl Backlog {
    /// Counts every second what payers wait for. An acquirer's door closes at `rows_max`, in each mode for itself.
    #[must_use]
    pub fn watch(store: Store, rows_max: i64, shutdown: CancellationToken) -> Self {
        let backlog = Self::default();
        let watched = backlog.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(COUNT_EVERY);
            tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
                // What can't be counted keeps its last answer; without Postgres nothing is accepted anyway.
                watched.count(&store, rows_max).await;
            }
        });
        backlog
    }

    async fn count(&self, store: &Store, rows_max: i64) {
        let doors: Vec<(Connector, Mode)> =
            Connector::ALL.iter().flat_map(|connector| [(*connector, Mode::Test), (*connector, Mode::Live)]).collect();
        // So many that at least one of them is found full, if any is.
        let limit = rows_max.saturating_mul(i64::try_from(doors.len()).unwrap_or(i64::MAX));
        let Ok(waiting) = store.backlog(limit).await else { return };
        let mut full = Vec::new();
        for (connector, mode) in doors {
            let found = waiting.iter().find(|waiting| (waiting.connector, waiting.mode) == (connector, mode));
            let rows = found.map_or(0, |waiting| waiting.rows);
            metrics::gauge!("naru_backlog_operations", "connector" => connector.as_str(), "mode" => mode.as_str())
                .set(u32::try_from(rows).unwrap_or(u32::MAX));
            if rows >= rows_max {
                full.push((connector, mode));
            }
        }
        *self.full.write().unwrap_or_else(PoisonError::into_inner) = full;
    }

    /// Lets a request in that a payer waits for.
    ///
    /// # Errors
    /// `BACKLOG_FULL`: nothing was accepted.
    pub fn admit(&self, connector: Connector, mode: Mode) -> Result<(), Problem> {
        if self.full.read().unwrap_or_else(PoisonError::into_inner).contains(&(connector, mode)) {
            metrics::counter!("naru_refused_backlog_total", "connector" => connector.as_str(), "mode" => mode.as_str())
                .increment(1);
            return Err(Problem::because(Reason::BacklogFull).retry_after(COME_BACK));
        }
        Ok(())
    }
}

//! Claims what has arrived: several rows in one statement when several wait.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::crash::hold_point;
use naru_shared::domain::id::{AttemptId, OperationId};
use naru_shared::domain::operation::{CLAIMED_EARLY_BY, Connector};
use naru_shared::store::Wanted;
use naru_shared::system::System;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::connectors::Connectors;
use crate::job::{Finished, Held, Job};
use crate::{Worker, conversation};

/// Rows claimed by one statement at most.
const BATCH_MAX: usize = 64;

pub(crate) async fn run(
    worker: Worker,
    connectors: Arc<Connectors>,
    connector: Connector,
    mut jobs: mpsc::Receiver<Job>,
    finished: mpsc::Sender<Finished>,
    conversations: TaskTracker,
) {
    let mut arrived = Vec::with_capacity(BATCH_MAX);
    while jobs.recv_many(&mut arrived, BATCH_MAX).await > 0 {
        let mut wanted: HashMap<OperationId, Job> = HashMap::with_capacity(arrived.len());
        for job in arrived.drain(..) {
            if let Some(twice) = wanted.insert(OperationId(job.hint.operation), job) {
                twice.receipt.done();
            }
        }
        for held in claim(&worker, &connectors, connector, wanted).await {
            let conversation = conversation::hold(worker.clone(), Arc::clone(&connectors), held, finished.clone());
            conversations.spawn(conversation);
        }
    }
}

/// Claims, again and again until Postgres answers. What can't be claimed is somebody else's, settled or not due: its
/// message is done, for the row knows when it wants another.
async fn claim(
    worker: &Worker,
    connectors: &Connectors,
    connector: Connector,
    mut jobs: HashMap<OperationId, Job>,
) -> Vec<Held> {
    let now = System.now();
    let mut wanted: Vec<Wanted> = jobs
        .values()
        .map(|job| Wanted {
            operation: OperationId(job.hint.operation),
            attempt: AttemptId(System.ordered()),
            early_ms: early_ms(job, now),
            again: false,
        })
        .collect();
    let manners = connectors.acquirer(connector).manners();
    let mut delay = Duration::from_millis(100);
    let (claims, at) = loop {
        worker.lease.held().await;
        let at = System.monotonic();
        match worker.store.claim(worker.id, &wanted, manners).await {
            Ok(claims) => break (claims, at),
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, waiting = wanted.len(), "claiming waits for Postgres");
                // The claim may hold though we were not told. What it sent is nothing: it never came back to us.
                wanted.iter_mut().for_each(|wanted| wanted.again = true);
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(2));
            }
            Err(error) => {
                tracing::error!(%error, waiting = wanted.len(), "claiming failed; the sweeper will send these again");
                break (Vec::new(), at);
            }
        }
    };
    metrics::histogram!("naru_worker_claim_batch").record(u32::try_from(claims.len()).unwrap_or(u32::MAX));
    hold_point("claimed").await;
    let held = claims
        .into_iter()
        .filter_map(|(claimed, claimed_at)| {
            let job = jobs.remove(&claimed.operation.id)?;
            Some(Held { claimed, claimed_at: (claimed_at, at), queue: job.queue, receipt: job.receipt })
        })
        .collect();
    let nobody = unknown(worker, &jobs).await;
    for (operation, job) in jobs {
        if nobody.contains(&operation) {
            metrics::counter!("naru_worker_poison_total", "kind" => "unknown_operation").increment(1);
            tracing::warn!(%operation, "a message names no operation of ours");
            job.receipt.reject();
        } else {
            metrics::counter!("naru_worker_stale_hints_total").increment(1);
            job.receipt.done();
        }
    }
    held
}

/// Those of what could not be claimed that don't exist at all. When that can't be found out they are taken as stale.
async fn unknown(worker: &Worker, jobs: &HashMap<OperationId, Job>) -> HashSet<OperationId> {
    let mut unknown: HashSet<OperationId> = jobs.keys().copied().collect();
    if !unknown.is_empty() {
        let asked: Vec<OperationId> = unknown.iter().copied().collect();
        match worker.store.known_operations(&asked).await {
            Ok(known) => known.iter().for_each(|operation| {
                unknown.remove(operation);
            }),
            Err(error) => {
                tracing::warn!(%error, "whether stale hints name anything is not known");
                unknown.clear();
            }
        }
    }
    unknown
}

/// A hint that came early after its hops is taken all the same, as far ahead as it is.
fn early_ms(job: &Job, now: time::OffsetDateTime) -> i64 {
    let early_ms = i64::try_from(CLAIMED_EARLY_BY.whole_milliseconds()).unwrap_or(0);
    let ahead = i64::try_from((job.hint.due_at - now).whole_milliseconds()).unwrap_or(0);
    ahead.saturating_add(50).clamp(early_ms, 60_000)
}

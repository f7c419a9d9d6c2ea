//! Sends hints for rows that nobody came for. A lost message costs seconds, never a payment.
//!
//! Two kinds of rows are found. Those whose owner's lease is out are taken over at once, for money may hang on them. Those
//! whose `nudge_at` has passed have lost their message, or their message still waits behind others: how many it is,
//! the queue's own depth says, and only the difference is sent. So a backlog makes no storm of duplicates.

use std::time::Duration;

use naru_shared::broker::{LinkState, Outgoing, WorkQueue};
use naru_shared::clock::Clock as _;
use naru_shared::domain::operation::{Connector, Urgency};
use naru_shared::store::{HintOwed, StoreError};
use naru_shared::system::System;

use super::{every, next};
use crate::Worker;
use crate::committer::{hint, outgoing};
use crate::intake::Orphanage;
use crate::job::{Job, Receipt};

const EVERY: Duration = Duration::from_millis(500);
/// Hints of one tick at most: 500 a second.
const BATCH_MAX: i64 = 250;
/// A queue that looks full of our messages may be full of others': every so many overdue rows get one hint a tick
/// all the same, which is a twentieth of them a minute.
const TRICKLE: i64 = 2_400;

pub(super) async fn run(worker: Worker, orphanage: Orphanage) {
    let mut tick = every(EVERY);
    while next(&worker, &mut tick).await {
        if let Err(error) = sweep(&worker, &orphanage).await {
            tracing::warn!(%error, "sweeping waits for Postgres");
        }
    }
}

async fn sweep(worker: &Worker, orphanage: &Orphanage) -> Result<(), StoreError> {
    let orphans = worker.store.orphans(BATCH_MAX).await?;
    let left = keep(orphanage, orphans);
    send(worker, left, "orphan").await;
    // Without a broker there is nobody to tell, and a nudge that reaches nobody would only postpone the next.
    if worker.broker.publishing() != LinkState::Up {
        return Ok(());
    }
    for &connector in Connector::ALL {
        for &urgency in Urgency::ALL {
            let overdue = worker.store.overdue(connector, urgency).await?;
            if overdue == 0 {
                continue;
            }
            let queue = WorkQueue::new(connector.as_str(), urgency);
            // Not knowing is no reason to send: it is asked again in half a second.
            let Ok(depth) = worker.broker.depth(&queue.name()).await else { continue };
            let lost = (overdue - i64::from(depth)).max(overdue / TRICKLE).min(BATCH_MAX);
            if lost > 0 {
                let rows = worker.store.sweep(connector, urgency, lost).await?;
                send(worker, rows, "overdue").await;
            }
        }
    }
    Ok(())
}

/// Keeps orphans for this worker, which is alive; a message might go to one that is frozen as the orphans' owner is. Returns
/// those it has no room for.
fn keep(orphanage: &Orphanage, orphans: Vec<HintOwed>) -> Vec<HintOwed> {
    let mut left = Vec::new();
    for owed in orphans {
        let queue = WorkQueue::new(owed.connector.as_str(), owed.urgency);
        let job = Job { hint: hint(&owed), queue, receipt: Receipt::none() };
        if orphanage.get(&owed.connector).is_some_and(|jobs| jobs.try_send(job).is_ok()) {
            metrics::counter!("naru_sweeper_orphans_kept_total").increment(1);
            tracing::info!(operation = %owed.operation, "an orphan is taken over");
        } else {
            left.push(owed);
        }
    }
    left
}

async fn send(worker: &Worker, rows: Vec<HintOwed>, why: &'static str) {
    if rows.is_empty() {
        return;
    }
    let now = System.now();
    let messages: Vec<Outgoing> = rows.iter().filter_map(|owed| outgoing(owed, now)).collect();
    let results = worker.broker.publisher().publish(messages).await;
    // What certainly reached no queue is due again in seconds, and is no duplicate then.
    let sent = results.iter().filter(|result| !matches!(result, Err(error) if error.is_certain())).count();
    metrics::counter!("naru_sweeper_hints_total", "why" => why).increment(u64::try_from(sent).unwrap_or(u64::MAX));
    tracing::info!(rows = results.len(), sent, why, "hints are sent again");
}

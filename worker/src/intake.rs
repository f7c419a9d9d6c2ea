//! Messages in: what is no hint is rejected, what is early waits again, the rest is claimed.

use std::collections::HashMap;
use std::sync::Arc;

use naru_shared::broker::{Delivery, Outgoing, WorkQueue, ladder};
use naru_shared::clock::Clock as _;
use naru_shared::domain::operation::{Connector, Urgency};
use naru_shared::system::System;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::job::{Finished, Job};
use crate::{Worker, claimer};

/// Where jobs that need no message are handed in.
pub(crate) type Orphanage = HashMap<Connector, mpsc::Sender<Job>>;

/// Starts consuming every work queue of every connector.
///
/// Each queue has its own consumer, channel and share of what is done at once (`prefetch`, the limit of a connector's
/// concurrency; a fifth of it is for recovery, so that recovery never waits behind the storm it should end).
///
/// Returns where the sweeper hands in the orphans that it finds.
pub(crate) async fn start(
    worker: &Worker,
    prefetch: u16,
    finished: &mpsc::Sender<Finished>,
    conversations: &TaskTracker,
    tasks: &TaskTracker,
) -> Orphanage {
    let mut orphanage = HashMap::new();
    for &connector in Connector::ALL {
        for &urgency in Urgency::ALL {
            let queue = WorkQueue::new(connector.as_str(), urgency);
            let share = match urgency {
                Urgency::Pay => prefetch,
                Urgency::Back | Urgency::Recover => (prefetch / 5).max(4),
            };
            let (arrived, deliveries) = mpsc::channel(usize::from(share));
            let (jobs, to_claim) = mpsc::channel(usize::from(share));
            worker.broker.consume(&queue.name(), share, arrived).await;
            if urgency == Urgency::Recover {
                orphanage.insert(connector, jobs.clone());
            }
            tasks.spawn(take(worker.clone(), queue, deliveries, jobs));
            tasks.spawn(claimer::run(
                worker.clone(),
                Arc::clone(&worker.connectors),
                connector,
                to_claim,
                finished.clone(),
                conversations.clone(),
            ));
        }
    }
    orphanage
}

async fn take(worker: Worker, queue: WorkQueue, mut deliveries: mpsc::Receiver<Delivery>, jobs: mpsc::Sender<Job>) {
    while let Some(delivery) = deliveries.recv().await {
        let hint = match delivery.hint() {
            Ok(hint) => hint,
            Err(poison) => {
                metrics::counter!("naru_worker_poison_total", "kind" => poison.kind()).increment(1);
                tracing::warn!(queue = %queue, kind = poison.kind(), "a message is no hint");
                delivery.reject();
                continue;
            }
        };
        let now = System.now();
        if ladder::is_on_time(hint.due_at, now, hint.waited) {
            if jobs.send(Job { hint, queue, receipt: delivery.into() }).await.is_err() {
                return;
            }
        } else {
            // Not awaited here: one slow confirm must not hold up what is due. If it is lost the sweeper knows.
            if let Some(message) = Outgoing::due(queue, &hint, now) {
                worker.relay.offer(with_trace(message, delivery.headers.traceparent()));
            }
            delivery.done();
        }
    }
}

fn with_trace(message: Outgoing, traceparent: Option<&str>) -> Outgoing {
    match traceparent {
        Some(traceparent) => message.with_traceparent(traceparent),
        None => message,
    }
}

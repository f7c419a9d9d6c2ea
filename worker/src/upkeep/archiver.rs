//! Dead messages into Postgres, to the byte. With Postgres down they stay queued.

use std::time::Duration;

use naru_shared::broker::Delivery;
use naru_shared::clock::Ids as _;
use naru_shared::domain::id::OperationId;
use naru_shared::store::StoreError;
use naru_shared::system::System;
use tokio::sync::mpsc;

use crate::Worker;

pub(super) async fn run(worker: Worker, mut dead: mpsc::Receiver<Delivery>) {
    while let Some(delivery) = dead.recv().await {
        let mut delay = Duration::from_millis(200);
        loop {
            match archive(&worker, &delivery).await {
                Ok(()) => {
                    delivery.done();
                    break;
                }
                Err(error) if worker.shutdown.is_cancelled() => {
                    // Unsettled, it comes again: here or elsewhere.
                    tracing::warn!(%error, "a dead letter stays queued");
                    break;
                }
                Err(error) => {
                    tracing::warn!(%error, "a dead letter waits to be archived");
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(Duration::from_secs(5));
                }
            }
        }
    }
}

async fn archive(worker: &Worker, delivery: &Delivery) -> Result<(), StoreError> {
    let death = delivery.headers.death();
    let queue = death.as_ref().map_or(delivery.routing_key.as_str(), |death| death.queue.as_str());
    let headers = delivery.headers.to_json();
    let id = System.ordered();
    let reason = match delivery.hint() {
        Ok(hint) => {
            let operation = OperationId(hint.operation);
            if let Some(row) = worker.store.operation(operation).await? {
                let reason = row.letter_reason();
                let new = worker
                    .store
                    .archive_letter(id, operation, reason, Some(queue), Some(&delivery.body), &headers)
                    .await?;
                if new == Some(true) {
                    metrics::counter!("naru_dead_letters_total", "reason" => reason).increment(1);
                }
                tracing::warn!(%operation, queue, reason, new, "a dead letter is archived");
                return Ok(());
            }
            "unknown_operation"
        }
        Err(poison) => poison.kind(),
    };
    worker.store.archive_poison(id, reason, Some(queue), &delivery.body, &headers).await?;
    metrics::counter!("naru_dead_letters_total", "reason" => reason).increment(1);
    tracing::warn!(queue, reason, bytes = delivery.body.len(), "poison is archived");
    Ok(())
}

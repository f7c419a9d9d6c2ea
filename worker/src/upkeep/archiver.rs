//! Dead messages into Postgres, to the byte. With Postgres down they stay queued.

use std::time::Duration;

use naru_shared::broker::{Delivery, storable};
use naru_shared::clock::Ids as _;
use naru_shared::domain::id::OperationId;
use naru_shared::store::StoreError;
use naru_shared::system::System;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::Worker;

pub(super) async fn run(worker: Worker, mut dead: mpsc::Receiver<Delivery>) {
    while let Some(delivery) = dead.recv().await {
        let mut delay = Duration::from_millis(200);
        let mut around = Around::of(&delivery);
        loop {
            match archive(&worker, &delivery, &around).await {
                Ok(()) => {
                    delivery.done();
                    break;
                }
                Err(error) if worker.shutdown.is_cancelled() => {
                    // Unsettled, it comes again: here or elsewhere.
                    tracing::warn!(%error, "a dead letter stays queued");
                    break;
                }
                // Whatever a stranger wrote around it must not hold up what is behind it.
                Err(error) if !error.is_transient() && around.queue.is_some() => {
                    tracing::warn!(error = format!("{error:?}"), "a dead letter is archived without its headers");
                    around = Around::lost();
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

/// What came with a message and is archived beside it.
struct Around {
    /// Where it died; nothing when that could not be written down.
    queue: Option<String>,
    headers: Value,
}

impl Around {
    fn of(delivery: &Delivery) -> Self {
        let queue = delivery.headers.death().map_or_else(|| delivery.routing_key.clone(), |death| death.queue);
        Self { queue: Some(storable(&queue)), headers: delivery.headers.to_json() }
    }

    fn lost() -> Self {
        Self { queue: None, headers: json!({ "naru": "Postgres refused the headers" }) }
    }
}

async fn archive(worker: &Worker, delivery: &Delivery, around: &Around) -> Result<(), StoreError> {
    let (queue, headers) = (around.queue.as_deref(), &around.headers);
    let id = System.ordered();
    let reason = match delivery.hint() {
        Ok(hint) => {
            let operation = OperationId(hint.operation);
            if let Some(row) = worker.store.operation(operation).await? {
                let reason = row.letter_reason();
                let new =
                    worker.store.archive_letter(id, operation, reason, queue, Some(&delivery.body), headers).await?;
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
    worker.store.archive_poison(id, reason, queue, &delivery.body, headers).await?;
    metrics::counter!("naru_dead_letters_total", "reason" => reason).increment(1);
    tracing::warn!(queue, reason, bytes = delivery.body.len(), "poison is archived");
    Ok(())
}

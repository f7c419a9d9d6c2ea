//! Each step for each payment by itself.

use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use naru_servers::Failure;
use naru_shared::clock::Ids as _;
use naru_shared::system::System;
use uuid::Uuid;

use super::queue::Deliveries;
use super::{Order, Parts, complain};
use crate::Outcome;

/// One commit and one confirm, both awaited.
pub(super) async fn accept(parts: &Parts, order: Order) -> Outcome {
    let operation = order.operation;
    parts.books.accept(&order).await?;
    parts.publisher.publish(operation).await
}

/// Works off what arrives, as much at once as the prefetch lets in.
pub(super) fn start(parts: Parts, mut deliveries: Deliveries) {
    tokio::spawn(async move {
        while let Some((operation, delivery)) = deliveries.next().await {
            let parts = parts.clone();
            tokio::spawn(async move {
                if let Err(failure) = work(&parts, operation, delivery).await {
                    complain(&failure);
                }
            });
        }
    });
}

async fn work(parts: &Parts, operation: Uuid, delivery: Delivery) -> Outcome {
    let claimed = parts.books.claim(operation, System.ordered()).await?;
    parts.acquirer.approve(claimed.attempt, &claimed.order_id, &claimed.token).await?;
    parts.books.record(&claimed).await?;
    parts.wakes.publish(&[claimed.payment]).await?;
    let acked = delivery.acker.ack(BasicAckOptions::default()).await;
    acked.map(|_| ()).map_err(|cause| Failure::new("acknowledge", cause))
}

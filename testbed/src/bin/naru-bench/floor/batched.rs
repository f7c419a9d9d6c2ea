//! Every step for whatever waits for it: nothing lingers, batches form by themselves.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use naru_servers::Failure;
use naru_shared::clock::Ids as _;
use naru_shared::system::System;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::books::Claimed;
use super::queue::Deliveries;
use super::{Order, Parts, complain};
use crate::Outcome;

/// Payments accepted by one commit at most.
const ACCEPTS_MAX: usize = 32;
/// Claims, and outcomes, in one commit at most.
const OUTCOMES_MAX: usize = 64;
/// Messages on their way at once at most.
const PUBLISHES_MAX: usize = 256;
/// What waits between two steps; more than there are clients.
const WAITING_MAX: usize = 1_024;

/// A payment that waits to be accepted.
pub(super) struct Accepting {
    order: Order,
    accepted: oneshot::Sender<()>,
}

/// Waits for the commit that accepts it, among others. Nobody waits for the message.
pub(super) async fn accept(door: &mpsc::Sender<Accepting>, order: Order) -> Outcome {
    let closed = || Failure::new("accept a payment", "its batch failed");
    let (accepted, answer) = oneshot::channel();
    door.send(Accepting { order, accepted }).await.map_err(|_| closed())?;
    answer.await.map_err(|_| closed())
}

/// Starts every step and returns the door to the first.
pub(super) fn start(parts: &Parts, mut deliveries: Deliveries) -> mpsc::Sender<Accepting> {
    let (door, accepting) = mpsc::channel(WAITING_MAX);
    let (publishing, to_publish) = mpsc::channel(WAITING_MAX);
    let (arriving, arrived) = mpsc::channel(WAITING_MAX);
    let (finishing, finished) = mpsc::channel(WAITING_MAX);
    go(accept_all(parts.clone(), accepting, publishing));
    go(publish_all(parts.clone(), to_publish));
    go(claim_all(parts.clone(), arrived, finishing));
    go(record_all(parts.clone(), finished));
    tokio::spawn(async move {
        while let Some(delivery) = deliveries.next().await {
            if arriving.send(delivery).await.is_err() {
                return;
            }
        }
    });
    door
}

fn go(step: impl Future<Output = Outcome> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(failure) = step.await {
            complain(&failure);
        }
    });
}

async fn accept_all(parts: Parts, mut accepting: mpsc::Receiver<Accepting>, publishing: mpsc::Sender<Uuid>) -> Outcome {
    let mut batch = Vec::with_capacity(ACCEPTS_MAX);
    while accepting.recv_many(&mut batch, ACCEPTS_MAX).await > 0 {
        match &batch[..] {
            [one] => parts.books.accept(&one.order).await?,
            many => parts.books.accept_many(many.iter().map(|accepting| &accepting.order)).await?,
        }
        for Accepting { order, accepted } in batch.drain(..) {
            let _ = accepted.send(());
            let _ = publishing.send(order.operation).await;
        }
    }
    Ok(())
}

async fn publish_all(parts: Parts, mut to_publish: mpsc::Receiver<Uuid>) -> Outcome {
    let mut batch = Vec::with_capacity(PUBLISHES_MAX);
    while to_publish.recv_many(&mut batch, PUBLISHES_MAX).await > 0 {
        try_join_all(batch.drain(..).map(|operation| parts.publisher.publish(operation))).await?;
    }
    Ok(())
}

async fn claim_all(
    parts: Parts,
    mut arrived: mpsc::Receiver<(Uuid, Delivery)>,
    finishing: mpsc::Sender<(Claimed, Delivery)>,
) -> Outcome {
    let mut batch = Vec::with_capacity(OUTCOMES_MAX);
    while arrived.recv_many(&mut batch, OUTCOMES_MAX).await > 0 {
        let wanted: Vec<(Uuid, Uuid)> = batch.iter().map(|(operation, _)| (*operation, System.ordered())).collect();
        let claimed = match wanted[..] {
            [(operation, attempt)] => vec![parts.books.claim(operation, attempt).await?],
            _ => parts.books.claim_many(&wanted).await?,
        };
        let mut deliveries: BTreeMap<Uuid, Delivery> = batch.drain(..).collect();
        for claimed in claimed {
            let Some(delivery) = deliveries.remove(&claimed.operation) else { continue };
            let (parts, finishing) = (parts.clone(), finishing.clone());
            go(async move {
                parts.acquirer.approve(claimed.attempt, &claimed.order_id, &claimed.token).await?;
                let _ = finishing.send((claimed, delivery)).await;
                Ok(())
            });
        }
    }
    Ok(())
}

async fn record_all(parts: Parts, mut finished: mpsc::Receiver<(Claimed, Delivery)>) -> Outcome {
    let mut batch = Vec::with_capacity(OUTCOMES_MAX);
    let mut acks = Acks::default();
    while finished.recv_many(&mut batch, OUTCOMES_MAX).await > 0 {
        let (claimed, deliveries): (Vec<Claimed>, Vec<Delivery>) = batch.drain(..).unzip();
        match &claimed[..] {
            [one] => parts.books.record(one).await?,
            many => parts.books.record_many(many).await?,
        }
        let payments: Vec<Uuid> = claimed.iter().map(|claimed| claimed.payment).collect();
        parts.wakes.publish(&payments).await?;
        acks.settle(deliveries).await?;
    }
    Ok(())
}

/// Acknowledges everything up to the first gap at once. Tags of a channel count from 1 without holes.
#[derive(Default)]
struct Acks {
    settled_to: u64,
    beyond: BTreeMap<u64, Delivery>,
}

impl Acks {
    async fn settle(&mut self, deliveries: Vec<Delivery>) -> Outcome {
        self.beyond.extend(deliveries.into_iter().map(|delivery| (delivery.delivery_tag, delivery)));
        let mut last = None;
        while let Some(delivery) = self.beyond.remove(&(self.settled_to + 1)) {
            self.settled_to += 1;
            last = Some(delivery);
        }
        if let Some(delivery) = last {
            let acked = delivery.acker.ack(BasicAckOptions { multiple: true }).await;
            acked.map_err(|cause| Failure::new("acknowledge", cause))?;
        }
        Ok(())
    }
}

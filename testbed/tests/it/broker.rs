//! RabbitMQ goes away: the API goes on accepting, and everything settles once it is back.

use std::time::Duration;

use naru_testbed::{Gateway, Link, Payment};

/// Payments a second while it is away.
const RATE: u32 = 5;

/// Takes RabbitMQ away for `away` under load and gives it back by `back`.
async fn away(away: Duration, back: impl AsyncFnOnce(&Gateway)) {
    let gateway = Gateway::with().workers(2).own(&[Link::Amqp]).start().await;
    gateway.own.blocking(|own| own.rabbitmq().kill9()).await;
    let mut orders = Vec::new();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / RATE);
    for _ in 0..u32::try_from(away.as_secs()).unwrap_or(0) * RATE {
        tick.tick().await;
        let payment = Payment::of(12_000);
        let accepted = gateway.shop.key_in(&payment).prefer("respond-async").await;
        assert_eq!(accepted.status, 202, "{accepted:?}");
        orders.push(payment);
    }
    back(&gateway).await;
    gateway.settled_within(Duration::from_secs(60)).await;
    for payment in &orders {
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }

    // Every row needed one hint from the sweeper, for its own was lost. What is beyond that is too much.
    let mut hints = 0;
    for worker in &gateway.workers {
        hints += worker.metric("naru_sweeper_hints_total").await;
    }
    let backlog = u64::try_from(orders.len()).unwrap_or(u64::MAX);
    assert!(hints <= backlog + backlog / 10, "{hints} hints for {backlog} rows");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_for_twenty_seconds() {
    away(Duration::from_secs(20), async |gateway| {
        gateway.own.blocking(|own| own.rabbitmq().start()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wiped() {
    away(Duration::from_secs(5), async |gateway| {
        gateway.own.blocking(|own| own.rabbitmq().wipe()).await;
    })
    .await;
}

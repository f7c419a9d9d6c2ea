//! Redis goes away: streams go on, a little later.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Gateway, Link, Payment, Stream, Who};

/// Streams are late by so much at most; the rest is for the work itself, on a busy machine.
const LATE: Duration = Duration::from_millis(2_000 + 1_000);
const SOON: Duration = Duration::from_secs(15);

/// A stream of a payment that the card company is about to approve, and what lets it.
async fn about_to_be_paid(gateway: &Gateway) -> (Stream, naru_testbed::BankHold) {
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let accepted = gateway.shop.key_in(&payment).prefer("respond-async").await.expecting(202);
    let mut stream = gateway.shop.stream(accepted.payment_key()).await;
    stream.until("a first event", SOON, |_| true).await;
    held.reached().await;
    (stream, held)
}

/// Lets a payment be approved and insists that its stream says so in time, on the connection it has.
async fn is_told((mut stream, held): (Stream, naru_testbed::BankHold)) {
    let released_at = System.monotonic();
    held.release().await;
    let done = stream.until_status("DONE", SOON).await;
    let late = done.at - released_at;
    assert!(late <= LATE, "{late:?} late");
    assert_eq!(done.connection, 0);
    stream.assert_every_version_once();
}

/// All is well: nobody waits for the question that is asked every 1.5 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wakes_those_who_wait_long_before_they_would_look() {
    const SOONER: Duration = Duration::from_millis(500);
    let gateway = Gateway::start().await;
    let mut took = Vec::new();
    for nth in 0..20 {
        // Half of them wait for their answer, half of them watch.
        let asked_at = if nth % 2 == 0 {
            let asked_at = System.monotonic();
            let _ = gateway.shop.key_in(&Payment::of(12_000)).await.expecting(200);
            asked_at
        } else {
            let (mut stream, held) = about_to_be_paid(&gateway).await;
            let released_at = System.monotonic();
            held.release().await;
            stream.until_status("DONE", SOON).await;
            released_at
        };
        took.push(System.monotonic() - asked_at);
    }
    took.sort_unstable();
    // By looking alone a third would come so soon.
    assert!(took[took.len() * 3 / 4] < SOONER, "{took:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_and_started() {
    let gateway = Gateway::with().own(&[Link::Redis]).start().await;
    let (first, second) = (about_to_be_paid(&gateway).await, about_to_be_paid(&gateway).await);
    gateway.own.blocking(|own| own.redis().kill9()).await;
    is_told(first).await;
    is_told(about_to_be_paid(&gateway).await).await;
    gateway.own.blocking(|own| own.redis().start()).await;
    is_told(second).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_22_let_a_frozen_redis_hold_up_a_commit() {
    let gateway = Gateway::with().own(&[Link::Redis]).start().await;
    let (first, second) = (about_to_be_paid(&gateway).await, about_to_be_paid(&gateway).await);
    gateway.own.blocking(|own| own.redis().pause()).await;
    is_told(first).await;
    gateway.own.blocking(|own| own.redis().resume()).await;
    is_told(second).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cut_from_the_workers_only() {
    let gateway = Gateway::with().proxied(Link::Redis, Who::Workers).start().await;
    let (first, second) = (about_to_be_paid(&gateway).await, about_to_be_paid(&gateway).await);
    gateway.proxy(Link::Redis).refuse();
    is_told(first).await;
    gateway.proxy(Link::Redis).heal();
    is_told(second).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_open_for_everyone() {
    let gateway = Gateway::with().proxied(Link::Redis, Who::Everyone).start().await;
    let (first, second) = (about_to_be_paid(&gateway).await, about_to_be_paid(&gateway).await);
    gateway.proxy(Link::Redis).freeze();
    is_told(first).await;
    gateway.proxy(Link::Redis).heal();
    is_told(second).await;
    gateway.check().await;
}

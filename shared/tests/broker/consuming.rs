//! What arrives is handed over once, settled in few acks, and comes again when it was not settled.

use std::{collections::BTreeSet, time::Duration};

use naru_shared::broker::{Broker, DEAD_QUEUE, Outgoing, Poison};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::house::{House, PAY, consume, depth_becomes, hint, next, take_all, within};

async fn publish(broker: &Broker, operations: std::ops::Range<u128>) {
    let batch = operations.map(|n| Outgoing::work(PAY, &hint(n))).collect();
    let results = broker.publisher().publish(batch).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_finished_in_any_order_by_many_tasks_are_all_acked() {
    let house = House::enter().await;
    let broker = house.connected().await;
    publish(&broker, 0..2_000).await;
    let mut deliveries = consume(&broker, &PAY.name(), 64).await;
    let mut tasks = Vec::new();
    let mut seen = BTreeSet::new();
    for _ in 0..2_000u32 {
        let delivery = next(&mut deliveries).await;
        assert!(seen.insert(delivery.hint().unwrap().operation), "nothing comes twice");
        tasks.push(tokio::spawn(async move {
            for _ in 0..rand::random_range(0..20) {
                tokio::task::yield_now().await;
            }
            delivery.done();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    broker.close(Duration::from_secs(10)).await;
    let other = house.connected().await;
    assert_eq!(other.depth(&PAY.name()).await, Ok(0), "nothing was left unacknowledged");
}

#[tokio::test]
async fn the_prefetch_bounds_what_is_unsettled() {
    let house = House::enter().await;
    let broker = house.connected().await;
    publish(&broker, 0..10).await;
    let mut deliveries = consume(&broker, &PAY.name(), 3).await;
    let held = [next(&mut deliveries).await, next(&mut deliveries).await, next(&mut deliveries).await];
    depth_becomes(&broker, &PAY.name(), 7).await;
    assert!(deliveries.try_recv().is_err());
    for delivery in held {
        delivery.done();
    }
    take_all(&mut deliveries, (3..10).collect()).await;
}

#[tokio::test]
async fn poison_reaches_the_dead_letters_with_its_bytes() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let bodies: [(Vec<u8>, &str); 5] = [
        (b"\xff\xfe\x00 not text".to_vec(), "not_utf8"),
        (b"<xml/>".to_vec(), "not_json"),
        (br#"{"v":99,"operation":"?"}"#.to_vec(), "unknown_version"),
        (br#"{"v":1,"attempt":1,"dueAt":0}"#.to_vec(), "bad_field"),
        ((0..5_000_000u32).map(|n| n.to_le_bytes()[n as usize % 4]).collect(), "too_large"),
    ];
    let channel = house.raw().await;
    for (body, _) in &bodies {
        let options = lapin::options::BasicPublishOptions::default();
        let properties = lapin::BasicProperties::default().with_delivery_mode(2).with_message_id("strange".into());
        let key = PAY.name().into();
        drop(channel.basic_publish("naru.work".into(), key, options, body, properties).await.unwrap());
    }
    let mut work = consume(&broker, &PAY.name(), 8).await;
    for (_, kind) in &bodies {
        let delivery = next(&mut work).await;
        assert_eq!(delivery.hint().as_ref().map_err(Poison::kind), Err(*kind));
        delivery.reject();
    }
    let mut dead = consume(&broker, DEAD_QUEUE, 2).await;
    let mut bodies: Vec<Vec<u8>> = bodies.into_iter().map(|(body, _)| body).collect();
    while !bodies.is_empty() {
        let letter = next(&mut dead).await;
        let death = letter.headers.death().unwrap();
        assert_eq!((death.reason.as_str(), death.queue.as_str()), ("rejected", "work.pay.card"));
        assert!(death.at.is_some());
        assert_eq!(letter.message_id.as_deref(), Some("strange"));
        let place = bodies.iter().position(|body| *body == letter.body).expect("the bytes are as they were");
        bodies.swap_remove(place);
        letter.done();
    }
    // And the queue they came through is not blocked.
    publish(&broker, 1..2).await;
    take_all(&mut work, [1].into()).await;
}

#[tokio::test]
async fn a_letter_says_why_in_our_own_words() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let letter = Outgoing::dead("work.pay.card", "exhausted", b"body".to_vec()).with_message_id("m1");
    assert_eq!(broker.publisher().publish(vec![letter]).await, [Ok(())]);
    let mut dead = consume(&broker, DEAD_QUEUE, 1).await;
    let letter = next(&mut dead).await;
    let death = letter.headers.death().unwrap();
    assert_eq!((death.reason.as_str(), death.queue.as_str()), ("exhausted", "work.pay.card"));
    assert_eq!((letter.body.as_slice(), letter.message_id.as_deref()), (&b"body"[..], Some("m1")));
    assert_eq!(letter.headers.to_json()["naru-reason"], "exhausted");
    letter.done();
}

#[tokio::test]
async fn dropped_deliveries_come_again_when_none_is_left() {
    let house = House::enter().await;
    let broker = house.connected().await;
    publish(&broker, 0..2).await;
    let mut deliveries = consume(&broker, &PAY.name(), 2).await;
    drop(next(&mut deliveries).await);
    drop(next(&mut deliveries).await);
    let mut again = BTreeSet::new();
    for _ in 0..2 {
        let delivery = next(&mut deliveries).await;
        assert!(delivery.redelivered);
        assert_eq!(delivery.headers.delivery_count(), 1);
        again.insert(delivery.hint().unwrap().operation.as_u128());
        delivery.done();
    }
    assert_eq!(again, [0, 1].into());
}

#[tokio::test]
async fn a_shutdown_hands_over_what_is_here_and_acks_all_of_it() {
    let house = House::enter().await;
    let shutdown = CancellationToken::new();
    let broker = Broker::start(&house.config(), shutdown.clone()).unwrap();
    within(broker.connected()).await;
    publish(&broker, 0..20).await;
    let mut deliveries = consume(&broker, &PAY.name(), 8).await;
    let first = next(&mut deliveries).await;
    depth_becomes(&broker, &PAY.name(), 12).await;
    shutdown.cancel();
    let mut taken = 1;
    while let Some(delivery) = within(deliveries.recv()).await {
        taken += 1;
        delivery.done();
    }
    assert_eq!(taken, 8, "what had been delivered, and no more");
    // Jobs may still publish while the last one works.
    publish(&broker, 100..101).await;
    let closing = tokio::spawn({
        let broker = broker.clone();
        async move { broker.close(Duration::from_secs(20)).await }
    });
    first.done();
    within(closing).await.unwrap();
    let other = house.connected().await;
    assert_eq!(other.depth(&PAY.name()).await, Ok(13), "12 never delivered, 1 published since");
}

#[tokio::test]
async fn what_is_not_settled_before_the_close_comes_again() {
    let house = House::enter().await;
    let broker = house.connected().await;
    publish(&broker, 0..1).await;
    let mut deliveries = consume(&broker, &PAY.name(), 1).await;
    let held = next(&mut deliveries).await;
    within(broker.close(Duration::from_millis(50))).await;
    held.done(); // Too late, and harmless.
    let other = house.connected().await;
    let mut deliveries = consume(&other, &PAY.name(), 1).await;
    let again = next(&mut deliveries).await;
    assert!(again.redelivered);
    again.done();
}

#[tokio::test]
async fn a_consumer_nobody_listens_to_gives_back_what_it_took() {
    let house = House::enter().await;
    let broker = house.connected().await;
    publish(&broker, 0..5).await;
    let (sender, receiver) = mpsc::channel(1);
    broker.consume(&PAY.name(), 5, sender).await;
    drop(receiver);
    depth_becomes(&broker, &PAY.name(), 5).await;
}

//! A message counts as published when the broker has it, and only then.

use naru_shared::broker::{Outgoing, PublishError, Relay, WorkQueue, ladder::Step};
use naru_shared::domain::operation::Urgency;

use crate::house::{BACK, House, PAY, consume, depth_becomes, hint, next, until, within};

#[tokio::test]
async fn a_batch_is_confirmed_message_by_message_and_the_unroutable_are_told_apart() {
    const NOBODYS: WorkQueue = WorkQueue::new("nobody", Urgency::Pay);
    let house = House::enter().await;
    let broker = house.connected().await;
    // More than one batch, so many that the broker confirms several at once.
    let batch = (0..600).map(|n| Outgoing::work(if n % 7 == 3 { NOBODYS } else { PAY }, &hint(n))).collect();
    let results = broker.publisher().publish(batch).await;
    assert_eq!(results.len(), 600);
    for (n, result) in results.iter().enumerate() {
        if n % 7 == 3 {
            assert!(
                matches!(result, Err(PublishError::Returned { routing_key, .. }) if routing_key == "work.pay.nobody")
            );
        } else {
            assert_eq!(*result, Ok(()), "message {n}");
        }
    }
    let routed = u32::try_from(results.iter().filter(|r| r.is_ok()).count()).unwrap();
    depth_becomes(&broker, &PAY.name(), routed).await;
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let house = House::enter().await;
    let policy = r#"{"pattern":"^work\\.back\\.card$","definition":{"max-length":5},"apply-to":"queues"}"#;
    house.manage("PUT", "/api/policies/naru/full", policy).await;
    let broker = house.connected().await;
    // A policy takes a moment to reach its queue.
    until(async || {
        let results = broker.publisher().publish((0..20).map(|n| Outgoing::work(BACK, &hint(n))).collect()).await;
        assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(PublishError::Nacked))), "{results:?}");
        results.contains(&Err(PublishError::Nacked))
    })
    .await;
    // The other queues are none the worse for it.
    assert_eq!(broker.publisher().publish(vec![Outgoing::work(PAY, &hint(1))]).await, [Ok(())]);
    house.manage("DELETE", "/api/policies/naru/full", "").await;
}

#[tokio::test]
async fn a_missing_exchange_is_declared_again() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let channel = house.raw().await;
    let options = lapin::options::ExchangeDeleteOptions::default();
    channel.exchange_delete("naru.wait.250ms".into(), options).await.unwrap();

    let wait = || vec![Outgoing::wait(Step::ALL[0], PAY, &hint(1))];
    let results = broker.publisher().publish(wait()).await;
    assert!(
        matches!(&results[..], [Err(PublishError::Unknown(why))] if why.contains("naru.wait.250ms")),
        "{results:?}"
    );
    until(async || broker.publisher().publish(wait()).await == [Ok(())]).await;
}

#[tokio::test]
async fn many_publishers_share_a_channel_and_get_their_own_results() {
    const NOBODYS: WorkQueue = WorkQueue::new("nobody", Urgency::Back);
    let house = House::enter().await;
    let broker = house.connected().await;
    let publishers = (0..50u128).map(|n| {
        let publisher = broker.publisher();
        tokio::spawn(async move {
            for m in 0..20 {
                let queue = if n % 5 == 0 { NOBODYS } else { PAY };
                let result = publisher.publish(vec![Outgoing::work(queue, &hint(n * 100 + m))]).await;
                assert_eq!(result[0].is_err(), n % 5 == 0, "{result:?}");
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        within(publisher).await.unwrap();
    }
    depth_becomes(&broker, &PAY.name(), 800).await;
}

#[tokio::test]
async fn the_relay_publishes_what_it_is_offered_with_its_trace() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let house = House::enter().await;
    let broker = house.connected().await;
    let relay = Relay::start(broker.publisher());
    for n in 0..100 {
        relay.offer(Outgoing::work(PAY, &hint(n)).with_traceparent(TRACE));
    }
    let mut deliveries = consume(&broker, &PAY.name(), 16).await;
    for n in 0..100 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.hint(), Ok(hint(n)), "in the order they were offered");
        assert_eq!(delivery.headers.traceparent(), Some(TRACE));
        assert_eq!(delivery.routing_key, "work.pay.card");
        assert!(!delivery.redelivered);
        delivery.done();
    }
    broker.close(std::time::Duration::from_secs(5)).await;
    relay.offer(Outgoing::work(PAY, &hint(1))); // Dropped without a word or a wait.
}

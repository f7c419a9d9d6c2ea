//! The broker dies, freezes, forgets and comes back, and nothing confirmed is lost.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use naru_shared::broker::{Broker, LinkState, Outgoing, PublishError};
use tokio::task::JoinHandle;

use crate::house::{House, PAY, consume, depth_becomes, hint, next, take_all, until, within};

/// Publishes without pause and remembers what was confirmed.
struct Load {
    confirmed: Arc<Mutex<BTreeSet<u128>>>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Load {
    fn start(broker: &Broker) -> Self {
        let confirmed = Arc::new(Mutex::new(BTreeSet::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let task = tokio::spawn({
            let (publisher, confirmed, stop) = (broker.publisher(), Arc::clone(&confirmed), Arc::clone(&stop));
            async move {
                let mut n = 0u128;
                while !stop.load(Ordering::Relaxed) {
                    let batch = (n..n + 10).map(|n| Outgoing::work(PAY, &hint(n))).collect();
                    let results = publisher.publish(batch).await;
                    let ok = (n..).zip(results).filter_map(|(n, result)| result.is_ok().then_some(n));
                    confirmed.lock().unwrap().extend(ok);
                    n += 10;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        });
        Self { confirmed, stop, task }
    }

    fn confirmed(&self) -> usize {
        self.confirmed.lock().unwrap().len()
    }

    /// Waits for `more` confirms from now on.
    async fn goes_on(&self, more: usize) {
        let before = self.confirmed();
        until(async || self.confirmed() >= before + more).await;
    }

    async fn finish(self) -> BTreeSet<u128> {
        self.stop.store(true, Ordering::Relaxed);
        within(self.task).await.unwrap();
        std::mem::take(&mut *self.confirmed.lock().unwrap())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_when_the_broker_is_killed_under_load() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let load = Load::start(&broker);
    let mut deliveries = consume(&broker, &PAY.name(), 32).await;
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let reader = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            while let Some(delivery) = deliveries.recv().await {
                seen.lock().unwrap().insert(delivery.hint().unwrap().operation.as_u128());
                delivery.done();
            }
        }
    });
    for _ in 0..2 {
        load.goes_on(200).await;
        house.run(|rabbit| rabbit.kill9()).await;
        until(async || !broker.is_connected()).await;
        house.run(|rabbit| rabbit.start()).await;
    }
    load.goes_on(200).await;
    let confirmed = load.finish().await;
    until(async || seen.lock().unwrap().is_superset(&confirmed)).await;
    depth_becomes(&broker, &PAY.name(), 0).await;
    broker.close(Duration::from_secs(5)).await;
    within(reader).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_broker_holds_nobody_up_for_long() {
    let house = House::enter().await;
    let broker = house.connected().await;
    assert_eq!(broker.publisher().publish(vec![Outgoing::work(PAY, &hint(0))]).await, [Ok(())]);
    let mut deliveries = consume(&broker, &PAY.name(), 4).await;
    take_all(&mut deliveries, [0].into()).await;
    let threads = io_threads();
    house.run(|rabbit| rabbit.pause()).await;

    let started = Instant::now();
    let results = broker.publisher().publish(vec![Outgoing::work(PAY, &hint(1))]).await;
    assert!(matches!(&results[..], [Err(PublishError::Unknown(_))]), "{results:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    until(async || broker.publishing() == LinkState::Down).await;
    let started = Instant::now();
    assert_eq!(
        broker.publisher().publish(vec![Outgoing::work(PAY, &hint(2))]).await,
        [Err(PublishError::NotConnected)]
    );
    assert!(broker.depth(&PAY.name()).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(1));
    // Long enough that the other connection is found to be dead too, by its heartbeats.
    until(async || broker.consuming() == Some(LinkState::Down)).await;

    house.run(|rabbit| rabbit.resume()).await;
    within(broker.connected()).await;
    assert_eq!(broker.publisher().publish(vec![Outgoing::work(PAY, &hint(3))]).await, [Ok(())]);
    take_all(&mut deliveries, [3].into()).await;
    // The attempts to connect meanwhile have left nothing behind.
    until(async || io_threads() <= threads).await;
}

#[tokio::test]
async fn a_broker_out_of_memory_takes_acks_but_no_messages() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let publisher = broker.publisher();
    assert_eq!(publisher.publish(vec![Outgoing::work(PAY, &hint(1))]).await, [Ok(())]);
    house.ctl(&["set_vm_memory_high_watermark", "absolute", "1MB"]).await;
    // The broker says so to who publishes, and that one message may wait there.
    until(async || publisher.publish(vec![Outgoing::work(PAY, &hint(2))]).await == [Err(PublishError::Blocked)]).await;
    assert_eq!(broker.publishing(), LinkState::Blocked);
    assert!(!broker.is_connected());
    let started = Instant::now();
    assert_eq!(publisher.publish(vec![Outgoing::work(PAY, &hint(3))]).await, [Err(PublishError::Blocked)]);
    assert!(started.elapsed() < Duration::from_millis(100));

    let mut deliveries = consume(&broker, &PAY.name(), 1).await;
    take_all(&mut deliveries, [1].into()).await;

    house.ctl(&["set_vm_memory_high_watermark", "absolute", "1GB"]).await;
    until(async || publisher.publish(vec![Outgoing::work(PAY, &hint(4))]).await == [Ok(())]).await;
    take_all(&mut deliveries, [4].into()).await;
}

#[tokio::test]
async fn a_broker_that_was_wiped_gets_its_topology_back() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let mut deliveries = consume(&broker, &PAY.name(), 4).await;
    house.run(|rabbit| rabbit.wipe()).await;
    until(async || broker.publisher().publish(vec![Outgoing::work(PAY, &hint(7))]).await == [Ok(())]).await;
    take_all(&mut deliveries, [7].into()).await;
}

#[tokio::test]
async fn a_program_starts_without_the_broker_and_finds_it_later() {
    let house = House::enter().await;
    house.run(|rabbit| rabbit.stop()).await;
    let broker = house.broker();
    let mut deliveries = consume(&broker, &PAY.name(), 4).await;
    assert_eq!(
        broker.publisher().publish(vec![Outgoing::work(PAY, &hint(1))]).await,
        [Err(PublishError::NotConnected)]
    );
    assert!(!broker.is_connected());
    house.run(|rabbit| rabbit.start()).await;
    within(broker.connected()).await;
    assert_eq!(broker.publisher().publish(vec![Outgoing::work(PAY, &hint(2))]).await, [Ok(())]);
    take_all(&mut deliveries, [2].into()).await;
}

#[tokio::test]
async fn a_deleted_queue_is_declared_again_by_who_consumes_it() {
    let house = House::enter().await;
    let broker = house.connected().await;
    let mut deliveries = consume(&broker, &PAY.name(), 4).await;
    let publisher = broker.publisher();
    publisher.publish(vec![Outgoing::work(PAY, &hint(1))]).await;
    take_all(&mut deliveries, [1].into()).await;
    let options = lapin::options::QueueDeleteOptions::default();
    house.raw().await.queue_delete(PAY.name().into(), options).await.unwrap();
    until(async || publisher.publish(vec![Outgoing::work(PAY, &hint(2))]).await == [Ok(())]).await;
    take_all(&mut deliveries, [2].into()).await;
}

#[tokio::test]
async fn settling_what_came_before_the_broker_died_does_nothing() {
    let house = House::enter().await;
    let broker = house.connected().await;
    assert_eq!(broker.publisher().publish(vec![Outgoing::work(PAY, &hint(1))]).await, [Ok(())]);
    let mut deliveries = consume(&broker, &PAY.name(), 4).await;
    let before = next(&mut deliveries).await;
    house.run(|rabbit| rabbit.kill9()).await;
    house.run(|rabbit| rabbit.start()).await;
    let again = next(&mut deliveries).await;
    assert_eq!(again.hint(), before.hint());
    before.done();
    // Each connection comes back in its own time.
    within(broker.connected()).await;
    assert_eq!(broker.publisher().publish(vec![Outgoing::work(PAY, &hint(2))]).await, [Ok(())]);
    let new = next(&mut deliveries).await;
    assert_eq!(new.hint(), Ok(hint(2)), "the old receipt did not reach the new channel");
    again.done();
    new.done();
    depth_becomes(&broker, &PAY.name(), 0).await;
}

/// lapin runs a thread for each connection.
fn io_threads() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|name| name.starts_with("lapin-io-loop")).count().try_into().unwrap()
}

//! Wake-ups over a real Redis that dies, freezes and comes back.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says what it expected")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use naru_servers::{Failure, Redis};
use naru_shared::bus::{Bus, BusConfig, BusEvent, Notice};
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take before a story has failed.
const PATIENCE: Duration = Duration::from_secs(30);
/// A publish is bounded by 100 ms; the rest is for a busy machine.
const NOT_HELD_UP: Duration = Duration::from_millis(400);

/// A private Redis.
async fn redis(name: &str) -> Arc<Redis> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bus").join(name);
    Arc::new(tokio::task::spawn_blocking(move || Redis::start_in(&folder)).await.unwrap().unwrap())
}

async fn run(redis: &Arc<Redis>, what: impl FnOnce(&Redis) -> Result<(), Failure> + Send + 'static) {
    let redis = Arc::clone(redis);
    tokio::task::spawn_blocking(move || what(&redis)).await.unwrap().unwrap();
}

fn bus(redis: &Redis) -> Bus {
    Bus::connect(&BusConfig { url: redis.url(), prefix: "story".to_owned() }).unwrap()
}

async fn connected(redis: &Redis) -> Bus {
    let bus = bus(redis);
    until(|| bus.is_connected()).await;
    bus
}

async fn until(condition: impl Fn() -> bool) {
    let waiting = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it happens in time");
}

fn notice(payment: u128, version: i64) -> Notice {
    Notice { payment: Uuid::from_u128(payment), version, status: "DONE".to_owned() }
}

async fn next(events: &mut Receiver<BusEvent>) -> BusEvent {
    tokio::time::timeout(PATIENCE, events.recv()).await.expect("it comes in time").expect("the subscription goes on")
}

/// Announces over and over, as payments do, until `events` has one of `version`.
async fn heard(bus: &Bus, events: &mut Receiver<BusEvent>, version: i64) {
    let listening = async {
        loop {
            bus.publish(&[notice(1, version)]).await;
            let event = tokio::time::timeout(Duration::from_millis(100), events.recv()).await;
            if matches!(event, Ok(Some(BusEvent::Notice(notice))) if notice.version == version) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("it is heard in time");
}

#[tokio::test]
async fn every_subscriber_hears_every_payment_once() {
    let redis = redis("hears").await;
    let bus = connected(&redis).await;
    let shutdown = CancellationToken::new();
    let mut subscribers = [bus.subscribe(shutdown.clone()), connected(&redis).await.subscribe(shutdown.clone())];
    for events in &mut subscribers {
        assert_eq!(next(events).await, BusEvent::Resync, "read what happened before");
    }
    let notices: Vec<Notice> = (0..200).map(|n| notice(n, 3)).collect();
    bus.publish(&notices).await;
    for events in &mut subscribers {
        let mut heard = Vec::new();
        while heard.len() < notices.len() {
            let BusEvent::Notice(notice) = next(events).await else { panic!("nothing was missed") };
            heard.push(notice);
        }
        heard.sort_by_key(|notice| notice.payment);
        assert_eq!(heard, notices);
    }
    shutdown.cancel();
    for events in &mut subscribers {
        assert_eq!(events.recv().await, None);
    }
}

#[tokio::test]
async fn another_prefix_is_another_naru() {
    let redis = redis("prefix").await;
    let bus = connected(&redis).await;
    let other = Bus::connect(&BusConfig { url: redis.url(), prefix: "other".to_owned() }).unwrap();
    until(|| other.is_connected()).await;
    let mut events = bus.subscribe(CancellationToken::new());
    assert_eq!(next(&mut events).await, BusEvent::Resync);
    other.publish(&[notice(1, 1)]).await;
    bus.publish(&[notice(1, 2)]).await;
    assert_eq!(next(&mut events).await, BusEvent::Notice(notice(1, 2)));
}

#[tokio::test]
async fn a_redis_that_died_and_came_back_asks_for_a_resync() {
    let redis = redis("dies").await;
    let bus = connected(&redis).await;
    let mut events = bus.subscribe(CancellationToken::new());
    assert_eq!(next(&mut events).await, BusEvent::Resync);

    run(&redis, Redis::kill9).await;
    let started = Instant::now();
    bus.publish(&[notice(1, 1)]).await;
    assert!(started.elapsed() < NOT_HELD_UP, "{:?}", started.elapsed());
    until(|| !bus.is_connected()).await;

    run(&redis, Redis::start).await;
    assert_eq!(next(&mut events).await, BusEvent::Resync);
    heard(&bus, &mut events, 2).await;
}

#[tokio::test]
async fn a_frozen_redis_is_found_out_and_holds_nobody_up() {
    let redis = redis("freezes").await;
    let bus = connected(&redis).await;
    let mut events = bus.subscribe(CancellationToken::new());
    assert_eq!(next(&mut events).await, BusEvent::Resync);

    run(&redis, Redis::pause).await;
    for version in 0..20 {
        let started = Instant::now();
        bus.publish(&[notice(1, version)]).await;
        assert!(started.elapsed() < NOT_HELD_UP, "{:?}", started.elapsed());
    }
    until(|| !bus.is_connected()).await;
    let started = Instant::now();
    bus.publish(&[notice(1, 21)]).await;
    assert!(started.elapsed() < Duration::from_millis(20), "nobody waits for it now");
    // Longer than a subscriber's ping may take: it must find out as well, and subscribe again.
    tokio::time::sleep(Duration::from_millis(2_500)).await;

    run(&redis, Redis::resume).await;
    let mut resynced = false;
    while !resynced {
        resynced = next(&mut events).await == BusEvent::Resync;
    }
    heard(&bus, &mut events, 100).await;
}

#[tokio::test]
async fn a_program_starts_without_redis_and_finds_it_later() {
    let redis = redis("later").await;
    run(&redis, Redis::stop).await;
    let bus = bus(&redis);
    let mut events = bus.subscribe(CancellationToken::new());
    bus.publish(&[notice(1, 1)]).await;
    assert!(!bus.is_connected());
    run(&redis, Redis::start).await;
    assert_eq!(next(&mut events).await, BusEvent::Resync);
    heard(&bus, &mut events, 2).await;
}

#[tokio::test]
async fn a_subscriber_that_fell_behind_is_told_so() {
    let redis = redis("behind").await;
    let bus = connected(&redis).await;
    let mut events = bus.subscribe(CancellationToken::new());
    assert_eq!(next(&mut events).await, BusEvent::Resync);
    for round in 0..60 {
        let notices: Vec<Notice> = (0..100).map(|n| notice(n, round)).collect();
        bus.publish(&notices).await;
    }
    let mut notices = 0;
    while next(&mut events).await != BusEvent::Resync {
        notices += 1;
    }
    assert!(notices < 6_000, "{notices}: some were missed, and that was said");
    heard(&bus, &mut events, 1_000).await;
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    assert!(Bus::connect(&BusConfig { url: "amqp://x".to_owned(), prefix: "story".to_owned() }).is_err());
}

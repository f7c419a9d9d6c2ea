//! Browsers that come and go: every version once, in order, or a snapshot.

use std::time::Duration;

use futures::StreamExt as _;
use naru_testbed::{Gateway, Payment};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::json;

const PAYMENTS: u64 = 1_000;
/// Browsers at once.
const AT_ONCE: usize = 40;
const PATIENCE: Duration = Duration::from_secs(60);

/// Pays, watches, and hangs up at random moments until the payment is at rest.
async fn watch(gateway: &Gateway, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let card = ["approve", "approve", "busy_twice", "error_twice", "decline_51", "drop_after"][dice.random_range(0..6)];
    let payment = Payment::of(12_000).card(card);
    let key = gateway.shop.begin(&payment).await;
    let mut stream = gateway.shop.stream(&key).await;
    let watched = tokio::time::timeout(PATIENCE, async {
        while stream.status == 200 {
            let stay = Duration::from_millis(dice.random_range(0..400));
            let left = tokio::time::timeout(stay, stream.until_end(PATIENCE)).await;
            if left.is_ok() && stream.last_id() == 0 {
                panic!("a stream of {card} ended without an event");
            }
            stream.reconnect().await;
        }
    });
    assert!(watched.await.is_ok(), "{card} did not end: {:#?}", stream.seen());
    assert_eq!(stream.status, 204, "{card}");
    stream.assert_every_version_once();
    let now = gateway.shop.get(&key).await.expecting(200);
    let version = "select version from payments where payment_key = $1";
    let version: i64 = sqlx::query_scalar(version).bind(&key).fetch_one(gateway.db()).await.expect("it is there");
    assert_eq!(stream.last_id(), version, "{card}");
    assert_eq!(stream.seen().last().map(|seen| seen.status().to_owned()).as_deref(), Some(now.text("status")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_20_lose_or_repeat_an_event() {
    let gateway = Gateway::with().apis(1).workers(2).start().await;
    let watched = futures::stream::iter(0..PAYMENTS).map(|seed| watch(&gateway, seed));
    watched.buffer_unordered(AT_ONCE).for_each(async |()| ()).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_watches_its_own_payment_only() {
    let gateway = Gateway::start().await;
    let (mine, other) = (Payment::of(12_000), Payment::of(13_000));
    let created = gateway.shop.create(&mine).await.expecting(200);
    let others = gateway.shop.create(&other).await.expecting(200);
    let token = created.text("checkoutToken").to_owned();
    assert!(!token.is_empty(), "{created:?}");
    let mut stream = gateway.shop.stream_as_browser(created.payment_key(), &token).await;
    assert_eq!((stream.status, stream.headers["x-accel-buffering"].to_str().ok()), (200, Some("no")));
    stream.until_status("READY", Duration::from_secs(5)).await;
    let _ = gateway.shop.payer_of(&created).authenticate(&mine).await.expecting(200);
    stream.until_status("IN_PROGRESS", Duration::from_secs(5)).await;
    let stranger = gateway.shop.stream_as_browser(others.payment_key(), &token).await;
    assert!(matches!(stranger.status, 401 | 403 | 404), "{}", stranger.status);
    gateway.check().await;
}

/// A browser that comes back is sent to whichever API: it goes on after what it saw at the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_19_know_streams_of_one_process_only() {
    let gateway = Gateway::with().apis(2).start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let mut stream = gateway.shop.stream_as_browser(created.payment_key(), created.text("checkoutToken")).await;
    stream.until_status("READY", Duration::from_secs(5)).await;
    let _ = gateway.shop.payer_of(&created).authenticate(&payment).await.expecting(200);
    stream.reconnect_at(&gateway.apis[1]).await;
    stream.until_status("IN_PROGRESS", Duration::from_secs(5)).await;
    // Confirmed at the first, seen at the second.
    let _ = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
    stream.until_status("DONE", Duration::from_secs(5)).await;
    stream.until_end(Duration::from_secs(5)).await;
    stream.assert_every_version_once();
    let snapshots = stream.seen().iter().filter(|seen| seen.event == "snapshot").count();
    assert_eq!(snapshots, 1, "it did not begin anew: {:#?}", stream.seen());
    stream.reconnect_at(&gateway.apis[0]).await;
    assert_eq!(stream.status, 204);
    gateway.check().await;
}

/// Whoever stole a key must not go on listening when it is revoked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_key_that_opened_it() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let stolen = gateway.shop.stream(created.payment_key()).await;
    let page = gateway.shop.stream_as_browser(created.payment_key(), created.text("checkoutToken")).await;
    let mut streams = [stolen, page];
    for stream in &mut streams {
        stream.until_status("READY", Duration::from_secs(5)).await;
    }
    gateway.revoke(&gateway.shop.secret_key).await;
    let [stolen, page] = &mut streams;
    stolen.until_end(Duration::from_secs(20)).await;
    assert!(page.is_open(), "the payer's page is no business of the key's");
}

/// The JSON list and the stream are doors to one log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_says_what_the_stream_said() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    gateway.bank.script(&payment.order_id, "approve", json!([{ "do": "busy" }, { "do": "busy" }])).await;
    let answer = gateway.shop.key_in(&payment).await.expecting(200);
    let events = gateway.shop.events(answer.payment_key()).await.expecting(200);
    let types: Vec<&str> = events
        .body
        .as_object()
        .and_then(|body| body.values().find_map(|value| value.as_array()))
        .or(events.body.as_array())
        .map(|events| events.iter().filter_map(|event| event["type"].as_str()).collect())
        .unwrap_or_default();
    assert_eq!(types.first(), Some(&"payment.created"), "{events:?}");
    assert_eq!(types.last(), Some(&"payment.done"), "{events:?}");
    gateway.check().await;
}

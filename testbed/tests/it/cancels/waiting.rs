//! What whoever waits for a cancel is told.

use std::future::IntoFuture as _;

use naru_testbed::{Gateway, Payment};

use super::{LONGEST, SOON, paid};

/// Clients take any 2xx as done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_after_eight_seconds_is_no_success() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "after").await;
    let cancel = gateway.shop.cancel(&key).idempotency_key("all").into_future();
    let (open, ()) = tokio::join!(cancel, held.reached());
    let open = open.expecting_problem(504, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING");
    assert_eq!((open.text("moneyState"), open.text("reason")), ("UNKNOWN", "OUTCOME_OPEN"), "{open:?}");
    assert!(open.header("location").ends_with(&key), "{open:?}");
    let read = gateway.shop.get(&key).await.expecting(200);
    // All that is left may have gone back.
    assert_eq!((read.text("status"), read.text("moneyState")), ("DONE", "UNKNOWN"), "{read:?}");
    held.release().await;
    gateway.shop.until(&key, "it is done", LONGEST, |read| read.text("status") == "CANCELED").await;
    let replayed = gateway.shop.cancel(&key).idempotency_key("all").await.expecting(200);
    assert_eq!((replayed.text("status"), replayed.text("moneyState")), ("CANCELED", "REVERSED"));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_of_a_cancel_and_ends() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
    let _ = gateway.shop.cancel_part(&key, 1_000).prefer("respond-async").await.expecting(202);
    held.reached().await;
    let mut stream = gateway.shop.stream(&key).await;
    stream.until_status("DONE", SOON).await;
    let _ = gateway.shop.capture(&key).prefer("respond-async").await.expecting(202);
    held.release().await;
    stream.until("the capture", SOON, |seen| seen.event == "payment.captured").await;
    stream.until_end(SOON).await;
    let told: Vec<String> = stream.seen().iter().map(|seen| seen.event.clone()).collect();
    assert_eq!(told, ["snapshot", "capture.queued", "cancel.done", "payment.captured"]);
    stream.assert_every_version_once();
    stream.reconnect().await;
    assert_eq!(stream.status, 204, "nothing will happen any more, unless somebody asks for it");
    // And then it does.
    let _ = gateway.shop.cancel(&key).await.expecting(200);
    stream.reconnect().await;
    stream.until_status("CANCELED", SOON).await;
    stream.until_end(SOON).await;
    stream.assert_every_version_once();
    let listed = gateway.shop.events(&key).await.expecting(200);
    let listed: Vec<&str> =
        listed.at("data").as_array().into_iter().flatten().filter_map(|event| event["type"].as_str()).collect();
    let states = [
        "payment.created",
        "payment.done",
        "cancel.queued",
        "cancel.done",
        "payment.captured",
        "cancel.queued",
        "cancel.done",
    ];
    assert_eq!(listed, states);
    gateway.check().await;
}

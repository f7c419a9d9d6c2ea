//! A card company that fails is left alone: it is asked now and then whether it is well again, and found out and reversed
//! all the same.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Gateway, Payment, eventually};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How often it is asked while the breaker is open.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// Between our clock when we let a call through, and the card company's when it takes note of it, on a busy machine.
const TOLERANCE: Duration = Duration::from_millis(300);
/// What was let through before the breaker opened has arrived by then.
const IN_FLIGHT: Duration = Duration::from_millis(700);
const SOON: Duration = Duration::from_secs(20);

/// When the card company was asked this, about whichever order, after `since`.
fn asked(gateway: &Gateway, what: &str, since: OffsetDateTime) -> Vec<OffsetDateTime> {
    let journal = std::fs::read_to_string(gateway.journal()).expect("the journal can be read");
    // The last line may be half written.
    let entries = journal.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let times = entries
        .filter(|entry| entry["request"] == what)
        .map(|entry| OffsetDateTime::parse(entry["at"].as_str().unwrap_or_default(), &Rfc3339).expect("a time"));
    times.filter(|at| *at > since).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_34_ask_a_failing_acquirer_without_end() {
    let gateway = Gateway::with().start().await;
    let storm =
        json!({ "match": { "call": "approve" }, "steps": [{ "do": "http", "status": 502 }], "then": "repeat_last" });
    gateway.bank.script_whole(storm).await;
    let herd: Vec<Payment> = (0..20).map(|n| Payment::of(12_000 + n)).collect();
    let accepted = gateway.accept_herd(&herd).await;
    eventually("the breaker opens", SOON, async || gateway.worker().counted("naru_worker_breaker_opened_total").await)
        .await;
    let opened_by = System.now() + IN_FLIGHT;

    // The shop goes on selling meanwhile.
    let sold = Payment::of(15_000);
    let _ = gateway.shop.key_in(&sold).prefer("respond-async").await.expecting(202);
    let probes = eventually("it is asked whether it is well", SOON, async || {
        let probes = asked(&gateway, "approve", opened_by);
        (probes.len() >= 3).then_some(probes)
    })
    .await;
    for pair in probes.windows(2) {
        let pause = pair[1] - pair[0];
        assert!(pause >= PROBE_EVERY - TOLERANCE, "it is left alone in between: {probes:?}");
    }
    let inquiries = asked(&gateway, "inquire", opened_by);
    assert!(inquiries.len() > probes.len(), "finding out goes on: {} inquiries", inquiries.len());
    let opened = gateway.worker().metric("naru_worker_breaker_opened_total").await;
    assert_eq!(opened, 1, "a probe that fails does not open it anew");

    // Real money goes on.
    let real = Payment::of(17_000);
    gateway.bank.script(&real.order_id, "approve", json!([{ "do": "approve" }])).await;
    let _ = gateway.live_shop().await.key_in(&real).await.expecting(200);
    assert_eq!(gateway.worker().metric("naru_worker_breaker_opened_total").await, 1);

    // One answer closes it, and all that waited is asked at its own pace.
    gateway.bank.clear_scripts().await;
    gateway.settled_within(Duration::from_secs(60)).await;
    for (payment, accepted) in herd.iter().zip(&accepted) {
        assert_eq!(gateway.standing(accepted.payment).await, ("DONE".to_owned(), "MOVED".to_owned()));
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }
    gateway.bank.expect(&sold.order_id).charged_once().await;
    let calm = System.monotonic();
    let _ = gateway.shop.key_in(&Payment::of(16_000)).await.expecting(200);
    assert!(System.monotonic() - calm < PROBE_EVERY, "it is closed");
    gateway.check().await;
}

//! One trace id, from the merchant's request to the card company's journal.

use std::collections::BTreeSet;
use std::time::Duration;

use naru_testbed::{Gateway, Payment};
use serde_json::Value;

/// As a merchant's own tracing would have made it.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_followed_through_every_program() {
    let gateway = Gateway::start().await;
    // It takes three tries, so that the trace goes through the ladder of delays, too.
    let payment = Payment::of(12_000).card("busy_twice");
    let call = gateway.shop.key_in(&payment).prefer("respond-async");
    let answer = call.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")).await.expecting(202);
    assert_eq!(answer.header("naru-trace-id"), TRACE);
    let mut stream = gateway.shop.stream(answer.payment_key()).await;
    stream.until_status("DONE", Duration::from_secs(15)).await;

    let page = gateway.shop.events(answer.payment_key()).await.expecting(200);
    for event in page.at("data").as_array().into_iter().flatten() {
        assert_eq!(event["traceId"], TRACE, "{event}");
    }
    let kept = "select e.trace_id from payment_events e join payments p on p.id = e.payment_id where p.order_id = $1";
    let kept: Vec<String> =
        sqlx::query_scalar(kept).bind(&payment.order_id).fetch_all(gateway.db()).await.expect("Postgres answers");
    assert_eq!(kept, [TRACE; 4], "created, two retries, done");

    let journal = gateway.bank.journal(&payment.order_id).await;
    let approvals: Vec<&Value> = journal.iter().filter(|entry| entry["request"] == "approve").collect();
    assert_eq!(approvals.len(), 3, "{journal:?}");
    for entry in approvals {
        assert_eq!(entry["traceId"], TRACE, "{entry}");
    }

    // The lines of each program that say what it did.
    for (program, log, said) in
        [("the API", gateway.api().log(), "answered"), ("the worker", gateway.worker().log(), "the acquirer answered")]
    {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(TRACE)).collect();
        assert!(lines.iter().any(|line| line.contains(said)), "{program} says {said:?} in this trace: {lines:?}");
    }
    gateway.check().await;
}

/// Payments in one batch keep their traces apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traces_are_not_mixed_up() {
    let gateway = Gateway::start().await;
    let payments: Vec<Payment> = (0..8).map(|n| Payment::of(12_000 + n)).collect();
    let traces: Vec<String> = (1..=8).map(|n| format!("{n:032x}")).collect();
    let shop = &gateway.shop;
    let asked = payments.iter().zip(&traces).map(|(payment, trace)| async move {
        let call = shop.key_in(payment).header("traceparent", &format!("00-{trace}-00f067aa0ba902b7-00"));
        let answer = call.await.expecting(200);
        assert_eq!(answer.header("naru-trace-id"), trace);
    });
    futures::future::join_all(asked).await;
    for (payment, trace) in payments.iter().zip(&traces) {
        let kept =
            "select e.trace_id from payment_events e join payments p on p.id = e.payment_id where p.order_id = $1";
        let kept: Vec<String> =
            sqlx::query_scalar(kept).bind(&payment.order_id).fetch_all(gateway.db()).await.expect("Postgres answers");
        assert_eq!(kept, [trace.clone(), trace.clone()]);
        let journal = gateway.bank.journal(&payment.order_id).await;
        let seen: BTreeSet<&str> = journal.iter().filter_map(|entry| entry["traceId"].as_str()).collect();
        assert_eq!(seen, BTreeSet::from([trace.as_str()]), "{journal:?}");
    }
    gateway.check().await;
}

//! When things are tried again, and when never more.

use std::collections::HashMap;
use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::retry::RetrySchedule;
use naru_shared::system::System;
use naru_testbed::{Gateway, Link, Payment, Who};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a hint may be late by: a tenth of its delay or 250 ms, and what a busy machine adds.
const TOLERANCE: Duration = Duration::from_millis(1_500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_follow_the_schedule() {
    let gateway = Gateway::with().apis(0).proxied(Link::Acquirer, Who::Workers).start().await;
    gateway.proxy(Link::Acquirer).refuse();
    let payment = Payment::of(12_000);
    let deadline = System.now() + Duration::from_secs(14);
    let accepted = gateway.accept_until(&payment, deadline).await;
    gateway.hint(&[accepted.operation]).await;
    gateway.until_standing(&accepted, "ABORTED", "NOT_MOVED", Duration::from_secs(25)).await;

    let tries = "select sent_at, answered_at, answer from attempts where operation_id = $1 order by sent_at";
    let tries: Vec<(OffsetDateTime, Option<OffsetDateTime>, Option<String>)> =
        sqlx::query_as(tries).bind(accepted.operation.0).fetch_all(gateway.db()).await.expect("Postgres answers");
    assert!(tries.len() >= 4, "{tries:?}");
    for (nth, pair) in (1..).zip(tries.windows(2)) {
        let answered = pair[0].1.expect("each try was answered");
        let waited: Duration = (pair[1].0 - answered).try_into().unwrap_or_default();
        let longest = RetrySchedule::OPERATIONS.interval(nth);
        assert!(waited <= longest + longest / 10 + TOLERANCE, "after try {nth}: {waited:?}, at most {longest:?}");
    }
    for (sent_at, _, answer) in &tries {
        assert!(*sent_at < deadline, "nothing is tried past the deadline: {tries:?}");
        assert_eq!(answer.as_deref(), Some("not_sent"));
    }
    gateway.bank.expect(&payment.order_id).never_charged().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_its_deadline_an_approval_is_never_sent() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000);
    let accepted = gateway.accept_until(&payment, System.now() - Duration::from_secs(1)).await;
    gateway.hint(&[accepted.operation]).await;
    gateway.until_standing(&accepted, "ABORTED", "NOT_MOVED", Duration::from_secs(10)).await;
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, 0);
    gateway.check().await;
    let letter = "select kind from dead_letters where operation_id = $1";
    let kind: String =
        sqlx::query_scalar(letter).bind(accepted.operation.0).fetch_one(gateway.db()).await.expect("a letter tells");
    assert_eq!(kind, "information");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_is_spread() {
    const HERD: usize = 500;
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let busy = json!({ "match": { "call": "approve" }, "steps": [{ "do": "busy" }], "then": "repeat_last" });
    gateway.bank.script_whole(busy).await;
    let herd: Vec<Payment> = (0..HERD).map(|_| Payment::of(1_000)).collect();
    let accepted = gateway.accept_herd(&herd).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    gateway.bank.clear_scripts().await;
    gateway.settled_within(Duration::from_secs(60)).await;
    for accepted in &accepted {
        assert_eq!(gateway.standing(accepted.payment).await.0, "DONE");
    }

    // How long each waited from its first refusal to its second try, in tenths of a second.
    let journal = std::fs::read_to_string(gateway.journal()).expect("the journal can be read");
    let mut tries: HashMap<String, Vec<OffsetDateTime>> = HashMap::new();
    for line in journal.lines() {
        let entry: serde_json::Value = serde_json::from_str(line).expect("the journal is JSON lines");
        if let (Some(order), "approve") = (entry["orderId"].as_str(), entry["request"].as_str().unwrap_or_default()) {
            let at = OffsetDateTime::parse(entry["at"].as_str().unwrap_or_default(), &Rfc3339).expect("a time");
            tries.entry(order.to_owned()).or_default().push(at);
        }
    }
    let mut waits: HashMap<i128, usize> = HashMap::new();
    for tries in tries.values().filter(|tries| tries.len() >= 2) {
        *waits.entry((tries[1] - tries[0]).whole_milliseconds() / 100).or_default() += 1;
    }
    let waited: usize = waits.values().sum();
    let most = waits.values().max().copied().unwrap_or_default();
    assert!(waited > HERD / 2, "most were refused at least once: {waits:?}");
    assert!(most < waited / 2, "no tenth of a second has half of them: {waits:?}");
    gateway.check().await;
}

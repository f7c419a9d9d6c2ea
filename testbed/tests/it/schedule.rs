//! When things are tried again, and when never more.

use std::collections::HashMap;
use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::domain::id::OperationId;
use naru_shared::retry::RetrySchedule;
use naru_shared::system::System;
use naru_testbed::{Gateway, Link, Payment, Who, eventually};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What a busy machine adds to the lateness that a hint may have.
const TOLERANCE: Duration = Duration::from_millis(1_500);
/// What a hint may be early or late by, beside a tenth of its delay.
const OFF_MAX: Duration = Duration::from_millis(250);
/// Between two clocks of one machine, one of them rounded to microseconds.
const CLOCKS: Duration = Duration::from_millis(5);

/// One try of an operation that came to nothing, and when the next was to be.
#[derive(Debug, sqlx::FromRow)]
struct Try {
    sent_at: OffsetDateTime,
    answered_at: OffsetDateTime,
    answer: String,
    due_at: OffsetDateTime,
}

/// The tries of an operation in order, each with the time that its payment's event promised for the next.
async fn tries_of(gateway: &Gateway, operation: OperationId) -> Vec<Try> {
    let tries = "with promised as (
            select row_number() over (order by e.version) as nth,
                (jsonb_path_query_first(e.state, '$.**.nextAttemptAt') #>> '{}')::timestamptz as due_at
            from payment_events e join operations o on o.payment_id = e.payment_id
            where o.id = $1 and e.type = 'operation.retry_scheduled'),
        tried as (
            select row_number() over (order by sent_at) as nth, sent_at, answered_at, answer
            from attempts where operation_id = $1)
        select t.sent_at, t.answered_at, t.answer, p.due_at from tried t join promised p on p.nth = t.nth order by t.nth";
    sqlx::query_as(tries).bind(operation.0).fetch_all(gateway.db()).await.expect("Postgres answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_follow_the_schedule() {
    let gateway = Gateway::with().apis(0).proxied(Link::Acquirer, Who::Workers).start().await;
    let payments: Vec<Payment> = (0..6).map(|n| Payment::of(12_000 + n)).collect();
    let deadline = System.now() + Duration::from_secs(12);
    let mut all = Vec::new();
    for payment in &payments {
        all.push(gateway.accept_until(payment, deadline).await);
    }
    gateway.proxy(Link::Acquirer).refuse();
    let operations: Vec<OperationId> = all.iter().map(|accepted| accepted.operation).collect();
    gateway.hint(&operations).await;

    // How much of the interval each delay took.
    let mut parts = Vec::new();
    for accepted in &all {
        gateway.until_standing(accepted, "ABORTED", "NOT_MOVED", Duration::from_secs(25)).await;
        let tries = tries_of(&gateway, accepted.operation).await;
        assert!(tries.len() >= 3, "{tries:?}");
        for (nth, this) in (1..).zip(&tries) {
            // After ten failures the breaker answers instead, now and then.
            assert!(["not_sent", "busy"].contains(&this.answer.as_str()), "{tries:?}");
            assert!(this.sent_at < deadline, "nothing is tried past the deadline: {tries:?}");
            // The delay was chosen between sending and recording.
            let interval = RetrySchedule::OPERATIONS.interval(nth);
            let floor = RetrySchedule::FLOOR;
            assert!(this.due_at + CLOCKS >= this.sent_at + floor, "try {nth} is followed at once: {tries:?}");
            assert!(this.due_at <= this.answered_at + interval + CLOCKS, "try {nth} is followed too late: {tries:?}");
            if this.due_at < deadline {
                let delay = this.due_at - this.sent_at;
                parts.push(delay.as_seconds_f64() / interval.as_secs_f64());
            }
        }
        for (nth, pair) in (1..).zip(tries.windows(2)) {
            let (due_at, next) = (pair[0].due_at, pair[1].sent_at);
            let delay: Duration = (due_at - pair[0].answered_at).try_into().unwrap_or_default();
            let off = OFF_MAX.max(delay / 10);
            assert!(next + CLOCKS >= due_at - off, "try {nth} is followed {:?} early: {tries:?}", due_at - next);
            assert!(next <= due_at + off + TOLERANCE, "try {nth} is followed {:?} late: {tries:?}", next - due_at);
        }
    }
    assert!(parts.len() >= 12, "{parts:?}");
    let (short, long) =
        (parts.iter().filter(|part| **part < 0.5).count(), parts.iter().filter(|part| **part > 0.5).count());
    assert!(short > 0 && long > 0, "delays are thrown, not computed: {parts:?}");
    for payment in &payments {
        gateway.bank.expect(&payment.order_id).never_charged().await;
    }
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

/// How many of the herd come in the fullest tenth of a second. (A time before 1970 is that of a delay that was over before
/// it was written down, on a busy machine.)
fn fullest(times: &[OffsetDateTime]) -> usize {
    let mut tenths: HashMap<i128, usize> = HashMap::new();
    for at in times {
        *tenths.entry(at.unix_timestamp_nanos().div_euclid(100_000_000)).or_default() += 1;
    }
    tenths.into_values().max().unwrap_or_default()
}

/// When the card company was asked to approve, by order.
fn approvals(gateway: &Gateway) -> HashMap<String, Vec<OffsetDateTime>> {
    let journal = std::fs::read_to_string(gateway.journal()).expect("the journal can be read");
    let mut approvals: HashMap<String, Vec<OffsetDateTime>> = HashMap::new();
    // The last line may be half written.
    for entry in journal.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()) {
        if let (Some(order), "approve") = (entry["orderId"].as_str(), entry["request"].as_str().unwrap_or_default()) {
            let at = OffsetDateTime::parse(entry["at"].as_str().unwrap_or_default(), &Rfc3339).expect("a time");
            approvals.entry(order.to_owned()).or_default().push(at);
        }
    }
    approvals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_herd_is_spread() {
    const HERD: usize = 500;
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let busy = json!({ "match": { "call": "approve" }, "steps": [{ "do": "busy" }], "then": "repeat_last" });
    gateway.bank.script_whole(busy).await;
    let herd: Vec<Payment> = (0..HERD).map(|_| Payment::of(1_000)).collect();
    let accepted = gateway.accept_herd(&herd).await;
    let asked = eventually("all were tried three times", Duration::from_secs(30), async || {
        let asked = approvals(&gateway);
        (asked.values().filter(|tries| tries.len() >= 3).count() == HERD).then_some(asked)
    })
    .await;
    gateway.bank.clear_scripts().await;
    gateway.settled_within(Duration::from_secs(60)).await;
    for accepted in &accepted {
        assert_eq!(gateway.standing(accepted.payment).await.0, "DONE");
    }

    // What was planned, from each one's own failure on, and what came of it at the card company.
    for nth in 1..=2 {
        let mut planned = Vec::new();
        for accepted in &accepted {
            let tries = tries_of(&gateway, accepted.operation).await;
            let of = &tries[nth - 1];
            planned.push(OffsetDateTime::UNIX_EPOCH + (of.due_at - of.answered_at));
        }
        let came: Vec<OffsetDateTime> = asked.values().map(|tries| tries[nth]).collect();
        let (planned, came) = (fullest(&planned), fullest(&came));
        assert!(planned <= HERD * 3 / 10, "try {}: {planned} of {HERD} in one tenth of a second were planned", nth + 1);
        assert!(came <= HERD * 3 / 10, "try {}: {came} of {HERD} came in one tenth of a second", nth + 1);
    }
    gateway.check().await;
}

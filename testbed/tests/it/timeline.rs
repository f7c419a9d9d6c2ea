//! The story of a payment: in the order of cause and effect, under one trace id, and without what is nobody's business.

use std::time::Duration;

use naru_testbed::{Answer, Gateway, Payment};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// As a merchant's own tracing would have made it.
const TRACE: &str = "5bf92f3577b34da6a3ce929d0e0e4736";

fn steps(timeline: &Answer) -> Vec<&Value> {
    timeline.at("steps").as_array().into_iter().flatten().collect()
}

/// What kind of step, what of it, and what was answered.
fn in_short(timeline: &Answer) -> Vec<String> {
    let words = |step: &&Value| {
        let word = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", word("step"), word("type"), word("answer")).trim_end().to_owned()
    };
    steps(timeline).iter().map(words).collect()
}

fn time_of(value: &Value) -> Option<OffsetDateTime> {
    value.as_str().map(|text| OffsetDateTime::parse(text, &Rfc3339).expect("a time"))
}

/// No step begins before the one above it.
fn insist_on_order(timeline: &Answer) {
    let times: Vec<OffsetDateTime> = steps(timeline).iter().filter_map(|step| time_of(&step["at"])).collect();
    assert_eq!(times.len(), steps(timeline).len(), "{timeline:?}");
    assert!(times.is_sorted(), "{timeline:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_that_was_unknown_is_told_from_cause_to_effect() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    gateway.bank.script(&payment.order_id, "approve", json!([{ "do": "drop_after" }])).await;
    let call = gateway.shop.key_in(&payment).prefer("respond-async");
    let accepted = call.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")).await.expecting(202);
    let key = accepted.payment_key();
    let mut stream = gateway.shop.stream(key).await;
    stream.until_status("DONE", Duration::from_secs(15)).await;

    let timeline = gateway.shop.timeline(key).await.expecting(200);
    assert_eq!(
        in_short(&timeline),
        [
            "request payment.created",
            "queue approve",
            "attempt approve unknown",
            "commit operation.unknown",
            "attempt inquire approved",
            "commit payment.done",
        ],
        "{timeline:?}"
    );
    assert_eq!((timeline.text("traceId"), timeline.at("isWhole")), (TRACE, &json!(true)));
    insist_on_order(&timeline);
    for step in steps(&timeline) {
        assert_eq!(step["traceId"], TRACE, "{step}");
    }
    // A call is told with its latency, the acquirer's word, and when that was written down: not after what came of it.
    let all = steps(&timeline);
    let [_, queued, approve, unknown, inquire, done] = all.as_slice() else { panic!("{timeline:?}") };
    assert_eq!((&queued["connector"], &queued["amount"]), (&json!("card"), &json!(12_000)));
    for (attempt, commit) in [(approve, unknown), (inquire, done)] {
        assert!(attempt["latencyMs"].as_i64().is_some_and(|latency| latency >= 0), "{attempt}");
        assert!(time_of(&attempt["answeredAt"]) <= time_of(&commit["at"]), "{attempt} {commit}");
        assert_eq!(attempt["transactionKey"], queued["transactionKey"]);
    }
    assert!(approve["acquirerCode"].is_string(), "the fault that we met is told: {approve}");
    assert_eq!((&unknown["moneyState"], &done["moneyState"]), (&json!("UNKNOWN"), &json!("MOVED")));
    assert_eq!((&unknown["sequence"], &done["sequence"]), (&json!(2), &json!(3)));

    // What only we and the card company know stays there.
    let kept =
        "select a.reference, a.worker::text, p.state #>> '{instrument,token}', p.state #>> '{instrument,fingerprint}'
        from attempts a join operations o on o.id = a.operation_id join payments p on p.id = o.payment_id";
    let kept: Vec<(String, String, Option<String>, Option<String>)> =
        sqlx::query_as(kept).fetch_all(gateway.db()).await.expect("Postgres answers");
    for (reference, worker, token, fingerprint) in kept {
        for secret in [Some(reference), Some(worker), token, fingerprint].into_iter().flatten() {
            assert!(!timeline.text.contains(&secret), "{secret} is told: {timeline:?}");
        }
    }
    assert!(!timeline.text.contains("fence") && !timeline.text.contains("oken"), "{timeline:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_of_a_checkout_is_told() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000).card("decline_51");
    let created = gateway.shop.authenticated(&payment).await;
    let confirm = gateway.shop.confirm(created.payment_key(), &payment.order_id, payment.amount);
    let declined = confirm.await.expecting_problem(403, "REJECT_CARD_PAYMENT");
    let timeline = gateway.shop.timeline(created.payment_key()).await.expecting(200);
    assert_eq!(
        in_short(&timeline),
        [
            "request payment.created",
            "request payment.authenticated",
            "request operation.queued",
            "queue approve",
            "attempt approve declined",
            "commit payment.aborted",
        ],
        "{timeline:?}"
    );
    insist_on_order(&timeline);
    // From the confirm on it is the confirm's trace, by which the answer can be asked about.
    let of_confirm: Vec<&Value> = steps(&timeline).into_iter().skip(2).collect();
    assert!(of_confirm.iter().all(|step| step["traceId"] == declined.text("traceId")), "{timeline:?}");
    assert_eq!(timeline.text("traceId"), declined.text("traceId"));
    assert_eq!(of_confirm[2]["acquirerCode"], "51");
    let stranger = gateway.another_shop().await;
    let _ = stranger.timeline(created.payment_key()).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
    gateway.check().await;
}

/// Every call is told with its latency, the acquirer's answer, and for which work it was made.
fn insist_on_attempts(timeline: &Answer, connector: &str) {
    let all = steps(timeline);
    let queued: Vec<&Value> =
        all.iter().filter(|step| step["step"] == "queue").map(|step| &step["transactionKey"]).collect();
    for attempt in all.iter().filter(|step| step["step"] == "attempt") {
        assert!(attempt["latencyMs"].is_i64() && attempt["answer"].is_string(), "{attempt}");
        assert!(time_of(&attempt["answeredAt"]) >= time_of(&attempt["at"]), "{attempt}");
        assert!(attempt["connector"] == connector && queued.contains(&&attempt["transactionKey"]), "{attempt}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_back_and_what_is_captured_is_told() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let key = gateway.shop.key_in(&payment).await.expecting(200).payment_key().to_owned();
    let told = |nth: u32| format!("00-{nth:032x}-00f067aa0ba902b7-01");
    let _ = gateway.shop.cancel_part(&key, 2_000).header("traceparent", &told(1)).await.expecting(200);
    let _ = gateway.shop.capture(&key).header("traceparent", &told(2)).await.expecting(200);
    gateway.bank.script(&payment.order_id, "refund", json!([{ "do": "decline", "code": "05" }])).await;
    let declined = gateway.shop.cancel_part(&key, 3_000).header("traceparent", &told(3)).await;
    let _ = declined.expecting_problem(400, "REFUND_REJECTED");
    let _ = gateway.shop.cancel_part(&key, 3_000).header("traceparent", &told(4)).await.expecting(200);
    let timeline = gateway.shop.timeline(&key).await.expecting(200);
    assert_eq!(
        in_short(&timeline),
        [
            "request payment.created",
            "queue approve",
            "attempt approve approved",
            "commit payment.done",
            "request cancel.queued",
            "queue cancel",
            "attempt cancel approved",
            "commit cancel.done",
            "request capture.queued",
            "queue capture",
            "attempt capture approved",
            "commit payment.captured",
            "request cancel.queued",
            "queue cancel",
            "attempt refund declined",
            "commit cancel.aborted",
            "request cancel.queued",
            "queue cancel",
            "attempt refund approved",
            "commit cancel.done",
        ],
        "{timeline:?}"
    );
    insist_on_order(&timeline);
    insist_on_attempts(&timeline, "card");
    // Each request's own trace, from the asking to what came of it.
    let all = steps(&timeline);
    for (nth, steps) in all.chunks(4).enumerate().skip(1) {
        let trace = format!("{nth:032x}");
        assert!(steps.iter().all(|step| step["traceId"] == trace), "{trace}: {steps:?}");
    }
    let (partial, refused) = (all[7], all[14]);
    assert_eq!((&partial["status"], &partial["moneyState"]), (&json!("PARTIAL_CANCELED"), &json!("MOVED")));
    assert_eq!((&refused["acquirerCode"], &all[13]["amount"]), (&json!("05"), &json!(3_000)));
    gateway.check().await;
}

/// Nobody of ours asks for a deposit: the bank's callback and the look at the account are told, in the trace of the request that had
/// the account opened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtual_account_is_told_from_its_opening_to_the_refund() {
    let gateway = Gateway::start().await;
    let order_id = Payment::of(15_000).order_id;
    let payee = json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" });
    let call = gateway.shop.virtual_account(&order_id, 15_000, json!({ "refundReceiveAccount": payee }));
    let opened = call.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")).await.expecting(200);
    let key = opened.payment_key();
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    let is_back = |read: &Answer| read.at("deposits.0.status") == "returned";
    let _ = gateway.shop.until(key, "too little goes back", Duration::from_secs(15), is_back).await;
    // Its callback is lost, so it is looked for; that the account is looked at soon needs no more waiting here.
    let _ = gateway.bank.deposit(&order_id, json!({ "callback": "lose" })).await;
    sqlx::query("update account_looks set look_at = now()").execute(gateway.db()).await.expect("Postgres answers");
    let _ = gateway.shop.until_status(key, "DONE").await;
    let canceled = gateway.shop.cancel(key).await.expecting(200);
    let timeline = gateway.shop.timeline(key).await.expecting(200);
    assert_eq!(
        in_short(&timeline),
        [
            "request payment.created",
            "queue issue_account",
            "attempt issue approved",
            "commit payment.waiting_for_deposit",
            "callback deposits",
            "look deposits",
            "commit deposit.not_taken",
            "queue return_deposit",
            "attempt return approved",
            "commit deposit.returned",
            "look deposits",
            "commit payment.done",
            "request cancel.queued",
            "queue cancel",
            "attempt refund approved",
            "commit cancel.done",
        ],
        "{timeline:?}"
    );
    insist_on_order(&timeline);
    insist_on_attempts(&timeline, "virtual_account");
    assert_eq!((timeline.text("traceId"), timeline.at("isWhole")), (TRACE, &json!(true)));
    let all = steps(&timeline);
    let (of_account, of_cancel) = all.split_at(12);
    assert!(of_account.iter().all(|step| step["traceId"] == TRACE), "{timeline:?}");
    assert!(of_cancel.iter().all(|step| step["traceId"] == canceled.header("naru-trace-id")), "{timeline:?}");
    for look in all.iter().filter(|step| step["step"] == "look") {
        assert!(look["latencyMs"].is_i64() && look["connector"] == "virtual_account", "{look}");
    }
    // The bank's journal and our log know the look by the same trace.
    let journal = gateway.bank.journal(&order_id).await;
    let looks: Vec<&Value> = journal.iter().filter(|entry| entry["request"] == "inquire").collect();
    assert!(!looks.is_empty() && looks.iter().all(|entry| entry["traceId"] == TRACE), "{journal:?}");
    let log = gateway.worker().log();
    assert!(log.lines().any(|line| line.contains(TRACE) && line.contains("found by looking at an account")));
    gateway.check().await;
}

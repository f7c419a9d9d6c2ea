//! Refusals, lost answers and wrong ones.

use std::time::Duration;

use futures::future::join_all;
use naru_testbed::{Gateway, Payment};
use serde_json::{Value, json};

use super::{LONGEST, SOON, each, paid};

/// "Already cancelled" of something that we have not cancelled: nobody is told that it failed, nothing that was reserved is
/// free, and a person finds out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_that_it_was_cancelled_asks_a_person() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    gateway.bank.acts_by_itself(&payment.order_id, "cancels", 10_000).await;
    let part = || gateway.shop.cancel_part(&key, 4_000).idempotency_key("part");
    let answer = part().prefer("respond-async").await.expecting(202);
    assert_eq!(answer.text("cancels.0.cancelStatus"), "IN_PROGRESS");
    let dead = gateway.shop.until(&key, "it is given up", SOON, |read| read.text("operation.status") == "dead").await;
    assert_eq!((dead.text("status"), dead.text("cancels.0.cancelStatus")), ("DONE", "IN_PROGRESS"));
    // Nobody is told to come back in a second for what a person has to look at.
    let told = part().await.expecting_problem(504, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING");
    assert_eq!((told.text("reason"), told.at("retryable")), ("OUTCOME_OPEN", &json!(false)), "{told:?}");
    let asked: Vec<String> = gateway.bank.journal(&payment.order_id).await.iter().skip(2).map(asked).collect();
    assert_eq!(asked, ["cancel none", "inquire none"], "the inquiry says that it was not ours");
    let case = "select k.kind || ' ' || o.letter from cases k join operations o on o.id = k.operation_id";
    let case: String = sqlx::query_scalar(case).fetch_one(gateway.db()).await.expect("there is a case");
    assert_eq!(case, "books_disagree needs_person");
    let left = gateway.shop.cancel_part(&key, 6_001).await.expecting_problem(403, "NOT_CANCELABLE_AMOUNT");
    assert_eq!(left.number("refundableAmount"), 6_000);
    // No check: our books and the card company's do disagree.
}

fn asked(entry: &Value) -> String {
    format!("{} {}", entry["request"].as_str().unwrap_or_default(), entry["effect"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_declined_leaves_it_paid() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000).card("refund_declined");
    let key = paid(&gateway, &payment).await;
    let _ = gateway.shop.capture(&key).await.expecting(200);
    let part = || gateway.shop.cancel_part(&key, 4_000).idempotency_key("part");
    let refused = part().await.expecting_problem(400, "REFUND_REJECTED");
    let told = (refused.text("moneyState"), refused.text("reason"), refused.text("acquirerCode"));
    assert_eq!(told, ("NOT_MOVED", "ACQUIRER_DECLINED", "05"), "{refused:?}");
    assert_eq!(part().await.text, refused.text, "again the same");
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("status"), read.text("moneyState"), read.number("balanceAmount")), ("DONE", "MOVED", 10_000));
    assert_eq!((read.text("cancels.0.cancelStatus"), read.at("cancels.0.type")), ("ABORTED", &Value::Null));
    assert_eq!(read.text("card.acquireStatus"), "COMPLETED");
    // What was reserved is free again: it can be tried again, in whole.
    gateway.bank.script(&payment.order_id, "refund", json!([{ "do": "approve" }])).await;
    let done = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!(
        (done.text("status"), each(&done, "cancelStatus")),
        ("CANCELED", vec![&json!("ABORTED"), &json!("DONE")])
    );
    gateway.check().await;
}

/// Everything that can go wrong with a call that gives back, gives back in part, or captures.
async fn in_trouble(gateway: &Gateway) {
    let troubles = [
        json!([{ "do": "http", "status": 500 }, { "do": "http", "status": 503 }]),
        json!([{ "do": "http", "status": 502, "acts": true }]),
        json!([{ "do": "busy" }, { "do": "busy" }]),
        json!([{ "do": "timeout_before" }]),
        json!([{ "do": "timeout_after" }]),
        json!([{ "do": "drop_before" }]),
        json!([{ "do": "drop_after" }]),
        json!([{ "do": "slow", "ms": 2000 }]),
        json!([{ "do": "malformed" }]),
        json!([{ "do": "truncated" }]),
        json!([{ "do": "huge" }]),
    ];
    let cases = troubles.iter().flat_map(|trouble| ["cancel", "refund", "capture"].map(|call| (call, trouble)));
    let each = cases.map(|(call, trouble)| async move {
        let payment = Payment::of(10_000);
        let key = paid(gateway, &payment).await;
        if call == "refund" {
            let _ = gateway.shop.capture(&key).prefer("wait=60").await.expecting(200);
        }
        gateway.bank.script(&payment.order_id, call, trouble.clone()).await;
        let what = format!("{call} in trouble, {trouble}");
        if call == "capture" {
            let _ = gateway.shop.capture(&key).prefer("respond-async").await;
            gateway.shop.until(&key, &what, LONGEST, |read| read.text("card.acquireStatus") == "COMPLETED").await;
        } else {
            let _ = gateway.shop.cancel_part(&key, 4_000).prefer("respond-async").await;
            gateway.shop.until(&key, &what, LONGEST, |read| read.text("status") == "PARTIAL_CANCELED").await;
        }
        let money = gateway.bank.money(&payment.order_id).await;
        let expected = match call {
            "cancel" => (4_000, 0, 0),
            "refund" => (0, 10_000, 4_000),
            _ => (0, 10_000, 0),
        };
        assert_eq!((money.voided, money.captured, money.refunded), expected, "{what}: {money:?}");
    });
    join_all(each).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_trouble_with_a_card_company_that_dedupes() {
    in_trouble(&Gateway::with().workers(2).start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_trouble_with_one_that_does_not() {
    let lag = Duration::from_secs(1);
    in_trouble(&Gateway::with().workers(2).naive_bank().inquiry_lag(lag).start().await).await;
}

/// Nothing undoes a change, so nobody may believe one of another amount: a person is told, and it is asked after until the
/// card company speaks of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_amount_is_not_believed() {
    let gateway = Gateway::start().await;
    for step in ["wrong_amount", "wrong_currency"] {
        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        gateway.bank.script(&payment.order_id, "cancel", json!([{ "do": step }])).await;
        let inquiry = gateway.bank.hold(&payment.order_id, "inquire", "before").await;
        let _ = gateway.shop.cancel_part(&key, 4_000).prefer("respond-async").await;
        inquiry.reached().await;
        let open = gateway.shop.get(&key).await.expecting(200);
        let told = (open.text("status"), open.text("cancels.0.cancelStatus"), open.text("operation.status"));
        assert_eq!(told, ("DONE", "IN_PROGRESS", "unknown"), "{step}: {open:?}");
        inquiry.release().await;
        gateway.shop.until(&key, step, LONGEST, |read| read.text("status") == "PARTIAL_CANCELED").await;
    }
    let cases: Vec<String> = sqlx::query_scalar("select kind from cases").fetch_all(gateway.db()).await.expect("cases");
    assert_eq!(cases, ["amount_mismatch", "amount_mismatch"]);
    gateway.check().await;
}

//! Callbacks that go astray or are none, and workers that die while they look.

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Gateway, eventually};
use serde_json::{Value, json};

use super::{FOUND, SOON, deposits, opened, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_is_lost_doubled_late_or_early_makes_no_difference() {
    let gateway = Gateway::start().await;
    for callback in [json!("lose"), json!("double"), json!({ "late": 2_000 })] {
        let order_id = order();
        let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
        let _ = gateway.bank.deposit(&order_id, json!({ "callback": callback })).await;
        let paid = gateway.shop.until(&key, "it is paid", FOUND, |read| read.text("status") == "DONE").await;
        assert_eq!(deposits(&paid), [("taken", "")], "{callback}: {paid:?}");
    }
    // The bank calls back before it has answered the issue.
    let order_id = order();
    let _ = gateway.bank.deposit(&order_id, json!({ "callback": "before_issue_answer" })).await;
    let answer = opened(&gateway, &order_id, json!({})).await;
    let paid = gateway.shop.until_status(answer.payment_key(), "DONE").await;
    assert_eq!(deposits(&paid), [("taken", "")], "{paid:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_is_signed_fresh_and_taken_once() {
    let gateway = Gateway::start().await;
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
    let reference: String = sqlx::query_scalar("select reference from attempts where call = 'issue'")
        .fetch_one(gateway.db())
        .await
        .expect("it was asked for");
    let looks = async || gateway.bank.asked(&order_id, "inquire").await;
    let body = |event: &str, reference: &str| {
        json!({ "eventId": event, "event": "deposit", "reference": reference, "amount": 15_000 }).to_string()
    };
    let send = async |body: &str, signed_at: i64, secret: &str| {
        let message = format!("{signed_at}.{body}");
        let hash = naru_shared::secret::keyed_hash_of_message(secret.as_bytes(), message.as_bytes());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let request = gateway.shop.anonymous_request(reqwest::Method::POST, "/callbacks/virtual-account");
        let request = request.header("x-bank-timestamp", signed_at).header("x-bank-signature", format!("v1={hex}"));
        let answer = request.header("content-type", "application/json").body(body.to_owned()).send().await;
        let answer = answer.expect("the API answers");
        (answer.status().as_u16(), answer.text().await.unwrap_or_default())
    };
    let now = || System.now().unix_timestamp();
    let secret = "sandbox-callback-secret";
    let good = body("evt-1", &reference);
    for (body, at, secret, status, what) in [
        (good.as_str(), now(), "another secret of nobody", 403, "CALLBACK_REFUSED"),
        (good.as_str(), now() - 400, secret, 403, "CALLBACK_REFUSED"),
        (good.as_str(), now() + 400, secret, 403, "CALLBACK_REFUSED"),
        ("no JSON", now(), secret, 403, "CALLBACK_REFUSED"),
        (&body("evt-2", "NR-of-nobody"), now(), secret, 404, "NOT_FOUND"),
    ] {
        let (answered, text) = send(body, at, secret).await;
        assert!(answered == status && text.contains(what), "{body}: {answered} {text}");
    }
    let unsigned =
        gateway.shop.anonymous_request(reqwest::Method::POST, "/callbacks/virtual-account").body(good.clone());
    assert_eq!(unsigned.send().await.expect("the API answers").status(), 403);
    assert_eq!(looks().await, 0, "nobody was believed");

    // It says that something was paid in, and the bank knows of nothing: it is looked at, and nothing changes.
    assert_eq!(send(&good, now(), secret).await.0, 200);
    eventually("it is looked at", SOON, async || (looks().await == 1).then_some(())).await;
    assert_eq!(send(&good, now(), secret).await.0, 200, "once more is no harm");
    // Callbacks are looked after in their order: when one that came later was, that one would have been.
    let other = order();
    let later = opened(&gateway, &other, json!({})).await;
    let _ = gateway.bank.deposit(&other, json!({})).await;
    let _ = gateway.shop.until_status(later.payment_key(), "DONE").await;
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("status"), read.at("deposits")), ("WAITING_FOR_DEPOSIT", &Value::Null), "{read:?}");
    let kept = "select count(*) from bank_callbacks";
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!((kept, looks().await), (2, 1), "taken once");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_while_it_looks_is_followed_by_another() {
    let gateway = Gateway::with().workers(2).start().await;
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
    let deposit = async { gateway.bank.deposit(&order_id, json!({})).await };
    let (victim, hold, _) = gateway.first_at("looked", deposit).await;
    victim.kill9();
    drop(hold);
    let _ = gateway.shop.until(&key, "it is paid", FOUND, |read| read.text("status") == "DONE").await;
    gateway.check().await;
}

//! What can be asked for, and what the bank makes of it.

use naru_testbed::Gateway;
use serde_json::{Value, json};

use super::{FOUND, due_in, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_bank_does_there_is_one_account_or_none() {
    let gateway = Gateway::start().await;
    let issue = async |name: &str| {
        let order_id = order();
        let name = format!("sandbox:{name}");
        let call = gateway.shop.virtual_account(&order_id, 15_000, json!({ "customerName": name }));
        let answer = call.prefer("wait=40").timeout(FOUND * 2).await;
        (order_id, answer)
    };
    let names = ["error_twice", "busy_twice", "drop_before", "drop_after", "error_after", "malformed", "truncated"];
    let all = futures::future::join_all(names.map(issue)).await;
    for (name, (order_id, answer)) in names.into_iter().zip(all) {
        assert_eq!((answer.status, answer.text("status")), (200, "WAITING_FOR_DEPOSIT"), "{name}: {answer:?}");
        let journal = gateway.bank.journal(&order_id).await;
        let issued = journal.iter().filter(|entry| entry["request"] == "issue" && entry["details"].is_object()).count();
        assert_eq!(issued, 1, "{name}: {journal:?}");
    }
    let (_, declined) = issue("decline_05").await;
    let declined = declined.expecting_problem(400, "PROVIDER_ERROR");
    assert_eq!((declined.text("moneyState"), declined.text("acquirerCode")), ("NOT_MOVED", "05"), "{declined:?}");
    let closed = gateway.shop.virtual_account(&order(), 990_090, json!({})).await;
    let _ = closed.expecting_problem(403, "NOT_AVAILABLE_BANK");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_asked_for_is_refused() {
    let gateway = Gateway::start().await;
    let card = json!({ "bank": "88", "accountNumber": "1", "holderName": "홍길동" });
    for (amount, more, code, reason) in [
        (199, json!({}), "BELOW_MINIMUM_AMOUNT", Value::Null),
        (15_000, json!({ "bank": "어느은행" }), "INVALID_BANK", Value::Null),
        (15_000, json!({ "bank": null }), "INVALID_REQUEST", json!("INVALID_FIELDS")),
        (15_000, json!({ "customerName": " " }), "INVALID_REQUEST", json!("INVALID_FIELDS")),
        (15_000, json!({ "validHours": 0 }), "INVALID_REQUEST", json!("INVALID_FIELDS")),
        (15_000, json!({ "validHours": 2_161 }), "INVALID_REQUEST", json!("EXCEED_MAX_VALID_HOURS")),
        (15_000, json!({ "dueDate": due_in(-5) }), "INVALID_REQUEST", json!("INVALID_FIELDS")),
        (15_000, json!({ "dueDate": "tomorrow" }), "INVALID_REQUEST", json!("INVALID_FIELDS")),
        (15_000, json!({ "dueDate": "2099-01-01T00:00:00" }), "INVALID_REQUEST", json!("EXCEED_MAX_DUE_DATE")),
        (
            15_000,
            json!({ "dueDate": due_in(60), "validHours": 1 }),
            "INVALID_REQUEST",
            json!("INVALID_VALID_HOURS_WITH_DUE_DATE_AND_SINGLE"),
        ),
        (15_000, json!({ "refundReceiveAccount": card }), "INVALID_REFUND_ACCOUNT_NUMBER", Value::Null),
    ] {
        let refused = gateway.shop.virtual_account(&order(), amount, more.clone()).await.expecting_problem(400, code);
        assert_eq!(refused.body.get("reason").unwrap_or(&Value::Null), &reason, "{more}: {refused:?}");
    }
    let kept: i64 =
        sqlx::query_scalar("select count(*) from payments").fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(kept, 0, "nothing was written");
    let order_id = order();
    let call = || gateway.shop.virtual_account(&order_id, 15_000, json!({})).idempotency_key("one-account");
    let first = call().await.expecting(200);
    let again = call().await.expecting(200);
    assert_eq!((again.body, again.headers.contains_key("idempotent-replayed")), (first.body, true));
    let other = gateway.shop.virtual_account(&order_id, 15_000, json!({})).await;
    let _ = other.expecting_problem(400, "DUPLICATED_ORDER_ID");
    gateway.check().await;
}

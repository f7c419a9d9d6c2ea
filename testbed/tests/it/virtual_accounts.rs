//! Virtual accounts 가상계좌: opened, paid into, refunded, overdue and closed, with everything that can go wrong between the bank's
//! callback and the books: through HTTP, against the bank.

use std::time::Duration;

use naru_testbed::{Answer, Gateway, Payment, eventually};
use serde_json::{Value, json};

/// What is not in trouble.
const SOON: Duration = Duration::from_secs(15);
/// What is found though no callback came.
const FOUND: Duration = Duration::from_secs(40);

fn order() -> String {
    Payment::of(15_000).order_id
}

fn payee() -> Value {
    json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" })
}

/// Has an account opened, and returns what that answered.
async fn opened(gateway: &Gateway, order_id: &str, more: Value) -> Answer {
    let answer = gateway.shop.virtual_account(order_id, 15_000, more).await.expecting(200);
    assert_eq!(answer.text("status"), "WAITING_FOR_DEPOSIT", "{answer:?}");
    answer
}

/// How the payment stands, when it stands so.
async fn until(gateway: &Gateway, key: &str, what: &str, patience: Duration, is: impl Fn(&Answer) -> bool) -> Answer {
    let found = eventually(what, patience, async || {
        let read = gateway.shop.get(key).await.expecting(200);
        is(&read).then_some(read)
    });
    found.await
}

async fn until_status(gateway: &Gateway, key: &str, status: &str) -> Answer {
    until(gateway, key, &format!("it is {status}"), SOON, |read| read.text("status") == status).await
}

/// How the deposits stand, when they stand so.
async fn until_deposits(gateway: &Gateway, key: &str, expected: &[(&str, &str)]) -> Answer {
    let what = format!("its deposits are {expected:?}");
    until(gateway, key, &what, FOUND, |read| deposits(read) == expected).await
}

fn deposits(payment: &Answer) -> Vec<(&str, &str)> {
    let each = payment.at("deposits").as_array().into_iter().flatten();
    each.map(|deposit| (deposit["status"].as_str().unwrap_or_default(), deposit["reason"].as_str().unwrap_or_default()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_opened_paid_into_and_refunded() {
    let gateway = Gateway::start().await;
    let order_id = order();
    let answer = opened(&gateway, &order_id, json!({ "validHours": "24" })).await;
    let key = answer.payment_key().to_owned();
    assert_eq!((answer.text("method"), answer.text("moneyState")), ("가상계좌", "NOT_MOVED"));
    let account = answer.at("virtualAccount");
    let expected = json!({ "accountType": "일반", "bankCode": "88", "customerName": "홍길동", "depositorName": null,
        "refundStatus": "NONE", "expired": false, "settlementStatus": "INCOMPLETED", "refundReceiveAccount": null });
    for (member, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(&account[member], value, "{member}: {answer:?}");
    }
    assert!(account["accountNumber"].as_str().is_some_and(|number| number.len() == 14), "{answer:?}");
    assert_eq!(account["dueDate"].as_str().map(str::len), Some("2026-01-31T09:00:00+09:00".len()), "{answer:?}");
    let secret = answer.text("secret").to_owned();
    assert!((1..=50).contains(&secret.len()), "{answer:?}");

    let _ = gateway.bank.deposit(&order_id, json!({ "depositorName": "김입금" })).await;
    let paid = until_status(&gateway, &key, "DONE").await;
    assert_eq!((paid.text("moneyState"), paid.text("virtualAccount.depositorName")), ("MOVED", "김입금"), "{paid:?}");
    assert_eq!((paid.text("secret"), paid.number("balanceAmount")), (&*secret, 15_000));
    assert_ne!(paid.at("approvedAt"), &Value::Null);
    assert_eq!(deposits(&paid), [("taken", "")]);

    let refused = gateway.shop.cancel(&key).await.expecting_problem(400, "INVALID_REFUND_ACCOUNT_INFO");
    assert_eq!(refused.text("reason"), "REFUND_ACCOUNT_REQUIRED");
    for (account, code) in [
        (json!({ "bank": "어느은행", "accountNumber": "110123456789", "holderName": "홍길동" }), "INVALID_BANK"),
        (json!({ "bankCode": "88", "accountNumber": "11", "holderName": "홍길동" }), "INVALID_REFUND_ACCOUNT_NUMBER"),
    ] {
        let body = json!({ "cancelReason": "고객 변심", "refundReceiveAccount": account });
        let _ = gateway.shop.cancel_with(&key, &body).await.expecting_problem(400, code);
    }
    let body = json!({ "cancelReason": "고객 변심", "cancelAmount": 5_000, "refundReceiveAccount": payee() });
    let part = gateway.shop.cancel_with(&key, &body).await.expecting(200);
    assert_eq!((part.text("status"), part.text("moneyState")), ("PARTIAL_CANCELED", "MOVED"), "{part:?}");
    assert_eq!((part.text("cancels.0.type"), part.text("virtualAccount.refundStatus")), ("REFUND", "COMPLETED"));
    assert_eq!(part.text("virtualAccount.refundReceiveAccount.accountNumber"), "****6789");
    let body = json!({ "cancelReason": "고객 변심", "refundReceiveAccount": payee() });
    let rest = gateway.shop.cancel_with(&key, &body).await.expecting(200);
    assert_eq!((rest.text("status"), rest.text("moneyState")), ("CANCELED", "REVERSED"), "{rest:?}");
    let money = gateway.bank.money(&order_id).await;
    assert_eq!((money.charged, money.refunded, money.net), (15_000, 15_000, 0));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_is_lost_doubled_late_or_early_makes_no_difference() {
    let gateway = Gateway::start().await;
    for callback in [json!("lose"), json!("double"), json!({ "late": 2_000 })] {
        let order_id = order();
        let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
        let _ = gateway.bank.deposit(&order_id, json!({ "callback": callback })).await;
        let paid = until(&gateway, &key, "it is paid", FOUND, |read| read.text("status") == "DONE").await;
        assert_eq!(deposits(&paid), [("taken", "")], "{callback}: {paid:?}");
    }
    // The bank calls back before it has answered the issue.
    let order_id = order();
    let _ = gateway.bank.deposit(&order_id, json!({ "callback": "before_issue_answer" })).await;
    let answer = opened(&gateway, &order_id, json!({})).await;
    let paid = until_status(&gateway, answer.payment_key(), "DONE").await;
    assert_eq!(deposits(&paid), [("taken", "")], "{paid:?}");
    gateway.check().await;
}

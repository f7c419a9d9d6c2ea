//! Cancels before and after the deposit, and refunds that are refused.

use naru_testbed::{Answer, Gateway, eventually};
use serde_json::{Value, json};

use super::{FOUND, SOON, opened, order, payee};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_its_deposit_it_is_cancelled_as_a_whole() {
    let gateway = Gateway::start().await;
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
    let _ = gateway
        .shop
        .cancel_part(&key, 5_000)
        .await
        .expecting_problem(403, "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT");
    let gone = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!((gone.text("status"), gone.text("moneyState")), ("CANCELED", "NOT_MOVED"), "{gone:?}");
    assert_eq!((gone.text("cancels.0.type"), gone.number("cancels.0.cancelAmount")), ("CANCEL", 15_000));
    assert_eq!((gone.number("balanceAmount"), gone.text("virtualAccount.refundStatus")), (0, "NONE"));
    let refused = gateway.bank.deposit(&order_id, json!({})).await;
    assert_eq!((&refused["result"], &refused["reason"]), (&json!("declined"), &json!("closed")), "{refused}");
    let _ = gateway.shop.cancel(&key).await.expecting_problem(400, "ALREADY_CANCELED_PAYMENT");
    gateway.check().await;
}

/// Has a cancel accepted and not waited for.
async fn canceling(gateway: &Gateway, key: &str, body: &Value) {
    let answer = gateway.shop.cancel_with(key, body).prefer("respond-async").await;
    assert!(matches!(answer.status, 200 | 202), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_at_each_step_of_a_cancel() {
    let gateway = Gateway::start().await;
    let with = json!({ "cancelReason": "고객 변심", "refundReceiveAccount": payee() });
    let without = json!({ "cancelReason": "고객 변심" });
    let ended = |read: &Answer| read.at("cancels.0.cancelStatus") != "IN_PROGRESS";

    // Before the account is closed: what came goes back to the account that the cancel brought with it …
    for (body, status, money, cancel) in
        [(&with, "CANCELED", "REVERSED", "DONE"), (&without, "DONE", "MOVED", "ABORTED")]
    {
        let order_id = order();
        let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
        let held = gateway.bank.hold(&order_id, "close", "before").await;
        canceling(&gateway, &key, body).await;
        held.reached().await;
        let _ = gateway.bank.deposit(&order_id, json!({})).await;
        let _ = gateway.shop.until_status(&key, "DONE").await;
        held.release().await;
        // … or the cancel comes to nothing, for nobody knows where to.
        let after = gateway.shop.until(&key, "the cancel has ended", SOON, ended).await;
        assert_eq!((after.text("status"), after.text("moneyState")), (status, money), "{after:?}");
        assert_eq!(after.text("cancels.0.cancelStatus"), cancel, "{after:?}");
    }

    // The callback is lost: the bank's refusal to close is all that tells.
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
    let _ = gateway.bank.deposit(&order_id, json!({ "callback": "lose" })).await;
    canceling(&gateway, &key, &with).await;
    let after = gateway.shop.until(&key, "the cancel has ended", SOON, ended).await;
    assert_eq!((after.text("status"), after.text("moneyState")), ("CANCELED", "REVERSED"), "{after:?}");
    assert_eq!(after.text("cancels.0.type"), "REFUND", "{after:?}");

    // On its way: the bank closes nothing until it has landed, or vanished.
    for (how, status, kind) in [("land", "CANCELED", "REFUND"), ("vanish", "CANCELED", "CANCEL")] {
        let order_id = order();
        let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
        let deposit = gateway.bank.deposit(&order_id, json!({ "onItsWay": true })).await;
        canceling(&gateway, &key, &with).await;
        let asked = async || (gateway.bank.asked(&order_id, "close").await > 0).then_some(());
        eventually("the bank was told to close it", SOON, asked).await;
        let transaction = deposit["transactionKey"].as_str().expect("it has a key");
        let _ = gateway.bank.move_deposit(transaction, how, json!({})).await;
        let after = gateway.shop.until(&key, "the cancel has ended", FOUND, ended).await;
        assert_eq!((after.text("status"), after.text("cancels.0.type")), (status, kind), "{how}: {after:?}");
    }

    // After it: a closed account takes nothing.
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
    let held = gateway.bank.hold(&order_id, "close", "after").await;
    canceling(&gateway, &key, &without).await;
    held.reached().await;
    assert_eq!(gateway.bank.deposit(&order_id, json!({})).await["result"], "declined");
    held.release().await;
    let after = gateway.shop.until(&key, "the cancel has ended", SOON, ended).await;
    assert_eq!((after.text("status"), after.text("moneyState")), ("CANCELED", "NOT_MOVED"), "{after:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_that_are_refused_wait_or_take_long() {
    let gateway = Gateway::start().await;
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    let _ = gateway.shop.until_status(&key, "DONE").await;
    let to = |digits: &str, amount: i64| {
        json!({ "cancelReason": "고객 변심", "cancelAmount": amount, "refundReceiveAccount":
            { "bank": "88", "accountNumber": format!("99900000{digits}"), "holderName": "홍길동" } })
    };
    for (digits, code) in [
        ("0614", "INVALID_REFUND_ACCOUNT_NUMBER"),
        ("0662", "INVALID_REFUND_ACCOUNT_INFO"),
        ("0026", "REFUND_REJECTED"),
    ] {
        let refused = gateway.shop.cancel_with(&key, &to(digits, 1_000)).await.expecting_problem(400, code);
        assert_eq!((refused.text("moneyState"), refused.text("reason")), ("NOT_MOVED", "ACQUIRER_DECLINED"));
    }
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("status"), read.text("virtualAccount.refundStatus")), ("DONE", "FAILED"), "{read:?}");

    canceling(&gateway, &key, &to("0027", 4_000)).await;
    let is = |word: &'static str| move |read: &Answer| read.text("virtualAccount.refundStatus") == word;
    let _ = gateway.shop.until(&key, "it is on its way", SOON, is("PENDING")).await;
    let done = gateway.shop.until(&key, "it is there", FOUND * 2, is("COMPLETED")).await;
    assert_eq!((done.text("status"), done.number("balanceAmount")), ("PARTIAL_CANCELED", 11_000), "{done:?}");
    let _ = gateway
        .shop
        .cancel_with(&key, &to("0614", 1_000))
        .await
        .expecting_problem(400, "INVALID_REFUND_ACCOUNT_NUMBER");
    let _ = gateway.shop.until(&key, "the last was refused", SOON, is("PARTIAL_FAILED")).await;
    assert_eq!(gateway.bank.money(&order_id).await.refunded, 4_000);
    gateway.check().await;
}

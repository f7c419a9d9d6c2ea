//! Accounts whose time is over.

use naru_testbed::{Answer, Gateway, eventually};
use serde_json::json;

use super::{FOUND, SOON, due_in, opened, order, payee, until_deposits};

fn is_expired(read: &Answer) -> bool {
    read.at("virtualAccount.expired") == true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_its_due_time_it_says_so_and_its_account_is_closed() {
    let gateway = Gateway::start().await;
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({ "dueDate": due_in(3) })).await.payment_key().to_owned();
    let late = gateway.shop.until(&key, "it is overdue", SOON, is_expired).await;
    assert_eq!((late.text("status"), late.text("moneyState")), ("WAITING_FOR_DEPOSIT", "NOT_MOVED"), "{late:?}");
    let events = gateway.shop.events(&key).await.expecting(200);
    assert!(events.body.to_string().contains("payment.overdue"), "{events:?}");
    let closed = async || (gateway.bank.deposit(&order_id, json!({})).await["result"] == "declined").then_some(());
    let is_closing = async || (gateway.bank.asked(&order_id, "close").await > 0).then_some(());
    eventually("the bank is told to close it", SOON, is_closing).await;
    gateway.settled().await;
    assert!(closed().await.is_some(), "a closed account takes nothing");
    let gone = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!((gone.text("status"), gone.text("moneyState")), ("CANCELED", "NOT_MOVED"), "{gone:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_late_goes_back_and_what_came_in_time_is_taken_however_late_it_is_found() {
    let gateway = Gateway::start().await;
    // Late, while the account is being closed.
    let order_id = order();
    let more = json!({ "dueDate": due_in(3), "refundReceiveAccount": payee() });
    let held = gateway.bank.hold(&order_id, "close", "before").await;
    let key = opened(&gateway, &order_id, more).await.payment_key().to_owned();
    held.reached().await;
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    held.release().await;
    let back = until_deposits(&gateway, &key, &[("returned", "late")]).await;
    assert_eq!((back.text("status"), back.text("moneyState")), ("WAITING_FOR_DEPOSIT", "REVERSED"), "{back:?}");
    let closed = async || (gateway.bank.asked(&order_id, "close").await > 1).then_some(());
    eventually("the bank is told to close it again", FOUND, closed).await;

    // In time, and the callback was lost: it is found when the time is over, before that is said.
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({ "dueDate": due_in(4) })).await.payment_key().to_owned();
    let _ = gateway.bank.deposit(&order_id, json!({ "callback": "lose" })).await;
    let paid = gateway.shop.until_status(&key, "DONE").await;
    assert!(!is_expired(&paid), "{paid:?}");
    gateway.check().await;
}

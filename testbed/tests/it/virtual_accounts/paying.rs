//! What is paid into an account, and what becomes of it.

use naru_testbed::{Answer, Gateway, Payment, eventually};
use serde_json::{Value, json};

use super::{FOUND, SOON, deposits, opened, order, payee, until_deposits};

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
    let paid = gateway.shop.until_status(&key, "DONE").await;
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
async fn what_it_cannot_take_goes_back_to_the_account_that_was_given() {
    let gateway = Gateway::start().await;
    let order_id = order();
    let answer = opened(&gateway, &order_id, json!({ "refundReceiveAccount": payee() })).await;
    assert_eq!(answer.text("virtualAccount.refundReceiveAccount.accountNumber"), "****6789", "{answer:?}");
    let key = answer.payment_key().to_owned();
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 20_000 })).await;
    let waits = until_deposits(&gateway, &key, &[("returned", "short"), ("returned", "over")]).await;
    assert_eq!((waits.text("status"), waits.text("moneyState")), ("WAITING_FOR_DEPOSIT", "REVERSED"), "{waits:?}");
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    let _ = gateway.shop.until_status(&key, "DONE").await;
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    let expected = [("returned", "short"), ("returned", "over"), ("taken", ""), ("returned", "second")];
    let paid = until_deposits(&gateway, &key, &expected).await;
    assert_eq!((paid.text("status"), paid.text("moneyState")), ("DONE", "MOVED"), "{paid:?}");
    // A refund that does not say where to goes there, too.
    let rest = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!((rest.text("status"), rest.text("moneyState")), ("CANCELED", "REVERSED"), "{rest:?}");
    assert_eq!(gateway.bank.money(&order_id).await.net, 0);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_return_waits_for_somebody_who_says_where_to() {
    let gateway = Gateway::start().await;
    let order_id = order();
    let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    let is_dead = |read: &Answer| read.at("deposits.0.returnStatus") == "dead";
    let held = gateway.shop.until(&key, "it waits for an account", SOON, is_dead).await;
    assert_eq!((held.text("status"), held.text("moneyState")), ("WAITING_FOR_DEPOSIT", "MOVED"), "{held:?}");
    let letters = eventually("a letter asks for a person", SOON, async || {
        let letters = gateway.operator.letters().await.expecting(200);
        (letters.body.to_string().contains("needs_person")).then_some(letters)
    });
    let _ = letters.await;
    // The account can't be closed with money in it.
    let refused = gateway.shop.cancel(&key).await.expecting_problem(400, "INVALID_REFUND_ACCOUNT_INFO");
    assert_eq!(refused.text("reason"), "REFUND_ACCOUNT_REQUIRED");

    // One that the bank does not know, and then one that it does.
    let wrong = json!({ "bank": "88", "accountNumber": "999000000614", "holderName": "홍길동" });
    let _ = gateway.shop.refund_account(&key, &wrong).await.expecting(200);
    let declined = async || (gateway.bank.asked(&order_id, "pay_out").await == 1).then_some(());
    eventually("the bank declines", SOON, declined).await;
    let _ = gateway.shop.until(&key, "it waits for another account", SOON, is_dead).await;
    let _ =
        gateway.another_shop().await.refund_account(&key, &payee()).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
    let call = || gateway.shop.refund_account(&key, &payee()).idempotency_key("say-it-once");
    let given = call().await.expecting(200);
    assert_eq!(call().await.expecting(200).body, given.body);
    let back = until_deposits(&gateway, &key, &[("returned", "short")]).await;
    assert_eq!((back.text("status"), back.text("moneyState")), ("WAITING_FOR_DEPOSIT", "REVERSED"), "{back:?}");
    gateway.check().await;

    let card = gateway.shop.key_in(&Payment::of(12_000)).await.expecting(200);
    let refused =
        gateway.shop.refund_account(card.payment_key(), &payee()).await.expecting_problem(409, "INVALID_REQUEST");
    assert_eq!(refused.text("reason"), "NOT_A_VIRTUAL_ACCOUNT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_that_is_taken_back_is_waited_for_again() {
    let gateway = Gateway::start().await;
    for callback in ["send", "lose"] {
        let order_id = order();
        let key = opened(&gateway, &order_id, json!({})).await.payment_key().to_owned();
        let deposit = gateway.bank.deposit(&order_id, json!({})).await;
        let _ = gateway.shop.until_status(&key, "DONE").await;
        let transaction = deposit["transactionKey"].as_str().expect("it has a key");
        let taken = gateway.bank.move_deposit(transaction, "take-back", json!({ "callback": callback })).await;
        assert_eq!(taken["result"], "approved", "{taken}");
        let waits = gateway
            .shop
            .until(&key, "it waits again", FOUND, |read| read.text("status") == "WAITING_FOR_DEPOSIT")
            .await;
        assert_eq!((waits.text("moneyState"), deposits(&waits)), ("REVERSED", vec![("taken_back", "")]), "{waits:?}");
        assert_eq!((waits.at("approvedAt"), waits.at("virtualAccount.depositorName")), (&Value::Null, &Value::Null));
        let _ = gateway.bank.deposit(&order_id, json!({})).await;
        let paid = gateway.shop.until_status(&key, "DONE").await;
        assert_eq!((paid.text("moneyState"), deposits(&paid)), ("MOVED", vec![("taken_back", ""), ("taken", "")]));
    }
    gateway.check().await;
}

//! Virtual accounts 가상계좌: opened, paid into, refunded, overdue and closed, with everything that can go wrong between the bank's
//! callback and the books: through HTTP, against the bank.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::canary::{Finder, forms_of, tables};
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

/// How the deposits stand, when they stand so.
async fn until_deposits(gateway: &Gateway, key: &str, expected: &[(&str, &str)]) -> Answer {
    let what = format!("its deposits are {expected:?}");
    gateway.shop.until(key, &what, FOUND, |read| deposits(read) == expected).await
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

/// So many seconds from now, as a merchant writes it.
fn due_in(seconds: i64) -> String {
    let due = System.now() + time::Duration::seconds(seconds);
    due.format(&time::format_description::well_known::Rfc3339).expect("it is a time")
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_number_that_money_goes_back_to_rests_anywhere() {
    let gateway = Gateway::with().own_servers().environment("NARU_LOG", "trace").start().await;
    let order_id = order();
    let number = "77665544332211";
    let account = json!({ "bank": "88", "accountNumber": number, "holderName": "홍길동" });
    let key = opened(&gateway, &order_id, json!({ "refundReceiveAccount": account })).await.payment_key().to_owned();
    let finder = Finder::of(forms_of("account", number));
    // However it is written: bytes are shown as hex, and files of tables, of the log of changes and of queues are not text.
    let found = async || {
        let mut found = finder.found_under(gateway.folder());
        for (table, rows) in tables(gateway.db()).await {
            found.extend(finder.found_in(rows.as_bytes()).into_iter().map(|what| format!("{table}: {what}")));
        }
        let _ = sqlx::query("checkpoint").execute(gateway.db()).await;
        let known = Finder::of(vec![("order".into(), order_id.clone().into_bytes())]);
        let mut known_in = 0;
        for home in gateway.own.homes() {
            known_in += usize::from(!known.found_under(&home).is_empty());
            found.extend(finder.found_under(&home));
        }
        assert!(known_in >= 1, "files of the servers can be read");
        found
    };
    let unsealed = format!("select sha256('x') || convert_to('{{\"number\":\"{number}\"}}', 'utf8')");
    let unsealed: Vec<u8> =
        sqlx::query_scalar(sqlx::AssertSqlSafe(unsealed)).fetch_one(gateway.db()).await.expect("Postgres answers");
    let as_shown: String = unsealed.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(finder.found_in(as_shown.as_bytes()).len(), 1, "what is not sealed is found");
    assert_eq!(found().await, Vec::<String>::new());
    let sealed = async || {
        let sealed: i64 = sqlx::query_scalar("select count(*) from sealed_payees")
            .fetch_one(gateway.db())
            .await
            .expect("Postgres answers");
        sealed
    };
    assert_eq!(sealed().await, 1, "it rests sealed while it may be needed");
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    let _ = until_deposits(&gateway, &key, &[("returned", "short")]).await;
    let _ = gateway
        .shop
        .cancel_with(&key, &json!({ "cancelReason": "고객 변심", "refundReceiveAccount": account }))
        .await
        .expecting(200);
    assert_eq!(found().await, Vec::<String>::new());
    // Nothing is owed any more, and a minute later nothing is kept.
    sqlx::query("update sealed_payees set created_at = now() - interval '2 minutes'")
        .execute(gateway.db())
        .await
        .expect("Postgres answers");
    sqlx::query("update account_looks set look_at = now()").execute(gateway.db()).await.expect("Postgres answers");
    eventually("it is forgotten", SOON * 2, async || (sealed().await == 0).then_some(())).await;
    gateway.check().await;
}

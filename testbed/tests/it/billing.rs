//! Billing keys: issued for a card, charged without its customer, deleted.

use std::future::IntoFuture as _;
use std::time::Duration;

use futures::future::join_all;
use naru_testbed::{Answer, Gateway, Payment, eventually};
use serde_json::{Value, json};

const CUSTOMER: &str = "c0a8012e-6f3b-4b5e.9b1d@2d8c=1f0e_7a55";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_becomes_a_key_and_is_charged() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let issued = shop.authorize(CUSTOMER, "approve").await.expecting(200);
    let mut body = issued.body.clone();
    let (key, at) = (body["billingKey"].take(), body["authenticatedAt"].take());
    let expected = json!({ "mId": shop.mid, "customerKey": CUSTOMER, "authenticatedAt": null, "method": "카드",
        "billingKey": null, "card": { "issuerCode": "61", "acquirerCode": "61", "number": "424242******4242",
        "cardType": "신용", "ownerType": "개인" }, "cardCompany": "현대", "cardNumber": "424242******4242" });
    assert_eq!(body, expected);
    assert_eq!(at.as_str().map(str::len), Some("2026-01-31T09:00:00+09:00".len()), "{issued:?}");
    let key = key.as_str().unwrap_or_default();
    assert!(key.starts_with("naru_bk_") && (40..=200).contains(&key.len()), "{issued:?}");

    for amount in [4_900, 9_900] {
        let order = Payment::of(amount).with("taxFreeAmount", 900);
        let paid = shop.charge(key, CUSTOMER, &order).await.expecting(200);
        assert_eq!((paid.text("status"), paid.text("type"), paid.text("method")), ("DONE", "BILLING", "카드"));
        assert_eq!((paid.number("totalAmount"), paid.number("taxFreeAmount")), (amount, 900));
        assert_eq!(paid.text("card.number"), "424242******4242");
        assert_eq!(shop.get(paid.payment_key()).await.expecting(200).body, paid.body);
        gateway.bank.expect(&order.order_id).charged_once().await;
    }
    // Given back as any other.
    let order = Payment::of(5_000);
    let paid = shop.charge(key, CUSTOMER, &order).await.expecting(200);
    let canceled = shop.cancel(paid.payment_key()).await.expecting(200);
    assert_eq!((canceled.text("status"), canceled.text("type")), ("CANCELED", "BILLING"));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_that_is_declined_says_so() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let key = shop.billing_key(CUSTOMER, "approve_twice").await;
    for (status, code) in [(200, ""), (200, ""), (403, "REJECT_CARD_PAYMENT")] {
        let order = Payment::of(4_900);
        let answer = shop.charge(&key, CUSTOMER, &order).await;
        assert_eq!((answer.status, answer.text("code")), (status, code), "{answer:?}");
    }
    let refused = shop.authorize(CUSTOMER, "refuse_token_54").await;
    let _ = refused.expecting_problem(400, "INVALID_CARD_EXPIRATION");
    let away = shop.authorize(CUSTOMER, "token_busy").await.expecting_problem(503, "FAILED_CARD_COMPANY_RESPONSE");
    assert_eq!((away.text("moneyState"), away.at("retryable")), ("NOT_MOVED", &json!(true)));
    gateway.check().await;
}

/// Nobody waits at a till: an hour is enough for most outages.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_is_tried_for_an_hour() {
    let gateway = Gateway::start().await;
    let key = gateway.shop.billing_key(CUSTOMER, "error_twice").await;
    let order = Payment::of(4_900);
    let _ = gateway.shop.charge(&key, CUSTOMER, &order).prefer("respond-async").await.expecting(202);
    let seconds = "select extract(epoch from o.deadline_at - o.created_at)::bigint
        from operations o join payments p on p.id = o.payment_id where p.order_id = $1";
    let seconds: i64 = sqlx::query_scalar(seconds).bind(&order.order_id).fetch_one(gateway.db()).await.expect("a row");
    assert_eq!(seconds, 3_600);
    gateway.settled().await;
    gateway.bank.expect(&order.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_again_has_the_same_answer() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let authorize = || shop.authorize(CUSTOMER, "approve").idempotency_key("issue");
    let first = authorize().await.expecting(200);
    let again = authorize().await.expecting(200);
    assert_eq!((first.text.as_str(), again.header("idempotent-replayed")), (again.text.as_str(), "true"));
    let other = shop.authorize("another-customer", "approve").idempotency_key("issue").await;
    let other = other.expecting_problem(422, "INVALID_REQUEST");
    assert_eq!((other.text("reason"), other.text("errors.0.field")), ("IDEMPOTENCY_KEY_REUSED", "customerKey"));

    let order = Payment::of(4_900);
    let key = first.text("billingKey");
    let charge = || shop.charge(key, CUSTOMER, &order).idempotency_key("charge");
    let paid = charge().await.expecting(200);
    // What a key was used for it still tells when what was charged is gone.
    let _ = shop.delete_billing_key(key).await.expecting(200);
    let again = charge().await.expecting(200);
    assert_eq!((paid.text.as_str(), again.header("idempotent-replayed")), (again.text.as_str(), "true"));
    assert_eq!(authorize().await.expecting(200).text, first.text);
    gateway.bank.expect(&order.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_at_once_issues_once() {
    let gateway = Gateway::with().apis(2).start().await;
    let shops = [gateway.shop.clone(), gateway.shop.at(&gateway.apis[1])];
    let authorize = (0..8).map(|n| shops[n % 2].authorize(CUSTOMER, "approve").idempotency_key("one").into_future());
    let keys: Vec<Answer> = join_all(authorize).await.into_iter().map(|answer| answer.expecting(200)).collect();
    assert!(keys.iter().all(|answer| answer.text == keys[0].text), "{keys:?}");

    let auth_key = gateway.shop.auth_key(CUSTOMER, "approve").await;
    let issue = (0..8).map(|n| shops[n % 2].issue(&auth_key, CUSTOMER).into_future());
    let answers = join_all(issue).await;
    let issued = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(issued, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.text("reason") == "AUTH_KEY_INVALID"));

    // Eight charges of one order are one.
    let order = Payment::of(4_900);
    let key = keys[0].text("billingKey");
    let charges = (0..8).map(|n| shops[n % 2].charge(key, CUSTOMER, &order).into_future());
    let answers = join_all(charges).await;
    let paid = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(paid, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.text("code") == "DUPLICATED_ORDER_ID"));
    gateway.bank.expect(&order.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_types_the_card_in() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let requested = shop.request_billing(CUSTOMER).await.expecting(200);
    let declined = shop.authenticate_billing(&requested, "refuse_token_82").await;
    let _ = declined.expecting_problem(400, "INVALID_CARD_NUMBER");
    let authenticated = shop.authenticate_billing(&requested, "approve").await.expecting(200);
    let next = authenticated.text("nextUrl");
    assert!(next.starts_with("https://shop.example/kept?customerKey=c0a8012e"), "{next}");
    let twice = shop.authenticate_billing(&requested, "approve").await;
    let _ = twice.expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
    let auth_key = next.rsplit('=').next().unwrap_or_default();

    // Nobody else can do anything with it, nor use it up.
    let stranger = gateway.another_shop().await;
    let live = gateway.live_shop().await;
    for other in [&stranger, &live] {
        let refused = other.issue(auth_key, CUSTOMER).await.expecting_problem(400, "INVALID_BILL_KEY_REQUEST");
        assert_eq!(refused.text("reason"), "AUTH_KEY_INVALID");
    }
    let _ = shop.issue(auth_key, "another-customer").await.expecting_problem(403, "NOT_MATCHES_CUSTOMER_KEY");

    let issued = shop.issue(auth_key, CUSTOMER).idempotency_key("one").await.expecting(200);
    assert_eq!(issued.text("customerKey"), CUSTOMER);
    let again = shop.issue(auth_key, CUSTOMER).idempotency_key("one").await.expecting(200);
    assert_eq!(again.text, issued.text);
    for customer in [CUSTOMER, "another-customer"] {
        let used = shop.issue(auth_key, customer).await.expecting_problem(400, "INVALID_BILL_KEY_REQUEST");
        assert_eq!(used.text("reason"), "AUTH_KEY_INVALID");
    }
    let order = Payment::of(4_900);
    let paid = shop.charge(issued.text("billingKey"), CUSTOMER, &order).await.expecting(200);
    assert_eq!((paid.text("status"), paid.text("type")), ("DONE", "BILLING"));
    // The card's token went over to the key.
    let left: i64 = count(&gateway, "select count(*) from billing_requests where card is not null").await;
    assert_eq!(left, 0);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_of_a_request_and_of_its_key_runs_out() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let limits = "select extract(epoch from expires_at - created_at)::bigint from billing_requests";
    let requested = shop.request_billing(CUSTOMER).await.expecting(200);
    assert_eq!(count(&gateway, limits).await, 1_800);
    age(&gateway).await;
    let late = shop.authenticate_billing(&requested, "approve").await;
    let _ = late.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");

    let auth_key = shop.auth_key(CUSTOMER, "approve").await;
    age(&gateway).await;
    let late = shop.issue(&auth_key, CUSTOMER).await.expecting_problem(400, "INVALID_BILL_KEY_REQUEST");
    assert_eq!(late.text("reason"), "AUTH_KEY_INVALID");
    // What is long over is forgotten by upkeep, token and all.
    let old = "update billing_requests set created_at = created_at - interval '25 hours'";
    sqlx::query(old).execute(gateway.db()).await.expect("Postgres answers");
    eventually("they are forgotten", Duration::from_secs(15), async || {
        (count(&gateway, "select count(*) from billing_requests").await == 0).then_some(())
    })
    .await;
}

/// As if half an hour had passed.
async fn age(gateway: &Gateway) {
    let older = "update billing_requests set expires_at = expires_at - interval '30 minutes 1 second'";
    sqlx::query(older).execute(gateway.db()).await.expect("Postgres answers");
}

async fn count(gateway: &Gateway, of: &'static str) -> i64 {
    sqlx::query_scalar(of).fetch_one(gateway.db()).await.expect("Postgres answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_that_is_queued_outlives_its_key() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let key = shop.billing_key(CUSTOMER, "approve").await;
    let order = Payment::of(4_900);
    let held = gateway.bank.hold(&order.order_id, "approve", "before").await;
    let _ = shop.charge(&key, CUSTOMER, &order).prefer("respond-async").await.expecting(202);
    held.reached().await;
    let deleted = shop.delete_billing_key(&key).await.expecting(200);
    assert_eq!(deleted.body, json!({}));
    let after = shop.charge(&key, CUSTOMER, &Payment::of(4_900)).await;
    let after = after.expecting_problem(400, "INVALID_BILL_KEY_REQUEST");
    assert_eq!((after.text("reason"), after.text("moneyState")), ("BILLING_KEY_DELETED", "NOT_MOVED"));
    held.release().await;
    gateway.settled().await;
    let paid = shop.get_order(&order.order_id).await.expecting(200);
    assert_eq!((paid.text("status"), paid.text("moneyState")), ("DONE", "MOVED"), "{paid:?}");
    // Deleted is deleted, and who asks twice is told so.
    let _ = shop.delete_billing_key(&key).await.expecting(200);
    let kept = "select count(*) from billing_keys where token is not null or deleted_at is null";
    assert_eq!(count(&gateway, kept).await, 0);
    gateway.check().await;
}

/// Charges and the deletion race: each is accepted before it, or refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_charge_is_accepted_after_the_key_is_gone() {
    let gateway = Gateway::with().apis(2).start().await;
    let shops = [gateway.shop.clone(), gateway.shop.at(&gateway.apis[1])];
    for _ in 0..4 {
        let key = gateway.shop.billing_key(CUSTOMER, "approve").await;
        let orders: Vec<Payment> = (0..12).map(|_| Payment::of(4_900)).collect();
        let charges = orders.iter().enumerate().map(|(n, order)| {
            let (shop, key) = (&shops[n % 2], &key);
            async move { shop.charge(key, CUSTOMER, order).prefer("respond-async").await }
        });
        let (answers, deleted) = tokio::join!(join_all(charges), async {
            let deleted = gateway.shop.delete_billing_key(&key).await.expecting(200);
            // The transaction that deletes ended before any that begins now.
            let before = count(&gateway, "select count(*) from payments").await;
            (deleted, before)
        });
        let (_, at_least) = deleted;
        for (answer, order) in answers.iter().zip(&orders) {
            let accepted = matches!(answer.status, 200 | 202);
            assert!(accepted || answer.text("reason") == "BILLING_KEY_DELETED", "{answer:?}");
            let found = gateway.shop.get_order(&order.order_id).await;
            assert_eq!(found.status, if accepted { 200 } else { 404 }, "{answer:?}");
        }
        gateway.settled().await;
        assert_eq!(count(&gateway, "select count(*) from payments").await, at_least, "accepted after the deletion");
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_merchants_key_is_like_none() {
    let gateway = Gateway::start().await;
    let key = gateway.shop.billing_key(CUSTOMER, "approve").await;
    let none = format!("naru_bk_{}", "0".repeat(43));
    let told = |answer: &Answer| {
        let mut body = answer.body.clone();
        (body["instance"], body["traceId"]) = (Value::Null, Value::Null);
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        (answer.status, body, names)
    };
    for other in [gateway.another_shop().await, gateway.live_shop().await] {
        let charge = |key: &str| other.charge(key, CUSTOMER, &Payment::of(4_900));
        let theirs = charge(&key).await.expecting_problem(404, "NOT_FOUND_BILLING");
        assert_eq!(told(&theirs), told(&charge(&none).await));
        let theirs = other.delete_billing_key(&key).await.expecting_problem(404, "NOT_FOUND_BILLING");
        assert_eq!(told(&theirs), told(&other.delete_billing_key(&none).await));
    }
    let shop = &gateway.shop;
    let wrong = shop.charge(&key, "another-customer", &Payment::of(4_900)).await;
    let _ = wrong.expecting_problem(403, "NOT_MATCHES_CUSTOMER_KEY");
    let _ = shop.charge(&key, CUSTOMER, &Payment::of(4_900)).await.expecting(200);
    gateway.check().await;
}

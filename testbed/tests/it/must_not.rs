//! Holes that a gateway like this one had, each shut: `docs/must-not.md` lists all forty and where each is proven. Here are
//! those that no other test is about.

use std::collections::BTreeSet;
use std::time::Duration;

use naru_testbed::{Gateway, Payment, Shop};
use reqwest::Method;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(15);

/// The same merchant, as somebody who has only what is in its page.
fn in_the_page(shop: &Shop) -> Shop {
    let mut page = shop.clone();
    page.secret_key.clone_from(&page.client_key.clone());
    page
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_01_act_with_a_key_that_is_in_a_page() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    let key = created.payment_key();
    let page = in_the_page(&gateway.shop);
    let origin = "https://shop.example";
    for call in [
        page.confirm(key, &payment.order_id, 12_000),
        page.cancel(key),
        page.capture(key),
        page.get(key),
        page.timeline(key),
        page.list("limit=1"),
        page.key_in(&Payment::of(12_000)),
        page.advance(60),
    ] {
        let refused = call.header("origin", origin).await.expecting_problem(403, "FORBIDDEN_REQUEST");
        assert_eq!(refused.text("reason"), "CLIENT_KEY_NOT_ALLOWED");
    }
    // And the key that may do it is refused when it comes from a page.
    let leaked = gateway.shop.confirm(key, &payment.order_id, 12_000).header("origin", origin).await;
    assert_eq!(leaked.expecting_problem(403, "FORBIDDEN_REQUEST").text("reason"), "SECRET_KEY_IN_BROWSER");
    gateway.bank.expect(&payment.order_id).never_charged().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_07_confirm_another_merchants_payment() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    let mut own = gateway.shop.stream(created.payment_key()).await;
    // All that a browser ever sees of it is known.
    for stranger in [gateway.another_shop().await, gateway.live_shop().await] {
        let refused = stranger.confirm(created.payment_key(), &payment.order_id, 12_000).await;
        let _ = refused.expecting_problem(404, "NOT_FOUND_PAYMENT");
    }
    gateway.bank.expect(&payment.order_id).never_charged().await;
    let _ = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
    own.until_status("DONE", SOON).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_09_send_a_charge_again_blindly() {
    let gateway = Gateway::with().naive_bank().start().await;
    // Charged, and the answer is lost: whoever asks again without looking charges twice.
    let payment = Payment::of(12_000);
    gateway.bank.script(&payment.order_id, "approve", json!([{ "do": "drop_after" }])).await;
    let key = gateway.shop.begin(&payment).await;
    gateway.shop.stream(&key).await.until_status("DONE", SOON).await;
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, 1);
    assert!(gateway.bank.asked(&payment.order_id, "inquire").await >= 1);
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_10_give_back_in_our_books_only() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let key = gateway.shop.key_in(&payment).await.expecting(200).payment_key().to_owned();
    let _ = gateway.shop.cancel_part(&key, 2_000).await.expecting(200);
    let _ = gateway.shop.capture(&key).await.expecting(200);
    let _ = gateway.shop.cancel_part(&key, 3_000).await.expecting(200);
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.refunded, money.net), (2_000, 3_000, 7_000), "{money:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_29_let_a_payers_token_live_for_ever_or_open_more() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let (key, token) = (created.payment_key(), created.text("checkoutToken"));
    let watch = |key: &str| {
        let events = gateway.shop.anonymous(Method::GET, &format!("/v1/payments/{key}/events"));
        events.header("authorization", &format!("Bearer {token}"))
    };
    let _ = watch(key).await.expecting(200);
    let other = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    assert_eq!(watch(other.payment_key()).await.status, 401);
    // It reads; it acts on nothing.
    for path in [format!("/v1/payments/{key}/cancel"), "/v1/payments/confirm".to_owned()] {
        let call = gateway.shop.anonymous(Method::POST, &path).header("authorization", &format!("Bearer {token}"));
        let refused = call.header("content-type", "application/json").await;
        assert!(matches!(refused.status, 400 | 401), "{refused:?}");
    }
    let _ = gateway.shop.payer_of(&created).cancel().await.expecting(200);
    let age = "update payment_events set occurred_at = occurred_at - interval '10 minutes'";
    let _ = sqlx::query(age).execute(gateway.db()).await.expect("Postgres answers");
    assert_eq!(watch(key).await.expecting_problem(401, "UNAUTHORIZED_KEY").text("reason"), "TOKEN_INVALID");
    // What happens to a payment later does not open it to the payer's page again, neither while it is at work nor when it is done.
    let payment = Payment::of(12_000);
    let paid = gateway.shop.create(&payment).await.expecting(200);
    let (key, token) = (paid.payment_key(), paid.text("checkoutToken"));
    let watch = || {
        let events = gateway.shop.anonymous(Method::GET, &format!("/v1/payments/{key}/events"));
        events.header("authorization", &format!("Bearer {token}"))
    };
    let _ = gateway.shop.payer_of(&paid).authenticate(&payment).await.expecting(200);
    let _ = gateway.shop.confirm(key, &payment.order_id, 12_000).await.expecting(200);
    let _ = watch().await.expecting(200);
    let _ = sqlx::query(age).execute(gateway.db()).await.expect("Postgres answers");
    let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
    let _ = gateway.shop.cancel(key).prefer("respond-async").await.expecting(202);
    held.reached().await;
    assert_eq!(watch().await.status, 401);
    held.release().await;
    naru_testbed::eventually("it is cancelled", std::time::Duration::from_secs(15), async || {
        (gateway.shop.get(key).await.text("status") == "CANCELED").then_some(())
    })
    .await;
    assert_eq!(watch().await.status, 401);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_30_give_payments_names_that_can_be_guessed() {
    const COUNT: usize = 40;
    let gateway = Gateway::start().await;
    let mut names: [Vec<String>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..COUNT {
        let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
        let checkout = created.text("checkout.url").rsplit('/').next().unwrap_or_default().to_owned();
        for (all, name) in names.iter_mut().zip([created.payment_key().to_owned(), checkout]) {
            all.push(name.rsplit('_').next().unwrap_or_default().to_owned());
        }
    }
    for all in &names {
        assert!(all.iter().all(|name| name.len() == 40), "160 bits: {all:?}");
        assert!(!all.is_sorted(), "they are in the order of time: {all:?}");
        // What is random in 160 bits is random in every place: no character is the same in all.
        for place in 0..40 {
            let there: BTreeSet<Option<char>> = all.iter().map(|name| name.chars().nth(place)).collect();
            assert!(there.len() > 4, "place {place} is nearly always the same: {all:?}");
        }
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_32_take_parts_of_a_won() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let amounts = [json!(0.01), json!(15_000.5), json!(15_000.0), json!(0), json!(-1), json!("1e4"), json!("15000.00")];
    for amount in amounts {
        for call in [
            gateway.shop.create(&payment.clone().with("amount", amount.clone())),
            gateway.shop.key_in(&payment.clone().with("amount", amount.clone())),
        ] {
            let _ = call.await.expecting_problem(400, "INVALID_REQUEST");
        }
    }
    let paid = gateway.shop.key_in(&payment).await.expecting(200);
    for amount in [json!(0.5), json!(0), json!(-1), json!("1.0")] {
        let body = json!({ "cancelReason": "고객 변심", "cancelAmount": amount });
        let _ = gateway.shop.cancel_with(paid.payment_key(), &body).await.expecting_problem(400, "INVALID_REQUEST");
    }
    for member in ["totalAmount", "balanceAmount", "suppliedAmount", "vat", "taxFreeAmount"] {
        assert!(paid.at(member).is_i64(), "{member} of {paid:?}");
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_37_mix_up_orders_whose_names_read_alike() {
    let gateway = Gateway::start().await;
    let shops = [gateway.shop.clone(), gateway.another_shop().await, gateway.live_shop().await];
    // Put together with a merchant's name, with or without something between, some of these read like others.
    let orders = ["order_1-a", "order_1", "order-1_a", "test_order_1"];
    for (nth, shop) in (1..).zip(&shops) {
        for (order, own) in (1..).zip(orders) {
            let payment = Payment::of(1_000 * nth + order).order(own);
            let _ = shop.key_in(&payment).await.expecting(200);
        }
    }
    for (nth, shop) in (1..).zip(&shops) {
        for (order, own) in (1..).zip(orders) {
            assert_eq!(shop.get_order(own).await.expecting(200).number("totalAmount"), 1_000 * nth + order);
        }
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_39_cry_wolf() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    let mut stream = gateway.shop.stream(created.payment_key()).await;
    let _ = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
    stream.until_status("DONE", SOON).await;
    stream.hang_up();
    let _ =
        gateway.shop.key_in(&Payment::of(9_000).card("decline_51")).await.expecting_problem(403, "REJECT_CARD_PAYMENT");
    gateway.check().await;
    for (program, log) in [("the API", gateway.api().log()), ("the worker", gateway.worker().log())] {
        for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
            assert_ne!(line["level"], "ERROR", "{program} is alarmed by an ordinary day: {line}");
        }
        assert!(log.lines().any(|line| line.contains("\"level\"")), "{program} says something: {log}");
    }
}

//! The holes of the system before this one that concern payers, each a story that must not be told of this one.

use std::future::IntoFuture as _;
use std::time::{Duration, Instant};

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Account, Answer, Gateway, Payment, cards};
use reqwest::Method;
use serde_json::json;

use super::{count, told, with};
use crate::bad_input::basic;

const MEMBERS_OF_A_CARD: [&str; 10] = [
    "acquirerCode",
    "brand",
    "cardId",
    "cardType",
    "isDefault",
    "issuerCode",
    "nickname",
    "number",
    "ownerType",
    "registeredAt",
];

/// No call shows cards to a merchant's key, a guest or another payer; there is none that shows everybody's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_02_list_everybodys_cards() {
    let gateway = Gateway::start().await;
    let (kim, lee) = (gateway.payer().await, gateway.payer().await);
    let card = kim.keeps("approve").await;
    let document = gateway.shop.anonymous(Method::GET, "/openapi.json").await.expecting(200);
    let paths = document.at("paths").as_object().expect("paths");
    let shows_cards = paths.iter().filter(|(path, calls)| path.contains("card") && calls.get("get").is_some());
    let shows_cards: Vec<&String> = shows_cards.map(|(path, _)| path).collect();
    assert_eq!(shows_cards, ["/payer/v1/cards"]);
    for authorization in [None, Some(basic(&gateway.shop.secret_key)), Some(basic(&gateway.shop.client_key))] {
        let mut call = gateway.shop.anonymous(Method::GET, "/payer/v1/cards");
        if let Some(authorization) = &authorization {
            call = call.header("authorization", authorization);
        }
        let refused = call.await.expecting_problem(401, "UNAUTHORIZED_KEY");
        assert!(!refused.text.contains(&card), "{refused:?}");
    }
    assert_eq!(lee.cards().await.expecting(200).at("data"), &json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_03_keep_a_card_in_clear() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let typed = with(with(Account::card(cards::number("approve")), "cvc", "7351"), "cardPassword", "73");
    let _ = payer.post("/payer/v1/cards", &typed).await.expecting(200);
    let rows: Vec<String> = sqlx::query_scalar("select c::text from stored_cards c")
        .fetch_all(gateway.db())
        .await
        .expect("Postgres answers");
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].contains(cards::number("approve")) && !rows[0].contains("7351"), "{rows:?}");
    let columns = "select column_name::text from information_schema.columns where table_name = 'stored_cards'";
    let columns: Vec<String> = sqlx::query_scalar(columns).fetch_all(gateway.db()).await.expect("Postgres answers");
    for wrong in ["number", "pan", "cvc", "expiry", "password"] {
        assert!(columns.iter().all(|column| !column.contains(wrong)), "{columns:?}");
    }
    // What tells two cards apart tells nobody which they are: another deployment's is another.
    let fingerprint: String =
        sqlx::query_scalar("select fingerprint from stored_cards").fetch_one(gateway.db()).await.expect("one");
    let other = Gateway::start().await;
    let _ = other.payer().await.keeps("approve").await;
    let theirs: String =
        sqlx::query_scalar("select fingerprint from stored_cards").fetch_one(other.db()).await.expect("one");
    assert_ne!(fingerprint, theirs);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_04_tell_a_card_s_number_or_cvc_to_its_own_payer() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let typed = with(Account::card(cards::number("approve")), "cvc", "7351");
    let registered = payer.post("/payer/v1/cards", &typed).await.expecting(200);
    let card = registered.text("cardId").to_owned();
    let listed = payer.cards().await.expecting(200);
    let preferred = payer.prefer(&card).await.expecting(200);
    for shown in [&registered.body, listed.at("data.0"), preferred.at("data.0")] {
        let members: Vec<&String> = shown.as_object().expect("a card").keys().collect();
        assert_eq!(members, MEMBERS_OF_A_CARD, "{shown}");
        assert_eq!(shown["number"], "424242******4242");
    }
    let created = gateway.authenticated_by(&payer, &card, &Payment::of(12_000)).await;
    let all = [
        payer.look(&created).await,
        payer.history("limit=1").await,
        payer.cancel(&created).await,
        payer.forget(&card).await,
        registered,
        listed,
    ];
    for answer in all {
        let answer = answer.expecting(200);
        assert!(!answer.text.contains(cards::number("approve")) && !answer.text.contains("7351"), "{answer:?}");
        assert!(!answer.text.contains("tok_") && !answer.text.contains("fingerprint"), "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_12_touch_anybody_elses_card() {
    let gateway = Gateway::start().await;
    let (kim, lee) = (gateway.payer().await, gateway.payer().await);
    let card = kim.keeps("approve").await;
    let _ = lee.keeps("slow").await;
    let nobodys = format!("card_{}", "0".repeat(32));
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    for (theirs, none) in [
        (lee.forget(&card).await, lee.forget(&nobodys).await),
        (lee.prefer(&card).await, lee.prefer(&nobodys).await),
        (lee.authenticate(&created, &card).await, lee.authenticate(&created, &nobodys).await),
    ] {
        assert_eq!(theirs.status, 404, "{theirs:?}");
        assert_eq!(told(&theirs), told(&none), "another's card is like none");
    }
    assert_eq!(gateway.shop.get(created.payment_key()).await.text("status"), "READY");
    let kept = kim.cards().await.expecting(200);
    assert_eq!((kept.text("data.0.cardId"), kept.at("data.0.isDefault")), (card.as_str(), &json!(true)));
}

/// A payer's session opens no stream, and what a stream tells has nothing of the payer or the whole card.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_13_listen_to_others_payments() {
    let gateway = Gateway::start().await;
    let (kim, lee) = (gateway.payer().await, gateway.payer().await);
    let card = kim.keeps("approve").await;
    let created = gateway.authenticated_by(&kim, &card, &Payment::of(12_000)).await;
    for payer in [&kim, &lee] {
        let events = format!("/v1/payments/{}/events", created.payment_key());
        let refused = payer.get(&events).header("accept", "text/event-stream").await;
        let _ = refused.expecting_problem(401, "UNAUTHORIZED_KEY");
    }
    let events = gateway.shop.events(created.payment_key()).await.expecting(200);
    assert!(events.text.contains("payment.authenticated"), "{events:?}");
    for secret in [cards::number("approve"), kim.email.as_str(), "payer", "tok_", "fingerprint"] {
        // The type of no event of these names the payer.
        assert!(!events.text.contains(secret), "{secret}: {events:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_15_cancel_or_change_what_is_paid_or_another_s() {
    let gateway = Gateway::start().await;
    let (kim, lee) = (gateway.payer().await, gateway.payer().await);
    let (kims, lees) = (kim.keeps("approve").await, lee.keeps("slow").await);
    let payment = Payment::of(12_000);
    let created = gateway.authenticated_by(&kim, &kims, &payment).await;
    // Another payer can neither cancel it nor put another card in the place of its own.
    let _ = lee.cancel(&created).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
    let _ = lee.authenticate(&created, &lees).await.expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
    let _ = kim.authenticate(&created, &kims).await.expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
    // Nor can its own payer once it is being charged, or paid.
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let confirm = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000);
    let (confirmed, ()) = tokio::join!(confirm.into_future(), async {
        held.reached().await;
        let _ = kim.cancel(&created).await.expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
        held.release().await;
    });
    assert_eq!(confirmed.expecting(200).text("card.number"), "424242******4242");
    let _ = kim.cancel(&created).await.expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
    assert_eq!(gateway.shop.get(created.payment_key()).await.text("status"), "DONE");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_16_show_a_payer_somebody_elses_payment() {
    let gateway = Gateway::start().await;
    let (kim, lee) = (gateway.payer().await, gateway.payer().await);
    let card = kim.keeps("approve").await;
    let created = gateway.authenticated_by(&kim, &card, &Payment::of(12_000)).await;
    let as_guest = gateway.shop.authenticated(&Payment::of(12_000)).await;
    let none = json!({ "checkout": { "url": "https://x/co_nobodys" } });
    let none = lee.look(&Answer { body: none, ..created.clone() }).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
    for (payer, payment) in [(&lee, &created), (&lee, &as_guest), (&kim, &as_guest)] {
        assert_eq!(told(&payer.look(payment).await), told(&none));
        let _ = payer.cancel(payment).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
    }
    assert_eq!(lee.history("limit=100").await.expecting(200).at("data"), &json!([]));
    let history = kim.history("limit=100").await.expecting(200);
    assert_eq!(history.at("data").as_array().map(Vec::len), Some(1));
    // A cursor of another's list is a place in one's own.
    let _ = gateway.authenticated_by(&kim, &card, &Payment::of(12_000)).await;
    let cursor = kim.history("limit=1").await.text("nextCursor").to_owned();
    assert_eq!(lee.history(&format!("cursor={cursor}")).await.expecting(200).at("data"), &json!([]));
}

/// Whether an address has an account shows neither in the answer nor in its time; passwords are long, uncommon and slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_28_tell_who_has_an_account_or_take_weak_passwords() {
    let gateway = Gateway::start().await;
    let account = gateway.stranger("test");
    for weak in &["short", "elevenchars", "password1234", "aaaaaaaaaaaaaaaaaaaa", &"x7y".repeat(43)] {
        let (weak, mut account) = (*weak, account.elsewhere());
        weak.clone_into(&mut account.password);
        let refused = account.sign_up().await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(refused.text("errors.0.field"), "password", "{refused:?}");
        assert!(!refused.text.contains(weak), "{refused:?}");
    }
    assert_eq!(count(&gateway, "payers").await, 0);
    let mut any = account.elsewhere();
    "열두 글자가 넘는 비밀번호 🐴".clone_into(&mut any.password);
    let _ = any.sign_up().await.expecting(200);
    let kept: String =
        sqlx::query_scalar("select password_hash from payers").fetch_one(gateway.db()).await.expect("one");
    assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");

    let known = gateway.payer().await;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        for (account, times) in [(known.elsewhere(), &mut with), (gateway.stranger("test"), &mut without)] {
            let begun: Instant = System.monotonic();
            let refused = account.sign_in_with("a wrong horse battery").await;
            times.push(System.monotonic() - begun);
            let refused = refused.expecting_problem(401, "UNAUTHORIZED_KEY");
            assert_eq!(refused.text("reason"), "SIGN_IN_FAILED");
            let other = gateway.stranger("test").sign_in_with("another wrong horse").await;
            assert_eq!(told(&refused), told(&other));
        }
    }
    // A hash takes longer than everything else of it: without one it would be a fraction of the time.
    let best = |times: &[Duration]| times.iter().min().copied().unwrap_or_default();
    let (with, without) = (best(&with), best(&without));
    assert!(without * 2 > with && with * 2 > without, "{with:?} with an account, {without:?} without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_31_tell_whether_somebody_else_has_a_card() {
    let gateway = Gateway::start().await;
    let (kim, lee, first) = (gateway.payer().await, gateway.payer().await, gateway.payer().await);
    let alone = first.register(cards::number("slow")).await.expecting(200);
    let _ = kim.keeps("approve").await;
    let shared = lee.register(cards::number("approve")).await.expecting(200);
    let members = |answer: &Answer| answer.body.as_object().map(|card| card.keys().cloned().collect::<Vec<_>>());
    assert_eq!(members(&shared), members(&alone));
    assert_eq!(told(&shared).2, told(&alone).2, "the same headers");
    let again = kim.register(cards::number("approve")).await.expecting(200);
    assert_eq!(told(&again), told(&shared), "nor does the answer tell that it is kept already");
    assert_ne!(again.text("cardId"), shared.text("cardId"));
    // A mistyped number is noticed before anybody is asked.
    let _ = lee.register("4242424242424241").await.expecting_problem(400, "INVALID_CARD_NUMBER");
    assert_eq!(count(&gateway, "stored_cards").await, 3);
}

//! Payers who have an account: who is signed in, for how long and where; the cards they keep; and what they pay for with them.

use std::collections::BTreeSet;
use std::future::IntoFuture as _;
use std::time::{Duration, Instant};

use futures::future::join_all;
use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Account, Answer, Gateway, Payment, cards};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bad_input::{basic, send};

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

/// The document without what is different each time.
fn told(answer: &Answer) -> (u16, Value, BTreeSet<String>) {
    let mut body = answer.body.clone();
    for member in ["instance", "traceId", "cardId", "registeredAt"] {
        if let Some(members) = body.as_object_mut() {
            members.remove(member);
        }
    }
    (answer.status, body, answer.headers.keys().map(ToString::to_string).collect())
}

/// How many rows a table has.
async fn count(gateway: &Gateway, table: &'static str) -> i64 {
    let query = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
    sqlx::query_scalar(query).fetch_one(gateway.db()).await.expect("Postgres answers")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_signs_up_keeps_a_card_and_pays_with_it() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    assert_eq!(payer.me().await.expecting(200).text("email"), payer.email);
    let card = payer.keeps("approve").await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let authenticated = payer.authenticate(&created, &card).await.expecting(200);
    assert_eq!(authenticated.text("status"), "IN_PROGRESS");
    assert_eq!(authenticated.text("cardNumber"), "424242******4242");
    assert!(authenticated.text("nextUrl").contains(created.payment_key()), "{authenticated:?}");
    gateway.bank.expect(&payment.order_id).never_charged().await;
    let confirmed = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
    assert_eq!((confirmed.text("status"), confirmed.text("moneyState")), ("DONE", "MOVED"));
    assert!(!confirmed.text.contains(&payer.email) && !confirmed.text.contains("card_"), "{confirmed:?}");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    let look = payer.look(&created).await.expecting(200);
    assert_eq!((look.text("status"), look.text("orderId")), ("DONE", payment.order_id.as_str()));
    assert!(!look.text("approvedAt").is_empty());
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_session_ends_when_it_should_and_at_once() {
    let gateway = Gateway::with().apis(2).start().await;
    let here = gateway.payer().await;
    let there = here.elsewhere();
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = there.sign_in().await.expecting(200);
    let _ = there.me().await.expecting(200);
    // Signing in again is another session, and the browser's old one is over.
    let old = there.cookie();
    let _ = there.sign_in().await.expecting(200);
    let new = there.cookie();
    assert_ne!(old, new);
    there.set_cookie(old);
    let gone = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    assert_eq!(gone.text("reason"), "SIGN_IN_REQUIRED");
    assert!(!gone.header("www-authenticate").contains("Basic"), "no browser may ask for a password: {gone:?}");
    there.set_cookie(new.clone());
    let _ = there.me().await.expecting(200);

    let _ = there.sign_out().await.expecting(200);
    assert_eq!(there.cookie(), None);
    there.set_cookie(new);
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = here.me().await.expecting(200);

    let _ = there.sign_in().await.expecting(200);
    assert_eq!(here.sign_out_everywhere().await.expecting(200).number("sessions"), 2);
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");

    // Another password ends every session but the one it was changed in.
    let _ = (here.sign_in().await.expecting(200), there.sign_in().await.expecting(200));
    let before = here.cookie();
    let wrong = here.change_password("another horse battery", "a better horse battery").await;
    assert_eq!(wrong.expecting_problem(403, "INVALID_PASSWORD").text("reason"), "CURRENT_PASSWORD_WRONG");
    let _ = here.change_password(&here.password, "a better horse battery").await.expecting(200);
    let _ = here.me().await.expecting(200);
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    here.set_cookie(before);
    let _ = here.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = there.sign_in().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = there.sign_in_with("a better horse battery").await.expecting(200);

    // By the database's clock.
    let idle = "update payer_sessions set seen_at = seen_at - interval '31 minutes'";
    sqlx::query(idle).execute(gateway.db()).await.expect("Postgres answers");
    let _ = there.me().await.expecting_problem(401, "UNAUTHORIZED_KEY");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_are_for_one_host_over_tls_and_for_no_script() {
    let gateway = Gateway::with().environment("NARU_INSECURE_COOKIES", "false").start().await;
    let account = gateway.stranger("test");
    let set = account.sign_up().await.expecting(200);
    let cookie = set.header("set-cookie");
    assert!(cookie.starts_with("__Host-naru_payer="), "{cookie}");
    for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.split("; ").any(|part| part == attribute), "{attribute} in {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
    let token = cookie.split(['=', ';']).nth(1).unwrap_or_default();
    assert!(token.len() >= 43, "256 bits: {cookie}");
    // What Postgres keeps opens nothing.
    let kept: Vec<u8> =
        sqlx::query_scalar("select token_hash from payer_sessions").fetch_one(gateway.db()).await.expect("one");
    assert_eq!(kept.len(), 32);
    assert!(!kept.windows(8).any(|part| token.as_bytes().windows(8).any(|other| other == part)));
    for (name, status) in [("naru_payer", 401), ("__Host-naru_payer", 200)] {
        account.set_cookie(Some(format!("{name}={token}")));
        assert_eq!(account.me().await.status, status, "{name}");
    }
}

/// A cookie is sent along with whatever any page asks for: that alone changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_pages_change_nothing() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let checkout = created.text("checkout.url").rsplit('/').next().expect("an id").to_owned();
    let cookie = payer.cookie().expect("signed in");
    let calls = [
        (Method::POST, "/payer/v1/sign-out".to_owned(), json!({})),
        (Method::POST, "/payer/v1/sign-out-everywhere".to_owned(), json!({})),
        (Method::POST, "/payer/v1/cards".to_owned(), Account::card(cards::number("slow"))),
        (Method::DELETE, format!("/payer/v1/cards/{card}"), Value::Null),
        (Method::POST, format!("/payer/v1/cards/{card}/default"), json!({})),
        (Method::POST, format!("/payer/v1/payments/{checkout}/authenticate"), json!({ "cardId": card })),
        (Method::POST, format!("/payer/v1/payments/{checkout}/cancel"), json!({})),
    ];
    let own = gateway.shop.url("");
    for (method, path, body) in &calls {
        for headers in [
            vec![],
            vec![("sec-fetch-site", "cross-site")],
            vec![("sec-fetch-site", "same-site"), ("origin", own.as_str())],
            vec![("origin", "https://evil.example")],
            vec![("origin", "null")],
            vec![("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
        ] {
            let mut request = gateway.shop.anonymous_request(method.clone(), path).header("cookie", &cookie).json(body);
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let refused = send(request).await.expecting_problem(403, "FORBIDDEN_REQUEST");
            assert_eq!(refused.text("reason"), "FOREIGN_PAGE", "{method} {path} {headers:?}");
        }
        // What a form can send, even of our own.
        if *method == Method::POST {
            let form = payer.request(method.clone(), path).header("content-type", "text/plain").body(body.to_string());
            let _ = send(form).await.expecting_problem(415, "INVALID_REQUEST");
        }
        let preflight = gateway.shop.anonymous(Method::OPTIONS, path).header("origin", "https://evil.example");
        let preflight = preflight.header("access-control-request-method", method.as_str()).await;
        assert_eq!(preflight.header("access-control-allow-origin"), "", "{preflight:?}");
    }
    assert_eq!(payer.cards().await.expecting(200).at("data").as_array().map(Vec::len), Some(1));
    assert_eq!(gateway.shop.get(created.payment_key()).await.text("status"), "READY");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_and_live_know_nothing_of_one_another() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let mut live = payer.elsewhere();
    "live".clone_into(&mut live.mode);
    let _ = live.sign_in().await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = live.sign_up().await.expecting(200);
    assert_eq!(live.cards().await.expecting(200).at("data"), &json!([]));
    let live_card = live.keeps("approve").await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let none = json!({ "checkout": { "url": "https://x/co_nobodys" } });
    let none = Answer { body: none, ..created.clone() };
    let theirs = live.authenticate(&created, &live_card).await.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");
    assert_eq!(told(&theirs), told(&live.authenticate(&none, &live_card).await), "as if it were not there");
    let _ = live.forget(&card).await.expecting_problem(404, "NOT_FOUND");
    let _ = payer.authenticate(&created, &live_card).await.expecting_problem(404, "NOT_FOUND");
    let _ = payer.authenticate(&created, &card).await.expecting(200);
    let _ = live.look(&created).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_payers_at_once_one_authenticates() {
    let gateway = Gateway::start().await;
    let (kim, lee) = (gateway.payer().await, gateway.payer().await);
    let (kims, lees) = (kim.keeps("approve").await, lee.keeps("approve").await);
    for _ in 0..5 {
        let payment = Payment::of(12_000);
        let created = gateway.shop.create(&payment).await.expecting(200);
        let guest = gateway.shop.payer_of(&created);
        let answers = tokio::join!(
            kim.authenticate(&created, &kims).into_future(),
            lee.authenticate(&created, &lees).into_future(),
            guest.authenticate(&payment).into_future(),
        );
        let statuses = [answers.0.status, answers.1.status, answers.2.status];
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        for (payer, status) in [(&kim, statuses[0]), (&lee, statuses[1])] {
            let expected = if status == 200 { 200 } else { 404 };
            assert_eq!(payer.look(&created).await.status, expected, "whoever authenticated it sees it");
        }
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instalments_are_chosen_with_the_card() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let order = |amount| gateway.shop.create(&Payment::of(amount)).into_future();
    let small = order(49_999).await;
    let refused = payer.authenticate_in(&small, &card, 3).await.expecting_problem(400, "INVALID_CARD_INSTALLMENT_PLAN");
    assert_eq!(refused.text("reason"), "INSTALLMENT_BELOW_AMOUNT");
    for (months, code) in [
        (1, "INVALID_CARD_INSTALLMENT_PLAN"),
        (13, "EXCEED_MAX_CARD_INSTALLMENT_PLAN"),
        (-1, "INVALID_CARD_INSTALLMENT_PLAN"),
    ] {
        let refused = payer.authenticate_in(&small, &card, months).await.expecting_problem(400, code);
        assert!(refused.text.contains("cardInstallmentPlan"), "{refused:?}");
    }
    let _ = payer.authenticate_in(&small, &card, 0).await.expecting(200);

    let payment = Payment::of(50_000);
    let large = gateway.shop.create(&payment).await.expecting(200);
    let _ = payer.authenticate_in(&large, &card, 12).await.expecting(200);
    let paid = gateway.shop.confirm(large.payment_key(), &payment.order_id, 50_000).await.expecting(200);
    assert_eq!(paid.number("card.installmentPlanMonths"), 12);
    assert_eq!(payer.look(&large).await.number("installmentPlanMonths"), 12);

    // A guest chooses in the same way.
    let page = |created: &Answer| {
        let id = created.text("checkout.url").rsplit('/').next().unwrap_or_default().to_owned();
        format!("/checkout/v1/{id}/authenticate")
    };
    let mut typed = Account::card(cards::number("approve"));
    typed["cardInstallmentPlan"] = 3.into();
    let refused = gateway.shop.post(&page(&order(49_999).await), &typed).await;
    let _ = refused.expecting_problem(400, "INVALID_CARD_INSTALLMENT_PLAN");
    let _ = gateway.shop.post(&page(&order(50_000).await), &typed).await.expecting(200);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_leafs_through_the_history_and_cancels_before_it_is_confirmed() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        let payment = Payment::of(12_000);
        let _ = gateway.authenticated_by(&payer, &card, &payment).await;
        keys.insert(0, payment.order_id);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = payer.history(&format!("limit=2&cursor={cursor}")).await.expecting(200);
        let data = page.at("data").as_array().cloned().unwrap_or_default();
        seen.extend(data.iter().map(|payment| payment["orderId"].as_str().unwrap_or_default().to_owned()));
        page.text("nextCursor").clone_into(&mut cursor);
        if page.at("hasMore") == false {
            break;
        }
    }
    assert_eq!(seen, keys);

    let created = gateway.authenticated_by(&payer, &card, &Payment::of(12_000)).await;
    let canceled = payer.cancel(&created).await.expecting(200);
    assert_eq!((canceled.text("status"), canceled.text("moneyState")), ("ABORTED", "NOT_MOVED"));
    let again = payer.cancel(&created).await.expecting(200);
    assert_eq!(again.body, canceled.body);
    let late = gateway.shop.confirm(created.payment_key(), created.text("orderId"), 12_000).await;
    assert_eq!(late.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION").text("reason"), "PAYMENT_ABORTED");
    // Its card may go, and it still shows what it was to be paid with.
    let _ = payer.forget(&card).await.expecting(200);
    assert_eq!(payer.look(&created).await.expecting(200).text("cardNumber"), "424242******4242");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_whose_card_was_forgotten_is_still_paid() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let payment = Payment::of(12_000);
    let created = gateway.authenticated_by(&payer, &card, &payment).await;
    assert_eq!(payer.forget(&card).await.expecting(200).at("data"), &json!([]));
    let other = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let _ = payer.authenticate(&other, &card).await.expecting_problem(404, "NOT_FOUND");
    let _ = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_are_offered_forgotten_and_kept_once() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let first = payer.register("4242 4242-4242 4242").await.expecting(200);
    let again = payer.register(cards::number("approve")).await.expecting(200);
    assert_eq!(again.body, first.body, "the same card is one");
    let second = payer.keeps("slow").await;
    let listed = |answer: &Answer| -> Vec<(String, bool)> {
        let all = answer.at("data").as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|card| (card["cardId"].as_str().unwrap_or_default().to_owned(), card["isDefault"] == true))
            .collect()
    };
    let first = first.text("cardId").to_owned();
    assert_eq!(listed(&payer.cards().await), [(second.clone(), false), (first.clone(), true)]);
    assert_eq!(listed(&payer.prefer(&second).await), [(second.clone(), true), (first.clone(), false)]);
    assert_eq!(listed(&payer.forget(&second).await), [(first.clone(), false)]);
    let _ = payer.prefer(&second).await.expecting_problem(404, "NOT_FOUND");
    for wrong in ["4242424242424242", "card_", "..", "%00"] {
        let gone = payer.forget(wrong).await;
        assert!(matches!(gone.status, 404 | 405), "{wrong}: {gone:?}");
    }
    let named =
        payer.post("/payer/v1/cards", &with(Account::card(cards::number("approve")), "nickname", "빨간 카드")).await;
    assert_eq!((named.text("nickname"), named.text("cardId")), ("빨간 카드", first.as_str()));
    let numbered = with(Account::card(cards::number("approve")), "nickname", "4242 4242 4242 4242");
    let _ = payer.post("/payer/v1/cards", &numbered).await.expecting_problem(400, "INVALID_REQUEST");
    assert_eq!(listed(&payer.cards().await).len(), 1);
    // The card company refuses one, and another can't be asked about: neither is kept.
    let unlucky = gateway.payer().await;
    let _ = unlucky.register(cards::number("refuse_token_82")).await.expecting_problem(400, "INVALID_CARD_NUMBER");
    let away = unlucky.register(cards::number("token_error")).await;
    assert_eq!(away.expecting_problem(503, "FAILED_CARD_COMPANY_RESPONSE").at("retryable"), true);
    assert_eq!(listed(&unlucky.cards().await).len(), 0);
}

fn with(mut body: Value, member: &str, value: &str) -> Value {
    body[member] = value.into();
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_registers_five_cards_an_hour() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let tries = join_all((0..9).map(|_| payer.register(cards::number("approve")).into_future())).await;
    let refused: Vec<&Answer> = tries.iter().filter(|answer| answer.status == 429).collect();
    assert_eq!((refused.len(), tries.iter().filter(|answer| answer.status == 200).count()), (4, 5), "{tries:?}");
    for answer in refused {
        let wait: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((3_000..=3_600).contains(&wait), "{answer:?}");
        let _ = answer.clone().expecting_problem(429, "COMMON_ERROR");
    }
    // From another browser, too; and another payer is not concerned.
    let elsewhere = payer.elsewhere();
    let _ = elsewhere.sign_in().await.expecting(200);
    let _ = elsewhere.register(cards::number("slow")).await.expecting_problem(429, "COMMON_ERROR");
    let _ = gateway.payer().await.register(cards::number("approve")).await.expecting(200);
}

/// Whoever looks for cards finds ten an hour that are none, whether as a guest or with accounts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_has_ten_declined_cards_an_hour() {
    let gateway = Gateway::start().await;
    let one = gateway.payer().await;
    let mut other = gateway.payer().await;
    other.address.clone_from(&one.address);
    for payer in [&one, &other] {
        for _ in 0..2 {
            let _ = payer.register(cards::number("refuse_token_82")).await.expecting(400);
        }
    }
    let as_guest = async |card: &str, address: &str| {
        let order = Payment::of(12_000).card(card);
        let created = gateway.shop.create(&order).await.expecting(200);
        gateway.shop.payer_of(&created).authenticate(&order).header("x-forwarded-for", address).await
    };
    for _ in 0..6 {
        let _ = as_guest("refuse_token_82", &one.address).await.expecting(400);
    }
    // Good cards are refused there now, too, as a guest and with an account.
    let limited = as_guest("approve", &one.address).await.expecting_problem(429, "COMMON_ERROR");
    assert_eq!(limited.text("reason"), "RATE_LIMITED");
    let _ = one.register(cards::number("approve")).await.expecting_problem(429, "COMMON_ERROR");
    // Elsewhere they are not. And nobody but our own proxy says where that is.
    let _ = as_guest("approve", "10.200.0.1").await.expecting(200);
    let _ = as_guest("approve", &format!("10.200.0.2, {}", one.address)).await.expecting_problem(429, "COMMON_ERROR");
    // An hour later it begins anew.
    let passes = "update rate_limits set window_start = window_start - interval '61 minutes', until = until - interval '61 minutes'";
    sqlx::query(passes).execute(gateway.db()).await.expect("Postgres answers");
    let _ = as_guest("approve", &one.address).await.expecting(200);
}

/// Tried at once they are no more than tried one after the other; and good ones wait for their turn, and are taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_cards_finds_out_no_more() {
    let gateway = Gateway::start().await;
    let tries = async |card: &str, address: &str, count: usize| {
        let orders: Vec<Payment> = (0..count).map(|_| Payment::of(12_000).card(card)).collect();
        let pays = orders.iter().map(async |order| {
            let created = gateway.shop.create(order).await.expecting(200);
            gateway.shop.payer_of(&created).authenticate(order).header("x-forwarded-for", address).await
        });
        join_all(pays).await
    };
    let burst = tries("refuse_token_82", "10.202.0.1", 40).await;
    let judged = burst.iter().filter(|answer| answer.text("reason") != "RATE_LIMITED").count();
    assert_eq!(judged, 10, "{burst:?}");
    let good = tries("approve", "10.202.0.2", 40).await;
    assert!(good.iter().all(|answer| answer.status == 200), "{good:?}");
}

/// A payment has ten cards. One's own that is good, but not in months, is one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_card_that_is_refused_for_its_months_makes_no_room_for_others() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.create(&Payment::of(50_000)).await.expecting(200);
    let page = format!("/checkout/v1/{}/authenticate", created.text("checkout.url").rsplit('/').next().expect("an id"));
    let debit = with(Account::card("9400061000000009"), "cardInstallmentPlan", "2");
    for _ in 0..10 {
        let refused = gateway.shop.post(&page, &debit).await;
        assert_eq!(refused.text("code"), "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN", "{refused:?}");
    }
    let refused = gateway.shop.post(&page, &Account::card(cards::number("approve"))).await;
    assert_eq!(refused.text("reason"), "TOO_MANY_CARDS", "{refused:?}");
}

/// Nobody's page has its visitors' browsers try cards, or reads what a checkout says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_are_typed_on_no_page_but_ours() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let (guest, own) = (gateway.shop.payer_of(&created), gateway.shop.url(""));
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "https://shop.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for call in [guest.authenticate(&payment), guest.cancel()] {
            let refused = call.header(name, value).await.expecting_problem(403, "FORBIDDEN_REQUEST");
            assert_eq!(refused.text("reason"), "FOREIGN_PAGE", "{name}: {value}");
            assert_eq!(refused.header("access-control-allow-origin"), "", "{refused:?}");
        }
        let shown = guest.look().header(name, value).await.expecting(200);
        assert_eq!(shown.header("access-control-allow-origin"), "", "{shown:?}");
    }
    let ours = guest.authenticate(&payment).header("origin", &own).header("sec-fetch-site", "same-origin").await;
    assert_eq!(ours.expecting(200).text("status"), "IN_PROGRESS");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signing_in_wrongly_is_slow_business() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let here = || {
        let mut here = payer.elsewhere();
        "10.201.0.1".clone_into(&mut here.address);
        here
    };
    // Being right in between takes nothing off the count.
    let _ = here().sign_in_with("a wrong horse battery").await.expecting(401);
    let _ = here().sign_in().await.expecting(200);
    let tries: Vec<Account> = (0..12).map(|_| here()).collect();
    let answers = join_all(tries.iter().map(|account| account.sign_in_with("a wrong horse battery"))).await;
    // Too many at once wait for their turn, or are told to come again.
    let counted = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(counted, 4, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 401 | 429)), "{answers:?}");
    let right = here().sign_in().await.expecting_problem(429, "COMMON_ERROR");
    let wait: u64 = right.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{right:?}");
    let _ = payer.me().await.expecting(200);
    // Whoever tries there keeps nobody out who comes from elsewhere; a hundred, from wherever they come, do.
    let _ = payer.elsewhere().sign_in().await.expecting(200);
    let many = "update rate_limits set count = 100 where scope = 'wrong_passwords_account' and count = 5";
    assert_eq!(sqlx::query(many).execute(gateway.db()).await.expect("Postgres answers").rows_affected(), 1);
    let _ = payer.elsewhere().sign_in().await.expecting_problem(429, "COMMON_ERROR");
    let few = "update rate_limits set count = 5 where scope = 'wrong_passwords_account'";
    sqlx::query(few).execute(gateway.db()).await.expect("Postgres answers");
    // The next time it takes longer.
    let passes = async || {
        let passes = "update rate_limits set window_start = window_start - interval '61 seconds', until = until - interval '61 seconds'";
        sqlx::query(passes).execute(gateway.db()).await.expect("Postgres answers");
    };
    passes().await;
    for _ in 0..5 {
        let _ = here().sign_in_with("a wrong horse battery").await.expecting(401);
    }
    let longer = here().sign_in().await.expecting_problem(429, "COMMON_ERROR");
    let wait: u64 = longer.header("retry-after").parse().expect("seconds");
    assert!((61..=120).contains(&wait), "{longer:?}");
    passes().await;
    passes().await;
    let _ = here().sign_in().await.expecting(200);

    // A network of IPv6 has ten times what a place in it has.
    let mut around = gateway.stranger("test");
    let mut network = async |count: &'static str, address: &str| {
        let count = sqlx::AssertSqlSafe(format!("update rate_limits set count = {count}"));
        sqlx::query(count).execute(gateway.db()).await.expect("Postgres answers");
        address.clone_into(&mut around.address);
        // Each time another account, so that it is no account's count.
        around.email.insert(0, 'x');
        around.sign_in().await.status
    };
    assert_eq!(network("count", "2001:db8:1:1::1").await, 401);
    assert_eq!(network("20", "2001:db8:1:1::1").await, 429);
    assert_eq!(network("20", "2001:db8:1:2::1").await, 401, "the other has its own");
    assert_eq!(network("200", "2001:db8:1:3::1").await, 429, "but not all around without end");
    assert_eq!(network("200", "2001:db8:2:3::1").await, 401);
    sqlx::query("delete from rate_limits").execute(gateway.db()).await.expect("Postgres answers");

    // An address has twenty, whatever accounts it tries.
    let mut here = gateway.stranger("test");
    let mut statuses = Vec::new();
    for n in 0..21 {
        here.email = format!("nobody-{n}@mail.example");
        statuses.push(here.sign_in().await.status);
    }
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 20, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
}

// The holes of the system before this one that concern payers, each a story that must not be told of this one.

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
    let _ = lee.register("4242424242424241").await.expecting_problem(400, "INVALID_REQUEST");
    assert_eq!(count(&gateway, "stored_cards").await, 3);
}

//! Card numbers, CVCs, card passwords and identity numbers go to the card company, and nowhere else: not to a table, its
//! files or its log of changes, not to a message, a log line or an answer. Every one that is used here occurs nowhere else.

use std::time::Duration;

use naru_testbed::canary::{Finder, forms_of, needles, tables};
use naru_testbed::{Account, Answer, Call, Gateway, Link, Payment, Who, cards};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bad_input::send;

/// Right and wrong ones, each long enough not to occur by chance.
const IDENTITY: &str = "8412067935";
const WRONG_NUMBER: &str = "4929817365201847";
const LONG_NUMBER: &str = "49298173652018473625";
const LONG_CVC: &str = "73518264907";
const LONG_PASSWORD: &str = "90264713580";
const LONG_IDENTITY: &str = "31840975263184";
/// Too short to be looked for alone: looked for in quotes and behind its name.
const CVC: &str = "7351";

/// Everything that was seen from outside.
#[derive(Default)]
struct Seen {
    answers: Vec<Answer>,
}

impl Seen {
    async fn add(&mut self, call: Call) -> Answer {
        let answer = call.timeout(Duration::from_secs(20)).await;
        self.answers.push(answer.clone());
        answer
    }

    async fn add_request(&mut self, request: reqwest::RequestBuilder) {
        self.answers.push(send(request).await);
    }
}

/// An order with everything that can be typed from this card.
fn typed(card: &str) -> Payment {
    Payment::of(12_000).card(card).with("cvc", CVC).with("cardPassword", "73").with("customerIdentityNumber", IDENTITY)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_14_tell_or_log_a_card() {
    let gateway = Gateway::with()
        .own_servers()
        .proxied(Link::Postgres, Who::Apis)
        // Whatever anybody logs at all.
        .environment("NARU_LOG", "trace")
        .start()
        .await;
    let mut seen = Seen::default();
    payments(&gateway, &mut seen).await;
    stored_cards(&gateway, &mut seen).await;
    billing_keys(&gateway, &mut seen).await;
    refusals(&gateway, &mut seen).await;
    misplaced(&gateway, &mut seen).await;
    gateway.settled().await;
    // Messages stay where they are when nobody comes for them.
    gateway.worker().kill9();
    let waiting =
        seen.add(gateway.shop.key_in(&typed("slow")).idempotency_key("waiting").prefer("respond-async")).await;
    assert_eq!(waiting.status, 202, "{waiting:?}");
    outages(&gateway, &mut seen).await;

    let found = look_everywhere(&gateway, &seen).await;
    assert!(found.is_empty(), "card data was found:\n{}", found.join("\n"));
}

/// Payments that succeed, fail, are repeated, and take detours.
async fn payments(gateway: &Gateway, seen: &mut Seen) {
    let shop = &gateway.shop;
    for card in [
        "approve",
        "decline_51",
        "decline_82",
        "error_twice",
        "drop_after",
        "malformed",
        "wrong_amount",
        "refuse_token_82",
        "refuse_token_63",
    ] {
        let order = typed(card);
        for _ in 0..2 {
            let answer = seen.add(shop.key_in(&order).idempotency_key(card)).await;
            assert!(matches!(answer.status, 200 | 400..=409 | 504), "{card}: {answer:?}");
        }
        let changed = order.clone().with("amount", 13_000).with("cardNumber", cards::number("decline_05"));
        seen.add(shop.key_in(&changed).idempotency_key(card)).await;
        seen.add(shop.get_order(&order.order_id)).await;
    }
    for (card, number) in [("approve", "4242 4242-4242 4242"), ("decline_51", "4000-0000-0000-9995")] {
        let order = typed(card);
        let created = seen.add(shop.create(&order)).await;
        let payer = shop.payer_of(&created);
        seen.add(payer.authenticate(&order.clone().card_number(WRONG_NUMBER))).await;
        seen.add(payer.authenticate(&order.clone().card_number(number))).await;
        seen.add(payer.look()).await;
        seen.add(shop.confirm(created.payment_key(), &order.order_id, 12_000)).await;
        seen.add(payer.look()).await;
        seen.add(shop.events(created.payment_key())).await;
        seen.add(gateway.operator.payment(created.payment_key())).await;
        seen.add(
            shop.call(Method::GET, &format!("/v1/payments/{}/events", created.payment_key()))
                .header("accept", "text/event-stream"),
        )
        .await;
    }
    seen.add(shop.list("limit=100")).await;
    seen.add(gateway.operator.letters()).await;
    seen.add(gateway.operator.stuck()).await;
}

/// Cards that merchants keep, by both ways.
async fn billing_keys(gateway: &Gateway, seen: &mut Seen) {
    let shop = &gateway.shop;
    for (nth, number) in
        [cards::number("approve"), "4242 4242-4242 4242", cards::number("refuse_token_82"), WRONG_NUMBER, LONG_NUMBER]
            .into_iter()
            .enumerate()
    {
        let mut typed = Account::card(number);
        for (member, value) in [("cardPassword", "73"), ("customerIdentityNumber", IDENTITY)] {
            typed[member] = value.into();
        }
        let requested = seen.add(shop.request_billing("customer-1")).await;
        let url = format!("/checkout/v1/billing/{}/authenticate", requested.text("requestId"));
        let authenticated = seen.add(shop.post(&url, &typed)).await;
        let auth_key = authenticated.text("nextUrl").rsplit('=').next().unwrap_or_default().to_owned();
        let issued = seen.add(shop.issue(&auth_key, "customer-1").idempotency_key(&format!("issue {nth}"))).await;
        seen.add(shop.charge(issued.text("billingKey"), "customer-1", &Payment::of(4_900))).await;
        typed["customerKey"] = "customer-1".into();
        let authorize = || shop.post("/v1/billing/authorizations/card", &typed);
        for _ in 0..2 {
            let issued = seen.add(authorize().idempotency_key(&format!("authorize {nth}"))).await;
            seen.add(shop.charge(issued.text("billingKey"), "customer-1", &Payment::of(4_900))).await;
        }
        seen.add(authorize()).await;
    }
}

/// Cards that payers keep, or try to.
async fn stored_cards(gateway: &Gateway, seen: &mut Seen) {
    let whole = |number: &str| {
        let mut typed = Account::card(number);
        for (member, value) in [("cvc", CVC), ("cardPassword", "73"), ("customerIdentityNumber", IDENTITY)] {
            typed[member] = value.into();
        }
        typed
    };
    let payer = gateway.payer().await;
    let kept = seen.add(payer.post("/payer/v1/cards", &whole(cards::number("approve")))).await;
    let again = seen.add(payer.post("/payer/v1/cards", &whole("4242 4242-4242 4242"))).await;
    assert_eq!((kept.status, again.status), (200, 200), "{kept:?} {again:?}");
    for number in [cards::number("refuse_token_82"), cards::number("token_error"), cards::number("token_busy")] {
        seen.add(payer.post("/payer/v1/cards", &whole(number))).await;
    }
    for (member, value) in [
        ("cardNumber", json!(WRONG_NUMBER)),
        ("cardNumber", json!(LONG_NUMBER)),
        ("cardNumber", json!({ "number": cards::number("approve") })),
        ("cvc", json!(LONG_CVC)),
        ("cardPassword", json!(LONG_PASSWORD)),
        ("customerIdentityNumber", json!(LONG_IDENTITY)),
        ("nickname", json!(cards::number("approve"))),
        ("nickname", json!("mine: 4242 4242 4242 4242")),
        (cards::number("approve"), json!(IDENTITY)),
    ] {
        let mut wrong = whole(cards::number("approve"));
        wrong[member] = value;
        let answer = seen.add(payer.post("/payer/v1/cards", &wrong)).await;
        assert_eq!(answer.status, 400, "{answer:?}");
    }
    let card = kept.text("cardId").to_owned();
    let order = Payment::of(12_000);
    let created = seen.add(gateway.shop.create(&order)).await;
    seen.add(payer.authenticate(&created, cards::number("approve"))).await;
    seen.add(payer.authenticate(&created, &card)).await;
    seen.add(gateway.shop.confirm(created.payment_key(), &order.order_id, 12_000)).await;
    seen.add(payer.look(&created)).await;
    seen.add(payer.history("limit=10")).await;
    seen.add(payer.cards()).await;
    let number = cards::number("approve");
    for path in [
        format!("/payer/v1/cards/{number}"),
        format!("/payer/v1/cards/card_{number}"),
        format!("/payer/v1/payments/{number}"),
        format!("/payer/v1/payments?cursor={number}"),
        format!("/payer/v1/payments?{number}=1"),
        format!("/payer/v1/{number}"),
    ] {
        seen.add(payer.get(&path)).await;
        seen.add_request(payer.request(Method::DELETE, &path)).await;
    }
    // Where a name and a password belong.
    for path in ["/payer/v1/sign-up", "/payer/v1/sign-in"] {
        for body in [
            json!({ "email": number, "password": "correct horse battery", "mode": "test" }),
            json!({ "email": "someone@mail.example", "password": number, "mode": "test" }),
            json!({ "email": "someone@mail.example", "password": "correct horse battery", "mode": number }),
            whole(number),
        ] {
            seen.add(payer.post(path, &body)).await;
        }
    }
    seen.add(payer.get("/payer/v1/me").header("cookie", &format!("naru_payer={number}"))).await;
    seen.add(payer.get("/payer/v1/me").header("x-forwarded-for", number)).await;
    seen.add(payer.forget(&card)).await;
}

/// Fields that are refused, alone and together.
async fn refusals(gateway: &Gateway, seen: &mut Seen) {
    let number: Value = serde_json::from_str(cards::number("approve")).expect("digits are a number");
    for wrong in [
        typed("approve").card_number(WRONG_NUMBER),
        typed("approve").card_number(LONG_NUMBER),
        typed("approve").card_number("4242_4242_4242_4242"),
        typed("approve").with("cardNumber", number),
        typed("approve").with("cardNumber", json!({ "number": cards::number("approve") })),
        typed("approve").with("cardNumber", json!([cards::number("approve")])),
        typed("approve").with("cvc", LONG_CVC),
        typed("approve").with("cvc", 73_518_264_907_i64),
        typed("approve").with("cardPassword", LONG_PASSWORD),
        typed("approve").with("customerIdentityNumber", LONG_IDENTITY),
        typed("approve").with("customerIdentityNumber", 8_412_067_935_i64),
        typed("approve").with("amount", "all of it"),
        typed("approve").with("cardExpirationYear", "19"),
        typed("token_error"),
        typed("token_busy"),
    ] {
        let answer = seen.add(gateway.shop.key_in(&wrong).idempotency_key("wrong")).await;
        assert!(answer.status >= 400, "{answer:?}");
        let created = seen.add(gateway.shop.create(&Payment::of(12_000))).await;
        let path = format!(
            "/checkout/v1/{}/authenticate",
            created.text("checkout.url").rsplit('/').next().unwrap_or_default()
        );
        seen.add(gateway.shop.post(&path, &wrong.key_in_body())).await;
    }
}

/// Card data where none belongs.
async fn misplaced(gateway: &Gateway, seen: &mut Seen) {
    let shop = &gateway.shop;
    let number = cards::number("approve");
    for path in [
        format!("/v1/payments/{number}"),
        format!("/v1/payments/orders/{number}"),
        format!("/v1/payments/{number}/events"),
        format!("/v1/payments?cursor={number}"),
        format!("/v1/payments?{number}=1"),
        format!("/checkout/v1/{number}"),
        format!("/{number}"),
        format!("/problems/{number}"),
    ] {
        seen.add(shop.call(Method::GET, &path)).await;
        seen.add(shop.call("BREW".parse().expect("a method"), &path)).await;
    }
    let body = typed("approve").key_in_body().to_string();
    for (kind, body) in [
        ("text/plain", body.clone()),
        ("application/x-www-form-urlencoded", format!("cardNumber={number}&cvc={LONG_CVC}")),
        ("application/json", body[..body.len() - 1].to_owned()),
        ("application/json", format!("{body}{body}")),
        ("application/json", body.replacen('{', &format!("{{\"{number}\":1,\"{number}\":2,"), 1)),
    ] {
        for path in [
            "/v1/payments/key-in",
            "/v1/payments",
            "/v1/payments/confirm",
            "/checkout/v1/co_x/authenticate",
            "/payer/v1/cards",
            "/nowhere",
        ] {
            seen.add_request(shop.request(Method::POST, path).header("content-type", kind).body(body.clone())).await;
        }
    }
    // Calls that take no card ignore these, and name only what they are called.
    let ignored = Payment::of(12_000)
        .with("cardNumber", number)
        .with("cvc", LONG_CVC)
        .with(number, IDENTITY)
        .with("card", json!({ number: LONG_PASSWORD }));
    let answer = seen.add(shop.create(&ignored).idempotency_key("ignored")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for (name, value) in [
        ("authorization", format!("Basic {number}")),
        ("authorization", number.to_owned()),
        ("traceparent", number.to_owned()),
        ("prefer", format!("wait={number}")),
        ("last-event-id", number.to_owned()),
        ("accept-language", number.to_owned()),
    ] {
        seen.add(shop.anonymous(Method::GET, "/v1/payments").header(name, &value)).await;
    }
}

/// The card company and Postgres are away.
async fn outages(gateway: &Gateway, seen: &mut Seen) {
    let created = seen.add(gateway.shop.create(&Payment::of(12_000))).await;
    gateway.proxy(Link::Postgres).refuse();
    let answer = seen.add(gateway.shop.key_in(&typed("approve")).idempotency_key("no postgres")).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    gateway.proxy(Link::Postgres).heal();
    gateway.simulator.kill9();
    let answer = seen.add(gateway.shop.key_in(&typed("approve")).idempotency_key("no card company")).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    seen.add(gateway.shop.payer_of(&created).authenticate(&typed("approve"))).await;
}

async fn look_everywhere(gateway: &Gateway, seen: &Seen) -> Vec<String> {
    let mut all = needles();
    for (name, digits) in [
        ("identity", IDENTITY),
        ("wrong number", WRONG_NUMBER),
        ("long number", LONG_NUMBER),
        ("long CVC", LONG_CVC),
        ("long password", LONG_PASSWORD),
        ("long identity", LONG_IDENTITY),
    ] {
        all.extend(forms_of(name, digits));
    }
    for short in [
        format!("\"{CVC}\""),
        format!("\\\"{CVC}\\\""),
        format!("cvc={CVC}"),
        format!("cvc: {CVC}"),
        format!("Cvc({CVC}"),
    ] {
        all.push((format!("CVC as {short}"), short.into_bytes()));
    }
    let finder = Finder::of(all);
    let mut found = Vec::new();
    for answer in &seen.answers {
        let told = format!("{}\n{answer:?}", answer.text);
        found.extend(finder.found_in(told.as_bytes()).into_iter().map(|what| format!("an answer: {what}\n{answer:?}")));
    }
    for (table, rows) in tables(gateway.db()).await {
        found.extend(finder.found_in(rows.as_bytes()).into_iter().map(|what| format!("{table}: {what}")));
    }
    // Logs and the card company's journal; then files of Postgres with its log of changes, of RabbitMQ, of Redis.
    found.extend(finder.found_under(gateway.folder()));
    let _ = sqlx::query("checkpoint").execute(gateway.db()).await;
    found.extend(found_in_redis(gateway, &finder).await);
    // What must be in them, so that not finding the rest says something.
    let known =
        Finder::of(vec![("orders".into(), b"a pair of socks".into()), ("queues".into(), b"work.pay.card".into())]);
    let mut known_in = 0;
    for home in gateway.own.homes() {
        known_in += usize::from(!known.found_under(&home).is_empty());
        found.extend(finder.found_under(&home));
    }
    assert!(known_in >= 2, "the files of Postgres and RabbitMQ can be read");
    let planted = finder.found_in(format!("{{\"cvc\":\"{CVC}\"}} {}", cards::number("approve")).as_bytes());
    assert!(planted.len() >= 2, "the finder finds what is there");
    found.sort();
    found.dedup();
    found
}

async fn found_in_redis(gateway: &Gateway, finder: &Finder) -> Vec<String> {
    let client = redis::Client::open(gateway.own.redis().url()).expect("the address can be read");
    let mut connection = client.get_multiplexed_async_connection().await.expect("Redis answers");
    let keys: Vec<Vec<u8>> =
        redis::cmd("KEYS").arg("*").query_async(&mut connection).await.expect("Redis lists its keys");
    let mut found = Vec::new();
    for key in keys {
        let value: Vec<u8> = redis::cmd("DUMP").arg(&key).query_async(&mut connection).await.unwrap_or_default();
        found.extend(finder.found_in(&[key, value].concat()).into_iter().map(|what| format!("Redis: {what}")));
    }
    found
}

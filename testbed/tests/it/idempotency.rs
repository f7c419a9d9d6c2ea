//! `Idempotency-Key`: the same request again is the same answer, to the byte and for ever; another request is refused.

use std::time::Duration;

use futures::future::join_all;
use naru_testbed::{Answer, Gateway, Payment, Shop, eventually};
use reqwest::Method;
use serde_json::json;

use crate::bad_input::{basic, send};

/// Longer than any payment of these takes.
const SOON: Duration = Duration::from_secs(15);

/// Insists that both are the same answer: status, body, and where it leads to.
fn assert_same(first: &Answer, again: &Answer) {
    assert_eq!((first.status, &first.text), (again.status, &again.text));
    for name in ["content-type", "location"] {
        assert_eq!(first.header(name), again.header(name), "{name}");
    }
    assert_eq!(
        (first.header("idempotent-replayed"), again.header("idempotent-replayed")),
        ("", "true"),
        "{first:?}\n{again:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_is_the_same_answer_also_after_a_restart() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let paid = Payment::of(12_000);
    let declined = Payment::of(12_000).card("decline_51");
    let created = Payment::of(12_000);
    let confirmed = Payment::of(12_000);
    let waiting = shop.authenticated(&confirmed).await;
    let confirm = || shop.confirm(waiting.payment_key(), &confirmed.order_id, 12_000).idempotency_key("confirm");
    let by_path = format!("/v1/payments/{}", waiting.payment_key());

    let firsts = [
        shop.key_in(&paid).idempotency_key("paid").await.expecting(200),
        shop.key_in(&declined).idempotency_key("declined").await.expecting_problem(403, "REJECT_CARD_PAYMENT"),
        shop.create(&created).idempotency_key("created").await.expecting(200),
        confirm().await.expecting(200),
    ];
    let again = async || {
        [
            shop.key_in(&paid).idempotency_key("paid").await,
            shop.key_in(&declined).idempotency_key("declined").await,
            shop.create(&created).idempotency_key("created").await,
            confirm().await,
        ]
    };
    for (first, again) in firsts.iter().zip(&again().await) {
        assert_same(first, again);
    }
    // What the payment became later makes no difference to what its creation answered.
    let payer = shop.payer_of(&firsts[2]);
    let _ = payer.cancel().await.expecting(200);
    gateway.api().restart().await;
    for (first, again) in firsts.iter().zip(&again().await) {
        assert_same(first, again);
    }
    // The other form of confirm is another call: its key is another key, and the payment is done.
    let other =
        shop.post(&by_path, &json!({ "orderId": confirmed.order_id, "amount": 12_000 })).idempotency_key("confirm");
    let other = other.await.expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
    assert_eq!(other.text("paymentMoneyState"), "MOVED");
    gateway.bank.expect(&paid.order_id).charged_once().await;
    gateway.check().await;
}

/// Behind one address there are many: whichever is asked answers alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_api_gives_the_same_answer() {
    let gateway = Gateway::with().apis(2).start().await;
    let (shop, other) = (&gateway.shop, gateway.shop.at(&gateway.apis[1]));
    let (paid, declined, created) = (Payment::of(12_000), Payment::of(12_000).card("decline_51"), Payment::of(12_000));
    let first = shop.key_in(&paid).idempotency_key("paid").await.expecting(200);
    assert_same(&first, &other.key_in(&paid).idempotency_key("paid").await);
    let first = other.key_in(&declined).idempotency_key("declined").await.expecting_problem(403, "REJECT_CARD_PAYMENT");
    assert_same(&first, &shop.key_in(&declined).idempotency_key("declined").await);
    let first = shop.create(&created).idempotency_key("created").await.expecting(200);
    assert_same(&first, &other.create(&created).idempotency_key("created").await);
    let open = Payment::of(12_000);
    let held = gateway.bank.hold(&open.order_id, "approve", "before").await;
    let _ = shop.key_in(&open).idempotency_key("open").prefer("respond-async").await.expecting(202);
    let again = other.key_in(&open).idempotency_key("open").await;
    let _ = again.expecting_problem(409, "IDEMPOTENT_REQUEST_PROCESSING");
    held.release().await;
    gateway.settled().await;
    gateway.bank.expect(&paid.order_id).charged_once().await;
    gateway.bank.expect(&open.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_open_the_same_request_is_told_to_come_back() {
    let gateway = Gateway::start().await;
    let order = Payment::of(12_000);
    let held = gateway.bank.hold(&order.order_id, "approve", "before").await;
    let first = gateway.shop.key_in(&order).idempotency_key("held").prefer("respond-async").await.expecting(202);
    held.reached().await;
    for _ in 0..3 {
        let again = gateway.shop.key_in(&order).idempotency_key("held").await;
        let again = again.expecting_problem(409, "IDEMPOTENT_REQUEST_PROCESSING");
        assert_eq!((again.header("retry-after"), again.header("location")), ("1", first.header("location")));
        assert_eq!((again.text("moneyState"), again.at("retryable")), ("UNKNOWN", &json!(true)), "{again:?}");
    }
    held.release().await;
    let done = eventually("it is settled", SOON, async || {
        let again = gateway.shop.key_in(&order).idempotency_key("held").await;
        (again.status != 409).then_some(again)
    });
    let done = done.await.expecting(200);
    assert_eq!((done.text("status"), done.payment_key()), ("DONE", first.payment_key()));
    gateway.bank.expect(&order.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_request_under_the_same_key_is_refused_by_what_differs() {
    let gateway = Gateway::start().await;
    let order = Payment::of(12_000)
        .with("cvc", "1234")
        .with("cardPassword", "12")
        .with("metadata", json!({ "a": "1", "b": "2" }));
    let first = gateway.shop.key_in(&order).idempotency_key("one").await.expecting(200);
    let differing: [(Payment, &[&str]); 7] = [
        (order.clone().with("amount", 12_001), &["amount"]),
        (order.clone().card("approve").with("cardNumber", naru_testbed::cards::number("decline_51")), &["cardNumber"]),
        (order.clone().with("orderName", "two pairs of socks"), &["orderName"]),
        (
            order.clone().order(&Payment::of(1).order_id).with("cardExpirationMonth", "11"),
            &["cardExpirationMonth", "orderId"],
        ),
        (order.clone().with("metadata", json!({ "a": "1", "b": "3" })), &["metadata.b"]),
        (order.clone().with("currency", "KRW"), &["currency"]),
        (order.clone().with("metadata", json!(null)), &["metadata.a", "metadata.b"]),
    ];
    for (other, fields) in differing {
        let answer = gateway.shop.key_in(&other).idempotency_key("one").await.expecting_problem(422, "INVALID_REQUEST");
        let named: Vec<&str> =
            answer.at("errors").as_array().into_iter().flatten().filter_map(|error| error["field"].as_str()).collect();
        assert_eq!((named.as_slice(), answer.text("reason")), (fields, "IDEMPOTENCY_KEY_REUSED"), "{answer:?}");
        assert_eq!(answer.text("moneyState"), "NOT_MOVED");
    }
    // Of these nothing may be kept, so nothing can be compared; and these mean the same.
    for same in [
        order.clone().with("cvc", "4321"),
        order.clone().with("cvc", json!(null)),
        order.clone().with("cardPassword", "21"),
        order.clone().with("customerIdentityNumber", "900101"),
        order.clone().with("cardNumber", "4242-4242-4242-4242"),
        order.clone().with("amount", "12000"),
        order.clone().with("unknown", "field"),
        order.clone().with("customerName", json!(null)),
    ] {
        assert_same(&first, &gateway.shop.key_in(&same).idempotency_key("one").await);
    }
    gateway.bank.expect(&order.order_id).charged_once().await;
    gateway.check().await;
}

/// A key belongs to one call of one merchant in one world.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whose_key_it_is() {
    let gateway = Gateway::start().await;
    let (other, live) = (gateway.another_shop().await, gateway.live_shop().await);
    let shops: [&Shop; 3] = [&gateway.shop, &other, &live];
    let mut keys = Vec::new();
    for shop in shops {
        let order = Payment::of(12_000);
        let answer = shop.key_in(&order).idempotency_key("mine").await.expecting(200);
        assert_eq!(answer.header("idempotent-replayed"), "");
        keys.push(answer.payment_key().to_owned());
    }
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 3);
    let created = gateway.shop.create(&Payment::of(12_000)).idempotency_key("mine").await.expecting(200);
    assert_eq!(created.header("idempotent-replayed"), "", "another call of the same merchant");
    // A client key is everybody's: what it sends has keys of its own, which say nothing of the server's.
    let first = send(page(&gateway.shop, &Payment::of(12_000)).header("idempotency-key", "mine")).await.expecting(200);
    assert_eq!(first.header("idempotent-replayed"), "");
    let other = page(&gateway.shop, &Payment::of(12_000)).header("idempotency-key", "mine");
    let _ = send(other).await.expecting_problem(422, "INVALID_REQUEST");
    // Nor does it use up any.
    let order = Payment::of(12_000);
    let _ = send(page(&gateway.shop, &Payment::of(12_000)).header("idempotency-key", "taken?")).await.expecting(200);
    let server = gateway.shop.create(&order).idempotency_key("taken?").await.expecting(200);
    assert_eq!((server.header("idempotent-replayed"), server.text("orderId")), ("", order.order_id.as_str()));
    gateway.check().await;
}

/// A create with the client key, as the merchant's page sends it.
fn page(shop: &Shop, payment: &Payment) -> reqwest::RequestBuilder {
    let request = shop.anonymous_request(Method::POST, "/v1/payments").json(&payment.create_body());
    request.header("authorization", basic(&shop.client_key)).header("origin", "https://shop.example")
}

/// Whoever knows an order id and the page's key learns that there is such an order, and nothing of its payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_key_finds_nobodys_payment() {
    let gateway = Gateway::start().await;
    let paid = Payment::of(12_000);
    let key = gateway.shop.key_in(&paid).await.expecting(200).payment_key().to_owned();
    let stranger = send(page(&gateway.shop, &paid)).await.expecting_problem(400, "DUPLICATED_ORDER_ID");
    for member in ["reason", "paymentKey", "paymentStatus"] {
        assert!(stranger.at(member).is_null(), "{member}: {stranger:?}");
    }
    assert!(stranger.header("location").is_empty() && !stranger.text.contains(&key), "{stranger:?}");
    // The merchant's server is told where it is.
    let server = gateway.shop.create(&paid).await.expecting_problem(400, "DUPLICATED_ORDER_ID");
    assert_eq!((server.text("reason"), server.payment_key()), ("ORDER_IS_PAID", key.as_str()));
    assert!(server.header("location").ends_with(&key), "{server:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn how_long_a_key_may_be_and_what_leaves_none() {
    let gateway = Gateway::start().await;
    let longest = "k".repeat(300);
    let order = Payment::of(12_000);
    let first = gateway.shop.key_in(&order).idempotency_key(&longest).await.expecting(200);
    assert_same(&first, &gateway.shop.key_in(&order).idempotency_key(&longest).await);
    let longer = gateway.shop.key_in(&Payment::of(12_000)).idempotency_key(&"k".repeat(301)).await;
    assert_eq!(longer.expecting_problem(400, "INVALID_REQUEST").text("reason"), "IDEMPOTENCY_KEY_INVALID");

    // What was refused before it was accepted can be put right under the same key.
    let order = Payment::of(12_000);
    let wrong = gateway.shop.key_in(&order.clone().with("amount", 0)).idempotency_key("again").await;
    let _ = wrong.expecting_problem(400, "INVALID_REQUEST");
    let refused = gateway.shop.key_in(&order.clone().card("refuse_token_14")).idempotency_key("again").await;
    assert_eq!((refused.status, refused.text("moneyState")), (400, "NOT_MOVED"), "{refused:?}");
    let right = gateway.shop.key_in(&order).idempotency_key("again").await.expecting(200);
    assert_eq!(right.header("idempotent-replayed"), "");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_at_once_are_one_payment_and_one_answer() {
    let gateway = Gateway::start().await;
    for card in ["approve", "decline_05"] {
        let order = Payment::of(12_000).card(card);
        let waiting = gateway.shop.authenticated(&order.clone().order(&Payment::of(1).order_id)).await;
        let key_in = async || until_answered(|| gateway.shop.key_in(&order).idempotency_key(card)).await;
        let confirm = async || {
            until_answered(|| {
                gateway.shop.confirm(waiting.payment_key(), waiting.text("orderId"), 12_000).idempotency_key(card)
            })
            .await
        };
        let (answers, confirms) =
            tokio::join!(join_all((0..8).map(|_| key_in())), join_all((0..8).map(|_| confirm())),);
        for answers in [answers, confirms] {
            let first = &answers[0];
            assert!(
                answers.iter().all(|answer| (answer.status, &answer.text) == (first.status, &first.text)),
                "{answers:#?}"
            );
            assert_eq!(first.status, if card == "approve" { 200 } else { 403 }, "{first:?}");
        }
        let payments = gateway.shop.list("limit=100").await.expecting(200);
        let of_order = payments
            .at("data")
            .as_array()
            .into_iter()
            .flatten()
            .filter(|payment| payment["orderId"] == order.order_id.as_str());
        assert_eq!(of_order.count(), 1);
        assert!(gateway.bank.asked(&order.order_id, "approve").await <= 1);
    }
    gateway.check().await;
}

/// Many keys of one day are forgotten together, and a forgotten key is as good as new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_forgotten_after_fifteen_days() {
    let gateway = Gateway::start().await;
    let (old, young) = (Payment::of(12_000), Payment::of(12_000));
    let _ = gateway.shop.create(&old).idempotency_key("old").await.expecting(200);
    let kept = gateway.shop.create(&young).idempotency_key("young").await.expecting(200);
    for aged in [
        "update idempotency_keys set created_at = now() - interval '16 days' where key = 'old'",
        "update idempotency_keys set created_at = now() - interval '14 days' where key = 'young'",
        "insert into idempotency_keys select merchant_id, mode, route, 'old ' || n, fingerprint, members, payment_id,
                operation_id, version, now() - interval '16 days'
            from idempotency_keys, generate_series(1, 3000) n where key = 'young'",
    ] {
        sqlx::query(aged).execute(gateway.db()).await.expect("Postgres answers");
    }
    // It looks every 5 s, and forgets 500 by one statement.
    eventually("all old ones are forgotten", SOON, async || {
        let left: i64 =
            sqlx::query_scalar("select count(*) from idempotency_keys").fetch_one(gateway.db()).await.ok()?;
        (left == 1).then_some(())
    })
    .await;
    let anew = Payment::of(13_000);
    let anew = gateway.shop.create(&anew).idempotency_key("old").await.expecting(200);
    assert_eq!(anew.header("idempotent-replayed"), "");
    assert_same(&kept, &gateway.shop.create(&young).idempotency_key("young").await);
    gateway.check().await;
}

/// Asks again as long as the API says to.
async fn until_answered(call: impl Fn() -> naru_testbed::Call) -> Answer {
    eventually("the key is settled", SOON, async || {
        let answer = call().await;
        (answer.status != 409).then_some(answer)
    })
    .await
}

/// The API dies after it has accepted and before it has answered: whoever asks again gets the outcome of the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_commit_and_answer() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let [typed, confirmed, charged, paid, account] = std::array::from_fn(|_| Payment::of(12_000));
    let waiting = shop.authenticated(&confirmed).await;
    let billing_key = shop.billing_key("customer", "approve").await;
    let payment_key = shop.key_in(&paid).await.expecting(200).payment_key().to_owned();
    // What is asked, what the acquirer is asked for it, and where the payment stands afterwards.
    let asked: [(&Payment, &str, &str, &dyn Fn() -> naru_testbed::Call); 5] = [
        (&typed, "approve", "DONE", &|| shop.key_in(&typed)),
        (&confirmed, "approve", "DONE", &|| shop.confirm(waiting.payment_key(), &confirmed.order_id, 12_000)),
        (&charged, "approve", "DONE", &|| shop.charge(&billing_key, "customer", &charged)),
        (&paid, "cancel", "CANCELED", &|| shop.cancel(&payment_key)),
        (&account, "issue", "WAITING_FOR_DEPOSIT", &|| shop.virtual_account(&account.order_id, 12_000, json!({}))),
    ];
    let held = asked.iter().map(|(order, call, ..)| gateway.bank.hold(&order.order_id, call, "after"));
    let held = join_all(held).await;
    let kill = async {
        for held in &held {
            held.reached().await;
        }
        gateway.api().kill9();
    };
    let keyed = |ask: &dyn Fn() -> naru_testbed::Call| ask().idempotency_key("killed");
    let (firsts, ()) = tokio::join!(join_all(asked.iter().map(|(.., ask)| keyed(ask).attempt())), kill);
    assert!(firsts.iter().all(Result::is_err), "nobody was answered: {firsts:?}");
    gateway.api().start_again().await;
    for (.., ask) in &asked {
        let _ = keyed(ask).await.expecting_problem(409, "IDEMPOTENT_REQUEST_PROCESSING");
    }
    for held in held {
        held.release().await;
    }
    for (order, call, status, ask) in &asked {
        let answer = until_answered(|| keyed(ask)).await.expecting(200);
        assert_eq!((answer.text("status"), answer.header("idempotent-replayed")), (*status, "true"), "{answer:?}");
        assert_eq!(gateway.bank.asked(&order.order_id, call).await, 1, "{answer:?}");
        let money = gateway.bank.money(&order.order_id).await;
        let expected = match *status {
            "DONE" => (1, 12_000),
            "CANCELED" => (1, 0),
            _ => (0, 0),
        };
        assert_eq!((money.charges, money.net), expected, "{answer:?}");
    }
    gateway.check().await;
}

//! The same request at the same time, again, and with another body.

use std::future::IntoFuture as _;
use std::time::Duration;

use futures::future::join_all;
use naru_testbed::{Answer, Call, Gateway, Payment, eventually};

const CLIENTS: usize = 8;
const SOON: Duration = Duration::from_secs(20);

async fn at_once(calls: impl Iterator<Item = Call>) -> Vec<Answer> {
    join_all(calls.map(Call::into_future)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirming_at_once_charges_once() {
    let gateway = Gateway::with().apis(2).workers(2).start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    // Half of them at each API.
    let shops = [gateway.shop.clone(), gateway.shop.at(&gateway.apis[1])];
    let confirms = (0..CLIENTS).map(|n| shops[n % 2].confirm(created.payment_key(), &payment.order_id, 12_000));
    let (answers, ()) = tokio::join!(at_once(confirms), async {
        held.reached().await;
        eventually("all but one have joined", SOON, async || {
            let mut joined = 0;
            for api in &gateway.apis {
                joined += api.metric("naru_confirms_joined_total").await;
            }
            (joined == 7).then_some(())
        })
        .await;
        held.release().await;
    });
    for answer in &answers {
        assert_eq!((answer.status, answer.text("status")), (200, "DONE"), "{answer:?}");
        assert_eq!(answer.body, answers[0].body);
    }
    let late = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await;
    let late = late.expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
    // What this request did: nothing.
    assert_eq!(late.text("moneyState"), "NOT_MOVED");
    assert!(late.header("location").ends_with(created.payment_key()), "{late:?}");
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, 1);
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn confirming_at_once_with_one_key_ends_equal() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    let confirm =
        || gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).idempotency_key("one key for all");
    for answer in at_once((0..CLIENTS).map(|_| confirm())).await {
        match answer.status {
            200 => assert_eq!(answer.text("status"), "DONE"),
            409 => {
                assert!(!answer.header("retry-after").is_empty() && !answer.header("location").is_empty(), "{answer:?}")
            }
            _ => panic!("{answer:?}"),
        }
    }
    let mut replays = Vec::new();
    for _ in 0..CLIENTS {
        let replay = eventually("the key's answer", SOON, async || {
            let answer = confirm().await;
            (answer.status != 409).then_some(answer)
        });
        replays.push(replay.await.expecting(200));
    }
    for replay in &replays {
        assert_eq!(replay.text, replays[0].text, "byte for byte");
        assert_eq!(replay.header("idempotent-replayed"), "true");
    }
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_17_make_two_payments_of_one_order_at_once() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let answers = at_once((0..CLIENTS).map(|_| gateway.shop.key_in(&payment))).await;
    let (done, refused): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!(done.len(), 1, "{answers:?}");
    for answer in refused {
        assert_eq!((answer.status, answer.text("code")), (400, "DUPLICATED_ORDER_ID"), "{answer:?}");
    }
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_for_one_body() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let first = gateway.shop.key_in(&payment).idempotency_key("k1").await.expecting(200);
    let again = gateway.shop.key_in(&payment).idempotency_key("k1").await.expecting(200);
    assert_eq!(again.text, first.text);
    assert_eq!((first.header("idempotent-replayed"), again.header("idempotent-replayed")), ("", "true"));
    let mut other = payment.clone();
    other.amount = 13_000;
    let other = gateway.shop.key_in(&other).idempotency_key("k1").await.expecting_problem(422, "INVALID_REQUEST");
    assert_eq!(other.text("reason"), "IDEMPOTENCY_KEY_REUSED");
    assert!(other.text.contains("amount"), "it names what differs: {other:?}");
    let other_card = payment.clone().card("slow");
    let other_card = gateway.shop.key_in(&other_card).idempotency_key("k1").await;
    let _ = other_card.expecting_problem(422, "INVALID_REQUEST");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_remembers_a_decline() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000).card("decline_51");
    let first = gateway.shop.key_in(&payment).idempotency_key("declined").await;
    let again = gateway.shop.key_in(&payment).idempotency_key("declined").await;
    assert_eq!((again.status, again.text("code")), (first.status, "REJECT_CARD_PAYMENT"), "{again:?}");
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, 1);
    gateway.check().await;
}

/// The API dies after the commit and before the answer; the client asks again with the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_survives_the_crash_of_the_api() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let call = || gateway.shop.key_in(&payment).idempotency_key("crash");
    let (lost, ()) = tokio::join!(call().attempt(), async {
        held.reached().await;
        gateway.api().kill9();
    });
    assert!(lost.is_err(), "{lost:?}");
    gateway.api().start_again().await;
    let open = call().await;
    assert_eq!(open.status, 409, "{open:?}");
    assert!(!open.header("retry-after").is_empty() && !open.header("location").is_empty(), "{open:?}");
    held.release().await;
    let answer = eventually("the key's answer", SOON, async || {
        let answer = call().await;
        (answer.status != 409).then_some(answer)
    });
    let answer = answer.await.expecting(200);
    assert_eq!((answer.text("status"), answer.header("idempotent-replayed")), ("DONE", "true"));
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// Without a key the order is the guard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_is_paid_once_without_a_key() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let _ = gateway.shop.key_in(&payment).await.expecting(200);
    let _ = gateway.shop.key_in(&payment).await.expecting_problem(400, "DUPLICATED_ORDER_ID");
    // An order that came to nothing may be tried again.
    let declined = Payment::of(9_000).card("decline_51");
    assert!(gateway.shop.key_in(&declined).await.status >= 400);
    let _ = gateway.shop.key_in(&declined.clone().card("approve")).await.expecting(200);
    gateway.bank.expect(&declined.order_id).charged_once().await;
    gateway.check().await;
}

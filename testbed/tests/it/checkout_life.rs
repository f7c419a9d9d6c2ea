//! From the payer's first look to the confirm: what a waiting page is told, and what is refused by which name, to the microsecond.

use std::future::IntoFuture as _;
use std::time::Duration;

use futures::future::join_all;
use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Answer, Gateway, Payment, eventually};
use serde_json::json;
use sqlx::Row as _;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const SOON: Duration = Duration::from_secs(15);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_the_payer_has_come_is_told_once() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let key = created.payment_key();
    let payer = gateway.shop.payer_of(&created);
    let mut page = gateway.shop.stream_as_browser(key, created.text("checkoutToken")).await;
    // Reading tells nobody: a messenger's preview of the link reads it, too.
    let _ = payer.look().await.expecting(200);
    let all = join_all((0..8).map(|_| payer.scanned().into_future())).await;
    for answer in &all {
        assert_eq!((answer.status, answer.text("status"), answer.number("sequence")), (200, "READY", 2), "{answer:?}");
    }
    let scanned = page.until("the payer has come", SOON, |seen| seen.event == "checkout.scanned").await;
    assert_eq!(scanned.id, 2);
    // A page that is opened while the card is typed in, or long after, changes nothing and is in nobody's way.
    let (authenticated, again) =
        tokio::join!(payer.authenticate(&payment).into_future(), payer.scanned().into_future());
    assert_eq!(authenticated.expecting(200).number("sequence"), 3);
    let _ = again.expecting(200);
    let _ = gateway.shop.confirm(key, &payment.order_id, payment.amount).await.expecting(200);
    assert_eq!(payer.scanned().await.expecting(200).text("status"), "DONE");

    let count = "select count(*) from payment_events where type = 'checkout.scanned' and class = 'progress'";
    let count: i64 = sqlx::query_scalar(count).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(count, 1);
    let listed = gateway.shop.events(key).await.expecting(200);
    assert!(!listed.text.contains("checkout.scanned"), "it is for pages that wait only: {listed:?}");
    gateway.check().await;
}

/// The payer comes and pays in the same moment: neither is in the other's way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_paying_pays() {
    let gateway = Gateway::start().await;
    for _ in 0..10 {
        let payment = Payment::of(12_000);
        let payer = gateway.shop.payer_of(&gateway.shop.create(&payment).await.expecting(200));
        let (scanned, paid) = tokio::join!(payer.scanned().into_future(), payer.authenticate(&payment).into_future());
        let _ = scanned.expecting(200);
        assert_eq!(paid.expecting(200).text("status"), "IN_PROGRESS");
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_it_takes_long_is_told_once() {
    let gateway = Gateway::with().workers(2).start().await;
    let payment = Payment::of(12_000);
    let quick = Payment::of(13_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let key = gateway.shop.begin(&payment).await;
    let mut page = gateway.shop.stream(&key).await;
    let _ = gateway.shop.key_in(&quick).await.expecting(200);
    let delayed = page.until("it takes long", SOON, |seen| seen.event == "operation.delayed").await;
    let told = &delayed.data["payment"]["operation"];
    assert_eq!((&told["type"], &told["delayed"]), (&"approve".into(), &true.into()), "{told}");
    let asked = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((asked.text("status"), asked.text("moneyState")), ("IN_PROGRESS", "UNKNOWN"));
    held.release().await;
    page.until_status("DONE", SOON).await;
    page.assert_every_version_once();
    let told = "select p.order_id from payment_events e join payments p on p.id = e.payment_id
        where e.type = 'operation.delayed' and e.class = 'progress'";
    let told: Vec<String> = sqlx::query_scalar(told).fetch_all(gateway.db()).await.expect("Postgres answers");
    assert_eq!(told, [payment.order_id.as_str()], "once, though two workers looked, and nothing of what was quick");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

fn refused(answer: Answer, status: u16, code: &str) -> String {
    let answer = answer.expecting_problem(status, code);
    assert_eq!(answer.text("moneyState"), "NOT_MOVED", "{answer:?}");
    assert!(!answer.at("retryable").as_bool().unwrap_or(true), "{answer:?}");
    answer.text("reason").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_that_must_not_be_taken_is_refused_by_its_name() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let order = Payment::of(12_000);
    let created = shop.create(&order).await.expecting(200);
    let key = created.payment_key();
    let payer = shop.payer_of(&created);
    let confirm = || shop.confirm(key, &order.order_id, 12_000);
    assert_eq!(refused(confirm().await, 404, "NOT_FOUND_PAYMENT_SESSION"), "PAYMENT_NOT_AUTHENTICATED");
    let _ = payer.authenticate(&order).await.expecting(200);
    for other in [11_999, 12_001, 1, 999_999_999] {
        let answer = shop.confirm(key, &order.order_id, other).await;
        assert_eq!(refused(answer, 400, "INVALID_REQUEST"), "AMOUNT_MISMATCH", "{other}");
    }
    assert_eq!(refused(shop.confirm(key, "order-of-nobody", 12_000).await, 400, "INVALID_REQUEST"), "ORDER_MISMATCH");
    for stranger in [gateway.another_shop().await, gateway.live_shop().await] {
        // Right or wrong otherwise, it is not there.
        for amount in [12_000, 1] {
            let answer = stranger.confirm(key, &order.order_id, amount).await;
            assert_eq!(refused(answer, 404, "NOT_FOUND_PAYMENT"), "");
        }
    }
    gateway.bank.expect(&order.order_id).never_charged().await;
    let _ = confirm().await.expecting(200);
    assert_eq!(refused(confirm().await, 400, "ALREADY_PROCESSED_PAYMENT"), "");
    let _ = shop.cancel(key).await.expecting(200);
    assert_eq!(refused(confirm().await, 400, "ALREADY_PROCESSED_PAYMENT"), "");
    assert_eq!(gateway.bank.asked(&order.order_id, "approve").await, 1);

    let declined = Payment::of(12_000).card("decline_51");
    let created = shop.authenticated(&declined).await;
    let confirm = || shop.confirm(created.payment_key(), &declined.order_id, 12_000);
    let _ = confirm().await.expecting_problem(403, "REJECT_CARD_PAYMENT");
    assert_eq!(refused(confirm().await, 400, "ALREADY_PROCESSED_PAYMENT"), "");

    let given_up = Payment::of(12_000);
    let created = shop.authenticated(&given_up).await;
    let _ = shop.payer_of(&created).cancel().await.expecting(200);
    let answer = shop.confirm(created.payment_key(), &given_up.order_id, 12_000).await;
    assert_eq!(refused(answer, 404, "NOT_FOUND_PAYMENT_SESSION"), "PAYMENT_ABORTED");
    gateway.check().await;
}

/// The accepting statement is held at the payment's row, so that its time is known, and the limit is put that near to it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_at_the_limit_is_taken_or_expires_and_never_both() {
    let gateway = Gateway::start().await;
    let mut all = Vec::new();
    // The statement's time is not yet past the limit, or is: at the limit itself it is over.
    for limit_after in [-1_000, -1, 0, 1, 1_000, -1_000, 1_000, -1, 1] {
        let payment = Payment::of(12_000);
        let created = gateway.shop.authenticated(&payment).await;
        // Slower than upkeep's round, so that upkeep sees the limit pass while the approval is under way.
        gateway.bank.script(&payment.order_id, "approve", json!([{ "do": "slow", "ms": 2_500 }])).await;
        let mut row = gateway.db().begin().await.expect("Postgres answers");
        let lock = "select id from payments where order_id = $1 for update";
        let _ = sqlx::query(lock).bind(&payment.order_id).fetch_one(&mut *row).await.expect("the payment is there");
        let confirm = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).prefer("respond-async");
        let (answer, ()) = tokio::join!(confirm.into_future(), async {
            let at = eventually("the confirm waits for the row", SOON, async || {
                let waiting = "select xact_start from pg_stat_activity
                    where datname = current_database() and wait_event_type = 'Lock' and query like '%update payments%'";
                let waiting = sqlx::query(waiting).fetch_optional(gateway.db()).await.expect("Postgres answers");
                waiting.map(|row| row.get::<OffsetDateTime, _>(0))
            });
            let limit = at.await + time::Duration::microseconds(limit_after);
            let set = "update payments set expires_at = $2 where order_id = $1";
            let set = sqlx::query(set).bind(&payment.order_id).bind(limit).execute(&mut *row).await;
            let _ = set.expect("the limit is set");
            row.commit().await.expect("the row is let go");
        });
        match limit_after > 0 {
            true => assert_eq!(answer.expecting(202).text("moneyState"), "UNKNOWN", "{limit_after} µs"),
            false => {
                let reason = refused(answer, 404, "NOT_FOUND_PAYMENT_SESSION");
                assert_eq!(reason, "PAYMENT_EXPIRED", "{limit_after} µs");
            }
        }
        all.push((limit_after, payment, created));
    }
    for (limit_after, payment, created) in all {
        let end = if limit_after > 0 { "DONE" } else { "EXPIRED" };
        eventually(&format!("{limit_after} µs ends {end}"), SOON, async || {
            let read = gateway.shop.get(created.payment_key()).await.expecting(200);
            let status = read.text("status").to_owned();
            assert!(["IN_PROGRESS", end].contains(&status.as_str()), "{limit_after} µs: {read:?}");
            (status == end).then_some(())
        })
        .await;
        let happened =
            "select array_agg(e.type order by e.version) from payment_events e join payments p on p.id = e.payment_id
            where p.order_id = $1";
        let happened: Vec<String> = sqlx::query_scalar(happened)
            .bind(&payment.order_id)
            .fetch_one(gateway.db())
            .await
            .expect("Postgres answers");
        let ended = |kind: &str| happened.iter().any(|event| event == kind);
        assert_eq!(
            (ended("operation.queued"), ended("payment.expired")),
            (limit_after > 0, limit_after <= 0),
            "{happened:?}"
        );
        match limit_after > 0 {
            true => gateway.bank.expect(&payment.order_id).charged_once().await,
            false => gateway.bank.expect(&payment.order_id).never_charged().await,
        }
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_who_cancels_while_the_merchant_confirms() {
    const ROUNDS: usize = 12;
    const AT_ONCE: usize = 8;
    let gateway = Gateway::with().apis(2).start().await;
    let other = gateway.shop.at(&gateway.apis[1]);
    let (mut paid, mut given_up) = (0, 0);
    for round in 0..ROUNDS {
        let one = async |nth: usize| {
            let payment = Payment::of(12_000);
            let created = gateway.shop.authenticated(&payment).await;
            let payer = other.payer_of(&created);
            let confirm = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000);
            // Now the one goes first, now the other.
            let (confirmed, canceled) = match (round + nth).is_multiple_of(2) {
                true => tokio::join!(confirm.into_future(), payer.cancel().into_future()),
                false => {
                    let (canceled, confirmed) = tokio::join!(payer.cancel().into_future(), confirm.into_future());
                    (confirmed, canceled)
                }
            };
            match (confirmed.status, canceled.status) {
                (200, _) => {
                    assert_eq!(refused(canceled, 400, "ALREADY_PROCESSED_PAYMENT"), "", "{confirmed:?}");
                    gateway.bank.expect(&payment.order_id).charged_once().await;
                    true
                }
                (_, 200) => {
                    assert_eq!(refused(confirmed, 404, "NOT_FOUND_PAYMENT_SESSION"), "PAYMENT_ABORTED", "{canceled:?}");
                    gateway.bank.expect(&payment.order_id).never_charged().await;
                    false
                }
                _ => panic!("neither won: {confirmed:?} {canceled:?}"),
            }
        };
        for won in join_all((0..AT_ONCE).map(one)).await {
            if won { paid += 1 } else { given_up += 1 }
        }
    }
    assert!(paid > 0 && given_up > 0, "{paid} paid, {given_up} given up: there was no race");
    gateway.check().await;
}

/// What the merchant no longer wants goes back, though the card company approved it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_that_comes_after_its_deadline_goes_back() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    let held = gateway.bank.hold(&payment.order_id, "approve", "after").await;
    let before = System.now() + time::Duration::seconds(3);
    let body = json!({ "paymentKey": created.payment_key(), "orderId": payment.order_id, "amount": 12_000,
        "approveBefore": before.format(&Rfc3339).expect("a time has a form") });
    let confirm = gateway.shop.post("/v1/payments/confirm", &body);
    let (answer, ()) = tokio::join!(confirm.into_future(), async {
        held.reached().await;
        gateway.bank.expect(&payment.order_id).charged_once().await;
        eventually("the deadline passes", SOON, async || (System.now() > before).then_some(())).await;
        held.release().await;
    });
    assert_eq!(
        (answer.text("reason"), answer.text("moneyState")),
        ("APPROVAL_DEADLINE_PASSED", "REVERSED"),
        "{answer:?}"
    );
    let read = gateway.shop.get(created.payment_key()).await.expecting(200);
    assert_eq!((read.text("status"), read.text("moneyState")), ("ABORTED", "REVERSED"));
    gateway.bank.expect(&payment.order_id).charged_then_reversed().await;
    gateway.check().await;
}

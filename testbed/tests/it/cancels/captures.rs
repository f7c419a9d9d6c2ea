//! Capture, and cancels before and behind it.

use std::future::IntoFuture as _;

use naru_testbed::{Gateway, Payment, eventually};
use serde_json::json;

use super::{LONGEST, SOON, paid};

/// In the payment's own order: what is accepted while a capture is at work is a refund when its turn comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_behind_a_capture_is_a_refund() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "capture", "before").await;
    let asked = gateway.shop.capture(&key).prefer("respond-async").await.expecting(202);
    assert_eq!((asked.text("card.acquireStatus"), asked.text("operation.type")), ("REQUESTED", "capture"), "{asked:?}");
    held.reached().await;
    let _ = gateway.shop.cancel_part(&key, 3_000).prefer("respond-async").await.expecting(202);
    // Whoever asks for the capture again waits for the same one.
    let again = gateway.shop.capture(&key).prefer("wait=30").into_future();
    let ((), again) = tokio::join!(held.release(), again);
    assert_eq!(again.expecting(200).text("card.acquireStatus"), "CANCEL_REQUESTED");
    let done = gateway.shop.until(&key, "it is refunded", SOON, |read| read.text("status") == "PARTIAL_CANCELED").await;
    assert_eq!((done.text("cancels.0.type"), done.text("card.acquireStatus")), ("REFUND", "COMPLETED"));
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.captured, money.voided, money.refunded), (10_000, 0, 3_000));
    gateway.check().await;
}

/// And the other way round: a capture behind cancels takes what they have left, which may be nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_behind_cancels_takes_what_is_left() {
    let gateway = Gateway::start().await;
    for (amount, status, captured) in [(3_000, "PARTIAL_CANCELED", 7_000), (10_000, "CANCELED", 0)] {
        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
        let _ = gateway.shop.cancel_part(&key, amount).prefer("respond-async").await.expecting(202);
        held.reached().await;
        let capture = gateway.shop.capture(&key).prefer("wait=30").into_future();
        let ((), capture) = tokio::join!(
            async {
                gateway
                    .shop
                    .until(&key, "it is asked for", SOON, |read| read.text("card.acquireStatus") == "REQUESTED")
                    .await;
                held.release().await;
            },
            capture
        );
        if captured > 0 {
            assert_eq!(capture.expecting(200).text("card.acquireStatus"), "COMPLETED");
        } else {
            let capture = capture.expecting_problem(400, "PROVIDER_ERROR");
            assert_eq!((capture.text("reason"), capture.text("moneyState")), ("NOTHING_TO_CAPTURE", "NOT_MOVED"));
        }
        let done = gateway.shop.until(&key, "it is cancelled", SOON, |read| read.text("status") == status).await;
        assert_eq!(done.text("cancels.0.type"), "CANCEL");
        assert_eq!(gateway.bank.money(&payment.order_id).await.captured, captured);
    }
    gateway.check().await;
}

/// A card company that captured by itself says so, and is believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_that_it_was_captured_learns_it() {
    let gateway = Gateway::start().await;
    // Whether the refusal is heard at once or asked for later makes no difference.
    for trouble in [None, Some("drop_after")] {
        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        gateway.bank.acts_by_itself(&payment.order_id, "captures", 10_000).await;
        if let Some(trouble) = trouble {
            gateway.bank.script(&payment.order_id, "cancel", json!([{ "do": trouble }])).await;
        }
        let answer = gateway.shop.cancel_part(&key, 4_000).prefer("wait=30").await.expecting(200);
        let told = (answer.text("cancels.0.type"), answer.text("card.acquireStatus"));
        assert_eq!(told, ("REFUND", "COMPLETED"), "{trouble:?} {answer:?}");
        let money = gateway.bank.money(&payment.order_id).await;
        assert_eq!((money.voided, money.refunded), (0, 4_000));

        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        gateway.bank.acts_by_itself(&payment.order_id, "captures", 10_000).await;
        if let Some(trouble) = trouble {
            gateway.bank.script(&payment.order_id, "capture", json!([{ "do": trouble }])).await;
        }
        let answer = gateway.shop.capture(&key).prefer("wait=30").await.expecting(200);
        assert_eq!(answer.text("card.acquireStatus"), "COMPLETED", "{answer:?}");
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_that_is_declined_can_be_asked_for_again() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    gateway.bank.script(&payment.order_id, "capture", json!([{ "do": "decline", "code": "96" }])).await;
    let refused = gateway.shop.capture(&key).await.expecting_problem(400, "PROVIDER_ERROR");
    assert_eq!((refused.text("moneyState"), refused.text("acquirerCode")), ("NOT_MOVED", "96"), "{refused:?}");
    assert_eq!(gateway.shop.get(&key).await.text("card.acquireStatus"), "READY");
    let tomorrow = "select capture_at > now() from payments where payment_key = $1";
    let tomorrow: bool =
        sqlx::query_scalar(tomorrow).bind(&key).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert!(tomorrow, "or the merchant is never paid");
    let captured = gateway.shop.capture(&key).idempotency_key("again").await.expecting(200);
    // What has been done already answers its key for ever, too.
    let known = gateway.shop.capture(&key).idempotency_key("known").await.expecting(200);
    let _ = gateway.shop.cancel(&key).await.expecting(200);
    for (key_used, first) in [("again", captured), ("known", known)] {
        let replayed = gateway.shop.capture(&key).idempotency_key(key_used).await.expecting(200);
        assert_eq!((replayed.header("idempotent-replayed"), &replayed.text), ("true", &first.text));
    }
    gateway.check().await;
}

/// A card company that will not buy a slip is asked on three days; then a person is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_that_is_declined_on_three_days_is_a_persons() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000).card("capture_declined");
    let key = paid(&gateway, &payment).await;
    for day in 1..=3_i64 {
        let due = "update payments set capture_at = now() where payment_key = $1 and capture_at is not null";
        let due = sqlx::query(due).bind(&key).execute(gateway.db()).await.expect("Postgres answers");
        assert_eq!(due.rows_affected(), 1, "day {day}");
        let asked = "select count(*) from operations where kind = 'capture' and status = 'failed'";
        eventually("it is refused", LONGEST, async || {
            let asked: i64 = sqlx::query_scalar(asked).fetch_one(gateway.db()).await.expect("Postgres answers");
            (asked == day).then_some(())
        })
        .await;
    }
    let due: bool = sqlx::query_scalar("select capture_at is not null from payments where payment_key = $1")
        .bind(&key)
        .fetch_one(gateway.db())
        .await
        .expect("Postgres answers");
    assert!(!due);
    let letters: Vec<String> =
        sqlx::query_scalar("select letter from operations where kind = 'capture' order by number")
            .fetch_all(gateway.db())
            .await
            .expect("Postgres answers");
    assert_eq!(letters, ["information", "information", "needs_person"]);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_is_bought_when_its_time_has_come() {
    let gateway = Gateway::with().workers(2).start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let _ = gateway.shop.cancel_part(&key, 1_000).await.expecting(200);
    let due = "select capture_at > now() and capture_at <= now() + interval '24 hours'
        and extract(hour from capture_at at time zone 'Asia/Seoul') = 0 from payments where payment_key = $1";
    let due: bool = sqlx::query_scalar(due).bind(&key).fetch_one(gateway.db()).await.expect("it has a time");
    assert!(due, "the next day in Korea");
    assert_eq!(gateway.bank.asked(&payment.order_id, "capture").await, 0);
    let now = "update payments set capture_at = now() where payment_key = $1";
    sqlx::query(now).bind(&key).execute(gateway.db()).await.expect("Postgres answers");
    let read =
        gateway.shop.until(&key, "it is captured", SOON, |read| read.text("card.acquireStatus") == "COMPLETED").await;
    assert_eq!(read.text("status"), "PARTIAL_CANCELED");
    assert_eq!(gateway.bank.asked(&payment.order_id, "capture").await, 1);
    assert_eq!(gateway.bank.money(&payment.order_id).await.captured, 9_000);
    gateway.check().await;
}

//! Workers that are killed, frozen or cut off from Postgres while they give money back or capture: however it went, each cancel
//! is carried out once, at us and at the card company.

use naru_shared::domain::id::OperationId;
use naru_testbed::{Accepted, Gateway, Payment, eventually};
use serde_json::json;

use crate::courses::{BELIEVED_LIMIT, Course as _, cut_at, killed_everywhere, naive, newest};
use crate::crash::{SLOW_LIMIT, TAKEOVER_LIMIT};

/// What goes wrong.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    /// A part of it is cancelled before its capture.
    Cancel,
    /// A part of it is refunded after that.
    Refund,
    /// It is captured.
    Capture,
}
use Course::{Cancel, Capture, Refund};

impl crate::courses::Course for Course {
    type Of = (Payment, Accepted);

    fn call(self) -> &'static str {
        match self {
            Cancel => "cancel",
            Refund => "refund",
            Capture => "capture",
        }
    }

    fn order((payment, _): &Self::Of) -> &str {
        &payment.order_id
    }

    async fn prepared(self, gateway: &Gateway) -> Self::Of {
        let payment = Payment::of(12_000);
        let accepted = gateway.accept(&payment).await;
        gateway.until_standing(&accepted, "DONE", "MOVED", TAKEOVER_LIMIT).await;
        if self == Refund {
            let _ = gateway.shop.capture(&accepted.payment_key).prefer("wait=30").await.expecting(200);
        }
        (payment, accepted)
    }

    async fn accepted(self, gateway: &Gateway, (payment, paid): &Self::Of) -> OperationId {
        let key = &paid.payment_key;
        let call = match self {
            Cancel | Refund => gateway.shop.cancel_part(key, 5_000),
            Capture => gateway.shop.capture(key),
        };
        let answer = call.prefer("respond-async").await;
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        newest(gateway, &payment.order_id).await.expect("it was accepted")
    }

    async fn was_done_once(self, gateway: &Gateway, (payment, _): &Self::Of) {
        let money = gateway.bank.money(&payment.order_id).await;
        let expected = match self {
            Cancel => (5_000, 0, 0),
            Refund => (0, 12_000, 5_000),
            Capture => (0, 12_000, 0),
        };
        assert_eq!((money.voided, money.captured, money.refunded), expected, "{money:?}");
    }
}

killed_everywhere! {{
    a_cancel_with_dedupe: Cancel, Gateway::with(), TAKEOVER_LIMIT;
    a_cancel_without_dedupe: Cancel, naive(), SLOW_LIMIT;
    a_refund_with_dedupe: Refund, Gateway::with(), TAKEOVER_LIMIT;
    a_refund_without_dedupe: Refund, naive(), SLOW_LIMIT;
    a_capture_without_dedupe: Capture, naive(), SLOW_LIMIT;
}}

cut_at! {
    all: [Cancel, Refund, Capture];
    Point("claimed"), Cancel;
    Sent("before"), Cancel;
    Sent("after"), Refund;
    Point("heard"), Refund;
    Point("answered"), Cancel;
    Point("answered"), Capture;
    Point("recorded"), Cancel;
}

/// Frozen with the answer in its hand: what it decides is refused, what it heard is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombies_decision_is_refused_and_its_answer_kept() {
    for course in [Cancel, Refund] {
        let gateway = Gateway::with().workers(2).start().await;
        let of = course.prepared(&gateway).await;
        let (zombie, hold, operation) = gateway.first_at("heard", course.accepted(&gateway, &of)).await;
        zombie.freeze();
        course.done(&gateway, &of, operation, TAKEOVER_LIMIT).await;
        drop(hold);
        zombie.thaw();
        eventually("the late decision is refused", TAKEOVER_LIMIT, async || {
            (zombie.metric("naru_worker_refused_decisions_total").await > 0).then_some(())
        })
        .await;
        let kept = "select count(*) from attempts where operation_id = $1 and call = $2 and answer = 'approved'";
        let kept: i64 = sqlx::query_scalar(kept)
            .bind(operation.0)
            .bind(course.call())
            .fetch_one(gateway.db())
            .await
            .expect("Postgres answers");
        assert_eq!(kept, 1);
        course.was_done_once(&gateway, &of).await;
        gateway.check().await;
    }
}

/// Nothing undoes a cancel. One whose bytes lay about at a card company that does not dedupe, beyond all that it promised, is found
/// out about all the same, and a person is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_was_done_after_all_is_a_persons_case() {
    let gateway = Gateway::with().workers(2).naive_bank().start().await;
    let of = Cancel.prepared(&gateway).await;
    let (payment, paid) = &of;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
    let operation = Cancel.accepted(&gateway, &of).await;
    held.reached().await;
    let zombie = gateway.owner_of(operation).await;
    zombie.freeze();
    // Whoever takes it over finds nothing, believes it in time, and asks again.
    Cancel.done(&gateway, &of, operation, BELIEVED_LIMIT).await;
    held.release().await;
    let twice = async || (gateway.bank.money(&payment.order_id).await.voided == 10_000).then_some(());
    eventually("it is done after all", TAKEOVER_LIMIT, twice).await;
    zombie.thaw();
    eventually("the late answer is counted", TAKEOVER_LIMIT, async || {
        (zombie.metric("naru_worker_late_changes_total").await > 0).then_some(())
    })
    .await;
    let case = "select kind from cases where operation_id = $1";
    let case: String =
        sqlx::query_scalar(case).bind(operation.0).fetch_one(gateway.db()).await.expect("there is a case");
    assert_eq!(case, "late_change");
    assert_eq!(gateway.standing(paid.payment).await, ("PARTIAL_CANCELED".to_owned(), "MOVED".to_owned()));
    // No check: the card company did it twice, which is what the case is about.
}

/// What crashed its workers five times before it was ever sent is given up, with what was reserved; an operator sends it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_past_its_deadline_is_given_up_and_replayed() {
    let gateway = Gateway::with().start().await;
    let of = Cancel.prepared(&gateway).await;
    let (payment, paid) = &of;
    let busy = json!({ "match": { "orderId": payment.order_id, "call": "cancel" }, "steps": [{ "do": "busy" }],
        "then": "repeat_last" });
    gateway.bank.script_whole(busy).await;
    let operation = Cancel.accepted(&gateway, &of).await;
    let past = "update operations set deadline_at = now() where id = $1";
    sqlx::query(past).bind(operation.0).execute(gateway.db()).await.expect("Postgres answers");
    let letter = "select id from dead_letters where operation_id = $1 and kind = 'replayable'";
    let letter = eventually("a letter is written", BELIEVED_LIMIT, async || {
        let found = sqlx::query_scalar::<_, uuid::Uuid>(letter).bind(operation.0).fetch_optional(gateway.db());
        found.await.expect("Postgres answers")
    });
    let letter = letter.await;
    let read = gateway.shop.get(&paid.payment_key).await.expecting(200);
    let told = (read.text("operation.status"), read.text("cancels.0.cancelStatus"), read.text("moneyState"));
    assert_eq!(told, ("dead", "IN_PROGRESS", "MOVED"), "{read:?}");
    let more = gateway.shop.cancel_part(&paid.payment_key, 7_001).await.expecting_problem(403, "NOT_CANCELABLE_AMOUNT");
    assert_eq!(more.number("refundableAmount"), 7_000, "what was reserved stays so");
    gateway.bank.clear_scripts().await;
    // What comes later does not wait for it.
    let _ = gateway.shop.cancel_part(&paid.payment_key, 7_000).await.expecting(200);
    let _ = gateway.operator.replay(&letter.to_string()).await.expecting(200);
    gateway.until_standing(paid, "CANCELED", "REVERSED", TAKEOVER_LIMIT).await;
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.net), (12_000, 0));
    gateway.check().await;
}

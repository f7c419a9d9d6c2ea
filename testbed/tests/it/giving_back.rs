//! Workers that are killed, frozen or cut off from Postgres while they give money back or capture: however it went, each cancel
//! is carried out once, at us and at the card company.

use std::time::Duration;

use naru_testbed::{Accepted, Builder, Gateway, Link, Payment, Who, eventually};
use serde_json::json;

use crate::crash::{LAG, SLOW_LIMIT, TAKEOVER_LIMIT};

/// From when Postgres is back.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
/// "Not found" is believed when the longest call is over, and somebody must come to hear it once more.
const BELIEVED_LIMIT: Duration = Duration::from_secs(25);

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

impl Course {
    /// The card company's word for it.
    const fn call(self) -> &'static str {
        match self {
            Cancel => "cancel",
            Refund => "refund",
            Capture => "capture",
        }
    }

    /// A payment of which it may be asked.
    async fn prepared(self, gateway: &Gateway) -> (Payment, Accepted) {
        let payment = Payment::of(12_000);
        let accepted = gateway.accept(&payment).await;
        gateway.until_standing(&accepted, "DONE", "MOVED", TAKEOVER_LIMIT).await;
        if self == Refund {
            let _ = gateway.shop.capture(&accepted.payment_key).prefer("wait=30").await.expecting(200);
        }
        (payment, accepted)
    }

    /// Has it accepted.
    async fn accepted(self, gateway: &Gateway, of: &Accepted) -> Accepted {
        let key = &of.payment_key;
        let call = match self {
            Cancel | Refund => gateway.shop.cancel_part(key, 5_000),
            Capture => gateway.shop.capture(key),
        };
        let answer = call.prefer("respond-async").await;
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
        let newest = "select id from operations where payment_id = $1 order by number desc limit 1";
        let newest = sqlx::query_scalar(newest).bind(of.payment.0).fetch_one(gateway.db()).await;
        let operation = naru_shared::domain::id::OperationId(newest.expect("it was accepted"));
        Accepted { operation, ..of.clone() }
    }

    /// Waits until it is done, and insists that it was done once.
    async fn done(self, gateway: &Gateway, payment: &Payment, accepted: &Accepted, patience: Duration) {
        let status = "select status from operations where id = $1";
        eventually(&format!("the {} is done", self.call()), patience, async || {
            let status =
                sqlx::query_scalar::<_, String>(status).bind(accepted.operation.0).fetch_one(gateway.db()).await;
            (status.expect("Postgres answers") == "succeeded").then_some(())
        })
        .await;
        self.was_done_once(gateway, payment).await;
    }

    async fn was_done_once(self, gateway: &Gateway, payment: &Payment) {
        let money = gateway.bank.money(&payment.order_id).await;
        let expected = match self {
            Cancel => (5_000, 0, 0),
            Refund => (0, 12_000, 5_000),
            Capture => (0, 12_000, 0),
        };
        assert_eq!((money.voided, money.captured, money.refunded), expected, "{money:?}");
    }
}

fn naive() -> Builder {
    Gateway::with().naive_bank().inquiry_lag(LAG)
}

/// Kills the worker that comes to `point` first.
async fn killed_at(point: &str, course: Course, with: Builder, patience: Duration) {
    let gateway = with.workers(2).start().await;
    let (payment, paid) = course.prepared(&gateway).await;
    let (victim, hold, accepted) = gateway.first_at(point, course.accepted(&gateway, &paid)).await;
    victim.kill9();
    drop(hold);
    course.done(&gateway, &payment, &accepted, patience).await;
    gateway.check().await;
}

/// Kills the worker while the card company has its request, `before` or `after` it took effect.
async fn killed_when_sent(effect: &str, course: Course, with: Builder, patience: Duration) {
    let gateway = with.workers(2).start().await;
    let (payment, paid) = course.prepared(&gateway).await;
    let held = gateway.bank.hold(&payment.order_id, course.call(), effect).await;
    let accepted = course.accepted(&gateway, &paid).await;
    held.reached().await;
    gateway.owner_of(accepted.operation).await.kill9();
    held.release().await;
    course.done(&gateway, &payment, &accepted, patience).await;
    gateway.check().await;
}

macro_rules! killed {
    ($($name:ident: $how:ident $place:literal;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_cancel_with_dedupe() {
                $how($place, Cancel, Gateway::with(), TAKEOVER_LIMIT).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_cancel_without_dedupe() {
                $how($place, Cancel, naive(), SLOW_LIMIT).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_refund_with_dedupe() {
                $how($place, Refund, Gateway::with(), TAKEOVER_LIMIT).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_refund_without_dedupe() {
                $how($place, Refund, naive(), SLOW_LIMIT).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_capture_without_dedupe() {
                $how($place, Capture, naive(), SLOW_LIMIT).await;
            }
        }
    )*};
}

killed! {
    claimed: killed_at "claimed";
    sent_and_not_yet_done: killed_when_sent "before";
    sent_and_done: killed_when_sent "after";
    heard: killed_at "heard";
    answered: killed_at "answered";
    recorded: killed_at "recorded";
    published: killed_at "published";
}

/// Where a worker is stopped while Postgres is cut from it.
#[derive(Clone, Copy)]
enum Boundary {
    Point(&'static str),
    Sent(&'static str),
}

/// Cuts the only worker off, and lets it go on while it is cut off.
async fn cut_off(boundary: Boundary, course: Course) {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Workers).start().await;
    let (payment, paid) = course.prepared(&gateway).await;
    let proxy = gateway.proxy(Link::Postgres);
    let accepted = match boundary {
        Boundary::Point(point) => {
            let hold = gateway.worker().hold_at(point);
            let accepted = course.accepted(&gateway, &paid).await;
            hold.reached().await;
            proxy.refuse();
            hold.release();
            accepted
        }
        Boundary::Sent(effect) => {
            let held = gateway.bank.hold(&payment.order_id, course.call(), effect).await;
            let accepted = course.accepted(&gateway, &paid).await;
            held.reached().await;
            proxy.refuse();
            held.release().await;
            accepted
        }
    };
    eventually("the worker notices", RECOVERY_LIMIT, async || {
        gateway.worker().log().lines().any(|line| line.contains("\"WARN\"") && line.contains("Postgres")).then_some(())
    })
    .await;
    proxy.heal();
    course.done(&gateway, &payment, &accepted, RECOVERY_LIMIT).await;
    gateway.check().await;
}

macro_rules! cut_at {
    ($($name:ident: $boundary:expr, $course:expr;)*) => {
        mod cut {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    cut_off($boundary, $course).await;
                }
            )*
        }
    };
}

cut_at! {
    a_cancel_claimed: Boundary::Point("claimed"), Cancel;
    a_cancel_sent: Boundary::Sent("before"), Cancel;
    a_refund_sent: Boundary::Sent("after"), Refund;
    a_refund_heard: Boundary::Point("heard"), Refund;
    a_cancel_answered: Boundary::Point("answered"), Cancel;
    a_capture_answered: Boundary::Point("answered"), Capture;
    a_cancel_recorded: Boundary::Point("recorded"), Cancel;
}

/// Frozen with the answer in its hand: what it decides is refused, what it heard is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombies_decision_is_refused_and_its_answer_kept() {
    for course in [Cancel, Refund] {
        let gateway = Gateway::with().workers(2).start().await;
        let (payment, paid) = course.prepared(&gateway).await;
        let (zombie, hold, accepted) = gateway.first_at("heard", course.accepted(&gateway, &paid)).await;
        zombie.freeze();
        course.done(&gateway, &payment, &accepted, TAKEOVER_LIMIT).await;
        drop(hold);
        zombie.thaw();
        eventually("the late decision is refused", TAKEOVER_LIMIT, async || {
            (zombie.metric("naru_worker_refused_decisions_total").await > 0).then_some(())
        })
        .await;
        let kept = "select count(*) from attempts where operation_id = $1 and call = $2 and answer = 'approved'";
        let kept: i64 = sqlx::query_scalar(kept)
            .bind(accepted.operation.0)
            .bind(course.call())
            .fetch_one(gateway.db())
            .await
            .expect("Postgres answers");
        assert_eq!(kept, 1);
        course.was_done_once(&gateway, &payment).await;
        gateway.check().await;
    }
}

/// Nothing undoes a cancel. One whose bytes lay about at a card company that does not dedupe, beyond all that it promised, is found
/// out about all the same, and a person is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_that_was_done_after_all_is_a_persons_case() {
    let gateway = Gateway::with().workers(2).naive_bank().start().await;
    let (payment, paid) = Cancel.prepared(&gateway).await;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
    let accepted = Cancel.accepted(&gateway, &paid).await;
    held.reached().await;
    let zombie = gateway.owner_of(accepted.operation).await;
    zombie.freeze();
    // Whoever takes it over finds nothing, believes it in time, and asks again.
    Cancel.done(&gateway, &payment, &accepted, BELIEVED_LIMIT).await;
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
        sqlx::query_scalar(case).bind(accepted.operation.0).fetch_one(gateway.db()).await.expect("there is a case");
    assert_eq!(case, "late_change");
    assert_eq!(gateway.standing(accepted.payment).await, ("PARTIAL_CANCELED".to_owned(), "MOVED".to_owned()));
    // No check: the card company did it twice, which is what the case is about.
}

/// What crashed its workers five times before it was ever sent is given up, with what was reserved; an operator sends it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_past_its_deadline_is_given_up_and_replayed() {
    let gateway = Gateway::with().start().await;
    let (payment, paid) = Cancel.prepared(&gateway).await;
    let busy = json!({ "match": { "orderId": payment.order_id, "call": "cancel" }, "steps": [{ "do": "busy" }],
        "then": "repeat_last" });
    gateway.bank.script_whole(busy).await;
    let accepted = Cancel.accepted(&gateway, &paid).await;
    let past = "update operations set deadline_at = now() where id = $1";
    sqlx::query(past).bind(accepted.operation.0).execute(gateway.db()).await.expect("Postgres answers");
    let letter = "select id from dead_letters where operation_id = $1 and kind = 'replayable'";
    let letter = eventually("a letter is written", BELIEVED_LIMIT, async || {
        let found = sqlx::query_scalar::<_, uuid::Uuid>(letter).bind(accepted.operation.0).fetch_optional(gateway.db());
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
    gateway.until_standing(&accepted, "CANCELED", "REVERSED", TAKEOVER_LIMIT).await;
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.net), (12_000, 0));
    gateway.check().await;
}

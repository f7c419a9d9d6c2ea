//! A worker that is killed at any boundary, with another one alive: the payment settles, and the payer is charged once.

use std::time::Duration;

use naru_testbed::{Builder, Gateway, Payment, eventually};
use serde_json::json;

/// From the kill on, with a card company that dedupes.
pub(crate) const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);
/// With one that charges each time it is asked: until "not found" is believed (2 s to send, 10 s for the call, and the settle
/// window), and 5 s. See `docs/decisions/0013-not-found-is-believed-late.md`.
pub(crate) const SLOW_LIMIT: Duration = Duration::from_secs(2 + 10 + LAG.as_secs() + 5);
/// How long the card company that does not dedupe may not know of what it did.
pub(crate) const LAG: Duration = Duration::from_secs(1);

/// Kills the worker that comes to `point` first.
async fn killed_at(point: &str, with: Builder, patience: Duration) -> (Gateway, Payment) {
    let gateway = with.apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let (victim, hold, accepted) = gateway.first_at(point, gateway.accept(&payment)).await;
    victim.kill9();
    drop(hold);
    gateway.until_standing(&accepted, "DONE", "MOVED", patience).await;
    gateway.check().await;
    (gateway, payment)
}

/// Kills the worker while the card company has its request, `before` or `after` it took effect.
async fn killed_when_sent(effect: &str, with: Builder, patience: Duration) -> (Gateway, Payment) {
    let gateway = with.apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", effect).await;
    let accepted = gateway.accept(&payment).await;
    held.reached().await;
    gateway.owner_of(accepted.operation).await.kill9();
    held.release().await;
    gateway.until_standing(&accepted, "DONE", "MOVED", patience).await;
    gateway.check().await;
    (gateway, payment)
}

macro_rules! killed_at {
    ($($name:ident: $point:literal;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn with_dedupe() {
                let (gateway, payment) = killed_at($point, Gateway::with(), TAKEOVER_LIMIT).await;
                gateway.bank.expect(&payment.order_id).charged_once().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn without_dedupe() {
                let with = Gateway::with().naive_bank().inquiry_lag(LAG);
                let (gateway, payment) = killed_at($point, with, SLOW_LIMIT).await;
                gateway.bank.expect(&payment.order_id).charged_once().await;
            }
        }
    )*};
}

killed_at! {
    claimed: "claimed";
    heard: "heard";
    answered: "answered";
    recorded: "recorded";
    published: "published";
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_and_not_yet_charged_with_dedupe() {
    let (gateway, payment) = killed_when_sent("before", Gateway::with(), TAKEOVER_LIMIT).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_08_charge_again_after_a_crash() {
    let (gateway, payment) = killed_when_sent("after", Gateway::with(), TAKEOVER_LIMIT).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_and_not_yet_charged_without_dedupe() {
    let with = Gateway::with().naive_bank().inquiry_lag(LAG);
    let (gateway, payment) = killed_when_sent("before", with, SLOW_LIMIT).await;
    gateway.bank.expect(&payment.order_id).one_charge_stands().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sent_and_charged_without_dedupe() {
    let with = Gateway::with().naive_bank().inquiry_lag(LAG);
    let (gateway, payment) = killed_when_sent("after", with, SLOW_LIMIT).await;
    gateway.bank.expect(&payment.order_id).one_charge_stands().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_kills_its_worker_five_times_is_buried_with_a_letter() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000);
    let worker = gateway.worker();
    let mut hold = worker.hold_at("claimed");
    let accepted = gateway.accept(&payment).await;
    for nth in 1..=5 {
        let claims = "select claim_count from operations where id = $1";
        eventually("it is claimed again", TAKEOVER_LIMIT, async || {
            let count = sqlx::query_scalar::<_, i32>(claims).bind(accepted.operation.0).fetch_one(gateway.db()).await;
            (count.expect("Postgres answers") == nth).then_some(())
        })
        .await;
        hold.reached().await;
        worker.kill9();
        drop(hold);
        hold = worker.hold_at("claimed");
        worker.start_again().await;
    }
    drop(hold);
    // As far as the row knows something was sent: it is inquired after from now on, and a person is told.
    let letter = "select kind from dead_letters where operation_id = $1";
    let kind = eventually("a letter is written", Duration::from_secs(40), async || {
        let found =
            sqlx::query_scalar::<_, String>(letter).bind(accepted.operation.0).fetch_optional(gateway.db()).await;
        found.expect("Postgres answers")
    });
    assert_eq!(kind.await, "needs_person");
    gateway.until_standing(&accepted, "DONE", "MOVED", Duration::from_secs(20)).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// What was sent first is still on its way when it is sent again, and not taken the second time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_resend_that_is_not_taken_keeps_the_reference() {
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let accepted = gateway.accept(&payment).await;
    held.reached().await;
    gateway.bank.script(&payment.order_id, "approve", json!([{ "do": "busy" }])).await;
    gateway.owner_of(accepted.operation).await.kill9();
    gateway.until_standing(&accepted, "DONE", "MOVED", TAKEOVER_LIMIT).await;
    // Now the first one arrives.
    held.release().await;
    let asked = async || (gateway.bank.asked(&payment.order_id, "approve").await >= 3).then_some(());
    eventually("all three arrived", TAKEOVER_LIMIT, asked).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

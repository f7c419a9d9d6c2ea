//! A worker that is frozen beyond its lease and comes back: what it decides is refused, what it heard is kept.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Gateway, Payment, eventually};

/// Lease, sweep, inquiry.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_decision_is_refused_and_its_answer_kept() {
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let (zombie, hold, accepted) = gateway.first_at("heard", gateway.accept(&payment)).await;
    zombie.freeze();
    gateway.until_standing(&accepted, "DONE", "MOVED", TAKEOVER_LIMIT).await;
    drop(hold);
    zombie.thaw();
    eventually("the late decision is refused", TAKEOVER_LIMIT, async || {
        (zombie.metric("naru_worker_refused_decisions_total").await > 0).then_some(())
    })
    .await;
    let kept = "select answer from attempts where operation_id = $1 and call = 'approve'";
    let kept: Option<String> =
        sqlx::query_scalar(kept).bind(accepted.operation.0).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(kept.as_deref(), Some("approved"));
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_that_nobody_wants_any_more_is_reversed() {
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let soon = System.now() + Duration::from_secs(4);
    let accepting = async {
        let accepted = gateway.accept_until(&payment, soon).await;
        gateway.hint(&[accepted.operation]).await;
        accepted
    };
    let (zombie, hold, accepted) = gateway.first_at("heard", accepting).await;
    zombie.freeze();
    // The lease runs out after the deadline: whoever takes it over takes it back.
    gateway.until_standing(&accepted, "ABORTED", "REVERSED", TAKEOVER_LIMIT).await;
    drop(hold);
    zombie.thaw();
    eventually("the late approval is counted", TAKEOVER_LIMIT, async || {
        (zombie.metric("naru_worker_late_approvals_total").await > 0).then_some(())
    })
    .await;
    gateway.settled().await;
    assert_eq!(gateway.standing(accepted.payment).await, ("ABORTED".to_owned(), "REVERSED".to_owned()));
    gateway.bank.expect(&payment.order_id).charged_then_reversed().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_sends_nothing_new() {
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let (zombie, hold, accepted) = gateway.first_at("claimed", gateway.accept(&payment)).await;
    zombie.freeze();
    gateway.until_standing(&accepted, "DONE", "MOVED", TAKEOVER_LIMIT).await;
    let asked = gateway.bank.asked(&payment.order_id, "approve").await;
    drop(hold);
    zombie.thaw();
    eventually("the late decision is refused", TAKEOVER_LIMIT, async || {
        (zombie.metric("naru_worker_refused_decisions_total").await > 0).then_some(())
    })
    .await;
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, asked);
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

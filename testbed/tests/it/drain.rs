//! Programs that are told to stop: everybody who waits gets an answer, what has begun is finished, and nobody has to clean
//! up after them.

use std::future::IntoFuture as _;
use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Gateway, Payment, Program, eventually};
use serde_json::json;

/// What an orchestrator waits at least before it kills.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(10);
/// What a person calls at once, on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(4);

/// Sends SIGTERM, and returns when the program has noticed.
async fn told_to_stop(program: &Program) {
    program.ask_to_stop();
    eventually("it notices", SOON, async || program.log().contains("stopping: ").then_some(())).await;
}

/// Waits until a program that was told to stop has ended, in time and well.
async fn ended_well(program: &Program) {
    let asked_at = System.monotonic();
    let status = program.terminate().await;
    let took = System.monotonic() - asked_at;
    assert!(status.success(), "{} ended with {status}", program.name());
    assert!(took < DRAIN_LIMIT, "{} took {took:?} to stop", program.name());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_38_cut_off_whoever_waits_when_it_is_replaced() {
    let gateway = Gateway::start().await;
    // One waits for its outcome …
    let waiting = Payment::of(12_000);
    let approval = gateway.bank.hold(&waiting.order_id, "approve", "before").await;
    let waits = tokio::spawn(gateway.shop.key_in(&waiting).into_future());
    approval.reached().await;
    // … one is watched …
    let key = gateway.shop.get_order(&waiting.order_id).await.expecting(200).payment_key().to_owned();
    let mut stream = gateway.shop.stream(&key).await;
    stream.until("a first event", SOON, |_| true).await;
    // … and one has only begun: its card is being registered.
    let begun = Payment::of(13_000);
    let registration = gateway.bank.hold_where(json!({ "call": "register" }), "before").await;
    let begins = tokio::spawn(gateway.shop.key_in(&begun).into_future());
    registration.reached().await;

    let stopped_at = System.monotonic();
    told_to_stop(gateway.api()).await;
    let open = waits.await.expect("it is answered").expecting_problem(504, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING");
    assert_eq!(open.text("moneyState"), "UNKNOWN");
    assert!(open.header("location").ends_with(&key), "where to look: {open:?}");
    stream.until_end(AT_ONCE).await;
    assert!(!stream.broke_off(), "it ends as a stream does, not as a connection that was lost");
    let told_after = System.monotonic() - stopped_at;
    assert!(told_after < AT_ONCE, "nobody is kept waiting for what this API will not see: {told_after:?}");
    let late = gateway.shop.get_order(&waiting.order_id).attempt().await;
    assert!(late.is_err_and(|error| error.is_connect()), "nobody new is let in");
    registration.release().await;
    let open =
        begins.await.expect("it is answered").expecting_problem(504, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING");
    assert_eq!((open.text("moneyState"), open.text("orderId")), ("UNKNOWN", begun.order_id.as_str()));
    ended_well(gateway.api()).await;

    // What was accepted goes on without it, by the hint it sent before it ended.
    let done = "select 1 from payments where order_id = $1 and status = 'DONE'";
    eventually("it is paid", SOON, async || {
        let query = sqlx::query_scalar::<_, i32>(done).bind(&begun.order_id);
        query.fetch_optional(gateway.db()).await.expect("Postgres answers")
    })
    .await;
    assert_eq!(gateway.worker().metric("naru_sweeper_hints_total").await, 0, "its hint was not lost");
    approval.release().await;
    gateway.api().start_again().await;
    stream.reconnect().await;
    stream.until_status("DONE", SOON).await;
    stream.assert_every_version_once();
    gateway.bank.expect(&waiting.order_id).charged_once().await;
    gateway.bank.expect(&begun.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_records_what_it_was_told_and_leaves_the_rest_to_others() {
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "after").await;
    let accepted = gateway.accept(&payment).await;
    held.reached().await;
    let worker = gateway.owner_of(accepted.operation).await;
    told_to_stop(worker).await;

    // What comes now goes to the other one, and does not wait for this one to end.
    let next = Payment::of(13_000);
    let accepted_next = gateway.accept(&next).await;
    gateway.until_standing(&accepted_next, "DONE", "MOVED", AT_ONCE).await;
    assert!(worker.is_running(), "it waits for its answer");

    held.release().await;
    ended_well(worker).await;
    // Recorded before it ended: nobody took it over, and nobody had to ask what became of it.
    assert_eq!(gateway.standing(accepted.payment).await, ("DONE".to_owned(), "MOVED".to_owned()));
    let claims = "select fence from operations where id = $1";
    let claims: i64 =
        sqlx::query_scalar(claims).bind(accepted.operation.0).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(claims, 1);
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, 1);
    assert_eq!(gateway.bank.asked(&payment.order_id, "inquire").await, 0);
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.bank.expect(&next.order_id).charged_once().await;
    gateway.check().await;
}

//! A worker that is frozen beyond its lease and comes back: what it decides is refused, what it heard is kept. And one that is
//! only late: it sends nothing that others count on not being sent.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Accepted, Gateway, Payment, eventually};
use serde_json::json;

/// Lease, sweep, inquiry.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(10);
/// "Not found" is believed when the longest call is over, and somebody must come to hear it once more.
const BELIEVED_LIMIT: Duration = Duration::from_secs(25);

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
    // This card company charges each time it is asked, and what it is asked may lie about with it for long.
    let gateway = Gateway::with().apis(0).workers(2).naive_bank().start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let accepted = gateway.accept_until(&payment, System.now() + Duration::from_secs(4)).await;
    gateway.hint(&[accepted.operation]).await;
    held.reached().await;
    let zombie = gateway.owner_of(accepted.operation).await;
    zombie.freeze();
    // Whoever takes it over finds nothing, believes it in time, and gives it up.
    gateway.until_standing(&accepted, "ABORTED", "NOT_MOVED", BELIEVED_LIMIT).await;
    gateway.bank.expect(&payment.order_id).never_charged().await;
    held.release().await;
    let charged = async || (gateway.bank.money(&payment.order_id).await.standing_charges == 1).then_some(());
    eventually("it is charged after all", TAKEOVER_LIMIT, charged).await;
    assert_eq!(gateway.standing(accepted.payment).await, ("ABORTED".to_owned(), "NOT_MOVED".to_owned()));
    let before = gateway.bank.journal(&payment.order_id).await.len();

    zombie.thaw();
    eventually("the late answer is counted", TAKEOVER_LIMIT, async || {
        (zombie.metric("naru_worker_late_approvals_total").await > 0).then_some(())
    })
    .await;
    gateway.until_standing(&accepted, "ABORTED", "REVERSED", TAKEOVER_LIMIT).await;
    let after = gateway.bank.journal(&payment.order_id).await.split_off(before);
    let reversals = after.iter().filter(|entry| entry["request"] == "net_cancel" && entry["effect"] == "reversed");
    assert_eq!(reversals.count(), 1, "{after:?}");
    assert_eq!(reversal_of(&gateway, &accepted).await, ["succeeded"]);
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.charges, money.standing_charges, money.net), (1, 0, 0));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_when_it_has_told_it_leaves_nothing_undone() {
    let gateway = Gateway::with().apis(0).workers(2).start().await;
    let payment = Payment::of(12_000);
    let accepting = async {
        let accepted = gateway.accept_until(&payment, System.now() + Duration::from_secs(4)).await;
        gateway.hint(&[accepted.operation]).await;
        accepted
    };
    let (zombie, hold, accepted) = gateway.first_at("heard", accepting).await;
    zombie.freeze();
    // Nobody finds what was charged, however long they look.
    for call in ["inquire", "net_cancel"] {
        let matches = json!({ "orderId": payment.order_id, "call": call });
        let blind = json!({ "match": matches, "steps": [{ "do": "not_found" }], "then": "repeat_last" });
        gateway.bank.script_whole(blind).await;
    }
    gateway.until_standing(&accepted, "ABORTED", "NOT_MOVED", BELIEVED_LIMIT).await;
    gateway.bank.clear_scripts().await;
    gateway.bank.expect(&payment.order_id).charged_once().await;

    // The approval in its hand came too late: it is written down before anything else is done about it.
    let kept = zombie.hold_at("kept");
    drop(hold);
    zombie.thaw();
    kept.reached().await;
    zombie.kill9();
    drop(kept);
    gateway.until_standing(&accepted, "ABORTED", "REVERSED", TAKEOVER_LIMIT).await;
    assert_eq!(reversal_of(&gateway, &accepted).await, ["succeeded"]);
    gateway.bank.expect(&payment.order_id).charged_then_reversed().await;
    gateway.check().await;
}

/// Who comes late to the sending finds that others may already count on its not being sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_down_long_ago_is_not_sent() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000);
    let (_, hold, accepted) = gateway.first_at("claimed", gateway.accept(&payment)).await;
    let old = "select now() - sent_at > interval '2.5 seconds' from attempts where operation_id = $1";
    eventually("the attempt is old", TAKEOVER_LIMIT, async || {
        let old = sqlx::query_scalar::<_, bool>(old).bind(accepted.operation.0).fetch_one(gateway.db()).await;
        old.expect("Postgres answers").then_some(())
    })
    .await;
    drop(hold);
    gateway.until_standing(&accepted, "DONE", "MOVED", TAKEOVER_LIMIT).await;
    let told = answers(&gateway, &accepted).await;
    assert_eq!(told, ["busy written_long_ago", "approved -"], "another attempt was made");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, 1);
    gateway.check().await;
}

/// The lease holds and Postgres answers; only this one row was out of reach until the deadline had passed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_had_to_wait_past_the_deadline_is_not_sent_again() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000);
    gateway.bank.script(&payment.order_id, "approve", json!([{ "do": "drop_before" }])).await;
    let held = gateway.bank.hold(&payment.order_id, "inquire", "after").await;
    let accepted = gateway.accept_until(&payment, System.now() + Duration::from_secs(4)).await;
    gateway.hint(&[accepted.operation]).await;
    held.reached().await;
    let mut busy = gateway.db().begin().await.expect("Postgres answers");
    let lock = "select deadline_at from operations where id = $1 for update";
    sqlx::query(lock).bind(accepted.operation.0).execute(&mut *busy).await.expect("nobody holds it");
    // It finds nothing and would send it again.
    held.release().await;
    let waits = "select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into attempts%'";
    eventually("the resend waits to be written down", TAKEOVER_LIMIT, async || {
        let waiting = sqlx::query_scalar::<_, i64>(waits).fetch_one(gateway.db()).await.expect("Postgres answers");
        (waiting > 0).then_some(())
    })
    .await;
    eventually("the deadline passes", TAKEOVER_LIMIT, async || {
        let passed = "select clock_timestamp() > deadline_at from operations where id = $1";
        let passed = sqlx::query_scalar::<_, bool>(passed).bind(accepted.operation.0).fetch_one(gateway.db()).await;
        passed.expect("Postgres answers").then_some(())
    })
    .await;
    busy.rollback().await.expect("Postgres answers");
    gateway.until_standing(&accepted, "ABORTED", "NOT_MOVED", BELIEVED_LIMIT).await;
    assert_eq!(answers(&gateway, &accepted).await, ["unknown connection_lost", "busy too_late"]);
    gateway.bank.expect(&payment.order_id).never_charged().await;
    assert_eq!(gateway.bank.asked(&payment.order_id, "approve").await, 1);
    gateway.check().await;
}

/// What was heard of each try to approve, in order, with its code.
async fn answers(gateway: &Gateway, accepted: &Accepted) -> Vec<String> {
    let answers = "select coalesce(answer, '-') || ' ' || coalesce(code, '-') from attempts
        where operation_id = $1 and call = 'approve' order by sent_at";
    let found = sqlx::query_scalar(answers).bind(accepted.operation.0).fetch_all(gateway.db()).await;
    found.expect("Postgres answers")
}

/// How the operations stand that reverse what the first one charged.
async fn reversal_of(gateway: &Gateway, accepted: &Accepted) -> Vec<String> {
    let status = "select n.status from operations n join attempts a on a.reference = n.target_reference
        where n.kind = 'net_cancel' and n.payment_id = $1 and a.operation_id = $2 and a.call = 'approve'";
    let found = sqlx::query_scalar(status).bind(accepted.payment.0).bind(accepted.operation.0);
    found.fetch_all(gateway.db()).await.expect("Postgres answers")
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

//! Every transition of a payment is reached through HTTP: the domain's snapshot lists them, the stories below reach them, and the
//! databases' logs of events say so. One that is not reached is listed with why it can't be.

mod accounts;
mod late;

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use naru_testbed::{Gateway, Payment, Shop, eventually};
use serde_json::json;

/// `before event after`, a line each, as the domain's own test found them.
const TRANSITIONS: &str = include_str!(
    "../../../shared/src/domain/payment/snapshots/naru_shared__domain__payment__tests__the_transitions_of_statuses.snap"
);
/// The same, of virtual accounts.
const OF_ACCOUNTS: &str = include_str!(
    "../../../shared/src/domain/virtual_account/snapshots/naru_shared__domain__virtual_account__tests__the_transitions_of_accounts.snap"
);
/// What no story here reaches: `before event after: impossible: why`. A transition that a story does reach, or that there is not, may
/// not be listed.
const UNREACHED: &str = include_str!("grid.txt");

const PATIENCE: Duration = Duration::from_secs(60);

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Waits for an event of a payment, by its type.
async fn until_event(gateway: &Gateway, order_id: &str, kind: &str) {
    let what = format!("{kind} of {order_id}");
    let there = "select exists (select from payment_events e join payments p on p.id = e.payment_id
        where p.order_id = $1 and e.type = $2)";
    eventually(&what, PATIENCE, async || {
        let found = sqlx::query_scalar::<_, bool>(there).bind(order_id).bind(kind).fetch_one(gateway.db());
        found.await.expect("Postgres answers").then_some(())
    })
    .await;
}

/// Nobody could carry out an order's work of this kind for a day, and it is given up. Its letter.
async fn given_up(gateway: &Gateway, order_id: &str, kind: &str) -> String {
    // Its day begins with its first turn.
    let tried = "select exists (select from operations o join payments p on p.id = o.payment_id
        where p.order_id = $1 and o.kind = $2 and o.fence > 0 and o.settled_at is null)";
    eventually("it has had its turn", PATIENCE, async || {
        let found = sqlx::query_scalar::<_, bool>(tried).bind(order_id).bind(kind).fetch_one(gateway.db());
        found.await.expect("Postgres answers").then_some(())
    })
    .await;
    let past = "update operations o set deadline_at = now() from payments p
        where p.id = o.payment_id and p.order_id = $1 and o.kind = $2 and o.settled_at is null";
    let aged = sqlx::query(past).bind(order_id).bind(kind).execute(gateway.db()).await.expect("Postgres answers");
    assert_eq!(aged.rows_affected(), 1);
    letter(gateway, order_id).await
}

/// The letter about an order's work that was given up.
async fn letter(gateway: &Gateway, order_id: &str) -> String {
    let letter = "select d.id from dead_letters d join operations o on o.id = d.operation_id
        join payments p on p.id = o.payment_id where p.order_id = $1 and d.kind = 'replayable'";
    let letter = eventually("a letter is written", PATIENCE, async || {
        let found = sqlx::query_scalar::<_, uuid::Uuid>(letter).bind(order_id).fetch_optional(gateway.db());
        found.await.expect("Postgres answers")
    });
    letter.await.to_string()
}

/// And an operator looks, and sends it back to work.
async fn send_back_to_work(gateway: &Gateway, order_id: &str, kind: &str) {
    let letter = given_up(gateway, order_id, kind).await;
    let _ = gateway.operator.replay(&letter).await.expecting(200);
    until_event(gateway, order_id, "operation.rearmed").await;
}

async fn paid(gateway: &Gateway, payment: &Payment) -> String {
    gateway.shop.key_in(payment).await.expecting(200).payment_key().to_owned()
}

/// From the payer's first look to the last won that goes back, one after another.
async fn whole_life(gateway: &Gateway) {
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let (key, payer) = (created.payment_key(), gateway.shop.payer_of(&created));
    let _ = payer.scanned().await.expecting(200);
    let _ = payer.authenticate(&payment).await.expecting(200);
    let _ = gateway.shop.confirm(key, &payment.order_id, 12_000).await.expecting(200);
    let _ = gateway.shop.cancel_part(key, 2_000).await.expecting(200);
    let _ = gateway.shop.capture(key).await.expecting(200);
    let _ = gateway.shop.cancel_part(key, 3_000).await.expecting(200);
    let _ = gateway.shop.cancel(key).await.expecting(200);
}

async fn captured_first(gateway: &Gateway) {
    let payment = Payment::of(12_000);
    let key = paid(gateway, &payment).await;
    let _ = gateway.shop.capture(&key).await.expecting(200);
    let _ = gateway.shop.cancel(&key).await.expecting(200);
}

async fn given_up_by_the_payer(gateway: &Gateway) {
    let early = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let _ = gateway.shop.payer_of(&early).cancel().await.expecting(200);
    let late = gateway.shop.authenticated(&Payment::of(12_000)).await;
    let _ = gateway.shop.payer_of(&late).cancel().await.expecting(200);
}

/// By a clock of its own, which no other story sees.
async fn out_of_time(gateway: &Gateway, shop: &Shop) {
    let (ready, authenticated) = (Payment::of(12_000), Payment::of(12_000));
    let _ = shop.create(&ready).await.expecting(200);
    let _ = shop.authenticated(&authenticated).await;
    let _ = shop.advance(3_600).await.expecting(200);
    until_event(gateway, &ready.order_id, "payment.expired").await;
    until_event(gateway, &authenticated.order_id, "payment.expired").await;
}

async fn in_trouble(gateway: &Gateway) {
    let _ =
        gateway.shop.key_in(&Payment::of(9_000).card("decline_51")).await.expecting_problem(403, "REJECT_CARD_PAYMENT");
    for steps in [json!([{ "do": "busy" }]), json!([{ "do": "drop_after" }]), json!([{ "do": "slow", "ms": 8_000 }])] {
        let payment = Payment::of(12_000);
        gateway.bank.script(&payment.order_id, "approve", steps).await;
        let _ = gateway.shop.begin(&payment).await;
        until_event(gateway, &payment.order_id, "payment.done").await;
    }
}

/// The acquirer captures by itself while a cancel is on its way to it, and a capture waits behind that.
async fn captured_meanwhile(gateway: &Gateway, part: bool, amount: i64, refusal: Option<&str>) {
    let payment = Payment::of(12_000);
    let key = paid(gateway, &payment).await;
    if part {
        let _ = gateway.shop.cancel_part(&key, 1_000).await.expecting(200);
    }
    let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
    let _ = gateway.shop.cancel_part(&key, amount).prefer("respond-async").await.expecting(202);
    held.reached().await;
    let _ = gateway.shop.capture(&key).prefer("respond-async").await.expecting(202);
    gateway.bank.acts_by_itself(&payment.order_id, "captures", if part { 11_000 } else { 12_000 }).await;
    if let Some(code) = refusal {
        gateway.bank.script(&payment.order_id, "refund", json!([{ "do": "decline", "code": code }])).await;
    }
    held.release().await;
    until_event(gateway, &payment.order_id, "capture.done").await;
    assert_eq!(gateway.bank.asked(&payment.order_id, "capture").await, 1, "its own, and none of ours");
    let told = "select count(*) from payment_events e join payments p on p.id = e.payment_id
        where p.order_id = $1 and e.type = 'payment.captured'";
    let told = sqlx::query_scalar::<_, i64>(told).bind(&payment.order_id).fetch_one(gateway.db()).await;
    assert_eq!(told.expect("Postgres answers"), 1, "told once");
}

/// A capture is given up, all goes back, and an operator has the capture tried again: there is nothing left of it.
async fn captured_too_late(gateway: &Gateway) {
    let payment = Payment::of(12_000);
    let key = paid(gateway, &payment).await;
    let busy = json!({ "match": { "orderId": payment.order_id, "call": "capture" },
        "steps": [{ "do": "drop_before" }, { "do": "busy" }], "then": "repeat_last" });
    gateway.bank.script_whole(busy).await;
    let _ = gateway.shop.capture(&key).prefer("respond-async").await.expecting(202);
    let letter = given_up(gateway, &payment.order_id, "capture").await;
    let _ = gateway.shop.cancel(&key).await.expecting(200);
    gateway.bank.script(&payment.order_id, "inquire", json!([{ "do": "drop_before" }])).await;
    let _ = gateway.operator.replay(&letter).await.expecting(200);
    // After so many looks the next one is a minute off: as if that had passed.
    let passed = "update operations o set due_at = now(), nudge_at = now() from payments p
        where p.id = o.payment_id and p.order_id = $1 and o.kind = 'capture' and o.status = 'unknown'";
    eventually("it is looked at in vain", PATIENCE, async || {
        let passed = sqlx::query(passed).bind(&payment.order_id).execute(gateway.db()).await;
        (passed.expect("Postgres answers").rows_affected() == 1).then_some(())
    })
    .await;
    until_event(gateway, &payment.order_id, "capture.aborted").await;
    assert_eq!(gateway.bank.money(&payment.order_id).await.captured, 0);
}

/// Trouble with what follows an approval, of a payment that is paid, or of which a part went back before.
async fn in_trouble_later(gateway: &Gateway, part: bool) {
    let prepared = async |call: &'static str, steps: serde_json::Value| {
        let payment = Payment::of(12_000);
        let key = paid(gateway, &payment).await;
        if part {
            let _ = gateway.shop.cancel_part(&key, 1_000).await.expecting(200);
        }
        gateway.bank.script(&payment.order_id, call, steps).await;
        (payment, key)
    };
    let troubles = [json!([{ "do": "busy" }]), json!([{ "do": "drop_after" }]), json!([{ "do": "slow", "ms": 8_000 }])];
    for steps in troubles.clone() {
        let (_, key) = prepared("cancel", steps).await;
        let _ = gateway.shop.cancel_part(&key, 4_000).prefer("wait=30").await.expecting(200);
    }
    let (_, key) = prepared("cancel", json!([{ "do": "decline", "code": "05" }])).await;
    let _ = gateway.shop.cancel_part(&key, 4_000).await.expecting_problem(400, "REFUND_REJECTED");
    for steps in troubles.into_iter().take(2) {
        let (_, key) = prepared("capture", steps).await;
        let _ = gateway.shop.capture(&key).prefer("wait=30").await.expecting(200);
    }
    let (payment, key) = prepared("capture", json!([{ "do": "decline", "code": "05" }])).await;
    let _ = gateway.shop.capture(&key).await;
    until_event(gateway, &payment.order_id, "capture.aborted").await;
    let (payment, key) = prepared("cancel", json!([{ "do": "busy" }, { "do": "busy" }, { "do": "busy" }])).await;
    let _ = gateway.shop.cancel_part(&key, 4_000).prefer("respond-async").await.expecting(202);
    send_back_to_work(gateway, &payment.order_id, "cancel").await;
    // It was captured without our asking: the cancel is told so.
    let (payment, key) = prepared("inquire", json!([{ "do": "approve" }])).await;
    gateway.bank.acts_by_itself(&payment.order_id, "captures", if part { 11_000 } else { 12_000 }).await;
    let _ = gateway.shop.cancel_part(&key, 2_000).prefer("wait=30").await.expecting(200);
}

/// The steps that payments took here: `before event after`.
async fn steps(gateway: &Gateway) -> Vec<String> {
    let step = "with step as (
            select type, state ->> 'status' as status,
                lag(state ->> 'status') over (partition by payment_id order by version) as before
            from payment_events)
        select distinct before || ' ' || type || ' ' || status from step where before is not null";
    sqlx::query_scalar(step).fetch_all(gateway.db()).await.expect("Postgres answers")
}

/// Of acquirers that know what they were asked before.
async fn in_time() -> Vec<String> {
    let gateway = Gateway::start().await;
    let elsewhere = gateway.another_shop().await;
    let [overdue, expired] = [gateway.another_shop().await, gateway.another_shop().await];
    let mut stories: Vec<futures::future::LocalBoxFuture<'_, ()>> = vec![
        Box::pin(whole_life(&gateway)),
        Box::pin(captured_first(&gateway)),
        Box::pin(given_up_by_the_payer(&gateway)),
        Box::pin(out_of_time(&gateway, &elsewhere)),
        Box::pin(in_trouble(&gateway)),
        Box::pin(captured_meanwhile(&gateway, false, 12_000, None)),
        Box::pin(captured_meanwhile(&gateway, false, 4_000, Some("05"))),
        Box::pin(captured_meanwhile(&gateway, true, 4_000, None)),
        Box::pin(captured_too_late(&gateway)),
        Box::pin(in_trouble_later(&gateway, false)),
        Box::pin(in_trouble_later(&gateway, true)),
    ];
    stories.extend(accounts::stories(&gateway, [&overdue, &expired]));
    join_all(stories).await;
    gateway.check().await;
    steps(&gateway).await
}

/// Of acquirers that do what they are asked each time they are asked, and long after they said that they would not.
async fn too_late() -> Vec<String> {
    let gateway = late::told().await;
    gateway.check().await;
    steps(&gateway).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_transition_is_reached_through_http() {
    let (in_time, too_late) = tokio::join!(in_time(), too_late());
    let reached: BTreeSet<&str> = in_time.iter().chain(&too_late).map(String::as_str).collect();
    // A snapshot has a head of its own.
    let body = |snapshot: &'static str| snapshot.splitn(3, "---\n").nth(2).unwrap_or_default();
    let legal: BTreeSet<&str> = [TRANSITIONS, OF_ACCOUNTS].into_iter().flat_map(|text| lines(body(text))).collect();
    assert!(legal.len() > 30, "the snapshot is read: {legal:?}");
    let mut excused = BTreeSet::new();
    let mut complaints = Vec::new();
    for line in lines(UNREACHED) {
        match line.split_once(": impossible: ") {
            Some((transition, why)) if !why.is_empty() => _ = excused.insert(transition),
            Some(_) | None => complaints.push(format!("grid.txt: {line:?} does not say why it is impossible")),
        }
    }
    for transition in legal.difference(&reached).filter(|transition| !excused.contains(*transition)) {
        complaints.push(format!(
            "no story reaches {transition:?}: add one to grid.rs, or a line to grid.txt with why it is impossible"
        ));
    }
    complaints.extend(
        reached.difference(&legal).map(|step| format!("{step:?} happened, and the domain's snapshot lacks it")),
    );
    complaints
        .extend(reached.intersection(&excused).map(|step| format!("grid.txt: {step:?} is reached here; take it off")));
    complaints
        .extend(excused.difference(&legal).map(|step| format!("grid.txt: {step:?} is no transition; take it off")));
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

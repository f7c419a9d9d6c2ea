//! Deposits that arrive at each step of a cancel or of a refund, however their callback comes: what was paid in goes back, once, or
//! is taken, and never stays with nobody.

use std::time::Duration;

use naru_testbed::{Answer, Gateway, Payment, eventually};
use serde_json::{Value, json};

/// What is found though no callback came.
const FOUND: Duration = Duration::from_secs(60);

/// How far the cancel is when somebody pays in.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    /// No worker has claimed it.
    Queued,
    /// A worker waits at this point.
    At(&'static str),
    /// The bank has it, `before` or `after` it took effect.
    Sent(&'static str),
}

/// Each step up to the one that makes it known.
const STEPS: [Step; 7] = [
    Step::Queued,
    Step::At("claimed"),
    Step::Sent("before"),
    Step::Sent("after"),
    Step::At("heard"),
    Step::At("answered"),
    Step::At("recorded"),
];

fn callbacks() -> [Value; 4] {
    [json!("send"), json!("double"), json!({ "late": 1_500 }), json!("lose")]
}

fn payee() -> Value {
    json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" })
}

/// Has all that is left of a payment cancelled, and somebody pay in when that is at this step. Returns what the bank said to them.
async fn race(gateway: &Gateway, order_id: &str, key: &str, call: &str, step: Step, callback: &Value) -> Value {
    let paid_in = race_until(gateway, order_id, key, call, step, callback).await;
    if callback == "lose" {
        // Nobody needs to wait here for a look that time would bring.
        sqlx::query("update account_looks set look_at = now()").execute(gateway.db()).await.expect("Postgres answers");
    }
    paid_in
}

async fn race_until(gateway: &Gateway, order_id: &str, key: &str, call: &str, step: Step, callback: &Value) -> Value {
    let cancel = async || {
        let body = json!({ "cancelReason": "고객 변심", "refundReceiveAccount": payee() });
        let answer = gateway.shop.cancel_with(key, &body).prefer("respond-async").await;
        assert!(matches!(answer.status, 200 | 202), "{answer:?}");
    };
    let pay_in = async || gateway.bank.deposit(order_id, json!({ "callback": callback })).await;
    match step {
        Step::Queued => {
            gateway.worker().freeze();
            cancel().await;
            let paid_in = pay_in().await;
            gateway.worker().thaw();
            paid_in
        }
        Step::At(point) => {
            let hold = gateway.worker().hold_at(point);
            cancel().await;
            hold.reached().await;
            // And not something else that came by.
            eventually("the cancel is there", FOUND, async || {
                is_at(gateway, order_id, call, point).await.then_some(())
            })
            .await;
            let paid_in = pay_in().await;
            hold.release();
            paid_in
        }
        Step::Sent(effect) => {
            let held = gateway.bank.hold(order_id, call, effect).await;
            cancel().await;
            held.reached().await;
            let paid_in = pay_in().await;
            held.release().await;
            paid_in
        }
    }
}

/// Whether the newest work on an order has come this far.
async fn is_at(gateway: &Gateway, order_id: &str, call: &str, point: &str) -> bool {
    let status = "select o.status from operations o join payments p on p.id = o.payment_id
        where p.order_id = $1 order by o.number desc limit 1";
    let status = sqlx::query_scalar::<_, String>(status).bind(order_id).fetch_one(gateway.db()).await;
    match (point, status.expect("Postgres answers").as_str()) {
        ("claimed", status) => status == "processing",
        ("recorded", status) => status == "succeeded",
        (_, status) => status == "processing" && gateway.bank.asked(order_id, call).await > 0,
    }
}

/// Sees to it that no account of a payment that is over is looked at, and then closed, while the next one's race is on.
async fn leave_alone(gateway: &Gateway) {
    let later = "update account_looks set look_at = now() + interval '1 day'";
    sqlx::query(later).execute(gateway.db()).await.expect("Postgres answers");
    gateway.settled().await;
}

/// What became of its deposits: how each stands.
fn deposits(read: &Answer) -> Vec<&str> {
    let each = read.at("deposits").as_array().into_iter().flatten();
    each.map(|deposit| deposit["status"].as_str().unwrap_or_default()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deposit_at_any_step_of_a_cancel_goes_back() {
    let gateway = Gateway::start().await;
    for step in STEPS {
        for callback in callbacks() {
            let order_id = Payment::of(15_000).order_id;
            let opened = gateway.shop.virtual_account(&order_id, 15_000, json!({})).await.expecting(200);
            let key = opened.payment_key();
            let paid_in = race(&gateway, &order_id, key, "close", step, &callback).await;
            let what = format!("{step:?} {callback}");
            let is_over = |read: &Answer| read.text("status") == "CANCELED";
            let read = gateway.shop.until(key, &what, FOUND, is_over).await;
            // What the bank closed before anybody paid took nothing; what somebody paid before that went back.
            let is_early = matches!(step, Step::Queued | Step::At("claimed") | Step::Sent("before"));
            assert_eq!(paid_in["result"], if is_early { "approved" } else { "declined" }, "{what}: {paid_in}");
            let (money, kind, taken): (_, _, &[&str]) =
                if is_early { ("REVERSED", "REFUND", &["taken"]) } else { ("NOT_MOVED", "CANCEL", &[]) };
            let told = (read.text("moneyState"), read.text("cancels.0.type"), read.text("cancels.0.cancelStatus"));
            assert_eq!(told, (money, kind, "DONE"), "{what}: {read:?}");
            assert_eq!(deposits(&read), taken, "{what}: {read:?}");
            let money = gateway.bank.money(&order_id).await;
            let charged = if is_early { 15_000 } else { 0 };
            assert_eq!((money.charged, money.refunded, money.net), (charged, charged, 0), "{what}");
            leave_alone(&gateway).await;
        }
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_deposit_at_any_step_of_a_refund_goes_back_too() {
    let gateway = Gateway::start().await;
    for step in STEPS {
        for callback in callbacks() {
            let order_id = Payment::of(15_000).order_id;
            let with = json!({ "refundReceiveAccount": payee() });
            let opened = gateway.shop.virtual_account(&order_id, 15_000, with).await.expecting(200);
            let key = opened.payment_key();
            let _ = gateway.bank.deposit(&order_id, json!({})).await;
            let _ = gateway.shop.until_status(key, "DONE").await;
            let paid_in = race(&gateway, &order_id, key, "pay_out", step, &callback).await;
            let what = format!("{step:?} {callback}");
            assert_eq!(paid_in["result"], "approved", "{what}: the account is open");
            let is_over = |read: &Answer| deposits(read) == ["taken", "returned"] && read.text("status") == "CANCELED";
            let read = gateway.shop.until(key, &what, FOUND, is_over).await;
            let told = (read.text("moneyState"), read.text("cancels.0.type"), read.text("cancels.0.cancelStatus"));
            assert_eq!(told, ("REVERSED", "REFUND", "DONE"), "{what}: {read:?}");
            let why = read.text("deposits.1.reason");
            assert!(matches!(why, "second" | "unwanted"), "{what}: {read:?}");
            let money = gateway.bank.money(&order_id).await;
            assert_eq!((money.charged, money.refunded, money.net), (30_000, 30_000, 0), "{what}");
            leave_alone(&gateway).await;
        }
    }
    gateway.check().await;
}

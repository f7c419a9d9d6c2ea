//! What becomes of virtual accounts.

use naru_shared::clock::Clock as _;
use naru_shared::domain::operation::CRASH_BUDGET;
use naru_shared::system::System;
use naru_testbed::{Gateway, Payment, Shop};
use serde_json::{Value, json};

use super::{PATIENCE, letter, send_back_to_work, until_event};

const ASKED: i64 = 15_000;

/// An account that is paid into, or will be.
struct Opened<'a> {
    gateway: &'a Gateway,
    shop: &'a Shop,
    order_id: String,
    key: String,
}

pub(super) fn payee() -> Value {
    json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" })
}

impl<'a> Opened<'a> {
    async fn at(gateway: &'a Gateway, shop: &'a Shop, more: Value) -> Self {
        let order_id = Payment::of(1).order_id;
        let opened = shop.virtual_account(&order_id, ASKED, more).await.expecting(200);
        Self { gateway, shop, order_id, key: opened.payment_key().to_owned() }
    }

    async fn paid(gateway: &'a Gateway, more: Value) -> Self {
        let opened = Self::at(gateway, &gateway.shop, more).await;
        let _ = opened.deposit(ASKED).await;
        opened.until("payment.done").await;
        opened
    }

    /// Somebody pays in, and the bank names the deposit.
    async fn deposit(&self, amount: i64) -> String {
        let deposit = self.gateway.bank.deposit(&self.order_id, json!({ "amount": amount })).await;
        deposit["transactionKey"].as_str().expect("it has a key").to_owned()
    }

    async fn until(&self, kind: &str) {
        until_event(self.gateway, &self.order_id, kind).await;
    }

    async fn says_where_to(&self) {
        let _ = self.shop.refund_account(&self.key, &payee()).await.expecting(200);
    }

    async fn cancel(&self, amount: Option<i64>) {
        let body = json!({ "cancelReason": "고객 변심", "cancelAmount": amount, "refundReceiveAccount": payee() });
        let _ = self.shop.cancel_with(&self.key, &body).prefer("wait=30").await.expecting(200);
    }

    /// So many deposits went back.
    async fn until_returned(&self, count: usize) {
        let all = |read: &naru_testbed::Answer| {
            let deposits = read.at("deposits").as_array().into_iter().flatten();
            deposits.filter(|deposit| deposit["status"] == "returned").count() == count
        };
        let _ = self.shop.until(&self.key, "deposits went back", PATIENCE, all).await;
    }

    /// A deposit that can't be taken is on its way back, and taken back by the payer's bank before it is there.
    async fn one_is_taken_back_instead(&self) {
        self.gateway.bank.script(&self.order_id, "pay_out", json!([{ "do": "busy" }, { "do": "busy" }])).await;
        let before = self.gateway.bank.asked(&self.order_id, "pay_out").await;
        let key = self.deposit(5_000).await;
        let asked = async || (self.gateway.bank.asked(&self.order_id, "pay_out").await > before).then_some(());
        naru_testbed::eventually("its return is tried", PATIENCE, asked).await;
        let taken = self.gateway.bank.move_deposit(&key, "take-back", json!({})).await;
        assert_eq!(taken["result"], "approved", "{taken}");
        self.until("deposit.taken_back").await;
        self.until("deposit.nothing_to_return").await;
    }
}

/// Too little, and nobody says where to for a while; then all of it, too much, and everything back in two parts.
async fn paid_into_and_refunded(gateway: &Gateway) {
    let account = Opened::at(gateway, &gateway.shop, json!({})).await;
    let _ = account.deposit(5_000).await;
    account.until("operation.dead").await;
    account.says_where_to().await;
    account.until_returned(1).await;
    let _ = account.deposit(ASKED).await;
    account.until("payment.done").await;
    account.says_where_to().await;
    let _ = account.deposit(ASKED).await;
    account.until_returned(2).await;
    account.cancel(Some(4_000)).await;
    account.says_where_to().await;
    let _ = account.deposit(5_000).await;
    account.until_returned(3).await;
    account.cancel(None).await;
    account.until("account.closed").await;
}

/// While the account of a payment that was refunded is being closed, somebody pays in once more.
async fn paid_into_again_when_all_is_over(gateway: &Gateway) {
    let account = Opened::paid(gateway, json!({})).await;
    let held = gateway.bank.hold(&account.order_id, "close", "before").await;
    account.cancel(None).await;
    held.reached().await;
    let _ = account.deposit(ASKED).await;
    account.until("deposit.not_taken").await;
    held.release().await;
    account.until("account.not_closed").await;
    account.until("operation.dead").await;
    account.says_where_to().await;
    account.until_returned(1).await;
    account.until("account.closed").await;
}

/// A part is refunded, and before that is heard of the payer's bank takes all of it back: both have it, and a person is told.
async fn refunded_and_taken_back(gateway: &Gateway) {
    let account = Opened::at(gateway, &gateway.shop, json!({})).await;
    let deposit = account.deposit(ASKED).await;
    account.until("payment.done").await;
    let held = gateway.bank.hold(&account.order_id, "pay_out", "after").await;
    let body = json!({ "cancelReason": "고객 변심", "cancelAmount": 5_000, "refundReceiveAccount": payee() });
    let _ = account.shop.cancel_with(&account.key, &body).prefer("respond-async").await.expecting(202);
    held.reached().await;
    let taken = gateway.bank.move_deposit(&deposit, "take-back", json!({ "paidOut": true })).await;
    assert_eq!(taken["result"], "approved", "{taken}");
    account.until("deposit.taken_back").await;
    held.release().await;
    account.until("cancel.done").await;
    let read = account.shop.get(&account.key).await.expecting(200);
    let told = (read.text("status"), read.text("moneyState"), read.text("cancels.0.cancelStatus"));
    assert_eq!(told, ("PARTIAL_CANCELED", "REVERSED", "DONE"), "{read:?}");
    let case = "select k.kind from cases k join payments p on p.id = k.payment_id where p.payment_key = $1";
    let case: String = sqlx::query_scalar(case).bind(&account.key).fetch_one(gateway.db()).await.expect("a case");
    assert_eq!(case, "books_disagree");
}

/// The bank opens an account when it is long given up, and somebody pays in.
async fn opened_too_late(gateway: &Gateway) {
    let order_id = Payment::of(1).order_id;
    let due = System.now() + time::Duration::seconds(3);
    let due = due.format(&time::format_description::well_known::Rfc3339).expect("it is a time");
    let held = gateway.bank.hold(&order_id, "issue", "before").await;
    let asked = gateway.shop.virtual_account(&order_id, ASKED, json!({ "dueDate": due })).prefer("respond-async").await;
    let account = Opened { gateway, shop: &gateway.shop, order_id, key: asked.expecting(202).payment_key().to_owned() };
    account.until("payment.aborted").await;
    held.release().await;
    let _ = account.deposit(ASKED).await;
    account.until("deposit.not_taken").await;
    account.until("operation.dead").await;
    gateway.bank.script(&account.order_id, "pay_out", json!([{ "do": "busy" }])).await;
    let held = gateway.bank.hold(&account.order_id, "close", "before").await;
    account.says_where_to().await;
    account.until_returned(1).await;
    held.reached().await;
    let _ = account.deposit(5_000).await;
    let both = |read: &naru_testbed::Answer| read.at("deposits.1").is_object();
    let _ = account.shop.until(&account.key, "the second one is found", PATIENCE, both).await;
    held.release().await;
    account.until("account.not_closed").await;
    account.until_returned(2).await;
    account.until("account.closed").await;
}

/// Where to is said while the bank is still asked for the account.
async fn told_where_to_before_it_is_open(gateway: &Gateway) {
    let order_id = Payment::of(1).order_id;
    let held = gateway.bank.hold(&order_id, "issue", "before").await;
    let asked = gateway.shop.virtual_account(&order_id, ASKED, json!({})).prefer("respond-async").await;
    let account = Opened { gateway, shop: &gateway.shop, order_id, key: asked.expecting(202).payment_key().to_owned() };
    account.says_where_to().await;
    held.release().await;
    account.until("payment.waiting_for_deposit").await;
}

/// Nobody pays in time; somebody does while it is being closed. By a clock of its own, which no other story sees.
async fn overdue(gateway: &Gateway, shop: &Shop) {
    let account = Opened::at(gateway, shop, json!({ "refundReceiveAccount": payee() })).await;
    let held = gateway.bank.hold(&account.order_id, "close", "before").await;
    let _ = shop.advance(8 * 24 * 3_600).await.expecting(200);
    account.until("payment.overdue").await;
    held.reached().await;
    let _ = account.deposit(ASKED).await;
    account.until("deposit.not_taken").await;
    held.release().await;
    account.until("account.not_closed").await;
    account.until_returned(1).await;
    account.until("account.closed").await;
}

/// The payer's bank takes back what made the payment; then what could not be taken; and at last everything is called off.
async fn taken_back(gateway: &Gateway) {
    let account = Opened::at(gateway, &gateway.shop, json!({ "refundReceiveAccount": payee() })).await;
    let key = account.deposit(ASKED).await;
    account.until("payment.done").await;
    let taken = gateway.bank.move_deposit(&key, "take-back", json!({})).await;
    assert_eq!(taken["result"], "approved", "{taken}");
    let _ = account.shop.until_status(&account.key, "WAITING_FOR_DEPOSIT").await;
    let _ = account.shop.cancel(&account.key).prefer("wait=30").await.expecting(200);

    let waiting = Opened::at(gateway, &gateway.shop, json!({ "refundReceiveAccount": payee() })).await;
    waiting.one_is_taken_back_instead().await;
    let done = Opened::paid(gateway, json!({ "refundReceiveAccount": payee() })).await;
    done.one_is_taken_back_instead().await;
    let part = Opened::paid(gateway, json!({ "refundReceiveAccount": payee() })).await;
    part.cancel(Some(4_000)).await;
    part.one_is_taken_back_instead().await;
    let gone = Opened::paid(gateway, json!({ "refundReceiveAccount": payee() })).await;
    let held = gateway.bank.hold(&gone.order_id, "close", "before").await;
    gone.cancel(None).await;
    held.reached().await;
    let release = async {
        gone.until("deposit.not_taken").await;
        held.release().await;
    };
    tokio::join!(gone.one_is_taken_back_instead(), release);
}

/// Nobody says where a deposit goes back to until the payer's bank has taken it back.
async fn taken_back_before_anybody_says_where_to(gateway: &Gateway) {
    let account = Opened::at(gateway, &gateway.shop, json!({})).await;
    let key = account.deposit(5_000).await;
    account.until("operation.dead").await;
    let taken = gateway.bank.move_deposit(&key, "take-back", json!({})).await;
    assert_eq!(taken["result"], "approved", "{taken}");
    account.until("deposit.taken_back").await;
    account.says_where_to().await;
    account.until("deposit.nothing_to_return").await;
    let _ = account.shop.cancel(&account.key).prefer("wait=30").await.expecting(200);
}

/// Trouble with a cancel before anything was paid in.
async fn in_trouble(gateway: &Gateway) {
    let prepared = async |steps: Value| {
        let account = Opened::at(gateway, &gateway.shop, json!({})).await;
        gateway.bank.script(&account.order_id, "close", steps).await;
        account
    };
    for steps in [json!([{ "do": "busy" }]), json!([{ "do": "drop_after" }]), json!([{ "do": "slow", "ms": 8_000 }])] {
        let account = prepared(steps).await;
        let _ = account.shop.cancel(&account.key).prefer("wait=30").await.expecting(200);
    }
    let account = prepared(json!([{ "do": "decline", "code": "05" }])).await;
    let _ = account.shop.cancel(&account.key).await.expecting_problem(400, "REFUND_REJECTED");
    let account = prepared(json!([{ "do": "busy" }, { "do": "busy" }, { "do": "busy" }])).await;
    let _ = account.shop.cancel(&account.key).prefer("respond-async").await.expecting(202);
    send_back_to_work(gateway, &account.order_id, "cancel").await;
}

/// An account whose opening crashes its workers until it is given up. Returns the payment's key.
async fn crashes_its_workers(gateway: &Gateway, shop: &Shop, order_id: &str) -> String {
    gateway.bank.script(order_id, "issue", json!([{ "do": "busy" }, { "do": "busy" }, { "do": "busy" }])).await;
    let asked = shop.virtual_account(order_id, ASKED, json!({})).prefer("respond-async").await.expecting(202);
    // As if so many had died of it: each takes as long as a lease.
    let died = "update operations o set claim_count = $2 from payments p
        where p.id = o.payment_id and p.order_id = $1 and o.status = 'waiting'";
    naru_testbed::eventually("it is tried again", PATIENCE, async || {
        let died = sqlx::query(died).bind(order_id).bind(CRASH_BUDGET).execute(gateway.db()).await;
        (died.expect("Postgres answers").rows_affected() == 1).then_some(())
    })
    .await;
    until_event(gateway, order_id, "operation.dead").await;
    asked.payment_key().to_owned()
}

/// An operator has it opened after all; and another's time runs out before. By a clock of its own, which no other story sees.
async fn hard_to_open(gateway: &Gateway, shop: &Shop) {
    let order_id = Payment::of(1).order_id;
    let _ = crashes_its_workers(gateway, shop, &order_id).await;
    let _ = gateway.operator.replay(&letter(gateway, &order_id).await).await.expecting(200);
    until_event(gateway, &order_id, "operation.rearmed").await;
    until_event(gateway, &order_id, "payment.waiting_for_deposit").await;
    let order_id = Payment::of(1).order_id;
    let key = crashes_its_workers(gateway, shop, &order_id).await;
    let _ = shop.advance(3_600).await.expecting(200);
    until_event(gateway, &order_id, "payment.expired").await;
    let _ = shop.refund_account(&key, &payee()).await.expecting(200);
}

/// Everything above.
pub(super) fn stories<'a>(
    gateway: &'a Gateway,
    [overdue_shop, expired_shop]: [&'a Shop; 2],
) -> Vec<futures::future::LocalBoxFuture<'a, ()>> {
    vec![
        Box::pin(paid_into_and_refunded(gateway)),
        Box::pin(paid_into_again_when_all_is_over(gateway)),
        Box::pin(opened_too_late(gateway)),
        Box::pin(told_where_to_before_it_is_open(gateway)),
        Box::pin(overdue(gateway, overdue_shop)),
        Box::pin(taken_back(gateway)),
        Box::pin(refunded_and_taken_back(gateway)),
        Box::pin(taken_back_before_anybody_says_where_to(gateway)),
        Box::pin(in_trouble(gateway)),
        Box::pin(hard_to_open(gateway, expired_shop)),
    ]
}

//! Workers that are killed, frozen or cut off from Postgres while they have an account opened, refund what was paid into it, return
//! what it could not take, or close it: however it went, each is done once, at us and at the bank.

use naru_shared::domain::id::OperationId;
use naru_testbed::{Gateway, Payment, eventually};
use serde_json::{Value, json};

use crate::courses::{BELIEVED_LIMIT, Course as _, cut_at, killed_everywhere, naive, newest};
use crate::crash::{SLOW_LIMIT, TAKEOVER_LIMIT};

/// What goes wrong.
#[derive(Clone, Copy, PartialEq)]
enum Course {
    /// It is opened.
    Issue,
    /// A part of what was paid into it is refunded.
    Refund,
    /// Too little was paid into it, and goes back.
    Return,
    /// It is closed, because the payment is cancelled before its deposit.
    Close,
}
use Course::{Close, Issue, Refund, Return};

/// An order, and its payment's key once there is one.
struct Order {
    id: String,
    key: Option<String>,
}

impl Order {
    /// Its payment's key.
    fn key(&self) -> &str {
        self.key.as_deref().expect("it was opened before")
    }
}

fn payee() -> Value {
    json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" })
}

/// The references under which the bank opened accounts for an order and has not closed them.
pub(crate) async fn open_accounts(gateway: &Gateway, order_id: &str) -> Vec<String> {
    let journal = gateway.bank.journal(order_id).await;
    let told = |call: &str, member: &str| -> Vec<String> {
        let done = journal.iter().filter(|entry| entry["request"] == call && entry["result"] == "approved");
        let done = done.filter(|entry| call != "issue" || entry["details"].is_object());
        done.filter_map(|entry| entry[member].as_str().map(str::to_owned)).collect()
    };
    let closed = told("close", "originalReference");
    told("issue", "reference").into_iter().filter(|reference| !closed.contains(reference)).collect()
}

/// Waits until the bank tells of the account that it opened for an order: one that lags does not at first.
async fn until_it_is_told(gateway: &Gateway, order_id: &str) {
    let [reference] = open_accounts(gateway, order_id).await.try_into().expect("one is open");
    let address = format!("{}/virtual-accounts/v1/transactions/{reference}", gateway.bank.url());
    eventually("the bank tells of it", TAKEOVER_LIMIT, async || {
        let told = reqwest::get(&address).await.expect("it answers").text().await.expect("it answers");
        (!told.contains("not_found")).then_some(())
    })
    .await;
}

impl crate::courses::Course for Course {
    type Of = Order;

    fn call(self) -> &'static str {
        match self {
            Issue => "issue",
            Refund | Return => "pay_out",
            Close => "close",
        }
    }

    fn order(of: &Order) -> &str {
        &of.id
    }

    async fn prepared(self, gateway: &Gateway) -> Order {
        let id = Payment::of(15_000).order_id;
        if self == Issue {
            return Order { id, key: None };
        }
        let more = json!({ "refundReceiveAccount": payee() });
        let key = gateway.shop.virtual_account(&id, 15_000, more).await.expecting(200).payment_key().to_owned();
        until_it_is_told(gateway, &id).await;
        if self == Refund {
            let _ = gateway.bank.deposit(&id, json!({})).await;
            let _ = gateway.shop.until_status(&key, "DONE").await;
        }
        Order { id, key: Some(key) }
    }

    async fn accepted(self, gateway: &Gateway, of: &Order) -> OperationId {
        let before = newest(gateway, &of.id).await;
        let answer = match self {
            Issue => Some(gateway.shop.virtual_account(&of.id, 15_000, json!({}))),
            Refund => Some(gateway.shop.cancel_part(of.key(), 5_000)),
            Close => Some(gateway.shop.cancel(of.key())),
            Return => None,
        };
        match answer {
            Some(call) => {
                let answer = call.prefer("respond-async").await;
                assert!(matches!(answer.status, 200 | 202), "{answer:?}");
            }
            None => {
                let _ = gateway.bank.deposit(&of.id, json!({ "amount": 5_000 })).await;
            }
        }
        let queued = async || newest(gateway, &of.id).await.filter(|found| Some(*found) != before);
        eventually("it is queued", TAKEOVER_LIMIT, queued).await
    }

    async fn was_done_once(self, gateway: &Gateway, of: &Order) {
        let money = gateway.bank.money(&of.id).await;
        let expected = match self {
            Issue | Close => (0, 0),
            Refund => (15_000, 5_000),
            Return => (5_000, 5_000),
        };
        assert_eq!((money.charged, money.refunded), expected, "{money:?}");
        let read = gateway.shop.get_order(&of.id).await.expecting(200);
        let (status, money, open) = match self {
            Issue => ("WAITING_FOR_DEPOSIT", "NOT_MOVED", 1),
            Refund => ("PARTIAL_CANCELED", "MOVED", 1),
            Return => ("WAITING_FOR_DEPOSIT", "REVERSED", 1),
            Close => ("CANCELED", "NOT_MOVED", 0),
        };
        assert_eq!((read.text("status"), read.text("moneyState")), (status, money), "{read:?}");
        assert_eq!(open_accounts(gateway, &of.id).await.len(), open, "{read:?}");
    }
}

killed_everywhere! {{
    an_issue_with_dedupe: Issue, Gateway::with(), TAKEOVER_LIMIT;
    an_issue_without_dedupe: Issue, naive(), SLOW_LIMIT;
    a_refund_with_dedupe: Refund, Gateway::with(), TAKEOVER_LIMIT;
    a_refund_without_dedupe: Refund, naive(), SLOW_LIMIT;
    a_return_with_dedupe: Return, Gateway::with(), TAKEOVER_LIMIT;
    a_return_without_dedupe: Return, naive(), SLOW_LIMIT;
    a_closing_with_dedupe: Close, Gateway::with(), TAKEOVER_LIMIT;
    a_closing_without_dedupe: Close, naive(), SLOW_LIMIT;
}}

cut_at! {
    all: [Issue, Refund, Return, Close];
    Point("claimed"), Issue;
    Sent("after"), Issue;
    Point("recorded"), Issue;
    Sent("before"), Refund;
    Point("answered"), Refund;
    Point("heard"), Return;
    Point("answered"), Close;
}

/// Frozen with the answer in its hand: what it decides is refused, and nothing is done twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombies_decision_is_refused() {
    for course in [Issue, Refund, Return, Close] {
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
        course.was_done_once(&gateway, &of).await;
        gateway.check().await;
    }
}

/// A bank that opens an account each time it is asked, and what it was asked first lay about there beyond all that it promised: the
/// second account that comes of it is closed, and what was paid into it goes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_opened_after_all_is_closed() {
    for is_paid in [false, true] {
        let gateway = Gateway::with().workers(2).naive_bank().start().await;
        let of = Order { id: Payment::of(15_000).order_id, key: None };
        let held = gateway.bank.hold(&of.id, "issue", "before").await;
        let more = json!({ "refundReceiveAccount": payee() });
        let issue = gateway.shop.virtual_account(&of.id, 15_000, more).prefer("respond-async").await;
        assert_eq!(issue.status, 202, "{issue:?}");
        let operation = newest(&gateway, &of.id).await.expect("it was accepted");
        held.reached().await;
        let zombie = gateway.owner_of(operation).await;
        zombie.freeze();
        // Whoever takes it over finds nothing, believes it in time, and asks again.
        Issue.done(&gateway, &of, operation, BELIEVED_LIMIT).await;
        let told = gateway.shop.get_order(&of.id).await.expecting(200);
        let [kept] = open_accounts(&gateway, &of.id).await.try_into().expect("one is open");
        held.release().await;
        let both = async || {
            let open = open_accounts(&gateway, &of.id).await;
            open.into_iter().find(|reference| *reference != kept)
        };
        let second = eventually("another one is opened after all", TAKEOVER_LIMIT, both).await;
        if is_paid {
            let _ = gateway.bank.deposit_into(&second, json!({})).await;
        }
        zombie.thaw();
        let one = async || (open_accounts(&gateway, &of.id).await == [kept.clone()]).then_some(());
        eventually("the other one is closed", BELIEVED_LIMIT, one).await;
        gateway.settled().await;
        let read = gateway.shop.get_order(&of.id).await.expecting(200);
        assert_eq!(read.text("status"), "WAITING_FOR_DEPOSIT", "{read:?}");
        assert_eq!(read.text("virtualAccount.accountNumber"), told.text("virtualAccount.accountNumber"));
        let money = gateway.bank.money(&of.id).await;
        let expected = if is_paid { (15_000, 15_000) } else { (0, 0) };
        assert_eq!((money.charged, money.refunded), expected, "{read:?}");
        // What the payer was told still takes the deposit.
        let _ = gateway.bank.deposit_into(&kept, json!({})).await;
        let _ = gateway.shop.until_status(read.payment_key(), "DONE").await;
        gateway.check().await;
    }
}

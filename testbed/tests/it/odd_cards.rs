//! Cards that give money back in an odd way, and amounts that have a meaning, through HTTP.

use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Answer, Gateway, Payment};
use time::format_description::well_known::Rfc3339;

/// A call that is never answered, or two inquiries.
const LONGEST: Duration = Duration::from_secs(60);

async fn paid(gateway: &Gateway, payment: &Payment) -> String {
    gateway.shop.key_in(payment).await.expecting(200).payment_key().to_owned()
}

/// What the card company answered to each of these calls about an order, in order.
async fn results(gateway: &Gateway, order_id: &str, call: &str) -> Vec<String> {
    let journal = gateway.bank.journal(order_id).await;
    let each = journal.iter().filter(|entry| entry["request"] == call);
    each.map(|entry| entry["result"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_pending_is_asked_after_until_it_is_done() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000).card("refund_pending");
    let key = paid(&gateway, &payment).await;
    let _ = gateway.shop.capture(&key).await.expecting(200);
    let call = gateway.shop.cancel_part(&key, 5_000).prefer("respond-async").await;
    let key_of_cancel = call.text("cancels.0.transactionKey").to_owned();
    let done = |read: &Answer| read.text("cancels.0.cancelStatus") == "DONE";
    let read = gateway.shop.until(&key, "the refund is done", LONGEST, done).await;
    assert_eq!((read.text("status"), read.number("balanceAmount")), ("PARTIAL_CANCELED", 7_000), "{read:?}");
    assert_eq!((read.text("cancels.0.type"), read.text("cancels.0.transactionKey")), ("REFUND", &*key_of_cancel));
    // It was asked for once, and asked after until the card company knew.
    assert_eq!(results(&gateway, &payment.order_id, "refund").await, ["pending"]);
    assert_eq!(results(&gateway, &payment.order_id, "inquire").await, ["pending", "approved"]);
    let timeline = gateway.shop.timeline(&key).await.expecting(200);
    assert!(timeline.text.contains("operation.unknown"), "the merchant was told that it is open: {timeline:?}");
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.refunded, money.net), (5_000, 7_000));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_whose_answer_is_lost_is_done_once() {
    let gateway = Gateway::start().await;
    for is_captured in [false, true] {
        let payment = Payment::of(12_000).card("refund_answer_lost");
        let key = paid(&gateway, &payment).await;
        if is_captured {
            let _ = gateway.shop.capture(&key).await.expecting(200);
        }
        let answer = gateway.shop.cancel(&key).prefer("wait=30").await.expecting(200);
        let kind = if is_captured { "REFUND" } else { "CANCEL" };
        let told = (answer.text("status"), answer.text("moneyState"), answer.text("cancels.0.type"));
        assert_eq!(told, ("CANCELED", "REVERSED", kind), "{answer:?}");
        // Nobody asked twice: an inquiry says that it was done.
        let call = if is_captured { "refund" } else { "cancel" };
        assert_eq!(results(&gateway, &payment.order_id, call).await, ["approved"]);
        let money = gateway.bank.money(&payment.order_id).await;
        assert_eq!((money.voided + money.refunded, money.net), (12_000, 0), "{money:?}");
    }
    gateway.check().await;
}

/// Amounts that are declined, and what a merchant hears: status and code.
const DECLINED: [(i64, u16, &str); 9] = [
    (990_005, 403, "REJECT_CARD_COMPANY"),
    (990_014, 400, "INVALID_CARD_NUMBER"),
    (990_051, 403, "REJECT_CARD_PAYMENT"),
    (990_057, 400, "INVALID_STOPPED_CARD"),
    (990_061, 403, "REJECT_CARD_PAYMENT"),
    (990_065, 400, "EXCEED_MAX_DAILY_PAYMENT_COUNT"),
    (990_090, 403, "REJECT_CARD_COMPANY"),
    (990_091, 400, "PROVIDER_ERROR"),
    (990_096, 400, "PROVIDER_ERROR"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn amounts_have_a_meaning() {
    let gateway = Gateway::start().await;
    for (amount, status, code) in DECLINED {
        let payment = Payment::of(amount);
        let declined = gateway.shop.key_in(&payment).await.expecting_problem(status, code);
        let acquirer_code = format!("{:02}", amount % 100);
        let told = (declined.text("acquirerCode"), declined.text("moneyState"));
        assert_eq!(told, (&*acquirer_code, "NOT_MOVED"), "{declined:?}");
        gateway.bank.expect(&payment.order_id).never_charged().await;
    }
    // Never done, however often it is tried: 500, and maintenance.
    for (amount, tried) in [(990_500, "operation.unknown"), (990_503, "operation.retry_scheduled")] {
        let soon = System.now() + Duration::from_secs(4);
        let soon = soon.format(&Rfc3339).expect("a time can be written");
        let payment = Payment::of(amount).with("approveBefore", soon);
        let key = gateway.shop.begin(&payment).await;
        let aborted = |read: &Answer| read.text("status") == "ABORTED";
        let read = gateway.shop.until(&key, "it is given up", LONGEST, aborted).await;
        assert_eq!((read.text("moneyState"), read.text("failure.code")), ("NOT_MOVED", "PROVIDER_ERROR"), "{read:?}");
        let timeline = gateway.shop.timeline(&key).await.expecting(200);
        assert!(timeline.text.contains(tried), "{timeline:?}");
        gateway.bank.expect(&payment.order_id).never_charged().await;
    }
    // Done, and never answered.
    let payment = Payment::of(990_504);
    let key = gateway.shop.begin(&payment).await;
    let done = |read: &Answer| read.text("status") == "DONE";
    let _ = gateway.shop.until(&key, "it is found out", LONGEST, done).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

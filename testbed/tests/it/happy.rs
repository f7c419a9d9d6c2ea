//! What happens when nothing of ours breaks: every card, and who hears what.

use std::future::IntoFuture as _;
use std::time::Duration;

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Answer, Gateway, Payment, cards, eventually};
use serde_json::json;
use time::format_description::well_known::Rfc3339;

/// The longest course of a card: two calls that are never answered, and a settle window.
const LONGEST: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_is_approved_and_its_answer_says_so() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let answer = gateway.shop.key_in(&payment).await.expecting(200);
    assert_eq!((answer.text("status"), answer.text("moneyState")), ("DONE", "MOVED"));
    assert_eq!((answer.number("totalAmount"), answer.text("orderId")), (12_000, payment.order_id.as_str()));
    let read = gateway.shop.get(answer.payment_key()).await.expecting(200);
    assert_eq!(read.body, answer.body);
    let read = gateway.shop.get_order(&payment.order_id).await.expecting(200);
    assert_eq!(read.body, answer.body);
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_created_authenticated_and_confirmed() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    let key = created.payment_key();
    assert_eq!(gateway.shop.get(key).await.text("status"), "IN_PROGRESS");
    gateway.bank.expect(&payment.order_id).never_charged().await;
    let confirmed = gateway.shop.confirm(key, &payment.order_id, 12_000).await.expecting(200);
    assert_eq!((confirmed.text("status"), confirmed.text("moneyState")), ("DONE", "MOVED"));
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_who_cancels_is_not_charged() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let payer = gateway.shop.payer_of(&created);
    let _ = payer.look().await.expecting(200);
    let _ = payer.cancel().await.expecting(200);
    let read = gateway.shop.get(created.payment_key()).await.expecting(200);
    assert_eq!((read.text("status"), read.text("moneyState")), ("ABORTED", "NOT_MOVED"));
    assert_eq!((read.text("failure.code"), read.text("failure.reason")), ("PAY_PROCESS_CANCELED", "PAYER_CANCELED"));
    let late = payer.authenticate(&payment).await;
    assert!((400..500).contains(&late.status), "{late:?}");
    gateway.check().await;
}

/// What the card company says (ISO 8583, field 39), and what a merchant hears: status and code.
const DECLINES: [(&str, u16, &str); 16] = [
    ("05", 403, "REJECT_CARD_COMPANY"),
    ("14", 400, "INVALID_CARD_NUMBER"),
    ("41", 400, "INVALID_CARD_LOST_OR_STOLEN"),
    ("43", 400, "INVALID_CARD_LOST_OR_STOLEN"),
    ("51", 403, "REJECT_CARD_PAYMENT"),
    ("54", 400, "INVALID_CARD_EXPIRATION"),
    ("55", 400, "INVALID_CARD_PASSWORD"),
    ("57", 400, "INVALID_STOPPED_CARD"),
    ("59", 403, "FDS_ERROR"),
    ("61", 403, "REJECT_CARD_PAYMENT"),
    ("63", 400, "INVALID_CARD_IDENTITY"),
    ("65", 400, "EXCEED_MAX_DAILY_PAYMENT_COUNT"),
    ("82", 400, "INVALID_CARD_NUMBER"),
    ("90", 403, "REJECT_CARD_COMPANY"),
    ("91", 400, "PROVIDER_ERROR"),
    ("96", 400, "PROVIDER_ERROR"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decline_is_a_problem_that_says_so() {
    let gateway = Gateway::start().await;
    let mut declining: Vec<&str> =
        cards::all().map(|(card, _)| card).filter(|card| card.starts_with("decline_")).collect();
    declining.sort_unstable();
    assert_eq!(declining, DECLINES.map(|(code, ..)| format!("decline_{code}")), "every card that declines has a row");
    let each = DECLINES.map(|(acquirer_code, status, code)| {
        let gateway = &gateway;
        async move {
            let payment = Payment::of(12_000).card(&format!("decline_{acquirer_code}"));
            let answer = gateway.shop.key_in(&payment).await.expecting_problem(status, code);
            assert_declined(&answer, acquirer_code);
            assert_eq!(answer.text("orderId"), payment.order_id);
            let read = gateway.shop.get_order(&payment.order_id).await.expecting(200);
            assert_eq!((read.text("status"), read.text("moneyState")), ("ABORTED", "NOT_MOVED"));
            assert_eq!((read.text("failure.code"), read.text("failure.reason")), (code, "ACQUIRER_DECLINED"));
            gateway.bank.expect(&payment.order_id).never_charged().await;
        }
    });
    futures::future::join_all(each).await;
    gateway.check().await;
}

/// The same codes, said when the card is registered: there is no payment then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_card_is_a_problem_that_says_so() {
    let gateway = Gateway::start().await;
    let refusing = cards::all().filter_map(|(card, _)| Some((card, card.strip_prefix("refuse_token_")?)));
    let mut count = 0;
    for (card, acquirer_code) in refusing {
        let row = DECLINES.into_iter().find(|(code, ..)| *code == acquirer_code);
        let (_, status, code) = row.unwrap_or_else(|| panic!("the code of {card} has no row"));
        let payment = Payment::of(12_000).card(card);
        let answer = gateway.shop.key_in(&payment).await.expecting_problem(status, code);
        assert_declined(&answer, acquirer_code);
        assert_eq!(gateway.shop.get_order(&payment.order_id).await.status, 404, "{card}");
        count += 1;
    }
    assert!(count >= 10, "{count} cards refuse to be registered");
    gateway.check().await;
}

/// Nothing moved, the card company said no with this code, and the same again would change nothing.
fn assert_declined(answer: &Answer, acquirer_code: &str) {
    assert_eq!((answer.text("moneyState"), answer.text("reason")), ("NOT_MOVED", "ACQUIRER_DECLINED"), "{answer:?}");
    assert_eq!((answer.text("acquirerCode"), answer.at("retryable")), (acquirer_code, &json!(false)), "{answer:?}");
}

/// Clients take any 2xx as paid: who did not promise to understand 202 never gets one for what is still open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_after_eight_seconds_is_no_success() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "after").await;
    let asked_at = System.monotonic();
    let (open, accepted_by) = tokio::join!(gateway.shop.key_in(&payment).into_future(), async {
        held.reached().await;
        System.monotonic()
    });
    let answered_at = System.monotonic();
    let open = open.expecting_problem(504, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING");
    let (whole, waited) = (answered_at - asked_at, answered_at - accepted_by);
    assert!(whole >= Duration::from_secs(8), "the client got its eight seconds: {whole:?}");
    // Registering the card came before. Many clients give up after ten seconds.
    assert!(waited < Duration::from_secs(10), "the client was answered before it gave up: {waited:?}");
    assert_eq!(open.text("moneyState"), "UNKNOWN");
    assert!(open.header("location").contains("/v1/payments/"), "{open:?}");
    held.release().await;
    let done = eventually("it is paid", LONGEST, async || {
        let read = gateway.shop.get_order(&payment.order_id).await;
        (read.text("status") == "DONE").then_some(read)
    });
    assert_eq!(done.await.text("moneyState"), "MOVED");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_prefers_not_to_wait_is_told_where_to_look() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000).card("slow");
    let answer = gateway.shop.key_in(&payment).prefer("respond-async").await.expecting(202);
    assert_eq!((answer.text("status"), answer.text("operation.status")), ("IN_PROGRESS", "queued"), "{answer:?}");
    assert!(answer.header("location").ends_with(answer.payment_key()), "{answer:?}");
    let mut stream = gateway.shop.stream(answer.payment_key()).await;
    stream.until_status("DONE", LONGEST).await;
    stream.until_end(Duration::from_secs(5)).await;
    stream.reconnect().await;
    assert_eq!(stream.status, 204);
    gateway.check().await;
}

/// How a test card ends: the payment's status and money, and whether the payer was ever charged.
fn ending(card: &str) -> Option<(&'static str, &'static str, bool)> {
    Some(match card {
        _ if card.starts_with("refuse_token_") || card.starts_with("token_") => return None,
        _ if card.starts_with("decline_") => ("ABORTED", "NOT_MOVED", false),
        "pending_declined" | "error_always" | "busy_always" | "timeout_always" => ("ABORTED", "NOT_MOVED", false),
        "wrong_amount" | "wrong_currency" | "charges_more" | "net_cancel_lost" => ("ABORTED", "REVERSED", true),
        "net_cancel_refused" => ("IN_PROGRESS", "UNKNOWN", true),
        _ => ("DONE", "MOVED", true),
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_card_ends_as_it_should() {
    let gateway = Gateway::start().await;
    let each =
        cards::all().filter_map(|(card, _)| Some((card, ending(card)?))).map(|(card, (status, money, charged))| {
            let gateway = &gateway;
            async move {
                let mut payment = Payment::of(12_000).card(card);
                if card.ends_with("_always") {
                    let soon = System.now() + Duration::from_secs(5);
                    payment = payment.with("approveBefore", soon.format(&Rfc3339).expect("a time can be written"));
                }
                let _ = gateway.shop.key_in(&payment).prefer("respond-async").await;
                let accepted = gateway.shop.get_order(&payment.order_id).await.expecting(200);
                let key = accepted.payment_key();
                let ends = async || {
                    let read = gateway.shop.get(key).await.expecting(200);
                    let ended = read.text("status") == status && read.text("moneyState") == money;
                    // What stays open looks the same before it was ever sent, save for this.
                    let sent = status != "IN_PROGRESS" || read.text("operation.status") == "unknown";
                    (ended && sent).then_some(())
                };
                eventually(&format!("the card {card} ends {status} and {money}"), LONGEST, ends).await;
                if card == "captured_at_once" {
                    // What the company did without being asked is found when it is asked.
                    let captured = gateway.shop.capture(key).await.expecting(200);
                    assert_eq!(captured.text("card.acquireStatus"), "COMPLETED");
                }
                let bank = gateway.bank.money(&payment.order_id).await;
                assert_eq!(bank.charges > 0, charged, "{card}: {bank:?}");
                assert!(bank.charges <= 1, "{card}: {bank:?}");
            }
        });
    futures::future::join_all(each).await;
    gateway.settled_within(LONGEST).await;
    gateway.check_now().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_is_not_registered_makes_no_payment() {
    let gateway = Gateway::start().await;
    for (card, _) in cards::all().filter(|(card, _)| ending(card).is_none()) {
        let payment = Payment::of(12_000).card(card);
        let answer = gateway.shop.key_in(&payment).await;
        assert_eq!(answer.text("moneyState"), "NOT_MOVED", "{card}: {answer:?}");
        let expected = if card.starts_with("token_") { 500..600 } else { 400..500 };
        assert!(expected.contains(&answer.status) && answer.status != 500, "{card}: {answer:?}");
        assert_eq!(answer.at("retryable"), card.starts_with("token_"), "{card}: {answer:?}");
        assert_eq!(gateway.shop.get_order(&payment.order_id).await.status, 404, "{card}");
    }
    gateway.check().await;
}

/// Who is willing to wait and understands an open payment gets one, and is told how long it was waited.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_that_is_over_answers_with_the_open_payment() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let open = gateway.shop.key_in(&payment).prefer("wait=1").await.expecting(202);
    assert_eq!(open.header("preference-applied"), "wait=1");
    assert_eq!((open.text("status"), open.text("moneyState")), ("IN_PROGRESS", "UNKNOWN"), "{open:?}");
    assert!(open.header("location").ends_with(open.payment_key()), "{open:?}");
    assert!(open.header("naru-events").ends_with("/events"), "{open:?}");
    held.release().await;
    gateway.check().await;
    let other = Payment::of(12_000);
    let held = gateway.bank.hold(&other.order_id, "approve", "before").await;
    let open = gateway.shop.key_in(&other).prefer("respond-async").await.expecting(202);
    assert_eq!(open.header("preference-applied"), "respond-async");
    held.release().await;
    gateway.check().await;
}

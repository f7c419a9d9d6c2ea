//! Many cancels at once.

use std::future::IntoFuture as _;

use futures::future::join_all;
use naru_testbed::{Gateway, Payment};
use serde_json::json;

use super::{LONGEST, each, is_done, paid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_11_give_back_more_than_was_paid_when_sixty_four_ask_at_once() {
    const PART: i64 = 200;
    const LATENCY_MS: i64 = 40;
    let gateway = Gateway::with().apis(2).workers(2).start().await;
    let payment = Payment::of(50 * PART + 100);
    let key = paid(&gateway, &payment).await;
    gateway.bank.set(json!({ "latencyMs": LATENCY_MS })).await;
    let one = async |nth: usize| loop {
        let call = gateway.shop.cancel_part(&key, PART).idempotency_key(&format!("part-{nth}"));
        let answer = call.prefer("respond-async").await;
        // So many at once may have to come again; they are told that nothing was done.
        if answer.status != 503 {
            return answer;
        }
        assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("NOT_MOVED", &json!(true)), "{answer:?}");
    };
    let answers = join_all((0..64).map(one)).await;
    let accepted = answers.iter().filter(|answer| matches!(answer.status, 200 | 202)).count();
    assert_eq!(accepted, 50, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status > 202) {
        assert_eq!((answer.status, answer.text("code")), (403, "NOT_CANCELABLE_AMOUNT"), "{answer:?}");
    }
    let done = gateway.shop.until(&key, "all are done", LONGEST, is_done).await;
    assert_eq!((each(&done, "cancelAmount").len(), done.number("balanceAmount")), (50, 100));
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.net), (50 * PART, 100));
    // One after another, as the card company saw it: it takes so long before it does anything it is asked, so whatever came while
    // another was at work would have been done sooner after that.
    let journal = gateway.bank.journal(&payment.order_id).await;
    let done_at: Vec<time::OffsetDateTime> = journal
        .iter()
        .filter(|entry| entry["request"] == "cancel")
        .map(|entry| entry["at"].as_str().expect("it has a time"))
        .map(|at| time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).expect("a time"))
        .collect();
    assert_eq!(done_at.len(), 50);
    // The journal tells whole milliseconds.
    let apart = time::Duration::milliseconds(LATENCY_MS - 1);
    assert!(done_at.windows(2).all(|pair| pair[1] - pair[0] >= apart), "{done_at:?}");
    gateway.check().await;
}

/// Without keys, without promises, of unequal amounts: what is accepted is done, and what is not was not for want of trying.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_of_unequal_amounts_while_it_is_captured() {
    let gateway = Gateway::with().workers(2).start().await;
    let payment = Payment::of(20_000);
    let key = paid(&gateway, &payment).await;
    let cancels = (1..=24).map(|nth| gateway.shop.cancel_part(&key, nth * 100).prefer("wait=30").into_future());
    let capture = async {
        loop {
            let answer = gateway.shop.capture(&key).prefer("wait=30").await;
            // Who loses every race for five seconds is told to come again, and that nothing was done.
            if answer.status != 503 {
                return answer;
            }
            assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("NOT_MOVED", &json!(true)), "{answer:?}");
        }
    };
    let (answers, captured) = tokio::join!(join_all(cancels), capture);
    assert!(matches!(captured.status, 200 | 202), "{captured:?}");
    for answer in &answers {
        let refused = (answer.status, answer.text("code")) == (403, "NOT_CANCELABLE_AMOUNT");
        let come_again = (answer.status, answer.text("moneyState")) == (503, "NOT_MOVED");
        assert!(answer.status == 200 || refused || come_again, "{answer:?}");
    }
    let done = gateway.shop.until(&key, "all are done", LONGEST, is_done).await;
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!(money.net, done.number("balanceAmount"), "{money:?}");
    assert!(money.voided + money.refunded <= 20_000 && money.captured == 20_000 - money.voided, "{money:?}");
    gateway.check().await;
}

//! A worker and the card company, without the API.

use std::time::Duration;

use naru_testbed::{Gateway, Payment};

const SOON: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_approval_is_carried_out() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000);
    let accepted = gateway.accept(&payment).await;
    gateway.until_standing(&accepted, "DONE", "MOVED", SOON).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decline_ends_it() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000).card("decline_51");
    let accepted = gateway.accept(&payment).await;
    gateway.until_standing(&accepted, "ABORTED", "NOT_MOVED", SOON).await;
    gateway.bank.expect(&payment.order_id).never_charged().await;
    gateway.check().await;
}

/// The API registers a card anew for each payment; a card that is kept, as a subscription's is, may be used up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_was_fine_twice_declines_the_third_time() {
    let gateway = Gateway::with().apis(0).start().await;
    let payments: Vec<Payment> = (0..3).map(|n| Payment::of(12_000 + n).card("approve_twice")).collect();
    let accepted = gateway.accept_herd(&payments).await;
    gateway.settled().await;
    let (mut paid, mut declined) = (0, 0);
    for (payment, accepted) in payments.iter().zip(&accepted) {
        let (status, money) = gateway.standing(accepted.payment).await;
        match (status.as_str(), money.as_str()) {
            ("DONE", "MOVED") => {
                paid += 1;
                gateway.bank.expect(&payment.order_id).charged_once().await;
            }
            ("ABORTED", "NOT_MOVED") => {
                declined += 1;
                gateway.bank.expect(&payment.order_id).never_charged().await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((paid, declined), (2, 1));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_hint_costs_seconds() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000);
    let accepted = gateway.accept_silently(&payment).await;
    gateway.until_standing(&accepted, "DONE", "MOVED", SOON).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

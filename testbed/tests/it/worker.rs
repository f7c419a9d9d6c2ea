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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_hint_costs_seconds() {
    let gateway = Gateway::with().apis(0).start().await;
    let payment = Payment::of(12_000);
    let accepted = gateway.accept_silently(&payment).await;
    gateway.until_standing(&accepted, "DONE", "MOVED", SOON).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

//! Postgres is cut from a worker at every boundary of a payment: alone, and while another worker takes over.

use std::time::Duration;

use naru_testbed::{Gateway, Link, Payment, Who, eventually};

use crate::courses::{Boundary, Held};

/// From when Postgres is back.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);
/// The lease, a sweep, an inquiry.
const TAKEOVER_LIMIT: Duration = Duration::from_secs(15);

/// Has the payment accepted and its first worker, the only one that runs, stopped here.
async fn reached(boundary: Boundary, gateway: &Gateway, payment: &Payment) -> (Held, naru_testbed::Accepted) {
    match boundary {
        Boundary::Point(point) => {
            let hold = gateway.worker().hold_at(point);
            let accepted = gateway.accept(payment).await;
            hold.reached().await;
            (Held::Worker(hold), accepted)
        }
        Boundary::Sent(effect) => {
            let hold = gateway.bank.hold(&payment.order_id, "approve", effect).await;
            let accepted = gateway.accept(payment).await;
            hold.reached().await;
            (Held::Bank(hold), accepted)
        }
    }
}

/// Cuts the only worker off, and lets it go on while it is cut off.
async fn alone(boundary: Boundary) {
    let gateway = Gateway::with().apis(0).proxied(Link::Postgres, Who::Workers).start().await;
    let payment = Payment::of(12_000);
    let (held, accepted) = reached(boundary, &gateway, &payment).await;
    let proxy = gateway.proxy(Link::Postgres);
    proxy.refuse();
    held.release().await;
    // It has noticed: something waits for Postgres. A point with nothing left to write is passed without.
    eventually("the worker notices", RECOVERY_LIMIT, async || {
        gateway.worker().log().lines().any(|line| line.contains("\"WARN\"") && line.contains("Postgres")).then_some(())
    })
    .await;
    proxy.heal();
    gateway.until_standing(&accepted, "DONE", "MOVED", RECOVERY_LIMIT).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// Cuts the first worker off until the second has taken over, then lets it find Postgres again.
async fn with_another(boundary: Boundary) {
    let gateway = Gateway::with().apis(0).workers(2).proxied(Link::Postgres, Who::Worker(0)).start().await;
    let other = &gateway.workers[1];
    other.kill9();
    let payment = Payment::of(12_000);
    let (held, accepted) = reached(boundary, &gateway, &payment).await;
    let proxy = gateway.proxy(Link::Postgres);
    proxy.refuse();
    other.start_again().await;
    held.release().await;
    gateway.until_standing(&accepted, "DONE", "MOVED", TAKEOVER_LIMIT).await;
    proxy.heal();
    gateway.worker().wait_ready().await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    // Both of them work, and neither does the other's again.
    let next = Payment::of(13_000);
    let accepted = gateway.accept(&next).await;
    gateway.until_standing(&accepted, "DONE", "MOVED", RECOVERY_LIMIT).await;
    gateway.bank.expect(&next.order_id).charged_once().await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

macro_rules! cut_at {
    ($($name:ident: $boundary:expr;)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn alone() {
                super::alone($boundary).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn with_another_worker() {
                with_another($boundary).await;
            }
        }
    )*};
}

cut_at! {
    claimed: Boundary::Point("claimed");
    sent_and_not_yet_charged: Boundary::Sent("before");
    sent_and_charged: Boundary::Sent("after");
    heard: Boundary::Point("heard");
    answered: Boundary::Point("answered");
    recorded: Boundary::Point("recorded");
    published: Boundary::Point("published");
}

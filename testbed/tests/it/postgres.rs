//! Postgres goes away before, during and after a commit.

use std::time::Duration;

use naru_testbed::{Direction, Gateway, Link, Payment, Proxy, Who};

/// From when Postgres is back.
const RECOVERY_LIMIT: Duration = Duration::from_secs(10);

/// Takes Postgres away from the only worker while it is held at `point`, gives it back, and sees the payment through.
async fn away_at(point: &str, away: impl AsyncFnOnce(&Proxy)) {
    let gateway = Gateway::with().apis(0).proxied(Link::Postgres, Who::Workers).start().await;
    let payment = Payment::of(12_000);
    let (_, hold, accepted) = gateway.first_at(point, gateway.accept(&payment)).await;
    let proxy = gateway.proxy(Link::Postgres);
    let release = async {
        // While it is away.
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(hold);
    };
    tokio::join!(away(proxy), release);
    proxy.heal();
    gateway.until_standing(&accepted, "DONE", "MOVED", RECOVERY_LIMIT).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

async fn refused(proxy: &Proxy) {
    proxy.refuse();
    tokio::time::sleep(Duration::from_secs(2)).await;
}

async fn cut(proxy: &Proxy) {
    proxy.cut();
    tokio::time::sleep(Duration::from_millis(600)).await;
}

/// What the worker says arrives, what Postgres answers does not: the commit happens, and nobody is told.
async fn answers_lost(proxy: &Proxy) {
    proxy.freeze_only(Direction::ToClient);
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.cut();
}

macro_rules! away_at {
    ($($name:ident: $point:literal, $away:ident;)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            away_at($point, $away).await;
        }
    )*};
}

away_at! {
    refused_when_claimed: "claimed", refused;
    refused_when_heard: "heard", refused;
    cut_when_claimed: "claimed", cut;
    cut_when_answered: "answered", cut;
    the_answer_to_the_commit_is_lost: "answered", answers_lost;
    cut_when_recorded: "recorded", cut;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_to_the_claim_is_lost() {
    let gateway = Gateway::with().apis(0).proxied(Link::Postgres, Who::Workers).start().await;
    let payment = Payment::of(12_000);
    let accepted = gateway.accept_silently(&payment).await;
    let proxy = gateway.proxy(Link::Postgres);
    proxy.freeze_only(Direction::ToClient);
    gateway.hint(&[accepted.operation]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    proxy.cut();
    proxy.heal();
    gateway.until_standing(&accepted, "DONE", "MOVED", RECOVERY_LIMIT).await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// Nobody tells the worker that its connections lead nowhere any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_lead_nowhere_are_given_up() {
    let gateway = Gateway::with().apis(0).proxied(Link::Postgres, Who::Workers).start().await;
    let first = Payment::of(12_000);
    let (_, hold, first_accepted) = gateway.first_at("answered", gateway.accept(&first)).await;
    gateway.proxy(Link::Postgres).strand();
    drop(hold);
    let second = Payment::of(13_000);
    let second_accepted = gateway.accept(&second).await;
    let patience = Duration::from_secs(30);
    gateway.until_standing(&first_accepted, "DONE", "MOVED", patience).await;
    gateway.until_standing(&second_accepted, "DONE", "MOVED", patience).await;
    gateway.bank.expect(&first.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_and_recovered_under_work() {
    let gateway = Gateway::with().apis(0).workers(2).own(&[Link::Postgres]).start().await;
    let before: Vec<Payment> = (0..40).map(|n| Payment::of(1_000 + n).card("slow")).collect();
    let accepted = gateway.accept_herd(&before).await;
    // They are being asked for now, and take 3 s.
    tokio::time::sleep(Duration::from_secs(1)).await;
    gateway.own.blocking(|own| own.postgres().kill9()).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    gateway.own.blocking(|own| own.postgres().start()).await;
    for accepted in &accepted {
        gateway.until_standing(accepted, "DONE", "MOVED", Duration::from_secs(30)).await;
    }
    for payment in &before {
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }
    gateway.check().await;
}

//! Postgres goes away before, during and after a commit.

use std::future::IntoFuture as _;
use std::time::Duration;

use naru_testbed::{Direction, Gateway, Link, Payment, Proxy, Who, eventually};
use serde_json::json;

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

/// Nothing can have been written: the same request again is safe, and works once Postgres is back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_says_when_nothing_was_written() {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Apis).start().await;
    let proxy = gateway.proxy(Link::Postgres);
    let warm = Payment::of(11_000);
    let _ = gateway.shop.key_in(&warm).await.expecting(200);
    proxy.refuse();
    let payment = Payment::of(12_000);
    // The connections that it had may have taken the first of these; those that follow find none.
    for _ in 0..3 {
        let refused = gateway.shop.key_in(&payment).idempotency_key("away").await;
        assert_eq!(refused.status, 503, "{refused:?}");
        assert!(!refused.header("retry-after").is_empty(), "{refused:?}");
        let (money, retryable) = (refused.text("moneyState"), refused.at("retryable"));
        assert!((money == "NOT_MOVED" && retryable == true) || money == "UNKNOWN", "{refused:?}");
    }
    let read = gateway.shop.get_order(&warm.order_id).await;
    assert_eq!((read.status, read.text("moneyState")), (503, "NOT_MOVED"), "{read:?}");
    proxy.heal();
    let done = eventually("it is paid", RECOVERY_LIMIT, async || {
        let answer = gateway.shop.key_in(&payment).idempotency_key("away").await;
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(done.await.text("status"), "DONE");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// The commit happens and its answer is lost: neither success nor failure, and the order to ask for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_says_when_it_does_not_know() {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Apis).start().await;
    let proxy = gateway.proxy(Link::Postgres);
    let _ = gateway.shop.key_in(&Payment::of(11_000)).await.expecting(200);
    let payment = Payment::of(12_000);
    // When its card is registered, all that is left is to accept it; the answer to that takes too long.
    let registered = gateway.bank.hold_where(json!({ "call": "register" }), "after").await;
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let (answer, ()) = tokio::join!(gateway.shop.key_in(&payment).into_future(), async {
        let written = "select 1 from payments where order_id = $1";
        registered.reached().await;
        let long = Duration::from_millis(700);
        proxy.delay(Direction::ToClient, long, long);
        registered.release().await;
        let written = eventually("it is written", RECOVERY_LIMIT, async || {
            let query = sqlx::query_scalar::<_, i32>(written).bind(&payment.order_id);
            query.fetch_optional(gateway.db()).await.expect("Postgres answers")
        });
        written.await;
        proxy.cut();
        proxy.heal();
    });
    assert_eq!((answer.status, answer.text("moneyState")), (503, "UNKNOWN"), "{answer:?}");
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    assert!(answer.header("location").contains(&payment.order_id), "the order to ask for: {answer:?}");
    held.release().await;
    let done = eventually("it is paid", RECOVERY_LIMIT, async || {
        let read = gateway.shop.get_order(&payment.order_id).await;
        (read.text("status") == "DONE").then_some(())
    });
    done.await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

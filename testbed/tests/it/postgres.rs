//! Postgres goes away before, during and after a commit.

use std::future::IntoFuture as _;
use std::time::Duration;

use naru_testbed::{Answer, Call, Direction, Gateway, Link, Payment, Proxy, Who, eventually};
use reqwest::Method;
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
    // Each takes 3 s, from its attempt on.
    let asked = "select count(*) from attempts";
    eventually("all are being asked for", RECOVERY_LIMIT, async || {
        let count: i64 = sqlx::query_scalar(asked).fetch_one(gateway.db()).await.expect("Postgres answers");
        (count == 40).then_some(())
    })
    .await;
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

/// Nothing can have been written, because nothing could be asked: the same request again is safe.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_33_call_a_fault_of_ours_a_wrong_key() {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Apis).start().await;
    let proxy = gateway.proxy(Link::Postgres);
    let warm = Payment::of(11_000);
    let _ = gateway.shop.key_in(&warm).await.expecting(200);
    proxy.refuse();
    let payment = Payment::of(12_000);
    for _ in 0..3 {
        // Whether the key was used is the first question, and none is answered.
        assert_nothing_written(&gateway.shop.key_in(&payment).idempotency_key("away").await);
    }
    assert_nothing_written(&gateway.shop.get_order(&warm.order_id).await);
    proxy.heal();
    let done = eventually("it is paid", RECOVERY_LIMIT, async || {
        let answer = gateway.shop.key_in(&payment).idempotency_key("away").await;
        (answer.status == 200).then_some(answer)
    });
    assert_eq!(done.await.text("status"), "DONE");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// There is no connection left to accept a payment on, whose card has been registered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_says_when_there_was_no_connection_to_accept_on() {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Apis).start().await;
    let _ = gateway.shop.key_in(&Payment::of(11_000)).await.expecting(200);
    let payment = Payment::of(12_000);
    let registered = gateway.bank.hold_where(json!({ "call": "register" }), "after").await;
    let (answer, ()) = tokio::join!(gateway.shop.key_in(&payment).into_future(), async {
        registered.reached().await;
        gateway.proxy(Link::Postgres).refuse();
        // Each of its connections, 8 at most, is found dead by one of these; who finds none waits for one.
        let found_dead =
            (0..8).map(|_| gateway.shop.get_order("order-any").timeout(Duration::from_millis(400)).attempt());
        let _ = futures::future::join_all(found_dead).await;
        registered.release().await;
    });
    assert_nothing_written(&answer);
    assert_eq!(rows(&gateway, &payment).await, 0);
    gateway.proxy(Link::Postgres).heal();
    eventually("it is paid", RECOVERY_LIMIT, async || {
        (gateway.shop.key_in(&payment).await.status == 200).then_some(())
    })
    .await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// A call that writes, and how it is told that it has.
struct Writes {
    name: &'static str,
    call: fn(&Gateway, &Order) -> Call,
    /// Finds the order's row only when it has.
    written: &'static str,
    location: fn(&Order) -> String,
}

/// An order as a call needs it.
struct Order {
    payment: Payment,
    /// What creating it answered; nothing when this call does that.
    created: Option<Answer>,
}

impl Order {
    async fn before(gateway: &Gateway, call: &str) -> Self {
        let payment = Payment::of(12_000);
        let created = match call {
            "authenticate" => Some(gateway.shop.create(&payment).await.expecting(200)),
            "confirm" => Some(gateway.shop.authenticated(&payment).await),
            _ => None,
        };
        Self { payment, created }
    }

    fn key(&self) -> &str {
        self.created.as_ref().map_or("", Answer::payment_key)
    }

    fn by_order(&self) -> String {
        format!("/v1/payments/orders/{}", self.payment.order_id)
    }

    fn checkout(&self) -> String {
        let url = self.created.as_ref().map_or("", |created| created.text("checkout.url"));
        url.find("/checkout/").map_or("", |at| &url[at..]).to_owned()
    }
}

const WRITES: [Writes; 4] = [
    Writes {
        name: "key-in",
        call: |gateway, order| gateway.shop.key_in(&order.payment),
        written: "select version from payments where order_id = $1",
        location: Order::by_order,
    },
    Writes {
        name: "create",
        call: |gateway, order| gateway.shop.create(&order.payment),
        written: "select version from payments where order_id = $1",
        location: Order::by_order,
    },
    Writes {
        name: "authenticate",
        call: |gateway, order| {
            let created = order.created.as_ref().expect("it was created");
            gateway.shop.payer_of(created).authenticate(&order.payment)
        },
        written: "select version from payments where order_id = $1 and status = 'IN_PROGRESS'",
        location: Order::checkout,
    },
    Writes {
        name: "confirm",
        call: |gateway, order| gateway.shop.confirm(order.key(), &order.payment.order_id, 12_000),
        written: "select version from payments where order_id = $1 and operation_count = 1",
        location: Order::by_order,
    },
];

/// Payments can be read, and nothing of them written, until this is rolled back.
async fn lock(gateway: &Gateway) -> sqlx::Transaction<'_, sqlx::Postgres> {
    let mut lock = gateway.db().begin().await.expect("Postgres answers");
    sqlx::query("lock table payments in share row exclusive mode").execute(&mut *lock).await.expect("it is free");
    lock
}

async fn rows(gateway: &Gateway, payment: &Payment) -> i64 {
    let rows = sqlx::query_scalar("select count(*) from payments where order_id = $1").bind(&payment.order_id);
    rows.fetch_one(gateway.db()).await.expect("Postgres answers")
}

fn assert_nothing_written(answer: &Answer) {
    assert_eq!((answer.status, answer.text("reason")), (503, "DATABASE_UNAVAILABLE"), "{answer:?}");
    assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("NOT_MOVED", &json!(true)), "{answer:?}");
    assert!(!answer.header("retry-after").is_empty() && answer.header("location").is_empty(), "{answer:?}");
}

/// The statement that accepts is taken back by Postgres itself: the same request again is safe, and works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_says_when_nothing_was_written() {
    let gateway = Gateway::start().await;
    for writes in WRITES {
        let order = Order::before(&gateway, writes.name).await;
        let lock = lock(&gateway).await;
        let refused = (writes.call)(&gateway, &order).await;
        assert_nothing_written(&refused);
        let written: Option<i64> = sqlx::query_scalar(writes.written)
            .bind(&order.payment.order_id)
            .fetch_optional(gateway.db())
            .await
            .expect("Postgres answers");
        assert_eq!(written, None, "{}", writes.name);
        lock.rollback().await.expect("Postgres answers");
        let _ = (writes.call)(&gateway, &order).await.expecting(200);
    }
    gateway.check().await;
}

/// A payment that meets somebody's lock is refused alone, not with those that were to be accepted together with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_meets_a_lock_takes_nobody_with_it() {
    let gateway = Gateway::start().await;
    let _ = gateway.shop.create(&Payment::of(11_000)).await.expecting(200);
    let together = async || {
        let stuck = Payment::of(12_000);
        let mut lock = gateway.db().begin().await.expect("Postgres answers");
        // Somebody is about to write the same order down, and takes long.
        let same_order =
            "insert into payments (id, payment_key, checkout_id, merchant_id, mode, source, order_id, order_name,
                currency, total_amount, details, status, money_state, state, expires_at)
            select gen_random_uuid(), $1, $1, merchant_id, mode, source, $1, order_name,
                currency, total_amount, details, status, money_state, state, expires_at
            from payments where order_id <> $1 order by created_at limit 1";
        sqlx::query(same_order).bind(&stuck.order_id).execute(&mut *lock).await.expect("Postgres answers");
        for first in ["savepoint before", "lock table payments in share row exclusive mode"] {
            sqlx::query(first).execute(&mut *lock).await.expect("nobody else writes");
        }
        // Two are on their way, which is as many as may be; whoever comes now is accepted together, or not.
        let create = || tokio::spawn(gateway.shop.create(&Payment::of(12_000)).into_future());
        let waiting = async |wanted: i64| {
            let waits = "select count(*) from pg_stat_activity where datname = current_database()
                and application_name = 'naru-api' and wait_event_type = 'Lock'";
            eventually("so many wait for the lock", RECOVERY_LIMIT, async || {
                let waits: i64 = sqlx::query_scalar(waits).fetch_one(gateway.db()).await.expect("Postgres answers");
                (waits >= wanted).then_some(())
            })
            .await;
        };
        let mut others = Vec::new();
        for wanted in 1..=2 {
            others.push(create());
            waiting(wanted).await;
        }
        let met = tokio::spawn(gateway.shop.create(&stuck).into_future());
        others.extend((0..6).map(|_| create()));
        // Asked after them.
        for _ in 0..3 {
            let _ = gateway.shop.get_order("order-none").await.expecting_problem(404, "NOT_FOUND_PAYMENT");
        }
        sqlx::query("rollback to before").execute(&mut *lock).await.expect("Postgres answers");
        for other in others {
            let _ = other.await.expect("it does not panic").expecting(200);
        }
        assert_nothing_written(&met.await.expect("it does not panic"));
        lock.rollback().await.expect("Postgres answers");
        gateway.api().log().contains("a batch was taken back").then_some(())
    };
    eventually("it was in a batch with others", RECOVERY_LIMIT * 3, together).await;
    gateway.check().await;
}

/// The commit happens and its answer is lost: neither success nor failure, and the address to ask at.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_says_when_it_does_not_know() {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Apis).start().await;
    let proxy = gateway.proxy(Link::Postgres);
    for writes in WRITES {
        let order = Order::before(&gateway, writes.name).await;
        let lock = lock(&gateway).await;
        let lose = async {
            let waits = "select 1 from pg_stat_activity where datname = current_database()
                and application_name = 'naru-api' and wait_event_type = 'Lock'";
            eventually("its statement is at Postgres", RECOVERY_LIMIT, async || {
                let waits = sqlx::query_scalar::<_, i32>(waits).fetch_optional(gateway.db()).await;
                waits.expect("Postgres answers")
            })
            .await;
            // Postgres may have to say that it has understood the statement before it is told to carry it out. Its answers
            // take far longer than it takes us to see the row, and both together less than the API waits.
            let long = Duration::from_millis(2_500);
            proxy.delay(Direction::ToClient, long, long);
            lock.rollback().await.expect("Postgres answers");
            eventually("it is written", RECOVERY_LIMIT, async || {
                let written = sqlx::query_scalar::<_, i64>(writes.written).bind(&order.payment.order_id);
                written.fetch_optional(gateway.db()).await.expect("Postgres answers")
            })
            .await;
            proxy.cut();
            proxy.heal();
        };
        let (answer, ()) = tokio::join!((writes.call)(&gateway, &order).into_future(), lose);
        assert_eq!((answer.status, answer.text("reason")), (503, "COMMIT_UNKNOWN"), "{}: {answer:?}", writes.name);
        assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("UNKNOWN", &json!(false)), "{answer:?}");
        assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
        let location = (writes.location)(&order);
        assert_eq!(answer.header("location"), gateway.shop.url(&location), "{answer:?}");
        // Connections that were cut are found out one by one.
        eventually("the address leads to it", RECOVERY_LIMIT, async || {
            let read = gateway.shop.call(Method::GET, &location).await;
            (read.status == 200).then_some(())
        })
        .await;
        if matches!(writes.name, "key-in" | "confirm") {
            eventually("it is paid", RECOVERY_LIMIT, async || {
                let read = gateway.shop.get_order(&order.payment.order_id).await;
                (read.text("status") == "DONE").then_some(())
            })
            .await;
            gateway.bank.expect(&order.payment.order_id).charged_once().await;
        }
    }
    gateway.check().await;
}

/// Postgres goes after it has accepted: what was accepted is never called unwritten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_accepted_is_open_when_it_cannot_be_read() {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Apis).start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let (answer, ()) = tokio::join!(gateway.shop.key_in(&payment).prefer("wait=2").into_future(), async {
        // The API has sent its hint, so it knows that it has accepted.
        held.reached().await;
        gateway.proxy(Link::Postgres).refuse();
    });
    let key: String = sqlx::query_scalar("select payment_key from payments where order_id = $1")
        .bind(&payment.order_id)
        .fetch_one(gateway.db())
        .await
        .expect("it is written");
    assert_eq!((answer.status, answer.text("reason")), (504, "OUTCOME_OPEN"), "{answer:?}");
    assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("UNKNOWN", &json!(false)), "{answer:?}");
    assert_eq!(answer.header("location"), gateway.shop.url(&format!("/v1/payments/{key}")), "{answer:?}");
    let events = gateway.shop.url(&format!("/v1/payments/{key}/events"));
    assert_eq!((answer.header("naru-events"), answer.text("eventsUrl")), (events.as_str(), events.as_str()));
    assert_eq!((answer.payment_key(), answer.text("orderId")), (key.as_str(), payment.order_id.as_str()));
    gateway.proxy(Link::Postgres).heal();
    held.release().await;
    gateway.check().await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
}

/// One failed look does not end the wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_gets_the_outcome_when_postgres_is_back_in_time() {
    let gateway = Gateway::with().proxied(Link::Postgres, Who::Apis).start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let (answer, ()) = tokio::join!(gateway.shop.key_in(&payment).prefer("wait=30").into_future(), async {
        held.reached().await;
        gateway.proxy(Link::Postgres).refuse();
        // Redis says that there is something new, and Postgres does not say what.
        held.release().await;
        eventually("it has looked in vain", RECOVERY_LIMIT, async || {
            gateway.api().log().contains("an outcome waits for Postgres").then_some(())
        })
        .await;
        gateway.proxy(Link::Postgres).heal();
    });
    assert_eq!((answer.status, answer.text("status")), (200, "DONE"), "{answer:?}");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// What a key was used for is known to be there, and can't be read: not "nothing was written".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_whose_answer_cannot_be_read_may_be_sent_again() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let first = gateway.shop.key_in(&payment).idempotency_key("one").await.expecting(200);
    let mut lock = gateway.db().begin().await.expect("Postgres answers");
    sqlx::query("lock table operations in access exclusive mode").execute(&mut *lock).await.expect("it is free");
    let again = gateway.shop.key_in(&payment).idempotency_key("one").await;
    lock.rollback().await.expect("Postgres answers");
    assert_eq!((again.status, again.text("reason")), (503, "OUTCOME_UNREADABLE"), "{again:?}");
    assert_eq!((again.text("moneyState"), again.at("retryable")), ("UNKNOWN", &json!(true)), "{again:?}");
    assert!(!again.header("retry-after").is_empty(), "{again:?}");
    let again = gateway.shop.key_in(&payment).idempotency_key("one").await;
    assert_eq!((again.status, &again.text), (first.status, &first.text));
    gateway.check().await;
}

//! What else a merchant meets: lists, limits of time and room, and what is said of servers that are away.

use std::time::Duration;

use naru_testbed::{Answer, Gateway, Link, Payment, Who, eventually};
use reqwest::Method;
use serde_json::json;

const SOON: Duration = Duration::from_secs(15);

/// The order ids of a page, in order.
fn orders(page: &Answer) -> Vec<String> {
    let data = page.at("data").as_array().into_iter().flatten();
    data.filter_map(|payment| payment["orderId"].as_str().map(str::to_owned)).collect()
}

/// Creates seven payments, made a day apart in January, the newest first.
async fn seven(gateway: &Gateway) -> Vec<String> {
    let mut newest_first = Vec::new();
    for day in (1..=7).rev() {
        let payment = Payment::of(12_000);
        let _ = gateway.shop.create(&payment).await.expecting(200);
        sqlx::query(
            "update payments set created_at = make_timestamptz(2026, 1, $1, 12, 0, 0, 'UTC') where order_id = $2",
        )
        .bind(day)
        .bind(&payment.order_id)
        .execute(gateway.db())
        .await
        .expect("Postgres answers");
        newest_first.push(payment.order_id);
    }
    newest_first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_paged_without_holes_or_repeats() {
    let gateway = Gateway::start().await;
    let expected = seven(&gateway).await;
    for writes_between in [false, true] {
        let mut seen = Vec::new();
        let mut query = "limit=3&to=2026-02-01T00:00:00Z".to_owned();
        let mut sizes = Vec::new();
        loop {
            let page = gateway.shop.list(&query).await.expecting(200);
            sizes.push(orders(&page).len());
            seen.extend(orders(&page));
            assert_eq!(page.at("hasMore") == true, !page.text("nextCursor").is_empty(), "{page:?}");
            if page.at("hasMore") == false {
                break;
            }
            query = format!("limit=3&to=2026-02-01T00:00:00Z&cursor={}", page.text("nextCursor"));
            if writes_between {
                // Newer than everything that was read: it is on no later page.
                let newer = Payment::of(12_000);
                let _ = gateway.shop.create(&newer).await.expecting(200);
                let made = "update payments set created_at = '2026-01-20T00:00:00Z' where order_id = $1";
                sqlx::query(made).bind(&newer.order_id).execute(gateway.db()).await.expect("Postgres answers");
            }
        }
        assert_eq!((seen, sizes), (expected.clone(), vec![3, 3, 1]), "writes between: {writes_between}");
    }
    let other = gateway.another_shop().await.list("limit=100").await.expecting(200);
    assert_eq!(orders(&other), Vec::<String>::new(), "another merchant's");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_filter_of_a_list_filters() {
    let gateway = Gateway::start().await;
    let all = seven(&gateway).await;
    let paid = Payment::of(12_000);
    let _ = gateway.shop.key_in(&paid).await.expecting(200);
    let listed = async |query: &str| orders(&gateway.shop.list(query).await.expecting(200));
    assert_eq!(listed("status=DONE").await, [paid.order_id.as_str()]);
    assert_eq!(listed("status=READY").await, all);
    assert_eq!(listed("status=ABORTED").await, Vec::<String>::new());
    // At or after, and before.
    assert_eq!(listed("from=2026-01-05T12:00:00Z&to=2026-01-07T12:00:00Z").await, all[1..3]);
    assert_eq!(listed("from=2026-01-05T12:00:00.001Z&to=2026-01-07T12:00:00.001Z").await, all[0..2]);
    assert_eq!(listed("from=2026-01-07T21:00:00%2B09:00&status=READY").await, all[0..1], "another offset");
    assert_eq!(listed("limit=1").await, [paid.order_id.as_str()]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirm_for_another_order_takes_nothing() {
    let gateway = Gateway::start().await;
    let (one, other) = (Payment::of(12_000), Payment::of(12_000));
    let created = gateway.shop.authenticated(&one).await;
    let _ = gateway.shop.authenticated(&other).await;
    let refused = gateway.shop.confirm(created.payment_key(), &other.order_id, 12_000).await;
    let refused = refused.expecting_problem(400, "INVALID_REQUEST");
    assert_eq!((refused.text("reason"), refused.text("moneyState")), ("ORDER_MISMATCH", "NOT_MOVED"));
    for order in [&one, &other] {
        assert_eq!(gateway.shop.get_order(&order.order_id).await.text("status"), "IN_PROGRESS");
        gateway.bank.expect(&order.order_id).never_charged().await;
    }
    gateway.check().await;
}

/// Proxies and browsers give up a stream on which nothing comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_on_which_nothing_happens_is_kept_awake() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let mut stream = gateway.shop.stream(created.payment_key()).await;
    stream.until_status("READY", SOON).await;
    // One every 15 s.
    eventually("a comment comes", Duration::from_secs(25), async || {
        assert!(stream.is_open());
        (stream.comments > 0).then_some(())
    })
    .await;
    assert_eq!(stream.seen().len(), 1, "comments are no events");
}

/// When more waits than may, nothing more is accepted; what was accepted is settled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_backlog_refuses_before_it_accepts() {
    let gateway = Gateway::with().proxied(Link::Amqp, Who::Everyone).environment("NARU_BACKLOG_MAX", "2").start().await;
    // Nobody may begin: they stay queued whatever the sweeper does.
    let held = gateway.worker().hold_at("claimed");
    gateway.proxy(Link::Amqp).refuse();
    let mut accepted = Vec::new();
    let refused = eventually("the backlog is full", SOON, async || {
        let payment = Payment::of(12_000);
        let answer = gateway.shop.key_in(&payment).prefer("respond-async").await;
        if answer.status == 202 {
            accepted.push(payment);
            return None;
        }
        Some((payment, answer))
    });
    let (payment, answer) = refused.await;
    assert!(accepted.len() >= 2, "{}", accepted.len());
    assert_eq!((answer.status, answer.text("reason")), (503, "BACKLOG_FULL"), "{answer:?}");
    assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("NOT_MOVED", &json!(true)), "{answer:?}");
    assert!(!answer.header("retry-after").is_empty(), "{answer:?}");
    let _ = gateway.shop.get_order(&payment.order_id).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
    // What waits for the card company in the sandbox holds up neither another acquirer nor real money.
    let (account, real) = (Payment::of(12_000), Payment::of(12_000));
    let _ =
        gateway.shop.virtual_account(&account.order_id, 12_000, json!({})).prefer("respond-async").await.expecting(202);
    let _ = gateway.live_shop().await.key_in(&real).prefer("respond-async").await.expecting(202);
    gateway.proxy(Link::Amqp).heal();
    drop(held);
    gateway.settled_within(Duration::from_secs(60)).await;
    eventually("there is room again", SOON, async || (gateway.shop.key_in(&payment).await.status == 200).then_some(()))
        .await;
    for payment in accepted.iter().chain([&payment, &real]) {
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readiness_names_what_is_missing() {
    let gateway = Gateway::with().proxied(Link::Amqp, Who::Apis).proxied(Link::Postgres, Who::Apis).start().await;
    let says = async |status: u16, postgres: bool, rabbitmq: bool| {
        let what = format!("{status}, Postgres {postgres}, RabbitMQ {rabbitmq}");
        eventually(&what, SOON, async || {
            let answer = gateway.shop.anonymous(Method::GET, "/readyz").await;
            let up = |name: &str| answer.at(&format!("dependencies.{name}.up")) == true;
            (answer.status == status && up("postgres") == postgres && up("rabbitmq") == rabbitmq).then_some(answer)
        })
        .await
    };
    says(200, true, true).await;
    gateway.proxy(Link::Amqp).refuse();
    let without_broker = says(200, true, false).await;
    assert!(!without_broker.text("dependencies.rabbitmq.reason").is_empty(), "{without_broker:?}");
    gateway.proxy(Link::Postgres).refuse();
    let without_both = says(503, false, false).await;
    assert!(!without_both.text("dependencies.postgres.reason").is_empty(), "{without_both:?}");
    gateway.proxy(Link::Amqp).heal();
    gateway.proxy(Link::Postgres).heal();
    says(200, true, true).await;
}

/// Makes an order's time run out.
async fn run_out(gateway: &Gateway, payment: &Payment) {
    let past = "update payments set expires_at = now() - interval '1 second' where order_id = $1";
    sqlx::query(past).bind(&payment.order_id).execute(gateway.db()).await.expect("Postgres answers");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_confirms_in_time_expires() {
    let gateway = Gateway::start().await;
    let (unpaid, unconfirmed) = (Payment::of(12_000), Payment::of(12_000));
    let _ = gateway.shop.create(&unpaid).await.expecting(200);
    let created = gateway.shop.authenticated(&unconfirmed).await;
    for payment in [&unpaid, &unconfirmed] {
        run_out(&gateway, payment).await;
        eventually("it expires", SOON, async || {
            let read = gateway.shop.get_order(&payment.order_id).await;
            (read.text("status") == "EXPIRED" && read.text("moneyState") == "NOT_MOVED").then_some(())
        })
        .await;
    }
    let late = gateway.shop.confirm(created.payment_key(), &unconfirmed.order_id, 12_000).await;
    let late = late.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");
    assert_eq!((late.text("reason"), late.text("moneyState")), ("PAYMENT_EXPIRED", "NOT_MOVED"));
    gateway.bank.expect(&unconfirmed.order_id).never_charged().await;
    // The order may be tried again.
    let _ = gateway.shop.create(&unconfirmed).await.expecting(200);
    gateway.check().await;
}

/// The limit is the database's clock at the confirm, not whether anybody has noticed yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_36_confirm_after_its_time() {
    let gateway = Gateway::with().workers(0).start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.authenticated(&payment).await;
    run_out(&gateway, &payment).await;
    let late = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await;
    let late = late.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");
    assert_eq!((late.text("reason"), late.text("moneyState")), ("PAYMENT_EXPIRED", "NOT_MOVED"));
    assert_eq!(gateway.shop.get_order(&payment.order_id).await.text("status"), "IN_PROGRESS");
    gateway.bank.expect(&payment.order_id).never_charged().await;
}

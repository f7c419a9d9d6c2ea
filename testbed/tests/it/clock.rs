//! A sandbox merchant's own time: what goes by it, what doesn't, and who may set it.

use std::future::IntoFuture as _;
use std::time::Duration;

use futures::future::join_all;
use naru_shared::api_key::KeyKind;
use naru_shared::clock::Clock as _;
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_shared::system::System;
use naru_testbed::{Answer, Gateway, Means, PASSWORD, Payment, Shop, eventually};
use reqwest::Method;
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What upkeep may take to see that a clock was set: it looks once a second, and the machine is busy.
const SOON: Duration = Duration::from_secs(5);
const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

fn time_of(answer: &Answer, place: &str) -> OffsetDateTime {
    OffsetDateTime::parse(answer.text(place), &Rfc3339).unwrap_or_else(|_| panic!("{place} is a time: {answer:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_an_hour_passes_in_a_second() {
    let gateway = Gateway::start().await;
    let (shop, other) = (&gateway.shop, gateway.another_shop().await);
    let (untouched, confirmable) = (Payment::of(12_000), Payment::of(13_000));
    let ready = shop.create(&untouched).await.expecting(200);
    let of_another = other.create(&Payment::of(12_000)).await.expecting(200);

    let _ = shop.advance(30 * 60 - 60).await.expecting(200);
    // The payer comes in the last minute, and gives the merchant ten more.
    let authenticated = shop.authenticated(&confirmable).await;
    let began = System.monotonic();
    let set = shop.advance(60).await.expecting(200);
    assert_eq!(set.number("aheadSeconds"), 30 * 60);
    let is_expired = |read: &Answer| read.text("status") == "EXPIRED";
    let expired = shop.until(ready.payment_key(), "it is expired", SOON, is_expired).await;
    println!("seen as expired {:?} after the clock was set", System.monotonic() - began);
    assert_eq!((expired.text("moneyState"), expired.text("failure")), ("NOT_MOVED", ""), "{expired:?}");
    let events = shop.events(ready.payment_key()).await.expecting(200);
    let lasted = time_of(&events, "data.1.createdAt") - time_of(&events, "data.0.createdAt");
    assert!((30 * 60..31 * 60).contains(&lasted.whole_seconds()), "{lasted}: {events:?}");

    // Eleven minutes later, no sweeper is needed to refuse it: the statement that accepts goes by the same clock.
    let _ = shop.advance(10 * 60 + 1).await.expecting(200);
    let late = shop.confirm(authenticated.payment_key(), &confirmable.order_id, 13_000).await;
    let late = late.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");
    assert_eq!((late.text("reason"), late.text("moneyState")), ("PAYMENT_EXPIRED", "NOT_MOVED"));
    let _ = shop.until(authenticated.payment_key(), "it is expired", SOON, is_expired).await;
    gateway.bank.expect(&confirmable.order_id).never_charged().await;

    // Everybody else's time is their own.
    assert_eq!(other.get(of_another.payment_key()).await.expecting(200).text("status"), "READY");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_next_day_buys_the_slip() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let payment = Payment::of(15_000);
    let paid = shop.key_in(&payment).await.expecting(200);
    assert_eq!(paid.text("card.acquireStatus"), "READY");
    let began = System.monotonic();
    let _ = shop.advance(DAY).await.expecting(200);
    let captured = eventually("the slip is bought", SOON, async || {
        let read = shop.get(paid.payment_key()).await.expecting(200);
        (read.text("card.acquireStatus") == "COMPLETED").then_some(read)
    });
    let captured = captured.await;
    println!("seen as captured {:?} after the clock was set", System.monotonic() - began);
    assert_eq!(captured.text("approvedAt"), paid.text("approvedAt"), "what happened keeps its time");
    // What goes back now is a refund, and says that a day has passed.
    let refunded = shop.cancel_part(paid.payment_key(), 5_000).await.expecting(200);
    assert_eq!(refunded.text("cancels.0.type"), "REFUND");
    let later = time_of(&refunded, "cancels.0.canceledAt") - time_of(&paid, "approvedAt");
    assert!((DAY..DAY + 60).contains(&later.whole_seconds()), "{later}: {refunded:?}");
    let posted = "select posted_at from postings order by version";
    let posted: Vec<OffsetDateTime> =
        sqlx::query_scalar(posted).fetch_all(gateway.db()).await.expect("Postgres answers");
    let [approval, .., refund] = posted.as_slice() else { panic!("{posted:?}") };
    assert!((DAY..DAY + 60).contains(&(*refund - *approval).whole_seconds()), "{posted:?}");
    gateway.check().await;
}

/// Deadlines, leases and keys go by the database's clock: an approval that is under way is not given up because somebody
/// plays with the time, and an idempotency key is not forgotten.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_does_not_go_by_it() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let payment = Payment::of(12_000);
    let created = shop.authenticated(&payment).await;
    let held = gateway.bank.hold(&payment.order_id, "approve", "before").await;
    let confirm = || shop.confirm(created.payment_key(), &payment.order_id, 12_000).idempotency_key("while time flies");
    let (answer, ()) = tokio::join!(confirm().into_future(), async {
        held.reached().await;
        let _ = shop.advance(20 * DAY).await.expecting(200);
        held.release().await;
    });
    let answer = answer.expecting(200);
    assert_eq!((answer.text("status"), answer.text("moneyState")), ("DONE", "MOVED"));
    let again = confirm().await.expecting(200);
    assert_eq!((again.header("idempotent-replayed"), &again.text), ("true", &answer.text));
    // It was claimed twenty days ago, so its slip is due by now.
    eventually("the slip is bought", SOON, async || {
        let read = shop.get(created.payment_key()).await.expecting(200);
        (read.text("card.acquireStatus") == "COMPLETED").then_some(())
    })
    .await;
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

/// Sessions, and what was tried too often, go by the world's time, too: whoever may set a clock can neither end nor outwait them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_and_limits_do_not_go_by_it() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let key = company.key(Mode::Test, KeyKind::Secret).await.key;
    let mut shop = gateway.shop.clone();
    (shop.mid, shop.secret_key) = (company.mid.clone(), key);
    let desk = company.person(Role::Owner).await;
    let payer = gateway.payer().await;
    let locked = company.person(Role::Staff).await;
    let try_in = async |password: &str| company.sign_in(&locked.email, password).await;
    for _ in 0..5 {
        let _ = try_in("a password of somebody").await.expecting(401);
    }
    assert_eq!(try_in(PASSWORD).await.expecting(429).text("reason"), "RATE_LIMITED");
    let opened =
        shop.virtual_account(&Payment::of(1).order_id, 15_000, json!({ "validHours": 24 })).await.expecting(200);

    let _ = shop.advance(400 * DAY).await.expecting(200);
    let is_over = |read: &Answer| read.at("virtualAccount.expired") == true;
    let _ = shop.until(opened.payment_key(), "what goes by it is over", SOON, is_over).await;
    assert_eq!(desk.get("me").await.expecting(200).text("role"), "owner");
    let _ = payer.me().await.expecting(200);
    assert_eq!(try_in(PASSWORD).await.expecting(429).text("reason"), "RATE_LIMITED");
    // The locked one's session is as good as before.
    let _ = locked.get("me").await.expecting(200);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_goes_forward_only_and_for_test_keys_only() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let before = shop.clock().await.expecting(200);
    assert_eq!(before.number("aheadSeconds"), 0);

    // Eight at once add up.
    let all = join_all((0..8).map(|_| shop.advance(HOUR).into_future())).await;
    assert!(all.iter().all(|answer| answer.status == 200), "{all:?}");
    assert_eq!(shop.clock().await.expecting(200).number("aheadSeconds"), 8 * HOUR);

    // To a time: never back; of many at once the latest stands.
    let at = |hours: i64| {
        let time = time_of(&before, "now") + time::Duration::hours(hours);
        json!({ "now": time.format(&Rfc3339).expect("a time has a form") })
    };
    let back = shop.post("/v1/clock", &at(7)).await.expecting_problem(400, "INVALID_REQUEST");
    assert_eq!(back.text("reason"), "CLOCK_GOES_FORWARD");
    assert!(time_of(&back, "merchantNow") > time_of(&before, "now") + time::Duration::hours(8), "{back:?}");
    let all = join_all((9..17).map(|hours| shop.post("/v1/clock", &at(hours)).into_future())).await;
    assert!(all.iter().all(|answer| answer.status == 200 || answer.text("reason") == "CLOCK_GOES_FORWARD"), "{all:?}");
    let now = time_of(&shop.clock().await.expecting(200), "now");
    assert!(now >= time_of(&before, "now") + time::Duration::hours(16), "{now}");

    // Not without end, and a refused step moves nothing.
    for too_far in [json!({ "advanceSeconds": 315_360_000 }), json!({ "now": "2999-01-01T00:00:00Z" })] {
        let refused = shop.post("/v1/clock", &too_far).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(refused.text("reason"), "CLOCK_TOO_FAR_AHEAD");
    }
    let _ = shop.advance(-1).await.expecting_problem(400, "INVALID_REQUEST");
    assert!(time_of(&shop.clock().await.expecting(200), "now") < now + time::Duration::minutes(1));
    for backwards in ["update merchant_clocks set ahead = ahead - interval '1 second'", "delete from merchant_clocks"] {
        let mut conn = gateway.db().acquire().await.expect("Postgres answers");
        let _ = sqlx::query("set role naru_api").execute(&mut *conn).await.expect("the role is there");
        let refused = sqlx::query(backwards).execute(&mut *conn).await.expect_err("time that has passed has passed");
        let code = refused.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
        assert_eq!(code, "42501", "{backwards}: {refused}");
        let _ = sqlx::query("reset role").execute(&mut *conn).await.expect("Postgres answers");
    }

    // The same merchant's money is in the world's time.
    let live = gateway.live_shop().await;
    for answer in [live.advance(HOUR).await, live.clock().await] {
        let answer = answer.expecting_problem(403, "FORBIDDEN_REQUEST");
        assert_eq!(answer.text("reason"), "SANDBOX_ONLY");
    }
    let _ = shop.anonymous(Method::GET, "/v1/clock").await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let paid = live.key_in(&Payment::of(12_000)).await.expecting(200);
    let off = time_of(&paid, "requestedAt") - System.now();
    assert!(off.whole_seconds().abs() < 60, "{paid:?}");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_days_for_a_deposit_pass_in_a_second() {
    let gateway = Gateway::start().await;
    let (shop, other) = (&gateway.shop, gateway.another_shop().await);
    let asks = async |shop: &Shop| {
        let order_id = Payment::of(1).order_id;
        let opened = shop.virtual_account(&order_id, 12_000, json!({})).await.expecting(200);
        (order_id, opened)
    };
    let (order_id, opened) = asks(shop).await;
    let (_, of_another) = asks(&other).await;
    let key = opened.payment_key();
    let window = time_of(&opened, "virtualAccount.dueDate") - time_of(&opened, "requestedAt");
    assert!((window - time::Duration::days(7)).abs() <= time::Duration::seconds(2), "{window}");

    let _ = shop.advance(7 * DAY - HOUR).await.expecting(200);
    let _ = gateway.bank.deposit(&order_id, json!({ "amount": 5_000 })).await;
    let is_short = |read: &Answer| read.at("deposits.0.reason") == "short";
    let short = shop.until(key, "the deposit is found", SOON, is_short).await;
    let deposited = time_of(&short, "deposits.0.depositedAt") - time_of(&opened, "requestedAt");
    assert!((deposited - time::Duration::hours(7 * 24 - 1)).abs() < time::Duration::minutes(1), "{short:?}");
    assert_eq!(short.at("virtualAccount.expired"), false, "{short:?}");
    let payee = json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" });
    let _ = shop.refund_account(key, &payee).await.expecting(200);
    let is_returned = |read: &Answer| read.text("deposits.0.status") == "returned";
    let _ = shop.until(key, "it went back", SOON, is_returned).await;

    let began = System.monotonic();
    let _ = shop.advance(HOUR + 1).await.expecting(200);
    let is_over = |read: &Answer| read.at("virtualAccount.expired") == true;
    let over = shop.until(key, "it is overdue", SOON, is_over).await;
    println!("seen as overdue {:?} after the clock was set", System.monotonic() - began);
    assert_eq!((over.text("status"), over.text("moneyState")), ("WAITING_FOR_DEPOSIT", "REVERSED"), "{over:?}");
    gateway.settled().await;
    assert_eq!(gateway.bank.deposit(&order_id, json!({})).await["result"], "declined", "it is closed");

    // What is opened now has seven days from now, by that clock, and is paid then.
    let (order_id, later) = asks(shop).await;
    assert!(
        time_of(&later, "virtualAccount.dueDate")
            > time_of(&opened, "virtualAccount.dueDate") + time::Duration::days(6)
    );
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    let paid = shop.until_status(later.payment_key(), "DONE").await;
    assert!(time_of(&paid, "approvedAt") >= time_of(&later, "requestedAt"), "{paid:?}");
    let events = shop.events(key).await.expecting(200);
    let events = events.at("data").as_array().cloned().unwrap_or_default();
    let times: Vec<&str> = events.iter().filter_map(|event| event["createdAt"].as_str()).collect();
    assert!(times.len() >= 5 && times.is_sorted(), "{times:?}");

    // Everybody else's time is their own.
    let read = other.get(of_another.payment_key()).await.expecting(200);
    assert_eq!(read.at("virtualAccount.expired"), false, "{read:?}");
    gateway.check().await;
}

/// The carrier is not even asked: its own month, in the simulator, is the world's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phones_month_ends_by_it() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let (early, late) = (Payment::of(12_000), Payment::of(13_000));
    let by_phone = async |payment: &Payment| shop.pay_with(payment, &Means::mobile("approve")).await.expecting(200);
    let paid = by_phone(&early).await;
    // The middle of a later month: no month ends while this runs.
    let later = System.now() + time::Duration::days(40);
    let later = later.replace_day(15).expect("every month has one").format(&Rfc3339).expect("a time has a form");
    let _ = shop.post("/v1/clock", &json!({ "now": later })).await.expecting(200);
    let refused = shop.cancel(paid.payment_key()).await.expecting_problem(403, "EXCEED_MAX_REFUND_DUE");
    assert_eq!(refused.text("moneyState"), "NOT_MOVED", "{refused:?}");
    assert_eq!(gateway.bank.asked(&early.order_id, "cancel").await, 0);
    gateway.bank.expect(&early.order_id).charged_once().await;

    // What is paid now has this month.
    let paid = by_phone(&late).await;
    assert_eq!(shop.cancel(paid.payment_key()).await.expecting(200).text("status"), "CANCELED");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_billing_key_is_asked_for_and_dated_by_it() {
    const CUSTOMER: &str = "customer-1";
    let gateway = Gateway::start().await;
    let (shop, other) = (&gateway.shop, gateway.another_shop().await);
    let of_another = other.request_billing(CUSTOMER).await.expecting(200);
    let in_time = shop.request_billing(CUSTOMER).await.expecting(200);
    let late = shop.request_billing(CUSTOMER).await.expecting(200);

    let _ = shop.advance(30 * 60 - 60).await.expecting(200);
    // The customer comes in the last minute, and gives the merchant ten more.
    let authenticated = shop.authenticate_billing(&in_time, "approve").await.expecting(200);
    let _ = shop.advance(60).await.expecting(200);
    let late = shop.authenticate_billing(&late, "approve").await;
    let _ = late.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");
    let requested = shop.request_billing(CUSTOMER).await.expecting(200);
    let between = time_of(&requested, "expiresAt") - time_of(&in_time, "expiresAt");
    assert!((30 * 60..31 * 60).contains(&between.whole_seconds()), "{between}: {requested:?}");

    let auth_key = |authenticated: &Answer| {
        let key = authenticated.text("nextUrl").split(['?', '&']).find_map(|pair| pair.strip_prefix("authKey="));
        key.expect("nextUrl has an authKey").to_owned()
    };
    let _ = shop.advance(8 * 60).await.expecting(200);
    let good = shop.issue(&auth_key(&authenticated), CUSTOMER).await.expecting(200);
    let authenticated = shop.authenticate_billing(&requested, "approve").await.expecting(200);
    let _ = shop.advance(10 * 60 + 1).await.expecting(200);
    let over = shop.issue(&auth_key(&authenticated), CUSTOMER).await;
    assert_eq!(over.expecting_problem(400, "INVALID_BILL_KEY_REQUEST").text("reason"), "AUTH_KEY_INVALID");

    // Each is dated by the clock as it was.
    let typed_in = shop.authorize(CUSTOMER, "approve").await.expecting(200);
    let now = time_of(&shop.clock().await.expecting(200), "now");
    for (key, ago) in [(&good, 10 * 60 + 1), (&typed_in, 0)] {
        let age = (now - time_of(key, "authenticatedAt")).whole_seconds();
        assert!((ago..ago + 60).contains(&age), "{age}: {key:?}");
    }
    let paid = shop.charge(good.text("billingKey"), CUSTOMER, &Payment::of(4_900)).await.expecting(200);
    assert!(time_of(&paid, "requestedAt") >= time_of(&typed_in, "authenticatedAt"), "{paid:?}");

    // Everybody else's time is their own.
    let _ = other.authenticate_billing(&of_another, "approve").await.expecting(200);
    gateway.check().await;
}

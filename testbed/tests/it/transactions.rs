//! `GET /v1/transactions`: what came and what went back, in order, page by page.

use naru_shared::clock::Ids as _;
use naru_shared::system::System;
use naru_testbed::{Answer, Gateway, Payment, Shop};
use reqwest::Method;
use serde_json::{Value, json};

const ALWAYS: &str = "startDate=2020-01-01&endDate=2099-12-31";

/// By then what happened until now is old enough to be shown.
async fn later(shop: &Shop) {
    let _ = shop.advance(11).await.expecting(200);
}

async fn listed(shop: &Shop, query: &str) -> Answer {
    shop.call(Method::GET, &format!("/v1/transactions?{query}")).await
}

fn each<'a>(answer: &'a Answer, member: &str) -> Vec<&'a Value> {
    answer.body.as_array().into_iter().flatten().map(|one| &one[member]).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_came_and_what_went_back() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    assert_eq!(listed(shop, ALWAYS).await.expecting(200).body, json!([]));
    let first = shop.key_in(&Payment::of(10_000)).await.expecting(200);
    let key = shop.billing_key("customer-1", "approve").await;
    let second = shop.charge(&key, "customer-1", &Payment::of(4_900)).await.expecting(200);
    let _ = shop.cancel_part(first.payment_key(), 4_000).await.expecting(200);
    // A capture is between us and the card company.
    let _ = shop.capture(first.payment_key()).await.expecting(200);
    let refunded = shop.cancel(first.payment_key()).await.expecting(200);
    let _ = shop.key_in(&Payment::of(10_000).card("decline_51")).await.expecting_problem(403, "REJECT_CARD_PAYMENT");

    // What is not old enough could still be overtaken.
    let fresh = listed(shop, ALWAYS).await.expecting(200);
    let old = "select count(*) from postings where posted_at < now() - interval '10 seconds'";
    let old: i64 = sqlx::query_scalar(old).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert!(each(&fresh, "amount").len() <= usize::try_from(old).expect("a count"), "{fresh:?}");
    later(shop).await;
    let all = listed(shop, ALWAYS).await.expecting(200);
    assert_eq!(each(&all, "amount"), [10_000, 4_900, -4_000, -6_000], "{all:?}");
    assert_eq!(each(&all, "type"), ["PAYMENT", "PAYMENT", "CANCEL", "REFUND"]);
    assert_eq!(each(&all, "status"), ["DONE", "DONE", "PARTIAL_CANCELED", "CANCELED"]);
    assert_eq!(each(&all, "customerKey"), [&json!(null), &json!("customer-1"), &json!(null), &json!(null)]);
    let expected = [&first, &second, &refunded, &refunded].map(|answer| answer.at("paymentKey"));
    assert_eq!(each(&all, "paymentKey"), expected);
    assert_eq!(each(&all, "transactionKey")[0], first.at("lastTransactionKey"));
    assert_eq!(
        each(&all, "transactionKey")[2..],
        [refunded.at("cancels.0.transactionKey"), refunded.at("lastTransactionKey")]
    );
    assert_eq!(each(&all, "receiptUrl")[0], first.at("checkout.url"));

    // One at a time they are the same.
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let page = listed(shop, &format!("{ALWAYS}&limit=1{after}")).await.expecting(200);
        let Some(one) = page.body.get(0) else { break };
        after = format!("&startingAfter={}", one["transactionKey"].as_str().unwrap_or_default());
        paged.push(one.clone());
    }
    assert_eq!(Value::from(paged), all.body);

    // Nobody else sees them, nor goes on after one of them.
    for other in [gateway.another_shop().await, gateway.live_shop().await] {
        assert_eq!(listed(&other, ALWAYS).await.expecting(200).body, json!([]));
        let place = listed(&other, &format!("{ALWAYS}{after}")).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(place.text("errors.0.field"), "startingAfter");
        // Nor learns that there is one: nobody's is refused in the same words.
        let made_up = System.ordered().simple();
        let nobodys = listed(&other, &format!("{ALWAYS}&startingAfter={made_up}")).await;
        let told = |answer: &Answer| {
            let mut body = answer.body.clone();
            body["traceId"].take();
            (answer.status, body)
        };
        assert_eq!(told(&place), told(&nobodys));
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_and_seconds_and_what_is_none() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let paid = shop.key_in(&Payment::of(10_000)).await.expecting(200);
    let at = "update postings set posted_at = '2026-01-31T23:59:59.900+09:00'";
    sqlx::query(at).execute(gateway.db()).await.expect("Postgres answers");
    for (from, to, count) in [
        ("2026-01-31", "2026-01-31", 1),
        ("2026-01-31T00:00:00", "2026-01-31T23:59:59", 1),
        ("2026-01-31T23:59:59.900", "2026-01-31T23:59:59.900", 1),
        ("2026-01-31T00:00:00", "2026-01-31T23:59:58", 0),
        ("2026-01-31T00:00:00.000", "2026-01-31T23:59:59.899", 0),
        ("2026-02-01", "2026-02-28", 0),
        ("2026-01-31T14:59:59Z", "2026-01-31T14:59:59%2B00:00", 1),
        ("2026-01-31T23:59:59+09:00", "2026-02-01T00:00:00+09:00", 1),
    ] {
        // Toss Payments ignores what it does not know.
        let answer = listed(shop, &format!("startDate={from}&endDate={to}&startingAfter=&zq9=1")).await.expecting(200);
        assert_eq!(each(&answer, "paymentKey").len(), count, "{from} {to}: {answer:?}");
        assert_eq!(answer.header("naru-ignored-fields"), "zq9");
    }
    for (query, field) in [
        ("endDate=2026-01-31", "startDate"),
        ("startDate=2026-01-31", "endDate"),
        ("startDate=2026-02-01&endDate=2026-01-31", "endDate"),
        ("startDate=31.01.2026&endDate=2026-01-31", "startDate"),
        ("startDate=2026-01-31&endDate=2026-01-31&limit=0", "limit"),
        ("startDate=2026-01-31&endDate=2026-01-31&limit=5001", "limit"),
        ("startDate=2026-01-31&endDate=2026-01-31&startingAfter=nothing", "startingAfter"),
        ("startDate=2026-01-31&endDate=2026-01-31&startingAfter=00000000000000000000000000000000", "startingAfter"),
    ] {
        let refused = listed(shop, query).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(refused.text("errors.0.field"), field, "{query}: {refused:?}");
    }
    assert_eq!(paid.text("status"), "DONE");
}

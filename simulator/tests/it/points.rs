//! 포인트: a membership's own balance, which never goes below nothing.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::simulator::{Counter::Points, Simulator, change, net_cancel};

async fn balance(company: &Simulator, token: &str) -> Value {
    company.get(&format!("/points/v1/members/{token}")).await.body["balance"].clone()
}

#[tokio::test]
async fn points_are_used_and_given_back_in_parts() {
    let mut company = Simulator::start().await;
    let registered = company.present_to(Points, "1234567890").await;
    assert_eq!((&registered.body["balance"], &registered.body["last4"]), (&json!(1_000_000), &json!("7890")));
    let token = registered.body["token"].as_str().unwrap();
    let used = company.charge(Points, "r", "o", token, 1_000).await;
    assert_eq!(used.is("approved").body["pointBalance"], 999_000);
    let back = company.post("/points/v1/refunds", &change("f", "r", "o", 300)).await;
    assert_eq!(back.is("approved").body["pointBalance"], 999_300);
    company.post("/points/v1/cancels", &change("c", "r", "o", 200)).await.is("approved");
    company
        .post("/points/v1/cancels", &change("c2", "r", "o", 501))
        .await
        .is("declined")
        .because("insufficient_balance");
    company.kill();
    company.start_again();
    assert_eq!(balance(&company, token).await, 999_500);
    company.post("/points/v1/net-cancels", &net_cancel("n", "r", 1_000)).await.is("reversed");
    assert_eq!(balance(&company, token).await, 1_000_000);
    assert_eq!(company.charged_and_net("o").await, (1_000, 0));
    assert_eq!(company.get("/points/v1/members/nobody").await.with_code("14").status, 422);
}

#[tokio::test]
async fn sixty_four_at_once_use_no_more_than_there_is() {
    let company = Simulator::start().await;
    let token = company.token(Points, &Points.number("balance_30000")).await;
    let references: Vec<String> = (0..64).map(|nth| format!("r{nth}")).collect();
    let all = join_all(references.iter().map(|reference| company.charge(Points, reference, "o", &token, 1_000))).await;
    let approved = all.iter().filter(|answer| answer.body["result"] == "approved").count();
    assert_eq!(approved, 30);
    for answer in all.iter().filter(|answer| answer.body["result"] != "approved") {
        answer.is("declined").with_code("51").because("insufficient_funds");
    }
    assert_eq!(balance(&company, &token).await, 0);
}

#[tokio::test]
async fn what_is_settled_or_fails_later_does_not_go_below_nothing() {
    let company = Simulator::start().await;
    let token = company.token(Points, &Points.number("balance_30000")).await;
    let script = |order: &str, call: &str, step: Value| {
        company.script(json!({ "match": { "orderId": order, "call": call, "method": "points" }, "steps": [step] }))
    };
    // It was pending while the points were used for something else.
    script("o1", "approve", json!({ "do": "pending", "inquiries": 0 })).await;
    company.charge(Points, "r1", "o1", &token, 20_000).await.is("pending");
    company.charge(Points, "r2", "o2", &token, 20_000).await.is("approved");
    company.inquire_at("/points/v1", "r1").await.is("declined").because("insufficient_funds");
    // They were given back, used again, and the giving back turns out to have failed: too late.
    script("o2", "refund", json!({ "do": "fail_later", "inquiries": 0 })).await;
    company.post("/points/v1/refunds", &change("f1", "r2", "o2", 20_000)).await.is("approved");
    company.charge(Points, "r3", "o3", &token, 30_000).await.is("approved");
    company.inquire_at("/points/v1", "f1").await.is("approved");
    assert_eq!(balance(&company, &token).await, 0);
    // With points to take it does fail.
    script("o3", "refund", json!({ "do": "fail_later", "inquiries": 1, "code": "91" })).await;
    company.post("/points/v1/refunds", &change("f2", "r3", "o3", 30_000)).await.is("approved");
    company.inquire_at("/points/v1", "f2").await.is("approved");
    company.inquire_at("/points/v1", "f2").await.is("declined").with_code("91");
    company.inquire_at("/points/v1", "f2").await.is("declined").with_code("91");
    assert_eq!(balance(&company, &token).await, 0);
    let money = company.money("o3").await;
    assert_eq!([&money["refunded"], &money["restored"], &money["net"]], [30_000, 30_000, 30_000]);
}

#[tokio::test]
async fn a_refund_that_is_pending_is_spoken_for() {
    let mut company = Simulator::start().await;
    let token = company.token(Points, &Points.number("refund_pending")).await;
    company.charge(Points, "r", "o", &token, 1_000).await.is("approved");
    company.post("/points/v1/refunds", &change("f", "r", "o", 700)).await.is("pending");
    company.kill();
    company.start_again();
    company.post("/points/v1/refunds", &change("f", "r", "o", 700)).await.is("pending");
    company
        .post("/points/v1/refunds", &change("f2", "r", "o", 301))
        .await
        .is("declined")
        .because("insufficient_balance");
    company.post("/points/v1/net-cancels", &net_cancel("n", "r", 1_000)).await.is("refused");
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));
    company.inquire_at("/points/v1", "f").await.is("pending");
    company.inquire_at("/points/v1", "f").await.is("approved");
    company.post("/points/v1/refunds", &change("f", "r", "o", 700)).await.is("approved");
    assert_eq!(company.charged_and_net("o").await, (1_000, 300));
}

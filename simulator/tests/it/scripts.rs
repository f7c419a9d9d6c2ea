//! Scripts and holds, for tests that run side by side.

use std::sync::Arc;

use reqwest::Method;
use serde_json::json;

use crate::simulator::{Silence, Simulator, hear};

#[tokio::test]
async fn a_script_is_used_up_step_by_step_and_outranks_the_card() {
    let company = Simulator::start().await;
    let token = company.card("4000000000000002").await;
    let steps = json!([{ "do": "http", "status": 502 }, { "do": "decline", "code": "51" }, { "do": "approve" }]);
    company.script(json!({ "match": { "orderId": "o" }, "steps": steps })).await;
    company.approve("elsewhere", "another", &token, 1_000).await.is("declined").with_code("05");
    assert_eq!(company.approve("r1", "o", &token, 1_000).await.status, 502);
    company.approve("r2", "o", &token, 1_000).await.is("declined").with_code("51");
    company.approve("r3", "o", &token, 1_000).await.is("approved");
    company.approve("r4", "o", &token, 1_000).await.is("declined").with_code("05");
    assert_eq!(company.get("/admin/scripts").await.body["scripts"], json!([]));
}

#[tokio::test]
async fn the_newest_script_wins_and_the_last_step_may_repeat() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company
        .script(
            json!({ "match": { "token": token }, "steps": [{ "do": "decline", "code": "61" }], "then": "repeat_last" }),
        )
        .await;
    company.script(json!({ "match": { "amount": 777 }, "steps": [{ "do": "approve" }] })).await;
    company.approve("r1", "o", &token, 777).await.is("approved");
    for nth in 2..5 {
        company.approve(&format!("r{nth}"), "o", &token, 777).await.is("declined").with_code("61");
    }
    hear(company.request(Method::DELETE, "/admin/scripts")).await.unwrap();
    company.approve("r9", "o", &token, 777).await.is("approved");
}

#[tokio::test]
async fn inquiries_and_net_cancels_match_by_their_originals_order_and_reference() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company
        .script(json!({ "match": { "orderId": "o", "call": "approve" }, "steps": [{ "do": "timeout_before" }] }))
        .await;
    company
        .script(json!({ "match": { "orderId": "o", "call": "inquire" }, "steps": [{ "do": "http", "status": 500 }] }))
        .await;
    company
        .script(json!({ "match": { "reference": "r", "call": "net_cancel" }, "steps": [{ "do": "drop_after" }] }))
        .await;
    assert_eq!(company.try_approve("r", "o", &token, 1_000).await.unwrap_err(), Silence::TimedOut);
    assert_eq!(company.inquire("r").await.status, 500);
    company.inquire("r").await.is("not_found");
    company.approve("r", "o", &token, 1_000).await.is("approved");
    assert_eq!(company.try_net_cancel("n", "r", 1_000).await.unwrap_err(), Silence::Broken);
    company.inquire("r").await.is("reversed");
}

#[tokio::test]
async fn every_kind_of_step_is_understood_for_every_call() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    #[rustfmt::skip]
    let steps = [
        json!({ "do": "approve" }), json!({ "do": "decline" }), json!({ "do": "http", "status": 503, "acts": true }),
        json!({ "do": "timeout_before" }), json!({ "do": "timeout_after" }), json!({ "do": "drop_before" }),
        json!({ "do": "drop_after" }), json!({ "do": "slow", "ms": 5, "then": { "do": "decline", "code": "91" } }),
        json!({ "do": "malformed" }), json!({ "do": "truncated" }), json!({ "do": "huge" }), json!({ "do": "wrong_amount" }),
        json!({ "do": "wrong_amount", "by": 5, "charged": true }), json!({ "do": "wrong_currency" }),
        json!({ "do": "pending", "inquiries": 2, "code": "51" }), json!({ "do": "busy" }),
        json!({ "do": "lag", "ms": 1000, "then": "drop_after" }), json!({ "do": "refuse" }), json!({ "do": "not_found" }),
        json!({ "do": "hold", "id": "open", "effect": "after", "then": { "do": "slow", "ms": 1 } }),
    ];
    company.post("/admin/holds/open/release", &json!({})).await;
    for (nth, step) in steps.iter().enumerate() {
        let order = format!("o{nth}");
        company.script(json!({ "match": { "orderId": order }, "steps": [step], "then": "repeat_last" })).await;
        let reference = format!("r{nth}");
        // What is heard is the card tests' business; here nothing may get stuck or break the books.
        let _ = company.try_approve(&reference, &order, &token, 1_000).await;
        let _ = company.try_change("/v1/cancels", &format!("c{nth}"), &reference, &order, 100).await;
        let _ = company.try_change("/v1/captures", &format!("p{nth}"), &reference, &order, 900).await;
        let _ = company.try_change("/v1/refunds", &format!("f{nth}"), &reference, &order, 900).await;
        let _ = company.try_net_cancel(&format!("n{nth}"), &reference, 1_000).await;
        let money = company.money(&order).await;
        let net = money["net"].as_i64().unwrap();
        assert!((0..=1_005).contains(&net), "{step}: {money}");
    }
    assert!(!company.log().contains("panicked"));
}

#[tokio::test]
async fn a_hold_parks_a_request_before_or_after_its_effect() {
    let company = Arc::new(Simulator::start().await);
    let token = company.card("4242424242424242").await;
    for (side, found) in [("before", "not_found"), ("after", "approved")] {
        let hold = format!("hold-{side}");
        let step = json!({ "do": "hold", "id": hold, "effect": side, "then": "approve" });
        company.script(json!({ "match": { "orderId": side, "call": "approve" }, "steps": [step] })).await;
        let parked = {
            let (company, token) = (Arc::clone(&company), token.clone());
            tokio::spawn(async move {
                let request = company.request(Method::POST, "/v1/approvals");
                hear(request.json(&crate::simulator::approval(side, side, &token, 1_000))).await
            })
        };
        let held = company.get(&format!("/admin/holds/{hold}")).await.body;
        assert_eq!(held, json!({ "parked": 1, "arrived": 1, "released": false }));
        company.inquire(side).await.is(found);
        company.post(&format!("/admin/holds/{hold}/release"), &json!({})).await;
        parked.await.unwrap().unwrap().is("approved");
        assert_eq!(company.charged_and_net(side).await, (1_000, 1_000));
    }
}

#[tokio::test]
async fn a_parked_request_takes_effect_after_its_sender_is_gone() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    let step = json!({ "do": "hold", "id": "late" });
    company.script(json!({ "match": { "orderId": "o", "call": "approve" }, "steps": [step] })).await;
    assert_eq!(company.try_approve("r", "o", &token, 1_000).await.unwrap_err(), Silence::TimedOut);
    company.net_cancel("n", "r", 1_000).await.is("no_original");
    company.post("/admin/holds/late/release", &json!({})).await;
    let charged = async { while company.inquire("r").await.body["result"] != "approved" {} };
    tokio::time::timeout(std::time::Duration::from_secs(5), charged).await.unwrap();
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));
}

#[tokio::test]
async fn wrong_scripts_are_refused_and_say_why() {
    let company = Simulator::start().await;
    for wrong in [
        json!({}),
        json!({ "match": {}, "steps": [] }),
        json!({ "match": { "order": "o" }, "steps": [{ "do": "approve" }] }),
        json!({ "match": {}, "steps": [{ "do": "dance" }] }),
        json!({ "match": {}, "steps": [{ "do": "http", "status": 200 }] }),
        json!({ "match": {}, "steps": [{ "do": "hold", "id": "" }] }),
        json!({ "match": {}, "steps": [{ "do": "slow", "then": { "do": "http", "status": 600 } }] }),
        json!({ "match": {}, "steps": [{ "do": "decline", "code": "5" }] }),
    ] {
        let answer = company.post("/admin/scripts", &wrong).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(answer.body["message"].is_string());
    }
}

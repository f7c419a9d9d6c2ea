//! D dedupes by reference, N charges each time it is asked.

use futures::future::join_all;
use serde_json::json;

use crate::simulator::{Simulator, approval};

#[tokio::test]
async fn in_mode_d_sixty_four_at_once_are_one_charge() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    let all = join_all((0..64).map(|_| company.approve("r", "o", &token, 1_000))).await;
    for answer in &all {
        assert_eq!(answer.is("approved").body, all[0].body);
    }
    let money = company.money("o").await;
    assert_eq!((&money["charges"], &money["net"]), (&1.into(), &1_000.into()));
    // Every one of them was asked, and is in the journal.
    let entries = company.get("/admin/journal?orderId=o").await.body["entries"].as_array().unwrap().clone();
    assert_eq!(entries.len(), 64);
    assert_eq!(entries.iter().filter(|e| e["effect"] == "charged").count(), 1);
}

#[tokio::test]
async fn in_mode_d_sixty_four_cancels_at_once_take_it_back_once() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    join_all((0..64).map(|_| company.change("/v1/cancels", "c", "r", "o", 100))).await.iter().for_each(|answer| {
        answer.is("approved");
    });
    assert_eq!(company.charged_and_net("o").await, (1_000, 900));
}

#[tokio::test]
async fn in_mode_d_a_reversed_reference_is_never_charged_again() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.net_cancel("n", "r", 1_000).await.is("reversed");
    company.approve("r", "o", &token, 1_000).await.is("reversed");
    assert_eq!(company.charged_and_net("o").await, (1_000, 0));
}

#[tokio::test]
async fn a_reference_stands_for_one_request_only() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    assert_eq!(company.approve("r", "o", &token, 1_001).await.status, 400);
    assert_eq!(company.change("/v1/cancels", "r", "r", "o", 1_000).await.status, 400);
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));
}

#[tokio::test]
async fn in_mode_n_every_request_is_a_charge_and_a_net_cancel_undoes_them_all() {
    let company = Simulator::start_with(&[("NARU_SIMULATOR_MODE", "N")]).await;
    let token = company.card("4242424242424242").await;
    for _ in 0..3 {
        company.approve("r", "o", &token, 1_000).await.is("approved");
    }
    let money = company.money("o").await;
    assert_eq!([&money["charges"], &money["standingCharges"], &money["net"]], [3, 3, 3_000]);
    assert_eq!(company.net_cancel("n", "r", 1_000).await.is("reversed").body["amount"], 3_000);
    company.net_cancel("n", "r", 1_000).await.is("already_reversed");
    assert_eq!(company.charged_and_net("o").await, (3_000, 0));
    let entries = company.get("/admin/journal?reference=n").await.body;
    let reversed = entries["entries"].as_array().unwrap().iter().filter(|e| e["effect"] == "reversed").count();
    assert_eq!(reversed, 3, "one line for each charge that was undone");
    company.approve("r", "o", &token, 1_000).await.is("approved");
    assert_eq!(company.charged_and_net("o").await, (4_000, 1_000));
}

#[tokio::test]
async fn in_mode_n_cancels_act_each_time_until_nothing_is_left() {
    let company = Simulator::start_with(&[("NARU_SIMULATOR_MODE", "N")]).await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.change("/v1/cancels", "c", "r", "o", 400).await.is("approved");
    company.change("/v1/cancels", "c", "r", "o", 400).await.is("approved");
    company.change("/v1/cancels", "c", "r", "o", 400).await.is("declined").because("insufficient_balance");
    assert_eq!(company.charged_and_net("o").await, (1_000, 200));
}

#[tokio::test]
async fn mode_lag_and_latency_change_while_running() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.set(json!({ "mode": "N", "inquiryLagMs": 200, "latencyMs": 20 })).await;
    let started = std::time::Instant::now();
    company.approve("r", "o", &token, 1_000).await.is("approved");
    assert!(started.elapsed().as_millis() >= 20);
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.inquire("r").await.is("not_found");
    tokio::time::sleep(std::time::Duration::from_millis(220)).await;
    company.inquire("r").await.is("approved");
    company.set(json!({ "mode": "D", "inquiryLagMs": 0, "latencyMs": 0 })).await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    assert_eq!(company.charged_and_net("o").await, (2_000, 2_000));
    let refused = company.post("/v1/approvals", &approval("x", "o", &token, 0)).await;
    assert_eq!(refused.status, 400);
}

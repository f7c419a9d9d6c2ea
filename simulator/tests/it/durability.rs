//! What was answered survives `kill -9`; what was cut off was never answered.

use std::io::Write;

use serde_json::json;

use crate::simulator::Simulator;

#[tokio::test]
async fn must_not_40_forget_what_the_acquirer_did() {
    let mut company = Simulator::start().await;
    let token = company.card("4000000900170004").await; // approves twice, then declines
    company.approve("r1", "o1", &token, 1_000).await.is("approved");
    let first = company.approve("r2", "o2", &token, 2_000).await;
    company.change("/v1/cancels", "c", "r1", "o1", 300).await.is("approved");
    company.net_cancel("n", "r2", 2_000).await.is("reversed");
    let pending = company.card("4000000900140007").await;
    company.approve("p", "op", &pending, 500).await.is("pending");
    company.inquire("p").await.is("pending");
    let before = [company.money("o1").await, company.money("o2").await];

    company.kill();
    company.start_again();

    assert_eq!([company.money("o1").await, company.money("o2").await], before);
    company.approve("r3", "o3", &token, 1_000).await.is("declined").with_code("51");
    assert_eq!(
        company.approve("r2", "o2", &token, 2_000).await.is("reversed").body["approvalNumber"],
        first.body["approvalNumber"]
    );
    company.change("/v1/cancels", "c2", "r1", "o1", 701).await.is("declined").because("insufficient_balance");
    company.inquire("p").await.is("approved");
    company.inquire("c").await.is("approved");
}

#[tokio::test]
async fn a_line_that_a_crash_cut_off_is_forgotten() {
    let mut company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.kill();
    let mut file = std::fs::File::options().append(true).open(company.journal()).unwrap();
    file.write_all(br#"{"seq":3,"at":"2026-01-01T00:00:00.000+09:00","requ"#).unwrap();
    company.start_again();
    company.inquire("r").await.is("approved");
    company.kill();
    company.start_again();
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));
}

#[tokio::test]
async fn a_damaged_journal_is_refused_with_its_line() {
    let mut company = Simulator::start().await;
    company.card("4242424242424242").await;
    company.kill();
    let whole = std::fs::read_to_string(company.journal()).unwrap();
    for (damaged, words) in
        [(format!("nonsense\n{whole}"), "line 1 can't be read"), (format!("{whole}{whole}"), "line 2 is numbered 1")]
    {
        std::fs::write(company.journal(), damaged).unwrap();
        let run = std::process::Command::new(env!("CARGO_BIN_EXE_naru-simulator"))
            .env("NARU_SIMULATOR_LISTEN", "127.0.0.1:0")
            .env("NARU_SIMULATOR_JOURNAL", company.journal())
            .output()
            .unwrap();
        assert!(!run.status.success());
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(said.contains(words), "{said}");
    }
}

#[tokio::test]
async fn a_journal_has_one_writer() {
    let company = Simulator::start().await;
    let second = std::process::Command::new(env!("CARGO_BIN_EXE_naru-simulator"))
        .env("NARU_SIMULATOR_LISTEN", "127.0.0.1:0")
        .env("NARU_SIMULATOR_JOURNAL", company.journal())
        .output()
        .unwrap();
    assert!(String::from_utf8(second.stderr).unwrap().contains("another simulator is using this journal"));
}

#[tokio::test]
async fn sigterm_ends_it_within_two_seconds_although_an_answer_is_owed() {
    let mut company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.script(json!({ "match": { "orderId": "o" }, "steps": [{ "do": "timeout_after" }] })).await;
    let client = reqwest::Client::new();
    let body = crate::simulator::approval("r", "o", &token, 1_000);
    let waiting = tokio::spawn(client.post(format!("{}/v1/approvals", company.url)).json(&body).send());
    let charged = async { while company.inquire("r").await.body["result"] != "approved" {} };
    tokio::time::timeout(std::time::Duration::from_secs(5), charged).await.unwrap();
    let started = std::time::Instant::now();
    assert!(company.terminate());
    assert!(started.elapsed().as_millis() < 3_000);
    assert!(waiting.await.unwrap().is_err());
    company.start_again();
    company.inquire("r").await.is("approved");
}

#[tokio::test]
async fn the_journal_is_read_in_pages() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    for nth in 0..600 {
        company.approve(&format!("r{nth}"), &format!("o{nth}"), &token, 1_000).await.is("approved");
    }
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let page = company.get(&format!("/admin/journal?after={after}&limit=250")).await.body;
        seen.extend(page["entries"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
        match page["nextAfter"].as_u64() {
            Some(next) => after = next,
            None => break,
        }
    }
    assert_eq!(seen, (1..=601).collect::<Vec<_>>());
    let one = company.get("/admin/journal?orderId=o599&after=600").await.body;
    assert_eq!(one["entries"].as_array().unwrap().len(), 1);
}

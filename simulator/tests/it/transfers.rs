//! 계좌이체: drawn from a bank account, and given back to it.

use serde_json::json;

use crate::simulator::{Counter::Bank, Simulator, account, approval, change, net_cancel};

#[tokio::test]
async fn money_is_drawn_and_given_back_in_parts() {
    let company = Simulator::start().await;
    let registered = company.present_to(Bank, "110123456789").await;
    assert_eq!((&registered.body["bankCode"], &registered.body["last4"]), (&json!("88"), &json!("6789")));
    let token = registered.body["token"].as_str().unwrap();
    let drawn = company.charge(Bank, "r", "o", token, 1_000).await;
    drawn.is("approved").with_code("00");
    assert_eq!((&drawn.body["bankCode"], &drawn.body["last4"]), (&json!("88"), &json!("6789")));
    // No capture is needed.
    company.post("/bank/v1/refunds", &change("f1", "r", "o", 400)).await.is("approved");
    company.post("/bank/v1/refunds", &change("f2", "r", "o", 601)).await.is("declined").because("insufficient_balance");
    let seen = company.inquire_at("/bank/v1", "r").await;
    assert_eq!((&seen.is("approved").body["kind"], &seen.body["remainingAmount"]), (&json!("approve"), &json!(600)));
    company.post("/bank/v1/refunds", &change("f3", "r", "o", 600)).await.is("approved");
    company.post("/bank/v1/refunds", &change("f4", "r", "o", 1)).await.is("declined").because("already_cancelled");
    let found = company.inquire_at("/bank/v1", "f3").await;
    assert_eq!((&found.is("approved").body["kind"], &found.body["amount"]), (&json!("refund"), &json!(600)));
    let money = company.money("o").await;
    assert_eq!(
        [&money["method"], &money["charged"], &money["refunded"], &money["net"]],
        [&json!("transfer"), &json!(1_000), &json!(1_000), &json!(0)]
    );
}

#[tokio::test]
async fn a_net_cancel_gives_back_what_is_left() {
    let company = Simulator::start().await;
    let token = company.token(Bank, "110123456789").await;
    company.charge(Bank, "r", "o", &token, 1_000).await.is("approved");
    company.post("/bank/v1/refunds", &change("f", "r", "o", 400)).await.is("approved");
    let undone = company.post("/bank/v1/net-cancels", &net_cancel("n", "r", 1_000)).await;
    assert_eq!(undone.is("reversed").body["amount"], 600);
    company.post("/bank/v1/net-cancels", &net_cancel("n2", "r", 1_000)).await.is("already_reversed");
    company.charge(Bank, "r", "o", &token, 1_000).await.is("reversed");
    assert_eq!(company.charged_and_net("o").await, (1_000, 0));
}

#[tokio::test]
async fn accounts_and_amounts_decline() {
    let company = Simulator::start().await;
    for (fault, code) in [("decline_51", "51"), ("decline_57", "57"), ("decline_90", "90"), ("decline_61", "61")] {
        let token = company.token(Bank, &Bank.number(fault)).await;
        company.charge(Bank, fault, fault, &token, 1_000).await.is("declined").with_code(code);
        assert_eq!(company.charged_and_net(fault).await, (0, 0));
    }
    let token = company.token(Bank, "110123456789").await;
    for (amount, code) in [(990_051, "51"), (990_057, "57"), (990_090, "90"), (990_061, "61")] {
        let reference = format!("a{amount}");
        company.charge(Bank, &reference, "o", &token, amount).await.is("declined").with_code(code);
    }
    assert_eq!(company.charge(Bank, "busy", "o", &token, 990_503).await.with_code("M1").status, 503);
    assert_eq!(company.charge(Bank, "error", "o", &token, 990_500).await.status, 500);
    company.charge(Bank, "fine", "o2", &token, 990_001).await.is("approved");
}

#[tokio::test]
async fn registration_refuses_the_wrong_holder() {
    let company = Simulator::start().await;
    for (fault, code) in [("wrong_holder", "N1"), ("refuse_token_14", "14"), ("refuse_token_63", "63")] {
        let answer = company.present_to(Bank, &Bank.number(fault)).await;
        assert_eq!(answer.with_code(code).status, 422, "{fault}");
    }
    let mut unknown = account("110123456789");
    unknown["bankCode"] = json!("99");
    assert_eq!(company.post("/bank/v1/accounts", &unknown).await.with_code("15").status, 422);
    for (field, wrong) in [
        ("bankCode", json!("8")),
        ("bankCode", json!(88)),
        ("accountNumber", json!("110-123-456789")),
        ("accountNumber", json!("1234567")),
        ("accountNumber", json!("12345678901234567")),
        ("holderName", json!("")),
        ("holderName", json!("a\u{7}b")),
        ("identityNumber", json!("93041")),
        ("merchantId", json!("")),
    ] {
        let mut body = account("110123456789");
        body[field] = wrong;
        assert_eq!(company.post("/bank/v1/accounts", &body).await.with_code("30").status, 400, "{body}");
    }
    assert_eq!(company.get("/admin/journal").await.body["entries"].as_array().unwrap().len(), 4, "no 400 is written");
}

#[tokio::test]
async fn an_account_has_one_book_for_all_its_tokens() {
    let company = Simulator::start().await;
    let number = Bank.number("balance_30000");
    let (one, other) = (company.token(Bank, &number).await, company.token(Bank, &number).await);
    company.charge(Bank, "r1", "o1", &one, 20_000).await.is("approved");
    company.charge(Bank, "r2", "o2", &other, 10_001).await.is("declined").with_code("51").because("insufficient_funds");
    company.charge(Bank, "r3", "o3", &other, 10_000).await.is("approved");
    company.post("/bank/v1/refunds", &change("f", "r1", "o1", 500)).await.is("approved");
    company.charge(Bank, "r4", "o4", &one, 501).await.is("declined");
    company.charge(Bank, "r5", "o5", &one, 500).await.is("approved");

    let limited = company.token(Bank, &Bank.number("limit_100000")).await;
    company.charge(Bank, "l1", "o6", &limited, 100_000).await.is("approved");
    company.charge(Bank, "l2", "o7", &limited, 1).await.is("declined").with_code("61").because("daily_limit");
    company.post("/bank/v1/net-cancels", &net_cancel("n", "l1", 100_000)).await.is("reversed");
    company.charge(Bank, "l3", "o8", &limited, 100_000).await.is("approved");
}

#[tokio::test]
async fn counters_share_references_and_keep_their_tokens_and_answers_apart() {
    let company = Simulator::start().await;
    let card = company.card("4242424242424242").await;
    let token = company.token(Bank, "110123456789").await;
    company.charge(Bank, "x", "o", &card, 1_000).await.is("declined").with_code("14");
    company.approve("y", "o", &token, 1_000).await.is("declined").with_code("14");
    company.charge(Bank, "r", "o", &token, 1_000).await.is("approved");
    company.inquire("r").await.is("not_found");
    company.change("/v1/refunds", "f", "r", "o", 1_000).await.is("declined").because("no_original");
    company.net_cancel("n", "r", 1_000).await.is("no_original");
    assert_eq!(company.post("/v1/approvals", &approval("r", "o", &card, 1_000)).await.status, 400);
    company.approve("c", "o", &card, 1_000).await.is("approved");
    for (path, reference) in [("/v1/statement", "c"), ("/bank/v1/statement", "r")] {
        let lines = company.get(path).await.body["lines"].as_array().unwrap().clone();
        assert_eq!(lines.iter().map(|line| &line["reference"]).collect::<Vec<_>>(), [reference], "{path}");
    }
}

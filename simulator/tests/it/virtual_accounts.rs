//! 가상계좌: issue, deposits of every kind, and the end of an account.

use serde_json::{Value, json};

use crate::simulator::Simulator;
use crate::virtual_account::{BASE, closure, issue};

fn deposits(answer: &crate::simulator::Answer) -> Vec<(i64, String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let deposits = answer.body["deposits"].as_array().unwrap();
    deposits.iter().map(|d| (d["amount"].as_i64().unwrap(), text(&d["depositorName"]), text(&d["state"]))).collect()
}

#[tokio::test]
async fn an_account_is_issued_once_and_inquired_about() {
    let mut company = Simulator::start().await;
    let issued = company.post(&format!("{BASE}/accounts"), &issue("r", "o")).await;
    let number = issued.is("approved").with_code("00").body["accountNumber"].as_str().unwrap();
    assert!(number.len() == 14 && number.starts_with('X') && number[1..].bytes().all(|b| b.is_ascii_digit()));
    assert_eq!(
        [&issued.body["state"], &issued.body["bankCode"], &issued.body["balance"], &issued.body["deposits"]],
        [&json!("open"), &json!("88"), &json!(0), &json!([])]
    );
    assert_eq!(issued.body["dueAt"], "2099-01-31T23:59:59.000+09:00");
    let again = company.post(&format!("{BASE}/accounts"), &issue("r", "o")).await;
    assert_eq!(again.body["accountNumber"], number);
    let mut other = issue("r", "o");
    other["amount"] = json!(1_001);
    assert_eq!(company.post(&format!("{BASE}/accounts"), &other).await.status, 400);
    company.kill();
    company.start_again();
    let seen = company.account("r").await;
    assert_eq!((&seen.is("approved").body["kind"], &seen.body["accountNumber"]), (&json!("issue"), &json!(number)));
    company.account("unheard-of").await.is("not_found");
    assert_eq!(company.charged_and_net("o").await, (0, 0));

    let mut unknown = issue("r2", "o");
    unknown["bankCode"] = json!("99");
    company.post(&format!("{BASE}/accounts"), &unknown).await.is("declined").with_code("15");
    company.account("r2").await.is("declined");
    let mut maintained = issue("r3", "o");
    maintained["amount"] = json!(990_091);
    company.post(&format!("{BASE}/accounts"), &maintained).await.is("declined").with_code("91");
    for (field, wrong) in [
        ("customerName", json!("")),
        ("customerName", json!("x".repeat(101))),
        ("dueAt", json!("tomorrow")),
        ("callbackUrl", json!("ftp://shop.example/")),
        ("callbackUrl", json!("http://shop.example/with space")),
        ("amount", json!(0)),
    ] {
        let mut body = issue("r4", "o");
        body[field] = wrong;
        assert_eq!(company.post(&format!("{BASE}/accounts"), &body).await.with_code("30").status, 400, "{body}");
    }
}

#[tokio::test]
async fn deposits_come_short_over_twice_late_and_by_another_name() {
    let mut company = Simulator::start().await;
    let number = company.open("r", "o").await;
    let short = company.post("/admin/deposits", &json!({ "accountNumber": number, "amount": 400 })).await;
    assert!(short.is("approved").body["transactionKey"].as_str().unwrap().starts_with("dep_"));
    let by_other = json!({ "orderId": "o", "amount": 600, "depositorName": "김철수" });
    company.post("/admin/deposits", &by_other).await.is("approved");
    company.post("/admin/deposits", &json!({ "reference": "r" })).await.is("approved");
    company.post("/admin/deposits", &json!({ "reference": "r", "amount": 5_000 })).await.is("approved");
    company.kill();
    company.start_again();
    let seen = company.account("r").await;
    let expected = [(400, "홍길동"), (600, "김철수"), (1_000, "홍길동"), (5_000, "홍길동")]
        .map(|(amount, name)| (amount, name.to_owned(), "deposited".to_owned()));
    assert_eq!(deposits(&seen), expected);
    assert_eq!((&seen.body["balance"], &seen.body["amount"]), (&json!(7_000), &json!(1_000)));
    assert_eq!(seen.body["deposits"][0]["isLate"], false);
    let money = company.money("o").await;
    assert_eq!(
        [&money["method"], &money["charges"], &money["charged"], &money["net"]],
        [&json!("virtual_account"), &json!(4), &json!(7_000), &json!(7_000)]
    );

    let mut due = issue("late", "late");
    due["dueAt"] = json!("2020-01-01T00:00:00+09:00");
    company.post(&format!("{BASE}/accounts"), &due).await.is("approved");
    company.deposit("late", 1_000).await.is("approved");
    assert_eq!(company.account("late").await.body["deposits"][0]["isLate"], true);
    assert_eq!(company.post("/admin/deposits", &json!({ "accountNumber": "X0" })).await.status, 404);
    assert_eq!(company.post("/admin/deposits", &json!({})).await.status, 400);
    let two = json!({ "accountNumber": number, "reference": "r" });
    assert_eq!(company.post("/admin/deposits", &two).await.status, 400);
}

#[tokio::test]
async fn an_empty_account_is_closed_for_good() {
    let mut company = Simulator::start().await;
    company.open("r", "o").await;
    company.close("c", "unheard-of").await.is("declined").because("no_original");
    company.close("c1", "r").await.is("approved");
    company.close("c1", "r").await.is("approved");
    company.close("c2", "r").await.is("approved");
    company.kill();
    company.start_again();
    assert_eq!(company.account("r").await.body["state"], "closed");
    assert_eq!(company.account("c1").await.is("approved").body["kind"], "close");
    company.deposit("r", 1_000).await.is("declined").because("closed");
    assert_eq!(company.charged_and_net("o").await, (0, 0));
    assert_eq!(deposits(&company.account("r").await), []);
    let mut others = closure("c3", "r");
    others["merchantId"] = json!("another-shop");
    company.post(&format!("{BASE}/closures"), &others).await.is("declined").because("no_original");
}

#[tokio::test]
async fn an_account_with_money_is_not_closed() {
    let company = Simulator::start().await;
    company.open("r", "o").await;
    company.deposit("r", 1_000).await.is("approved");
    company.close("c1", "r").await.is("declined").because("not_empty");
    assert_eq!(company.account("r").await.body["state"], "open");
    company.pays_out("p", "r", "o", 1_000).await.is("approved");
    company.close("c1", "r").await.is("declined").because("not_empty");
    company.close("c2", "r").await.is("approved");
}

#[tokio::test]
async fn a_closure_waits_for_the_deposit_on_its_way() {
    for arrives in [true, false] {
        let mut company = Simulator::start().await;
        let number = company.open("r", "o").await;
        let coming = json!({ "accountNumber": number, "onItsWay": true });
        let key = company.post("/admin/deposits", &coming).await.is("pending").body["transactionKey"].clone();
        let key = key.as_str().unwrap();
        assert_eq!(deposits(&company.account("r").await), [], "the bank says nothing of what is on its way");
        company.close("c", "r").await.is("pending");
        company.close("c", "r").await.is("pending");
        company.account("c").await.is("pending");
        company.kill();
        company.start_again();
        for _ in 0..3 {
            company.account("c").await.is("pending");
        }
        assert_eq!(company.account("r").await.body["state"], "closing");
        // Nothing new may set out.
        company.deposit("r", 1_000).await.is("declined").because("closed");
        let end = if arrives { "land" } else { "vanish" };
        let path = format!("/admin/deposits/{key}/{end}");
        company.post(&path, &json!({})).await.is(if arrives { "approved" } else { "declined" });
        assert_eq!(company.post(&path, &json!({})).await.status, 404, "it is on its way no more");
        company.kill();
        company.start_again();
        let (result, state, money) = if arrives { ("declined", "open", 1_000) } else { ("approved", "closed", 0) };
        company.account("c").await.is(result);
        company.close("c", "r").await.is(result);
        assert_eq!(company.account("r").await.body["state"], state);
        assert_eq!(company.charged_and_net("o").await, (money, money));
    }
}

#[tokio::test]
async fn a_deposit_is_taken_back_unless_it_was_paid_out() {
    let mut company = Simulator::start().await;
    company.open("r", "o").await;
    let key = company.deposit("r", 1_000).await.body["transactionKey"].as_str().unwrap().to_owned();
    let path = format!("/admin/deposits/{key}/take-back");
    company.post(&path, &json!({})).await.is("approved");
    company.post(&path, &json!({})).await.is("declined").because("already_cancelled");
    company.kill();
    company.start_again();
    let seen = company.account("r").await;
    assert_eq!(deposits(&seen), [(1_000, "홍길동".to_owned(), "taken_back".to_owned())]);
    let money = company.money("o").await;
    assert_eq!([&money["charged"], &money["reversed"], &money["net"], &money["standingCharges"]], [1_000, 1_000, 0, 0]);
    company.pays_out("p0", "r", "o", 1).await.is("declined").because("insufficient_balance");

    let key = company.deposit("r", 1_000).await.body["transactionKey"].as_str().unwrap().to_owned();
    company.pays_out("p", "r", "o", 1).await.is("approved");
    let path = format!("/admin/deposits/{key}/take-back");
    company.post(&path, &json!({})).await.is("declined").because("insufficient_balance");
    assert_eq!(company.post("/admin/deposits/dep_0/take-back", &json!({})).await.status, 404);
    assert_eq!(company.charged_and_net("o").await, (2_000, 999));
}

#[tokio::test]
async fn in_mode_n_each_issue_is_an_account_and_a_closure_closes_all() {
    let company = Simulator::start_with(&[("NARU_SIMULATOR_MODE", "N")]).await;
    let (one, other) = (company.open("r", "o").await, company.open("r", "o").await);
    assert_ne!(one, other);
    assert_eq!(company.account("r").await.body["accountNumber"], other);
    company.post("/admin/deposits", &json!({ "accountNumber": one, "amount": 700 })).await.is("approved");
    company.close("c", "r").await.is("declined").because("not_empty");
    company.deposit("r", 300).await.is("approved");
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));
    // Each pay-out comes from one account.
    company.pays_out("p", "r", "o", 1_000).await.is("declined").because("insufficient_balance");
    company.pays_out("p1", "r", "o", 700).await.is("approved");
    company.pays_out("p2", "r", "o", 300).await.is("approved");
    company.close("c2", "r").await.is("approved");
    company.post("/admin/deposits", &json!({ "accountNumber": one })).await.is("declined").because("closed");
    assert_eq!(company.charged_and_net("o").await, (1_000, 0));
}

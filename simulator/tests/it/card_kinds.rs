//! Credit, check and gift cards, instalments, and captures and refunds that go their own way.

use serde_json::{Value, json};

use crate::simulator::{Answer, Silence, Simulator, approval};

const CREDIT: &str = "4242424242424242";
const SHINHAN_CREDIT: &str = "9400060000000001";
const SHINHAN_CHECK: &str = "9400061000000009";
const LOTTE_GIFT: &str = "9400092000000004";

async fn pay(company: &Simulator, number: &str, amount: i64, months: u8, payer: Value) -> Answer {
    let token = company.card(number).await;
    let name = format!("{}-{months}-{amount}", &token[4..12]);
    let mut body = approval(&name, &name, &token, amount);
    body["installmentMonths"] = json!(months);
    body["interestPayer"] = payer;
    company.post("/v1/approvals", &body).await
}

#[tokio::test]
async fn instalments_are_for_credit_cards_from_fifty_thousand_won() {
    let company = Simulator::start().await;
    #[rustfmt::skip]
    let good = [
        // number        amount  months  asked              payer             free
        (CREDIT,         49_999, 0,      Value::Null,       Value::Null,      false),
        (CREDIT,         50_000, 2,      Value::Null,       json!("BUYER"),   false),
        (CREDIT,         50_000, 12,     json!("BUYER"),    json!("BUYER"),   false),
        (CREDIT,         50_000, 12,     json!("MERCHANT"), json!("MERCHANT"), true),
        (SHINHAN_CREDIT, 50_000, 3,      Value::Null,       json!("CARD_COMPANY"), true),
        (SHINHAN_CREDIT, 50_000, 3,      json!("MERCHANT"), json!("MERCHANT"), true),
        (SHINHAN_CREDIT, 50_000, 4,      Value::Null,       json!("BUYER"),   false),
        (SHINHAN_CHECK,  50_000, 0,      Value::Null,       Value::Null,      false),
    ];
    for (number, amount, months, asked, payer, free) in good {
        let answer = pay(&company, number, amount, months, asked).await;
        let reference = answer.is("approved").body["reference"].as_str().unwrap();
        // An inquiry says the same.
        for body in [&answer.body, &company.inquire(reference).await.body] {
            assert_eq!(
                [&body["installmentMonths"], &body["interestPayer"], &body["isInterestFree"]],
                [&json!(months), &payer, &json!(free)],
                "{body}"
            );
        }
    }
    let kinds = [(SHINHAN_CREDIT, "신용"), (SHINHAN_CHECK, "체크"), (LOTTE_GIFT, "기프트")];
    for (number, kind) in kinds {
        assert_eq!(pay(&company, number, 1_000, 0, Value::Null).await.body["cardType"], kind);
    }
    #[rustfmt::skip]
    let bad = [
        (CREDIT,        49_999, 2,  "instalment_below_minimum"),
        (CREDIT,        50_000, 1,  "instalment_not_allowed"),
        (CREDIT,        50_000, 13, "instalment_not_allowed"),
        (SHINHAN_CHECK, 50_000, 2,  "instalment_not_allowed"),
        (LOTTE_GIFT,    50_000, 2,  "instalment_not_allowed"),
    ];
    for (number, amount, months, reason) in bad {
        pay(&company, number, amount, months, Value::Null).await.is("declined").with_code("57").because(reason);
    }
    let wrong = pay(&company, CREDIT, 50_000, 2, json!("BANK")).await;
    assert_eq!(wrong.with_code("30").status, 400);
}

#[tokio::test]
async fn a_card_may_be_captured_without_being_asked() {
    let mut company = Simulator::start().await;
    let token = company.card("4000000900310006").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.kill();
    company.start_again();
    company.change("/v1/cancels", "c", "r", "o", 1_000).await.is("declined").because("already_captured");
    company.change("/v1/captures", "p", "r", "o", 1_000).await.is("declined").because("already_captured");
    let seen = company.inquire("r").await;
    assert_eq!((&seen.body["captured"], &seen.body["remainingAmount"]), (&json!(true), &json!(1_000)));
    company.change("/v1/refunds", "f", "r", "o", 1_000).await.is("approved");
    let money = company.money("o").await;
    assert_eq!([&money["charges"], &money["captured"], &money["net"]], [1, 1_000, 0]);
}

#[tokio::test]
async fn captures_may_be_declined() {
    let company = Simulator::start().await;
    let token = company.card("4000000900300007").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.change("/v1/captures", "p", "r", "o", 1_000).await.is("declined").with_code("05");
    company.change("/v1/refunds", "f", "r", "o", 1_000).await.is("declined").because("not_captured");
    assert_eq!(company.inquire("r").await.body["captured"], false);
    company.change("/v1/cancels", "c", "r", "o", 1_000).await.is("approved");
}

#[tokio::test]
async fn refunds_may_take_their_time_or_fail_afterwards() {
    let mut company = Simulator::start().await;
    for (number, name, first, then) in
        [("4000000000007726", "slow", "pending", "approved"), ("4000000900280001", "fails", "approved", "declined")]
    {
        let token = company.card(number).await;
        company.approve(name, name, &token, 1_000).await.is("approved");
        let capture = format!("{name}-p");
        company.change("/v1/captures", &capture, name, name, 1_000).await.is("approved");
        let refund = format!("{name}-f");
        company.change("/v1/refunds", &refund, name, name, 600).await.is(first);
        company.kill();
        company.start_again();
        let other = format!("{name}-f2");
        company.change("/v1/refunds", &other, name, name, 401).await.is("declined").because("insufficient_balance");
        company.inquire(&refund).await.is(first);
        company.inquire(&refund).await.is(then);
        company.inquire(&refund).await.is(then);
        company.change("/v1/refunds", &refund, name, name, 600).await.is(then);
        let net = if then == "approved" { 400 } else { 1_000 };
        assert_eq!(company.charged_and_net(name).await, (1_000, net), "{name}");
    }
}

#[tokio::test]
async fn a_cancel_that_was_done_and_not_heard_of_is_found_by_inquiry() {
    let company = Simulator::start().await;
    let token = company.card("4000000900290000").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    assert_eq!(company.try_change("/v1/cancels", "c", "r", "o", 1_000).await.unwrap_err(), Silence::Broken);
    company.change("/v1/cancels", "c2", "r", "o", 1_000).await.is("declined").because("already_cancelled");
    let found = company.inquire("c").await;
    assert_eq!((&found.is("approved").body["amount"], &found.body["originalReference"]), (&json!(1_000), &json!("r")));
    assert_eq!(company.charged_and_net("o").await, (1_000, 0));
}

#[tokio::test]
async fn a_script_may_give_a_reason_that_is_not_true() {
    let company = Simulator::start().await;
    let token = company.card(CREDIT).await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    let step = json!({ "do": "decline", "code": "57", "reason": "already_cancelled" });
    company.script(json!({ "match": { "orderId": "o", "call": "cancel" }, "steps": [step] })).await;
    company.change("/v1/cancels", "c", "r", "o", 1_000).await.is("declined").because("already_cancelled");
    assert_eq!(company.inquire("r").await.body["remainingAmount"], 1_000);
    company.inquire("c").await.is("declined");
    company.change("/v1/cancels", "c2", "r", "o", 1_000).await.is("approved");
}

//! Money out of a virtual account: a deposit returned, a payment refunded, never more than there is.

use futures::future::join_all;
use serde_json::json;

use crate::simulator::{Counter::Bank, Simulator};
use crate::virtual_account::{BASE, pay_out};

#[tokio::test]
async fn a_payment_is_refunded_in_parts_and_never_beyond_what_is_there() {
    let mut company = Simulator::start().await;
    company.open("r", "o").await;
    company.pays_out("p0", "r", "o", 1).await.is("declined").with_code("61").because("insufficient_balance");
    company.deposit("r", 600).await.is("approved");
    company.deposit("r", 400).await.is("approved");
    let paid = company.pays_out("p1", "r", "o", 700).await;
    paid.is("approved");
    assert_eq!(
        [&paid.body["purpose"], &paid.body["bankCode"], &paid.body["last4"]],
        [&json!("refund"), &json!("06"), &json!("6789")]
    );
    company.pays_out("p1", "r", "o", 700).await.is("approved");
    company.pays_out("p2", "r", "o", 301).await.is("declined").because("insufficient_balance");
    company.kill();
    company.start_again();
    company.pays_out("p1", "r", "o", 700).await.is("approved");
    let found = company.account("p1").await;
    assert_eq!((&found.is("approved").body["kind"], &found.body["amount"]), (&json!("pay_out"), &json!(700)));
    assert_eq!(
        (&company.account("r").await.body["balance"], &company.account("r").await.body["paidOut"]),
        (&json!(300), &json!(700))
    );
    let money = company.money("o").await;
    assert_eq!([&money["charged"], &money["refunded"], &money["net"]], [1_000, 700, 300]);
    company.pays_out("p3", "r", "another", 300).await.is("declined").because("no_original");
    assert_eq!(company.pays_out("p1", "r", "o", 701).await.status, 400);
    let statement = company.get(&format!("{BASE}/statement")).await.body;
    let effects: Vec<_> = statement["lines"].as_array().unwrap().iter().map(|line| &line["effect"]).collect();
    assert_eq!(effects, ["deposited", "deposited", "paid_out"]);
}

#[tokio::test]
async fn a_deposit_is_returned_once() {
    let company = Simulator::start().await;
    company.open("r", "o").await;
    company.deposit("r", 1_000).await.is("approved");
    let second = company.deposit("r", 1_000).await.body["transactionKey"].clone();
    let returns = |reference: &str, amount: i64, key: &serde_json::Value| {
        let mut body = pay_out(reference, "r", "o", amount);
        body["purpose"] = json!("return_deposit");
        body["transactionKey"] = key.clone();
        body
    };
    let path = format!("{BASE}/pay-outs");
    company.post(&path, &returns("p0", 1_001, &second)).await.is("declined").because("insufficient_balance");
    company.post(&path, &returns("p1", 1_000, &json!("dep_0"))).await.is("declined").because("no_such_deposit");
    let returned = company.post(&path, &returns("p2", 1_000, &second)).await;
    assert_eq!(
        (&returned.is("approved").body["purpose"], &returned.body["transactionKey"]),
        (&json!("return_deposit"), &second)
    );
    company.post(&path, &returns("p3", 1, &second)).await.is("declined").because("insufficient_balance");
    let take_back = format!("/admin/deposits/{}/take-back", second.as_str().unwrap());
    company.post(&take_back, &json!({})).await.is("declined").because("insufficient_balance");
    // Some banks do all the same: less than nothing is left.
    company.post(&take_back, &json!({ "paidOut": true })).await.is("approved");
    assert_eq!(company.charged_and_net("o").await, (2_000, 0));
    for missing in ["transactionKey", "bankCode", "accountNumber", "holderName", "purpose"] {
        let mut body = returns("p4", 1, &second);
        body.as_object_mut().unwrap().remove(missing);
        assert_eq!(company.post(&path, &body).await.with_code("30").status, 400, "{missing}");
    }
}

#[tokio::test]
async fn sixty_four_at_once_take_no_more_than_there_is() {
    let company = Simulator::start().await;
    company.open("r", "o").await;
    company.deposit("r", 1_000).await.is("approved");
    let references: Vec<String> = (0..64).map(|nth| format!("p{nth}")).collect();
    let all = join_all(references.iter().map(|reference| company.pays_out(reference, "r", "o", 100))).await;
    assert_eq!(all.iter().filter(|answer| answer.body["result"] == "approved").count(), 10);
    assert_eq!(company.charged_and_net("o").await, (1_000, 0));
}

#[tokio::test]
async fn receivers_are_wrong_or_slow_or_send_it_back() {
    let mut company = Simulator::start().await;
    company.open("r", "o").await;
    company.deposit("r", 1_000).await.is("approved");
    let path = format!("{BASE}/pay-outs");
    let to = |reference: &str, fault: &str, amount: i64| {
        let mut body = pay_out(reference, "r", "o", amount);
        body["accountNumber"] = json!(Bank.number(fault));
        body
    };
    company.post(&path, &to("p1", "wrong_holder", 1_000)).await.is("declined").with_code("N1");
    company.post(&path, &to("p2", "refuse_token_14", 1_000)).await.is("declined").with_code("14");
    company.post(&path, &to("p3", "refund_declined", 1_000)).await.is("declined").with_code("05");
    let mut nowhere = pay_out("p4", "r", "o", 1_000);
    nowhere["bankCode"] = json!("99");
    company.post(&path, &nowhere).await.is("declined").with_code("15");

    for (reference, fault) in [("p5", "pending_approved"), ("p6", "refund_pending")] {
        company.post(&path, &to(reference, fault, 300)).await.is("pending");
        company.kill();
        company.start_again();
        company.post(&path, &to(reference, fault, 300)).await.is("pending");
        company.account(reference).await.is("pending");
        company.account(reference).await.is("approved");
    }
    company.post(&path, &to("p7", "pending_declined", 400)).await.is("pending");
    company.pays_out("p8", "r", "o", 1).await.is("declined").because("insufficient_balance");
    company.account("p7").await.is("pending");
    company.account("p7").await.is("declined").with_code("51");
    assert_eq!(company.charged_and_net("o").await, (1_000, 400));

    company.post(&path, &to("p9", "refund_fails_later", 400)).await.is("approved");
    company.pays_out("p10", "r", "o", 1).await.is("declined").because("insufficient_balance");
    company.account("p9").await.is("approved");
    company.account("p9").await.is("declined").with_code("05");
    assert_eq!(company.charged_and_net("o").await, (1_000, 400));
    company.pays_out("p11", "r", "o", 400).await.is("approved");
    assert_eq!(company.charged_and_net("o").await, (1_000, 0));
}

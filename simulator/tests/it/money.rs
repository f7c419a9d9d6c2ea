//! Capture, cancel, refund: what the balance allows.

use crate::simulator::Simulator;

#[tokio::test]
async fn cancels_before_capture_never_exceed_the_charge() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.change("/v1/refunds", "f0", "r", "o", 100).await.is("declined").because("not_captured");
    company.change("/v1/cancels", "c1", "r", "o", 400).await.is("approved");
    company.change("/v1/cancels", "c2", "r", "o", 601).await.is("declined").because("insufficient_balance");
    company.change("/v1/cancels", "c3", "r", "o", 600).await.is("approved");
    company.change("/v1/cancels", "c4", "r", "o", 1).await.is("declined").because("already_cancelled");
    company.change("/v1/captures", "c5", "r", "o", 1).await.is("declined").because("already_cancelled");
    company.inquire("c1").await.is("approved");
    assert_eq!(company.inquire("c2").await.is("declined").body["kind"], "cancel");
    let money = company.money("o").await;
    assert_eq!((&money["voided"], &money["net"]), (&1_000.into(), &0.into()));
}

#[tokio::test]
async fn refunds_after_capture_never_exceed_what_was_captured() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.change("/v1/cancels", "c1", "r", "o", 300).await.is("approved");
    // A capture takes all that is left, no more and no less.
    for wrong in [699, 701] {
        let reference = format!("wrong-{wrong}");
        company
            .change("/v1/captures", &reference, "r", "o", wrong)
            .await
            .is("declined")
            .because("insufficient_balance");
    }
    company.change("/v1/captures", "p", "r", "o", 700).await.is("approved");
    company.change("/v1/captures", "p2", "r", "o", 700).await.is("declined").because("already_captured");
    company.change("/v1/cancels", "c2", "r", "o", 100).await.is("declined").because("already_captured");
    company.change("/v1/refunds", "f1", "r", "o", 500).await.is("approved");
    company.change("/v1/refunds", "f2", "r", "o", 201).await.is("declined").because("insufficient_balance");
    company.change("/v1/refunds", "f3", "r", "o", 200).await.is("approved");
    company.change("/v1/refunds", "f4", "r", "o", 1).await.is("declined").because("already_cancelled");
    company.net_cancel("n", "r", 1_000).await.is("refused").because("already_captured");
    let money = company.money("o").await;
    assert_eq!(
        [&money["charged"], &money["voided"], &money["captured"], &money["refunded"], &money["net"]],
        [1_000, 300, 700, 700, 0]
    );
}

#[tokio::test]
async fn what_was_never_approved_has_nothing_to_give_back() {
    let company = Simulator::start().await;
    let token = company.card("4000000000000002").await;
    company.approve("declined", "o", &token, 1_000).await.is("declined");
    for (nth, original) in ["declined", "unheard-of"].into_iter().enumerate() {
        for path in ["/v1/captures", "/v1/cancels", "/v1/refunds"] {
            let reference = format!("{}-{nth}", &path[4..]);
            company.change(path, &reference, original, "o", 1_000).await.is("declined").because("no_original");
        }
        company.net_cancel(&format!("n-{nth}"), original, 1_000).await.is("no_original");
        company.inquire("unheard-of").await.is("not_found");
    }
    let token = company.card("4242424242424242").await;
    company.approve("r", "mine", &token, 1_000).await.is("approved");
    company.change("/v1/cancels", "c", "r", "not-mine", 1_000).await.is("declined").because("no_original");
}

#[tokio::test]
async fn a_net_cancel_takes_back_what_is_left() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.change("/v1/cancels", "c", "r", "o", 400).await.is("approved");
    assert_eq!(company.net_cancel("n", "r", 1_000).await.is("reversed").body["amount"], 600);
    company.net_cancel("n", "r", 1_000).await.is("reversed");
    company.net_cancel("n2", "r", 1_000).await.is("already_reversed");
    company.inquire("r").await.is("reversed");
    company.change("/v1/cancels", "c2", "r", "o", 1).await.is("declined").because("no_original");
    company.change("/v1/cancels", "c", "r", "o", 400).await.is("approved");
    let money = company.money("o").await;
    assert_eq!([&money["charged"], &money["voided"], &money["reversed"], &money["net"]], [1_000, 400, 600, 0]);
}

#[tokio::test]
async fn the_statement_lists_what_moved() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.inquire("r").await.is("approved");
    company.change("/v1/captures", "p", "r", "o", 1_000).await.is("approved");
    company.change("/v1/refunds", "f", "r", "o", 250).await.is("approved");
    let statement = company.get("/v1/statement?merchantId=shop&from=2020-01-01T00:00:00%2B09:00").await.body;
    let lines: Vec<_> = statement["lines"].as_array().unwrap().iter().map(|l| (&l["effect"], &l["amount"])).collect();
    let expected = [("charged", 1_000), ("captured", 1_000), ("refunded", 250)];
    assert_eq!(lines.len(), expected.len());
    assert!(lines.into_iter().zip(expected).all(|((effect, amount), (e, a))| effect == e && amount == a));
    let none = company.get("/v1/statement?to=2020-01-01T00:00:00Z").await.body;
    assert_eq!(none["lines"].as_array().unwrap().len(), 0);
}

//! 휴대폰: on the bill of a phone, within a monthly limit, and cancelled whole only.

use serde_json::json;

use crate::simulator::{Counter::Carrier, Simulator, change, net_cancel, phone, typed};

#[tokio::test]
async fn a_phone_is_registered_by_the_code_it_gets() {
    let company = Simulator::start().await;
    let sent = company.post("/carrier/v1/verifications", &phone("01012345678")).await;
    assert!(sent.body["expiresAt"].is_string(), "{}", sent.body);
    let verification = &sent.body["verificationId"];
    let subscribers = "/carrier/v1/subscribers";
    assert_eq!(company.post(subscribers, &typed(verification, "123456")).await.with_code("55").status, 422);
    let mut others = typed(verification, "000000");
    others["merchantId"] = json!("another-shop");
    assert_eq!(company.post(subscribers, &others).await.with_code("14").status, 422);
    let registered = company.post(subscribers, &typed(verification, "000000")).await;
    assert_eq!(registered.status, 200, "{}", registered.body);
    assert_eq!(
        [&registered.body["carrier"], &registered.body["last4"], &registered.body["monthlyLimit"]],
        [&json!("SKT"), &json!("5678"), &json!(1_000_000)]
    );
    assert_eq!(company.post(subscribers, &typed(verification, "000000")).await.with_code("14").status, 422);
    assert_eq!(company.post(subscribers, &typed(&json!("ver_0"), "000000")).await.with_code("14").status, 422);

    assert_eq!(company.present_to(Carrier, &Carrier.number("refuse_token_63")).await.with_code("63").status, 422);
    assert_eq!(company.present_to(Carrier, "02012345678").await.with_code("14").status, 422);
    for (field, wrong) in [("carrier", "AT&T"), ("phoneNumber", "010-1234-5678"), ("birth", "19930417")] {
        let mut body = phone("01012345678");
        body[field] = json!(wrong);
        assert_eq!(company.post("/carrier/v1/verifications", &body).await.with_code("30").status, 400, "{field}");
    }
}

#[tokio::test]
async fn a_verification_survives_a_crash_and_its_wrong_tries_too() {
    let mut company = Simulator::start().await;
    let sent = company.post("/carrier/v1/verifications", &phone("01012345678")).await;
    let verification = &sent.body["verificationId"];
    for _ in 0..5 {
        company.post("/carrier/v1/subscribers", &typed(verification, "111111")).await.with_code("55");
    }
    let good = company.post("/carrier/v1/verifications", &phone("01012345678")).await;
    company.kill();
    company.start_again();
    company.post("/carrier/v1/subscribers", &typed(verification, "000000")).await.with_code("75");
    let registered = company.post("/carrier/v1/subscribers", &typed(&good.body["verificationId"], "000000")).await;
    assert_eq!(registered.status, 200, "{}", registered.body);
}

#[tokio::test]
async fn a_phone_has_one_bill_and_cancels_are_whole() {
    let mut company = Simulator::start().await;
    let number = Carrier.number("limit_100000");
    let (one, other) = (company.token(Carrier, &number).await, company.token(Carrier, &number).await);
    let charged = company.charge(Carrier, "r1", "o1", &one, 60_000).await;
    assert_eq!(charged.is("approved").body["usedThisMonth"], 60_000);
    company.kill();
    company.start_again();
    company.charge(Carrier, "r2", "o2", &other, 40_001).await.is("declined").with_code("61").because("monthly_limit");
    company.charge(Carrier, "r3", "o3", &other, 40_000).await.is("approved");
    let cancels = "/carrier/v1/cancels";
    company.post(cancels, &change("c1", "r1", "o1", 59_999)).await.is("declined").because("partial_not_allowed");
    company.post(cancels, &change("c2", "r1", "o1", 60_001)).await.is("declined").because("insufficient_balance");
    let cancelled = company.post(cancels, &change("c3", "r1", "o1", 60_000)).await;
    assert_eq!(cancelled.is("approved").body["usedThisMonth"], 40_000);
    company.post(cancels, &change("c4", "r1", "o1", 60_000)).await.is("declined").because("already_cancelled");
    assert_eq!(company.charged_and_net("o1").await, (60_000, 0));
    company.post("/carrier/v1/net-cancels", &net_cancel("n", "r3", 40_000)).await.is("reversed");
    company.charge(Carrier, "r4", "o4", &one, 100_000).await.is("approved");
    assert_eq!(company.post("/carrier/v1/refunds", &change("f", "r4", "o4", 1)).await.status, 404);
}

//! Bad input, and card data that must not be anywhere.

use naru_simulator::behaviour::cards::TABLE;
use reqwest::Method;
use serde_json::{Value, json};

use crate::simulator::{Counter, Simulator, account, approval, card, hear, member, phone};
use crate::virtual_account::pay_out;

#[tokio::test]
async fn no_card_data_is_ever_written_or_logged() {
    let mut company = Simulator::start().await;
    for nth in TABLE {
        let Ok(answer) = company.present(nth.number).await else { continue };
        if let Some(token) = answer.body["token"].as_str() {
            let _ = company.try_approve(nth.name, nth.name, token, 1_000).await;
        }
    }
    // Somebody puts the number where the token belongs, or sends it in the wrong type.
    company.approve("stray", "stray", "4242424242424242", 1_000).await.is("declined").with_code("14");
    for (field, wrong) in
        [("number", json!(4242424242424242_u64)), ("cvc", json!(["739"])), ("expiryYear", json!("4242424242424242"))]
    {
        let mut body = card("4242424242424242");
        body[field] = wrong;
        let answer = company.post("/v1/cards", &body).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.body.to_string().contains("4242424242424242"), "{}", answer.body);
    }
    assert!(company.terminate());
    for text in [std::fs::read_to_string(company.journal()).unwrap(), company.log()] {
        for number in TABLE.iter().map(|card| card.number) {
            assert!(!text.contains(number), "{number}");
        }
        for secret in ["\"739\"", "\"48\"", "930417", "identityNumber", "cvc"] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn no_number_of_an_account_phone_or_member_is_ever_written_or_logged() {
    let mut company = Simulator::start().await;
    let numbers =
        [(Counter::Bank, "110987654321"), (Counter::Carrier, "01087654321"), (Counter::Points, "8765432109876")];
    for (counter, number) in numbers {
        let token = company.token(counter, number).await;
        company.charge(counter, &counter.base().replace('/', "-"), "o", &token, 1_000).await.is("approved");
        company
            .charge(counter, &counter.path("stray").replace('/', "-"), "o", number, 1_000)
            .await
            .is("declined")
            .with_code("14");
    }
    assert_eq!(company.get("/points/v1/members/8765432109876").await.status, 422);
    company.open("va", "va").await;
    company.deposit("va", 1_000).await.is("approved");
    let mut body = pay_out("p", "va", "va", 500);
    body["accountNumber"] = json!("110987654321");
    company.post("/virtual-accounts/v1/pay-outs", &body).await.is("approved");
    for (path, mut body) in [
        ("/bank/v1/accounts", account("110987654321")),
        ("/carrier/v1/verifications", phone("01087654321")),
        ("/points/v1/members", member("8765432109876")),
    ] {
        body["merchantId"] = json!(null);
        assert_eq!(company.post(path, &body).await.status, 400);
    }
    assert!(company.terminate());
    for text in [std::fs::read_to_string(company.journal()).unwrap(), company.log()] {
        for secret in ["110987654321", "01087654321", "8765432109876", "930417", "\"4826\"", "000000\""] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
}

#[tokio::test]
async fn bad_requests_get_a_400_and_change_nothing() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    let good = approval("r", "o", &token, 1_000);
    let mut wrongs: Vec<Value> = Vec::new();
    for (field, values) in [
        (
            "reference",
            vec![Value::Null, json!(""), json!("has space"), json!("x".repeat(201)), json!("nul\0"), json!(1)],
        ),
        ("merchantId", vec![Value::Null, json!({})]),
        ("orderId", vec![Value::Null, json!("한글")]),
        ("token", vec![Value::Null, json!([])]),
        (
            "amount",
            vec![
                Value::Null,
                json!(0),
                json!(-1),
                json!(1.5),
                json!("1000"),
                json!(1_000_000_000_000_i64),
                json!(1e30),
            ],
        ),
        ("currency", vec![Value::Null, json!("krw"), json!("KRWW"), json!("")]),
        ("installmentMonths", vec![json!(-1), json!(256), json!("3")]),
    ] {
        for value in values {
            let mut body = good.clone();
            body[field] = value;
            wrongs.push(body);
        }
        if field != "installmentMonths" {
            let mut body = good.clone();
            body.as_object_mut().unwrap().remove(field);
            wrongs.push(body);
        }
    }
    wrongs.extend([json!([]), json!("text"), Value::Null]);
    for wrong in &wrongs {
        let answer = company.post("/v1/approvals", wrong).await;
        assert_eq!(answer.with_code("30").status, 400, "{wrong}");
        assert!(answer.body["message"].is_string());
    }
    for raw in ["", "{", "{\"reference\":\"a\",\"reference\":\"b\"}", "{}{}", &"[".repeat(10_000)] {
        let answer = hear(company.request(Method::POST, "/v1/approvals").body(raw.to_owned())).await.unwrap();
        assert_eq!(answer.with_code("30").status, 400, "{raw:.20}");
    }
    let answer = hear(company.request(Method::POST, "/v1/approvals").body(vec![0xff, 0xfe])).await.unwrap();
    assert_eq!(answer.with_code("30").status, 400);
    assert_eq!(company.get("/admin/effects?orderId=o").await.body, json!({ "effects": [] }));
    assert_eq!(company.get("/admin/journal").await.body["entries"].as_array().unwrap().len(), 1, "only the card");
}

#[tokio::test]
async fn other_refusals_are_json_too() {
    let company = Simulator::start().await;
    assert_eq!(company.get("/nowhere").await.with_code("30").status, 404);
    assert_eq!(company.get("/v1/approvals").await.with_code("30").status, 405);
    assert_eq!(company.get("/v1/transactions/has%20space").await.with_code("30").status, 400);
    assert_eq!(company.get("/v1/transactions/%ff").await.with_code("30").status, 400);
    assert_eq!(company.get("/admin/effects").await.with_code("30").status, 400);
    assert_eq!(company.get("/admin/journal?after=x").await.with_code("30").status, 400);
    let large = json!({ "reference": "x".repeat(65 << 10) });
    assert_eq!(company.post("/v1/approvals", &large).await.with_code("30").status, 413);
    assert_eq!(company.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_token_is_good_for_its_merchant_only() {
    let company = Simulator::start().await;
    let token = company.card("4242424242424242").await;
    let mut body = approval("r", "o", &token, 1_000);
    body["merchantId"] = json!("another-shop");
    company.post("/v1/approvals", &body).await.is("declined").with_code("14");
}

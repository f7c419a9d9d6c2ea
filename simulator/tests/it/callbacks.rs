//! How a gateway hears of deposits: signed, again until it is taken, lost, twice, late, and too early.

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::simulator::Simulator;
use crate::virtual_account::{BASE, Call, Gateway, issue};

/// An account that calls this gateway, and its number.
async fn open(company: &Simulator, gateway: &Gateway, reference: &str) -> String {
    let mut body = issue(reference, reference);
    body["callbackUrl"] = json!(gateway.url);
    let answer = company.post(&format!("{BASE}/accounts"), &body).await;
    answer.is("approved").body["accountNumber"].as_str().unwrap().to_owned()
}

async fn deposit(company: &Simulator, reference: &str, callback: Value) -> String {
    let body = json!({ "reference": reference, "callback": callback });
    company.post("/admin/deposits", &body).await.is("approved").body["transactionKey"].as_str().unwrap().to_owned()
}

fn header<'a>(call: &'a Call, name: &str) -> &'a str {
    call.headers[name].to_str().unwrap()
}

fn is_signed_with(call: &Call, secret: &str) -> bool {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(header(call, "x-bank-timestamp").as_bytes());
    mac.update(b".");
    mac.update(&call.raw);
    let hex: String = mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect();
    header(call, "x-bank-signature") == format!("v1={hex}")
}

#[tokio::test]
async fn a_deposit_is_announced_and_signed() {
    let company = Simulator::start().await;
    let mut gateway = Gateway::refusing(0).await;
    let number = open(&company, &gateway, "r").await;
    let key = deposit(&company, "r", json!("send")).await;
    let call = gateway.next().await;
    assert_eq!(
        [&call.body["event"], &call.body["reference"], &call.body["orderId"], &call.body["merchantId"]],
        [&json!("deposit"), &json!("r"), &json!("r"), &json!("shop")]
    );
    assert_eq!(
        [&call.body["accountNumber"], &call.body["transactionKey"], &call.body["amount"], &call.body["currency"]],
        [&json!(number), &json!(key), &json!(1_000), &json!("KRW")]
    );
    assert_eq!((&call.body["depositorName"], &call.body["bankCode"]), (&json!("홍길동"), &json!("88")));
    assert!(call.body["at"].is_string());
    assert_eq!(call.body["eventId"], header(&call, "x-bank-event-id"));
    assert!(is_signed_with(&call, "sandbox-callback-secret") && !is_signed_with(&call, "another"));
    assert_eq!(company.ends_of_callbacks(&key, 1).await, ["delivered"]);
    assert_eq!(gateway.more(), 0);

    let other = Simulator::start_with(&[("NARU_SIMULATOR_CALLBACK_SECRET", "another")]).await;
    open(&other, &gateway, "r").await;
    deposit(&other, "r", json!("send")).await;
    assert!(is_signed_with(&gateway.next().await, "another"));
    assert!(!other.log().contains("another"), "the secret is not logged");
}

#[tokio::test]
async fn it_is_sent_again_until_it_is_taken_or_given_up() {
    let company = Simulator::start().await;
    company.set(json!({ "callbackBackoffMs": 5 })).await;
    let mut gateway = Gateway::refusing(2).await;
    open(&company, &gateway, "r").await;
    let key = deposit(&company, "r", json!("send")).await;
    let events: Vec<Value> = [gateway.next().await, gateway.next().await, gateway.next().await]
        .map(|call| call.body["eventId"].clone())
        .into();
    assert!(events.iter().all(|event| *event == events[0]), "{events:?}");
    assert_eq!(company.ends_of_callbacks(&key, 1).await, ["delivered"]);
    assert_eq!(gateway.more(), 0);

    let mut deaf = Gateway::refusing(usize::MAX).await;
    open(&company, &deaf, "r2").await;
    let key = deposit(&company, "r2", json!("send")).await;
    assert_eq!(company.ends_of_callbacks(&key, 1).await, ["given_up"]);
    assert_eq!(deaf.more(), 6);
    // The money is there all the same.
    assert_eq!(company.charged_and_net("r2").await, (1_000, 1_000));
}

#[tokio::test]
async fn it_is_lost_or_comes_twice_or_late() {
    let company = Simulator::start().await;
    let mut gateway = Gateway::refusing(0).await;
    open(&company, &gateway, "r").await;
    let lost = deposit(&company, "r", json!("lose")).await;
    let late = deposit(&company, "r", json!({ "late": 700 })).await;
    let started = std::time::Instant::now();
    let double = deposit(&company, "r", json!("double")).await;
    for _ in 0..2 {
        assert_eq!(gateway.next().await.body["transactionKey"], double);
    }
    let call = gateway.next().await;
    assert!(call.body["transactionKey"] == late && started.elapsed().as_millis() >= 500);
    assert_eq!(company.ends_of_callbacks(&late, 1).await, ["delivered"]);
    assert_eq!(company.ends_of_callbacks(&double, 1).await, ["delivered"]);
    assert_eq!(company.ends_of_callbacks(&lost, 0).await, [""; 0]);
    assert_eq!(gateway.more(), 0);
    assert_eq!(company.charged_and_net("r").await, (3_000, 3_000));
}

#[tokio::test]
async fn it_comes_before_the_issue_is_answered() {
    let company = Simulator::start().await;
    // A gateway that does not know the account yet refuses, and hears of it again.
    for refusals in [0, 1] {
        company.set(json!({ "callbackBackoffMs": 5 })).await;
        let mut gateway = Gateway::refusing(refusals).await;
        let order = format!("early-{refusals}");
        let early = json!({ "orderId": order, "amount": 700, "callback": "before_issue_answer" });
        assert_eq!(company.post("/admin/deposits", &early).await.body, json!({ "armed": true }));
        let mut body = issue(&order, &order);
        body["callbackUrl"] = json!(gateway.url);
        // The answer is parked, too: the callback must have come by then.
        let step = json!({ "do": "hold", "id": order, "effect": "after" });
        company.script(json!({ "match": { "orderId": order, "call": "issue" }, "steps": [step] })).await;
        let path = format!("{BASE}/accounts");
        let heard_first = async {
            let mut number = Value::Null;
            for _ in 0..=refusals {
                number = gateway.next().await.body["accountNumber"].clone();
            }
            company.get(&format!("/admin/holds/{order}")).await;
            company.post(&format!("/admin/holds/{order}/release"), &json!({})).await;
            number
        };
        let (issued, number) = futures::future::join(company.post(&path, &body), heard_first).await;
        assert_eq!(issued.is("approved").body["accountNumber"], number);
        assert_eq!(company.charged_and_net(&order).await, (700, 700));
        let key = company.account(&order).await.body["deposits"][0]["transactionKey"].as_str().unwrap().to_owned();
        assert_eq!(company.ends_of_callbacks(&key, 1).await, ["delivered"]);
        // It was for one issue only.
        let again = company.post(&path, &body).await;
        assert_eq!(again.body["accountNumber"], number);
        assert_eq!(company.charged_and_net(&order).await, (700, 700));
    }
    let known = json!({ "accountNumber": "X0", "callback": "before_issue_answer" });
    assert_eq!(company.post("/admin/deposits", &known).await.status, 400);
}

#[tokio::test]
async fn a_deposit_that_is_taken_back_is_announced_too() {
    let company = Simulator::start().await;
    let mut gateway = Gateway::refusing(0).await;
    open(&company, &gateway, "r").await;
    let key = deposit(&company, "r", json!("send")).await;
    let first = gateway.next().await;
    let path = format!("/admin/deposits/{key}/take-back");
    company.post(&path, &json!({})).await.is("approved");
    let second = gateway.next().await;
    assert_eq!((&second.body["event"], &second.body["transactionKey"]), (&json!("deposit_error"), &json!(key)));
    assert_ne!(first.body["eventId"], second.body["eventId"]);
    assert!(is_signed_with(&second, "sandbox-callback-secret"));
    // What is refused is not announced.
    company.post(&path, &json!({})).await.is("declined");
    assert_eq!(company.ends_of_callbacks(&key, 2).await, ["delivered", "delivered"]);

    let quiet = deposit(&company, "r", json!("lose")).await;
    company.post(&format!("/admin/deposits/{quiet}/take-back"), &json!({ "callback": "lose" })).await.is("approved");
    let landed = json!({ "reference": "r", "onItsWay": true });
    let landed = company.post("/admin/deposits", &landed).await.body["transactionKey"].as_str().unwrap().to_owned();
    company.post(&format!("/admin/deposits/{landed}/land"), &json!({})).await.is("approved");
    assert_eq!(gateway.next().await.body["transactionKey"], landed);
    assert_eq!(gateway.more(), 0);
}

#[tokio::test]
async fn what_a_crash_left_unsent_is_sent_after_it() {
    let mut company = Simulator::start().await;
    company.set(json!({ "callbackBackoffMs": 600_000 })).await;
    let mut gateway = Gateway::refusing(1).await;
    open(&company, &gateway, "r").await;
    let key = deposit(&company, "r", json!("send")).await;
    let first = gateway.next().await;
    let lost = deposit(&company, "r", json!("lose")).await;
    company.kill();
    company.start_again();
    let second = gateway.next().await;
    assert_eq!(second.body, first.body);
    assert_eq!(company.ends_of_callbacks(&key, 1).await, ["delivered"]);
    company.kill();
    company.start_again();
    // Delivered once and for all; and what was to be lost stays lost.
    let third = deposit(&company, "r", json!("send")).await;
    assert_eq!(gateway.next().await.body["transactionKey"], third);
    assert_eq!(company.ends_of_callbacks(&third, 1).await, ["delivered"]);
    assert_eq!(company.ends_of_callbacks(&lost, 0).await, [""; 0]);
    assert_eq!(gateway.more(), 0);
}

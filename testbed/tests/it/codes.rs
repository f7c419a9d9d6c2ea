//! Every code that can happen does, with its status: by a request over HTTP, in a table. A code that is in neither list fails the
//! test. Toss Payments' other codes can't happen, each for the reason it is declared with (`api/src/problem/foreign.rs`).

use std::collections::BTreeSet;
use std::future::IntoFuture as _;

use naru_testbed::{Account, Answer, Gateway, Link, Means, Payment, Shop, Who, codes_heard, foreign_codes};
use reqwest::Method;
use serde_json::{Value, json};

/// The codes as they are declared.
const DECLARED: &str = include_str!("../../../api/src/problem/code.rs");

/// What can't happen yet, and why.
const NOT_YET: &[(&str, &str)] = &[
    ("INVALID_API_KEY", "a key of the wrong kind is told why: FORBIDDEN_REQUEST"),
    ("UNAPPROVED_ORDER_ID", "no call asks for an order that must be approved"),
    ("NOT_AVAILABLE_PAYMENT", "there is no hour at which nothing is sold"),
    ("CARD_PROCESSING_ERROR", "a card company's fault is tried again, and then PROVIDER_ERROR"),
    ("EXCEED_MAX_AMOUNT", "more than can be asked for is a field that is wrong: INVALID_REQUEST"),
    ("INVALID_REJECT_CARD", "the card company has a finer word for it"),
    ("NOT_SUPPORTED_CARD_TYPE", "every type of card is taken"),
    ("NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT", "every merchant has instalments"),
    ("ALREADY_REFUND_PAYMENT", "what all went back is ALREADY_CANCELED_PAYMENT, cancel or refund"),
    ("INVALID_EMAIL", "an address that is none is a field that is wrong: INVALID_REQUEST"),
    ("UNKNOWN_PAYMENT_ERROR", "every failure has a code"),
    (
        "FAILED_REFUND_PROCESS",
        "a refund that is not finished is FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING, for one question has one answer",
    ),
    ("FAILED_METHOD_HANDLING_CANCEL", "a cancel that is not finished is FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING"),
    ("FAILED_PARTIAL_REFUND", "a refund that was refused is REFUND_REJECTED"),
];

/// Cards that are declined, and with what.
const DECLINES: &[(&str, &str)] = &[
    ("REJECT_CARD_COMPANY", "decline_05"),
    ("INVALID_CARD_NUMBER", "decline_14"),
    ("INVALID_CARD_LOST_OR_STOLEN", "decline_41"),
    ("REJECT_CARD_PAYMENT", "decline_51"),
    ("INVALID_CARD_EXPIRATION", "decline_54"),
    ("INVALID_CARD_PASSWORD", "decline_55"),
    ("INVALID_STOPPED_CARD", "decline_57"),
    ("FDS_ERROR", "decline_59"),
    ("INVALID_CARD_IDENTITY", "decline_63"),
    ("EXCEED_MAX_DAILY_PAYMENT_COUNT", "decline_65"),
    ("PROVIDER_ERROR", "decline_91"),
    ("FAILED_CARD_COMPANY_RESPONSE", "token_busy"),
];

/// A code, and what it is paid with, with which fault.
type Declined = (&'static str, fn(&str) -> Means, &'static str);

/// Accounts and phones that are declined.
const DECLINED_MEANS: &[Declined] = &[
    ("REJECT_ACCOUNT_PAYMENT", Means::transfer, "decline_51"),
    ("NOT_AVAILABLE_BANK", Means::transfer, "decline_90"),
    ("EXCEED_MAX_ONE_DAY_AMOUNT", Means::transfer, "decline_61"),
    ("EXCEED_MAX_PAYMENT_AMOUNT", Means::mobile, "decline_61"),
    ("INVALID_ACCOUNT_INFO_RE_REGISTER", Means::transfer, "decline_14"),
];

/// What is asked of a call.
const ASKED: &[&str] = &[
    "NOT_SUPPORTED_METHOD",
    "NOT_ALLOWED_PARTIAL_REFUND",
    "EXCEED_MAX_REFUND_DUE",
    "INVALID_REQUEST",
    "INVALID_TEST_CODE",
    "INVALID_AUTHORIZE_AUTH",
    "UNAUTHORIZED_KEY",
    "INCORRECT_BASIC_AUTH_FORMAT",
    "FORBIDDEN_REQUEST",
    "FORBIDDEN_CONSECUTIVE_REQUEST",
    "NOT_FOUND",
    "NOT_FOUND_PAYMENT",
    "NOT_FOUND_PAYMENT_SESSION",
    "NOT_FOUND_BILLING",
    "ALREADY_PROCESSED_PAYMENT",
    "DUPLICATED_ORDER_ID",
    "BELOW_MINIMUM_AMOUNT",
    "EXCEED_MAX_AUTH_COUNT",
    "INVALID_CARD_INSTALLMENT_PLAN",
    "EXCEED_MAX_CARD_INSTALLMENT_PLAN",
    "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN",
    "INVALID_PASSWORD",
    "ALREADY_CANCELED_PAYMENT",
    "NOT_CANCELABLE_PAYMENT",
    "NOT_CANCELABLE_AMOUNT",
    "NOT_MATCHES_REFUNDABLE_AMOUNT",
    "REFUND_REJECTED",
    "INVALID_BANK",
    "INVALID_REFUND_ACCOUNT_INFO",
    "INVALID_REFUND_ACCOUNT_NUMBER",
    "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT",
    "NOT_MATCHES_CUSTOMER_KEY",
    "INVALID_BILL_KEY_REQUEST",
    "IDEMPOTENT_REQUEST_PROCESSING",
    "COMMON_ERROR",
    "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
    "FAILED_INTERNAL_SYSTEM_PROCESSING",
    "FAILED_DB_PROCESSING",
];

/// What the bank says to the issue of a virtual account, and what a merchant hears.
const ISSUE_DECLINES: &[(&str, u16, &str)] = &[
    ("05", 400, "PROVIDER_ERROR"),
    ("14", 400, "PROVIDER_ERROR"),
    ("57", 400, "PROVIDER_ERROR"),
    ("61", 400, "PROVIDER_ERROR"),
    ("90", 403, "NOT_AVAILABLE_BANK"),
    ("91", 400, "PROVIDER_ERROR"),
    ("96", 400, "PROVIDER_ERROR"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bank_that_opens_no_account_is_told_of() {
    let gateway = Gateway::start().await;
    for (acquirer_code, status, code) in ISSUE_DECLINES {
        let order_id = Payment::of(1).order_id;
        let name = json!({ "customerName": format!("sandbox:decline_{acquirer_code}") });
        let declined = gateway.shop.virtual_account(&order_id, 15_000, name).await.expecting_problem(*status, code);
        let told = (declined.text("reason"), declined.text("moneyState"), declined.text("acquirerCode"));
        assert_eq!(told, ("ACQUIRER_DECLINED", "NOT_MOVED", *acquirer_code), "{declined:?}");
        let read = gateway.shop.get_order(&order_id).await.expecting(200);
        assert_eq!((read.text("status"), read.text("moneyState")), ("ABORTED", "NOT_MOVED"), "{read:?}");
        assert_eq!(read.text("failure.code"), *code, "{read:?}");
        let journal = gateway.bank.journal(&order_id).await;
        assert!(journal.iter().all(|entry| entry["details"].is_null()), "there is no account: {journal:?}");
    }
    gateway.check().await;
}

/// Reasons that have a status of their own, which is not their code's.
const OWN_STATUS: &[(&str, u16)] = &[
    ("RATE_LIMITED", 429),
    ("BACKLOG_FULL", 503),
    ("DATABASE_UNAVAILABLE", 503),
    ("ACQUIRER_UNAVAILABLE", 503),
    ("OUTCOME_OPEN", 504),
];

/// Every declared code with its status.
fn declared() -> Vec<(&'static str, u16)> {
    let lines = DECLARED.lines().filter_map(|line| {
        let (_, rest) = line.trim().split_once(" = \"")?;
        let (code, rest) = rest.split_once("\", ")?;
        Some((code, rest.split(',').next()?.trim().parse().ok()?))
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_code_that_can_happen_does() {
    let declared = declared();
    assert!(declared.len() > 50, "the codes are declared in another way: {declared:?}");
    let happens: Vec<&str> = DECLINES
        .iter()
        .map(|(code, _)| *code)
        .chain(DECLINED_MEANS.iter().map(|(code, ..)| *code))
        .chain(ASKED.iter().copied())
        .collect();
    let listed: Vec<&str> = happens.iter().copied().chain(NOT_YET.iter().map(|(code, _)| *code)).collect();
    let once: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(once.len(), listed.len(), "a code is listed twice");
    assert_eq!(once, declared.iter().map(|(code, _)| *code).collect(), "every code is in one list");
    assert!(NOT_YET.iter().all(|(_, why)| !why.is_empty()));
    // What Toss Payments has beside them can't happen: whoever of these tests is answered with one of them fails.
    let foreign: Vec<(&str, &str)> = foreign_codes().collect();
    assert!(foreign.len() > 30, "they are declared in another way: {foreign:?}");
    for (code, why) in foreign {
        assert!(why.contains(' ') && !once.contains(code), "{code}: {why}");
    }

    let gateway =
        Gateway::with().proxied(Link::Postgres, Who::Apis).environment("NARU_BACKLOG_MAX", "20").start().await;
    for (code, card) in DECLINES {
        let answer = gateway.shop.key_in(&Payment::of(12_000).card(card)).await;
        insist(&declared, code, &answer);
    }
    for (code, means, fault) in DECLINED_MEANS {
        let answer = gateway.shop.pay_with(&Payment::of(12_000), &means(fault)).await;
        insist(&declared, code, &answer);
    }
    for code in ASKED {
        let answer = asked(&gateway, code).await;
        insist(&declared, code, &answer);
    }
    // What can't happen does not: not here, and not in any test that ran before.
    let heard = codes_heard();
    assert!(happens.iter().all(|code| heard.contains(*code)), "{heard:?}");
    for (code, why) in NOT_YET {
        assert!(!heard.contains(*code), "{code} was answered, although {why}");
    }
}

fn insist(declared: &[(&str, u16)], code: &str, answer: &Answer) {
    assert_eq!(answer.text("code"), code, "{answer:?}");
    let own = OWN_STATUS.iter().find(|(reason, _)| *reason == answer.text("reason"));
    let status = own.or_else(|| declared.iter().find(|(known, _)| *known == code)).map(|(_, status)| *status);
    assert_eq!(Some(answer.status), status, "{answer:?}");
    for member in ["message", "traceId", "moneyState", "retryable"] {
        assert!(!answer.at(member).is_null(), "no {member}: {answer:?}");
    }
}

/// What is typed in of a card, why it is refused, and which fields are named.
type Mistyped = (&'static [(&'static str, &'static str)], &'static str, &'static str, &'static [&'static str]);

/// What can be seen to be mistyped is told by the same code wherever a card is typed, and the card company is not asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_is_mistyped_is_told_of() {
    const CASES: &[Mistyped] = &[
        (&[("cardNumber", "4242424242424241")], "INVALID_CARD_NUMBER", "WRONG_CHECK_DIGIT", &["cardNumber"]),
        (
            &[("cardExpirationYear", "20")],
            "INVALID_CARD_EXPIRATION",
            "CARD_EXPIRED",
            &["cardExpirationYear", "cardExpirationMonth"],
        ),
        (
            &[("cardNumber", "4242424242424241"), ("cardExpirationYear", "20")],
            "INVALID_CARD_NUMBER",
            "WRONG_CHECK_DIGIT",
            &["cardNumber", "cardExpirationYear", "cardExpirationMonth"],
        ),
        // A code of its own would hide the rest.
        (
            &[("cardNumber", "4242424242424241"), ("cardExpirationMonth", "13")],
            "INVALID_REQUEST",
            "INVALID_FIELDS",
            &["cardNumber", "cardExpirationMonth"],
        ),
    ];
    let gateway = Gateway::start().await;
    let (shop, payer) = (&gateway.shop, gateway.payer().await);
    let created = shop.create(&Payment::of(12_000)).await.expecting(200);
    let requested = shop.request_billing("customer-1").await.expecting(200);
    let (_, place) = requested.text("url").split_once("/checkout/").expect("it leads to a checkout");
    let billing = format!("/checkout/{place}/authenticate");
    let before = crate::bad_input::rows(&gateway).await;
    for (typed, code, reason, fields) in CASES {
        let with = |mut body: Value| {
            for (field, value) in *typed {
                body[*field] = json!(value);
            }
            body
        };
        let card = with(Account::card("4242424242424242"));
        for answer in [
            shop.post("/v1/payments/key-in", &with(Payment::of(12_000).key_in_body())).await,
            shop.payer_of(&created).authenticate_with(&card).await,
            shop.post("/v1/billing/authorizations/card", &with(Shop::billing_card("customer-1", "4242424242424242")))
                .await,
            shop.post(&billing, &card).await,
            payer.post("/payer/v1/cards", &card).await,
        ] {
            let answer = answer.expecting_problem(400, code);
            assert_eq!((answer.text("reason"), answer.text("moneyState")), (*reason, "NOT_MOVED"), "{answer:?}");
            let errors = answer.at("errors").as_array().cloned().unwrap_or_default();
            let named: Vec<&str> = errors.iter().filter_map(|error| error["field"].as_str()).collect();
            assert_eq!(named, *fields, "{answer:?}");
            assert!(!answer.text.contains("4241"), "a value is never repeated: {answer:?}");
        }
    }
    assert_eq!(crate::bad_input::rows(&gateway).await, before, "nothing was written");
    // The payment still waits for a card.
    let card = Account::card("4242424242424242");
    let _ = shop.payer_of(&created).authenticate_with(&card).await.expecting(200);
    gateway.check().await;
}

/// A refusal with this code.
async fn asked(gateway: &Gateway, code: &str) -> Answer {
    let shop = &gateway.shop;
    let list = |authorization: &str| {
        shop.anonymous(Method::GET, "/v1/payments?limit=1").header("authorization", authorization).into_future()
    };
    let basic = |text: &str| crate::bad_input::basic(text);
    match code {
        "NOT_SUPPORTED_METHOD" => {
            let created = shop.create(&Payment::of(12_000).with("method", "TRANSFER")).await.expecting(200);
            shop.payer_of(&created).pay_with(&Means::points("approve")).await
        }
        "NOT_ALLOWED_PARTIAL_REFUND" => {
            let paid = shop.pay_with(&Payment::of(12_000), &Means::mobile("approve")).await.expecting(200);
            shop.cancel_part(paid.payment_key(), 1_000).await
        }
        "EXCEED_MAX_REFUND_DUE" => {
            let payment = Payment::of(12_000);
            let paid = shop.pay_with(&payment, &Means::mobile("approve")).await.expecting(200);
            let past = json!([{ "do": "decline", "code": "57", "reason": "past_month" }]);
            gateway.bank.script(&payment.order_id, "cancel", past).await;
            shop.cancel(paid.payment_key()).await
        }
        "INVALID_REQUEST" => shop.key_in(&Payment::of(0)).await,
        "INVALID_TEST_CODE" => shop.list("limit=1").header("naru-test-code", "NONE").await,
        "INVALID_AUTHORIZE_AUTH" => list("garbage").await,
        "UNAUTHORIZED_KEY" => list(&basic("test_sk_wrong")).await,
        // `a2V5` has no colon in it.
        "INCORRECT_BASIC_AUTH_FORMAT" => list("Basic a2V5").await,
        "FORBIDDEN_REQUEST" => list(&basic(&shop.client_key)).await,
        "NOT_FOUND" => shop.call(Method::GET, "/v1/nothing").await,
        "NOT_FOUND_PAYMENT" => shop.get_order("order-of-nobody").await,
        "NOT_FOUND_PAYMENT_SESSION" => {
            let order = Payment::of(12_000);
            let created = shop.create(&order).await.expecting(200);
            shop.confirm(created.payment_key(), &order.order_id, 12_000).await
        }
        "NOT_FOUND_BILLING" => shop.delete_billing_key("naru_bk_none").await,
        "ALREADY_PROCESSED_PAYMENT" => {
            let order = Payment::of(12_000);
            let paid = shop.key_in(&order).await.expecting(200);
            shop.confirm(paid.payment_key(), &order.order_id, 12_000).await
        }
        "DUPLICATED_ORDER_ID" => {
            let order = Payment::of(12_000);
            let _ = shop.key_in(&order).await.expecting(200);
            shop.key_in(&order).await
        }
        "BELOW_MINIMUM_AMOUNT" => shop.key_in(&Payment::of(99)).await,
        "EXCEED_MAX_AUTH_COUNT" => {
            let order = Payment::of(12_000).card("refuse_token_82");
            let payer = shop.payer_of(&shop.create(&order).await.expecting(200));
            for nth in 0..10 {
                // Each from an address of its own.
                let _ = payer.authenticate(&order).header("x-forwarded-for", &format!("10.77.0.{nth}")).await;
            }
            payer.authenticate(&order).header("x-forwarded-for", "10.77.0.10").await
        }
        "INVALID_CARD_INSTALLMENT_PLAN" => shop.key_in(&Payment::of(49_999).with("cardInstallmentPlan", 2)).await,
        "EXCEED_MAX_CARD_INSTALLMENT_PLAN" => shop.key_in(&Payment::of(50_000).with("cardInstallmentPlan", 13)).await,
        "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN" => {
            // A check card of Shinhan's.
            let order = Payment::of(50_000).card_number("9400061000000009");
            shop.key_in(&order.with("cardInstallmentPlan", 2)).await
        }
        "INVALID_PASSWORD" => gateway.payer().await.change_password("not the password", "another horse battery").await,
        "REFUND_REJECTED" => {
            let paid = shop.key_in(&Payment::of(12_000).card("refund_declined")).await.expecting(200);
            let _ = shop.capture(paid.payment_key()).await.expecting(200);
            shop.cancel(paid.payment_key()).await
        }
        "ALREADY_CANCELED_PAYMENT"
        | "NOT_CANCELABLE_PAYMENT"
        | "NOT_CANCELABLE_AMOUNT"
        | "NOT_MATCHES_REFUNDABLE_AMOUNT"
        | "FORBIDDEN_CONSECUTIVE_REQUEST" => canceled(gateway, code).await,
        "INVALID_BANK" => shop.virtual_account(&Payment::of(1).order_id, 12_000, json!({ "bank": "00" })).await,
        "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT" => {
            let opened = shop.virtual_account(&Payment::of(1).order_id, 12_000, json!({})).await.expecting(200);
            shop.cancel_part(opened.payment_key(), 1_000).await
        }
        // Nobody has said where to.
        "INVALID_REFUND_ACCOUNT_INFO" => shop.cancel(&paid_into(gateway).await).await,
        "INVALID_REFUND_ACCOUNT_NUMBER" => {
            let account = json!({ "bank": "88", "accountNumber": "999000000614", "holderName": "홍길동" });
            let cancel = json!({ "cancelReason": "고객 변심", "refundReceiveAccount": account });
            shop.cancel_with(&paid_into(gateway).await, &cancel).await
        }
        "NOT_MATCHES_CUSTOMER_KEY" => {
            let key = shop.billing_key("customer-1", "approve").await;
            shop.charge(&key, "customer-2", &Payment::of(4_900)).await
        }
        "INVALID_BILL_KEY_REQUEST" => shop.issue("naru_ak_none", "customer-1").await,
        "IDEMPOTENT_REQUEST_PROCESSING" => {
            let order = Payment::of(12_000);
            let held = gateway.bank.hold(&order.order_id, "approve", "before").await;
            let keyed = || shop.key_in(&order).idempotency_key("at work").prefer("respond-async");
            let _ = keyed().await.expecting(202);
            let answer = keyed().await;
            held.release().await;
            answer
        }
        "COMMON_ERROR" => {
            let payer = gateway.payer().await;
            for _ in 0..5 {
                let _ = payer.sign_in_with("not the password").await;
            }
            payer.sign_in_with("not the password").await
        }
        "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING" => {
            let order = Payment::of(12_000);
            let held = gateway.bank.hold(&order.order_id, "approve", "before").await;
            // It waits as long as a client does who says nothing.
            let answer = shop.key_in(&order).await;
            held.release().await;
            answer
        }
        "FAILED_INTERNAL_SYSTEM_PROCESSING" => full(gateway).await,
        "FAILED_DB_PROCESSING" => {
            gateway.proxy(Link::Postgres).refuse();
            shop.get_order("order-any").await
        }
        other => panic!("say how {other} comes about"),
    }
}

/// The key of a virtual account that was paid into.
async fn paid_into(gateway: &Gateway) -> String {
    let order_id = Payment::of(1).order_id;
    let opened = gateway.shop.virtual_account(&order_id, 12_000, json!({})).await.expecting(200);
    let _ = gateway.bank.deposit(&order_id, json!({})).await;
    gateway.shop.until_status(opened.payment_key(), "DONE").await.payment_key().to_owned()
}

/// What a cancel may be refused with.
async fn canceled(gateway: &Gateway, code: &str) -> Answer {
    let shop = &gateway.shop;
    let order = Payment::of(12_000);
    if code == "NOT_CANCELABLE_PAYMENT" {
        return shop.cancel(shop.create(&order).await.expecting(200).payment_key()).await;
    }
    let paid = shop.key_in(&order).await.expecting(200);
    let key = paid.payment_key();
    match code {
        "NOT_CANCELABLE_AMOUNT" => shop.cancel_part(key, 12_001).await,
        "NOT_MATCHES_REFUNDABLE_AMOUNT" => {
            shop.cancel_with(key, &json!({ "cancelReason": "고객 변심", "refundableAmount": 11_999 })).await
        }
        "FORBIDDEN_CONSECUTIVE_REQUEST" => {
            let held = gateway.bank.hold(&order.order_id, "cancel", "before").await;
            let _ = shop.cancel_part(key, 1_000).prefer("respond-async").await.expecting(202);
            let answer = shop.cancel_part(key, 1_000).await;
            held.release().await;
            answer
        }
        _ => {
            let _ = shop.cancel(key).await.expecting(200);
            shop.cancel(key).await
        }
    }
}

/// More waits for the card company than is allowed to.
async fn full(gateway: &Gateway) -> Answer {
    let shop = &gateway.shop;
    gateway.settled().await;
    let held = gateway.bank.hold_where(json!({ "call": "approve" }), "before").await;
    let mut refused = None;
    for _ in 0..200 {
        let answer = shop.key_in(&Payment::of(12_000).card("busy_always")).prefer("respond-async").await;
        if answer.status == 503 {
            refused = Some(answer);
            break;
        }
    }
    held.release().await;
    refused.unwrap_or_else(|| panic!("it is never full"))
}

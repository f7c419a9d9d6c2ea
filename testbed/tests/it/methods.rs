//! Bank transfers, phones and points: through HTTP, against the books of bank, carrier and issuer.

use std::time::Duration;

use naru_testbed::{Answer, Builder, Gateway, Means, Payment, eventually};
use serde_json::{Value, json};

use crate::crash::{LAG, SLOW_LIMIT, TAKEOVER_LIMIT};

const SOON: Duration = Duration::from_secs(20);

/// A part of each answer that tells the methods apart.
fn told(answer: &Answer) -> [&Value; 5] {
    ["method", "card", "transfer", "mobilePhone", "easyPay"].map(|member| answer.at(member))
}

/// Has an order paid with it, and returns its key.
async fn paid(gateway: &Gateway, payment: &Payment, means: &Means) -> String {
    let answer = gateway.shop.pay_with(payment, means).await.expecting(200);
    assert_eq!(answer.text("status"), "DONE", "{answer:?}");
    answer.payment_key().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_is_paid_with_and_told_as_toss_payments_tells_it() {
    let gateway = Gateway::start().await;
    for means in Means::each("approve") {
        let payment = Payment::of(12_000);
        let created = gateway.shop.authenticated_with(&payment, &means).await;
        assert_eq!(told(&created), [&Value::Null; 5], "nobody has said");
        let key = created.payment_key();
        let answer = gateway.shop.confirm(key, &payment.order_id, 12_000).await.expecting(200);
        assert_eq!((answer.text("status"), answer.text("moneyState")), ("DONE", "MOVED"), "{answer:?}");
        let receipt = created.at("checkout.url");
        let null = &Value::Null;
        let transfer = json!({ "bankCode": "88", "settlementStatus": "INCOMPLETED" });
        let phone =
            json!({ "customerMobilePhone": "***-****-0000", "settlementStatus": "INCOMPLETED", "receiptUrl": receipt });
        let points = json!({ "provider": "나루포인트", "amount": 12_000, "discountAmount": 0 });
        let expected = match means.method() {
            "TRANSFER" => [&json!("계좌이체"), null, &transfer, null, null],
            "MOBILE_PHONE" => [&json!("휴대폰"), null, null, &phone, null],
            _ => [&json!("간편결제"), null, null, null, &points],
        };
        assert_eq!(told(&answer), expected, "{answer:?}");
        assert_eq!(answer.at("isPartialCancelable"), means.method() != "MOBILE_PHONE", "{answer:?}");
        assert_eq!(gateway.shop.get(key).await.expecting(200).body, answer.body);
        let _ = gateway
            .shop
            .confirm(key, &payment.order_id, 12_000)
            .await
            .expecting_problem(400, "ALREADY_PROCESSED_PAYMENT");
        // There is no slip to be bought: it is the merchant's from the approval on.
        let refused = gateway.shop.capture(key).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(refused.text("reason"), "NOT_CAPTURABLE");
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }
    let rows = "select debit || ' ' || credit || ' ' || connector from postings order by connector";
    let postings: Vec<String> = sqlx::query_scalar(rows).fetch_all(gateway.db()).await.expect("Postgres answers");
    let expected = ["mobile", "points", "transfer"].map(|connector| format!("receivable payable {connector}"));
    assert_eq!(postings, expected);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_declined_says_why() {
    let gateway = Gateway::start().await;
    #[rustfmt::skip]
    let table = [
        // fault         by transfer                                by phone                              with points
        ("decline_05", (403, "REJECT_ACCOUNT_PAYMENT"),           (403, "REJECT_CARD_COMPANY"),          (403, "REJECT_CARD_COMPANY")),
        ("decline_14", (400, "INVALID_ACCOUNT_INFO_RE_REGISTER"), (400, "INVALID_AUTHORIZE_AUTH"),       (400, "INVALID_AUTHORIZE_AUTH")),
        ("decline_51", (403, "REJECT_ACCOUNT_PAYMENT"),           (403, "REJECT_CARD_COMPANY"),          (403, "REJECT_ACCOUNT_PAYMENT")),
        ("decline_55", (403, "INVALID_PASSWORD"),                 (403, "INVALID_PASSWORD"),             (403, "INVALID_PASSWORD")),
        ("decline_57", (400, "INVALID_ACCOUNT_INFO_RE_REGISTER"), (403, "REJECT_CARD_COMPANY"),          (403, "REJECT_CARD_COMPANY")),
        ("decline_59", (403, "FDS_ERROR"),                        (403, "FDS_ERROR"),                    (403, "FDS_ERROR")),
        ("decline_61", (403, "EXCEED_MAX_ONE_DAY_AMOUNT"),        (400, "EXCEED_MAX_PAYMENT_AMOUNT"),    (403, "EXCEED_MAX_ONE_DAY_AMOUNT")),
        ("decline_63", (400, "INVALID_ACCOUNT_INFO_RE_REGISTER"), (400, "INVALID_AUTHORIZE_AUTH"),       (400, "INVALID_AUTHORIZE_AUTH")),
        ("decline_65", (400, "EXCEED_MAX_DAILY_PAYMENT_COUNT"),   (400, "EXCEED_MAX_DAILY_PAYMENT_COUNT"), (400, "EXCEED_MAX_DAILY_PAYMENT_COUNT")),
        ("decline_90", (403, "NOT_AVAILABLE_BANK"),               (403, "REJECT_CARD_COMPANY"),          (403, "REJECT_CARD_COMPANY")),
        ("decline_91", (400, "PROVIDER_ERROR"),                   (400, "PROVIDER_ERROR"),               (400, "PROVIDER_ERROR")),
    ];
    for (fault, transfer, phone, points) in table {
        for (means, (status, code)) in Means::each(fault).into_iter().zip([transfer, phone, points]) {
            let payment = Payment::of(12_000);
            let answer = gateway.shop.pay_with(&payment, &means).await;
            assert_eq!((answer.status, answer.text("code")), (status, code), "{fault} {means:?} {answer:?}");
            let why = [answer.text("reason"), answer.text("moneyState"), answer.text("acquirerCode")];
            assert_eq!(why, ["ACQUIRER_DECLINED", "NOT_MOVED", &fault[8..]], "{answer:?}");
            let read = gateway.shop.get_order(&payment.order_id).await.expecting(200);
            assert_eq!((read.text("status"), read.text("failure.code")), ("ABORTED", code));
            gateway.bank.expect(&payment.order_id).never_charged().await;
        }
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_when_it_is_typed_moves_nothing_and_can_be_typed_again() {
    #[rustfmt::skip]
    let table = [
        (Means::transfer("refuse_token_14"), 400, "INVALID_ACCOUNT_INFO_RE_REGISTER", "14"),
        (Means::transfer("wrong_holder"),    400, "INVALID_ACCOUNT_INFO_RE_REGISTER", "N1"),
        (Means::transfer("refuse_token_63"), 400, "INVALID_ACCOUNT_INFO_RE_REGISTER", "63"),
        (Means::transfer("token_error"),     503, "FAILED_CARD_COMPANY_RESPONSE",     ""),
        (Means::transfer("token_timeout"),   503, "FAILED_CARD_COMPANY_RESPONSE",     ""),
        (Means::mobile("refuse_token_14"),   400, "INVALID_AUTHORIZE_AUTH",           "14"),
        (Means::mobile("refuse_token_57"),   403, "REJECT_CARD_COMPANY",              "57"),
        (Means::mobile("token_busy"),        503, "FAILED_CARD_COMPANY_RESPONSE",     ""),
        (Means::points("refuse_token_14"),   400, "INVALID_AUTHORIZE_AUTH",           "14"),
        (Means::points("refuse_token_55"),   403, "INVALID_PASSWORD",                 "55"),
        (Means::points("token_busy"),        503, "FAILED_CARD_COMPANY_RESPONSE",     ""),
    ];
    let gateway = Gateway::start().await;
    for (means, status, code, acquirer_code) in table {
        let payment = Payment::of(12_000);
        let created = gateway.shop.create(&payment).await.expecting(200);
        let payer = gateway.shop.payer_of(&created);
        let refused = payer.pay_with(&means).await.expecting_problem(status, code);
        assert_eq!(
            (refused.text("moneyState"), refused.text("acquirerCode")),
            ("NOT_MOVED", acquirer_code),
            "{means:?}"
        );
        assert_eq!(refused.at("retryable"), status == 503, "{refused:?}");
        assert_eq!(payer.look().await.expecting(200).text("status"), "READY");
        // And another will do.
        let _ = payer.pay_with(&Means::points("approve")).await.expecting(200);
        let answer = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
        assert_eq!(answer.text("method"), "간편결제");
    }
    gateway.check().await;
}

/// What the API is told is wrong, and what is said of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_fields_are_named_and_reach_nobody() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let payer = gateway.shop.payer_of(&created);
    let account = |member: &str, value: Value| Means::transfer("approve").with(member, value).authenticate_body("");
    let member = |member: &str, value: Value| Means::points("approve").with(member, value).authenticate_body("");
    let code = |id: &str, code: &str| json!({ "method": "휴대폰", "verificationId": id, "code": code });
    #[rustfmt::skip]
    let table = [
        (json!({ "method": "TRANSFER" }),                   "bank"),
        (json!({ "method": "현금" }),                       "method"),
        (json!({ "method": 1 }),                            "method"),
        (json!({ "method": "POINTS", "memberNumber": "1" }), "method"),
        (account("bank", json!("99")),                      "bank"),
        (account("bank", json!(88)),                        "bank"),
        (account("accountNumber", json!("1234567")),        "accountNumber"),
        (account("accountNumber", json!("X1234567890123")), "accountNumber"),
        (account("holderName", json!("")),                  "holderName"),
        (account("identityNumber", json!("9001011")),       "identityNumber"),
        (account("cardNumber", json!("4242424242424242")),  "cardNumber"),
        (member("memberNumber", json!("12345678901234567")), "memberNumber"),
        (member("password", json!("12345")),                "password"),
        (code("", "000000"),                                "verificationId"),
        (code("a b", "000000"),                             "verificationId"),
        (code("ver_1", "00000"),                            "code"),
        (json!({}),                                         "cardNumber"),
    ];
    for (body, field) in table {
        let answer = payer.authenticate_with(&body).await.expecting_problem(400, "INVALID_REQUEST");
        let named: Vec<&str> =
            answer.at("errors").as_array().into_iter().flatten().filter_map(|error| error["field"].as_str()).collect();
        assert!(named.contains(&field), "{body}: {answer:?}");
    }
    // It is the merchant's server that asks for one.
    let _ =
        payer.authenticate_with(&json!({ "method": "가상계좌" })).await.expecting_problem(400, "NOT_SUPPORTED_METHOD");
    for (member, value) in
        [("carrier", "AT&T"), ("phoneNumber", "02-123-4567"), ("birthDate", "1990"), ("email", "a@b.kr")]
    {
        let body = Means::mobile("approve").with(member, value).phone_body();
        let answer = payer.verify_phone(&body).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(answer.text("errors.0.field"), member, "{answer:?}");
    }
    let journal = std::fs::read_to_string(gateway.journal()).unwrap_or_default();
    assert!(journal.is_empty(), "nobody was asked: {journal}");
    assert_eq!(payer.look().await.expecting(200).text("status"), "READY");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_merchant_who_chose_a_method_gets_no_other_and_accounts_pay_from_200_won() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let _ =
        shop.create(&Payment::of(199).with("method", "TRANSFER")).await.expecting_problem(400, "BELOW_MINIMUM_AMOUNT");
    let _ = shop.create(&Payment::of(12_000).with("method", "가상")).await.expecting_problem(400, "INVALID_REQUEST");
    let small = shop.create(&Payment::of(199)).await.expecting(200);
    let payer = shop.payer_of(&small);
    let _ = payer.pay_with(&Means::transfer("approve")).await.expecting_problem(400, "BELOW_MINIMUM_AMOUNT");
    let _ = payer.pay_with(&Means::points("approve")).await.expecting(200);

    let order = Payment::of(200).with("method", "계좌이체");
    let chosen = shop.create(&order).await.expecting(200);
    let payer = shop.payer_of(&chosen);
    for means in [Means::mobile("approve"), Means::points("approve")] {
        let refused = payer.pay_with(&means).await.expecting_problem(400, "NOT_SUPPORTED_METHOD");
        assert_eq!(refused.text("method"), "계좌이체");
    }
    let _ = payer.authenticate(&order).await.expecting_problem(400, "NOT_SUPPORTED_METHOD");
    let stored = gateway.payer().await;
    let card = stored.keeps("approve").await;
    let _ = stored.authenticate(&chosen, &card).await.expecting_problem(400, "NOT_SUPPORTED_METHOD");
    let _ = payer.pay_with(&Means::transfer("approve")).await.expecting(200);
    assert_eq!(shop.confirm(chosen.payment_key(), &order.order_id, 200).await.expecting(200).text("status"), "DONE");
    gateway.check().await;
}

/// The carrier counts wrong codes; we count how often a phone is made to ring.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_are_counted_and_so_are_codes() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let payer = gateway.shop.payer_of(&created);
    let phone = Means::mobile("approve");
    let sent = payer.verify_phone(&phone.phone_body()).await.expecting(200);
    let verification = sent.text("verificationId").to_owned();
    assert!(sent.text("expiresAt").ends_with("+09:00"), "{sent:?}");
    let wrong = json!({ "method": "MOBILE_PHONE", "verificationId": verification, "code": "111111" });
    for _ in 0..5 {
        let _ = payer.authenticate_with(&wrong).await.expecting_problem(403, "INVALID_PASSWORD");
    }
    let _ = payer
        .authenticate_with(&phone.authenticate_body(&verification))
        .await
        .expecting_problem(403, "EXCEED_MAX_AUTH_COUNT");
    // Another code will do, once: it is used up then.
    let sent = payer.verify_phone(&phone.phone_body()).await.expecting(200);
    let body = phone.authenticate_body(sent.text("verificationId"));
    let _ = payer.authenticate_with(&body).await.expecting(200);
    let other = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let other = gateway.shop.payer_of(&other);
    let _ = other.authenticate_with(&body).await.expecting_problem(400, "INVALID_AUTHORIZE_AUTH");
    for _ in 0..3 {
        let _ = other.verify_phone(&phone.phone_body()).await.expecting(200);
    }
    let limited = other.verify_phone(&phone.phone_body()).await.expecting_problem(429, "COMMON_ERROR");
    assert!(limited.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 60), "{limited:?}");
    // Somebody else's phone is not concerned; this payment's tries are.
    let mut refused = None;
    for n in 0..10 {
        let answer = other.verify_phone(&Means::mobile("approve").number(&format!("0105555{n:04}")).phone_body()).await;
        if answer.status != 200 {
            refused = Some((n, answer.expecting_problem(403, "EXCEED_MAX_AUTH_COUNT")));
            break;
        }
    }
    let (n, refused) = refused.expect("a payment is tried ten times");
    assert_eq!((n, refused.text("reason")), (5, "TOO_MANY_CARDS"));
    gateway.check().await;
}

/// What is not heard is found out, and what is tried again is charged once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_heard_is_found_out() {
    let gateway = Gateway::start().await;
    let faults = [
        "error_twice",
        "busy_twice",
        "drop_before",
        "drop_after",
        "error_after",
        "malformed",
        "truncated",
        "pending_approved",
    ];
    for fault in faults {
        for means in Means::each(fault) {
            let payment = Payment::of(12_000);
            let answer = gateway.shop.pay_with(&payment, &means).await.expecting(200);
            assert_eq!(answer.text("status"), "DONE", "{fault} {means:?}: {answer:?}");
            gateway.bank.expect(&payment.order_id).charged_once().await;
        }
    }
    for means in Means::each("pending_declined") {
        let payment = Payment::of(12_000);
        let answer = gateway.shop.pay_with(&payment, &means).await;
        assert_eq!((answer.status, answer.text("acquirerCode")), (403, "51"), "{answer:?}");
        gateway.bank.expect(&payment.order_id).never_charged().await;
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_amount_than_ours_goes_back() {
    let gateway = Gateway::start().await;
    for means in Means::each("charges_more") {
        let payment = Payment::of(12_000);
        let answer = gateway.shop.pay_with(&payment, &means).await.expecting_problem(400, "PROVIDER_ERROR");
        assert_eq!((answer.text("reason"), answer.text("moneyState")), ("ACQUIRER_AMOUNT_MISMATCH", "REVERSED"));
        gateway.bank.expect(&payment.order_id).charged_then_reversed().await;
    }
    gateway.check().await;
}

/// A call that is never answered, and one whose deadline passes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_never_answers_is_charged_once_or_not_at_all() {
    let gateway = Gateway::start().await;
    let tries = Means::each("timeout_after").map(|means| {
        let gateway = &gateway;
        async move {
            let payment = Payment::of(12_000);
            let answer = gateway.shop.pay_with(&payment, &means).await.expecting(200);
            assert_eq!(answer.text("status"), "DONE", "{answer:?}");
            gateway.bank.expect(&payment.order_id).charged_once().await;
        }
    });
    futures::future::join_all(tries).await;
    gateway.check().await;
}

/// A worker is killed while the acquirer has its request.
async fn killed_when_sent(means: Means, effect: &str, with: Builder, patience: Duration) {
    let gateway = with.workers(2).start().await;
    let payment = Payment::of(12_000);
    let held = gateway.bank.hold(&payment.order_id, "approve", effect).await;
    let created = gateway.shop.authenticated_with(&payment, &means).await;
    let key = created.payment_key();
    let _ = gateway.shop.confirm(key, &payment.order_id, 12_000).prefer("respond-async").await.expecting(202);
    held.reached().await;
    let operation: uuid::Uuid =
        sqlx::query_scalar("select id from operations").fetch_one(gateway.db()).await.expect("it was accepted");
    gateway.owner_of(naru_shared::domain::id::OperationId(operation)).await.kill9();
    held.release().await;
    eventually("another worker settles it", patience, async || {
        let read = gateway.shop.get(key).await.expecting(200);
        (read.text("status") == "DONE").then_some(())
    })
    .await;
    gateway.bank.expect(&payment.order_id).one_charge_stands().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_killed_before_the_bank_has_charged() {
    killed_when_sent(Means::transfer("approve"), "before", Gateway::with(), TAKEOVER_LIMIT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_killed_after_the_bank_has_charged_without_dedupe() {
    let naive = Gateway::with().naive_bank().inquiry_lag(LAG);
    killed_when_sent(Means::transfer("approve"), "after", naive, SLOW_LIMIT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_killed_after_the_carrier_has_charged() {
    killed_when_sent(Means::mobile("approve"), "after", Gateway::with(), TAKEOVER_LIMIT).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_is_killed_before_points_were_taken_without_dedupe() {
    let naive = Gateway::with().naive_bank().inquiry_lag(LAG);
    killed_when_sent(Means::points("approve"), "before", naive, SLOW_LIMIT).await;
}

/// Transfers are refunded, in parts too; points are cancelled, in parts too; a phone's bill only as a whole.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_gives_back_in_its_own_way() {
    let gateway = Gateway::start().await;
    for (means, kind) in [(Means::transfer("approve"), "REFUND"), (Means::points("approve"), "CANCEL")] {
        let payment = Payment::of(12_000);
        let key = paid(&gateway, &payment, &means).await;
        let part = gateway.shop.cancel_part(&key, 5_000).await.expecting(200);
        assert_eq!((part.text("status"), part.number("balanceAmount")), ("PARTIAL_CANCELED", 7_000), "{part:?}");
        assert_eq!((part.text("cancels.0.type"), part.text("cancels.0.cancelStatus")), (kind, "DONE"));
        let _ = gateway.shop.cancel_part(&key, 7_001).await.expecting_problem(403, "NOT_CANCELABLE_AMOUNT");
        let rest = gateway.shop.cancel(&key).await.expecting(200);
        assert_eq!((rest.text("status"), rest.text("moneyState")), ("CANCELED", "REVERSED"), "{rest:?}");
        let money = gateway.bank.money(&payment.order_id).await;
        let back = if kind == "REFUND" { (0, 12_000) } else { (12_000, 0) };
        assert_eq!(((money.voided, money.refunded), money.net), (back, 0), "{money:?}");
    }
    let payment = Payment::of(12_000);
    let key = paid(&gateway, &payment, &Means::mobile("approve")).await;
    let refused = gateway.shop.cancel_part(&key, 5_000).await.expecting_problem(403, "NOT_ALLOWED_PARTIAL_REFUND");
    assert_eq!((refused.text("moneyState"), refused.text("paymentStatus")), ("NOT_MOVED", "DONE"));
    let whole = gateway.shop.cancel_part(&key, 12_000).await.expecting(200);
    assert_eq!((whole.text("status"), whole.text("cancels.0.type")), ("CANCELED", "CANCEL"), "{whole:?}");
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.refunded, money.net), (12_000, 0, 0), "{money:?}");
    gateway.check().await;
}

/// A cancel or refund that is declined, open, or not heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn giving_back_is_found_out_and_done_once() {
    let gateway = Gateway::start().await;
    for fault in ["refund_pending", "refund_answer_lost"] {
        for means in Means::each(fault) {
            let payment = Payment::of(12_000);
            let key = paid(&gateway, &payment, &means).await;
            let answer = gateway.shop.cancel(&key).prefer("wait=30").await.expecting(200);
            assert_eq!(answer.text("status"), "CANCELED", "{fault} {means:?}: {answer:?}");
            let money = gateway.bank.money(&payment.order_id).await;
            assert_eq!((money.voided + money.refunded, money.net), (12_000, 0), "{fault} {means:?}: {money:?}");
        }
    }
    for means in Means::each("refund_declined") {
        let payment = Payment::of(12_000);
        let key = paid(&gateway, &payment, &means).await;
        let refused = gateway.shop.cancel(&key).await.expecting_problem(400, "REFUND_REJECTED");
        assert_eq!(refused.text("moneyState"), "NOT_MOVED");
        let read = gateway.shop.get(&key).await.expecting(200);
        assert_eq!((read.text("status"), read.text("cancels.0.cancelStatus")), ("DONE", "ABORTED"), "{read:?}");
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phones_bill_is_cancelled_in_its_month_only() {
    let gateway = Gateway::start().await;
    // The carrier says so, whose clock may be another than ours.
    let payment = Payment::of(12_000);
    let key = paid(&gateway, &payment, &Means::mobile("approve")).await;
    let past = json!([{ "do": "decline", "code": "57", "reason": "past_month" }]);
    gateway.bank.script(&payment.order_id, "cancel", past).await;
    let refused = gateway.shop.cancel(&key).await.expecting_problem(403, "EXCEED_MAX_REFUND_DUE");
    assert_eq!((refused.text("moneyState"), refused.text("acquirerCode")), ("NOT_MOVED", "57"));
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("status"), read.text("cancels.0.cancelStatus")), ("DONE", "ABORTED"), "{read:?}");
    gateway.check().await;
    // We say so: nobody is asked. A transfer of that time is refunded all the same.
    let last_month =
        "update payments set state = jsonb_set(state, '{approval,approvedAt}', '\"2026-01-31T14:59:59Z\"')";
    sqlx::query(last_month).execute(gateway.db()).await.expect("Postgres answers");
    let _ = gateway.shop.cancel(&key).await.expecting_problem(403, "EXCEED_MAX_REFUND_DUE");
    assert_eq!(gateway.bank.asked(&payment.order_id, "cancel").await, 1);
    let payment = Payment::of(12_000);
    let key = paid(&gateway, &payment, &Means::transfer("approve")).await;
    sqlx::query(last_month).execute(gateway.db()).await.expect("Postgres answers");
    assert_eq!(gateway.shop.cancel(&key).await.expecting(200).text("status"), "CANCELED");
}

/// Limits are the acquirers', and what goes back can be used again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_hold_and_what_went_back_counts_no_more() {
    let gateway = Gateway::start().await;
    #[rustfmt::skip]
    let table = [
        (Means::transfer("limit_100000"), (403, "EXCEED_MAX_ONE_DAY_AMOUNT", "61")),
        (Means::mobile("limit_100000"),   (400, "EXCEED_MAX_PAYMENT_AMOUNT", "61")),
        (Means::transfer("balance_0"),    (403, "REJECT_ACCOUNT_PAYMENT",    "51")),
        (Means::points("balance_0"),      (403, "REJECT_ACCOUNT_PAYMENT",    "51")),
    ];
    for (means, expected) in table {
        let limit = 100_000;
        let first = Payment::of(80_000);
        let refused = Payment::of(limit - 79_999);
        let key = if expected.2 == "61" { Some(paid(&gateway, &first, &means).await) } else { None };
        let answer = gateway.shop.pay_with(&refused, &means).await;
        let told = (answer.status, answer.text("code"), answer.text("acquirerCode"));
        assert_eq!(told, expected, "{answer:?}");
        gateway.bank.expect(&refused.order_id).never_charged().await;
        if let Some(key) = key {
            let _ = gateway.shop.cancel(&key).prefer("wait=30").await.expecting(200);
            paid(&gateway, &Payment::of(limit), &means).await;
        }
    }
    gateway.check().await;
}

/// The issuer's balance is what it was at first, less what our ledger says we owe merchants for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postings_mirror_the_balance_of_points() {
    let gateway = Gateway::start().await;
    let means = Means::points("balance_30000");
    let mirrored = async || {
        let owed = "select coalesce(-sum(balance), 0)::bigint from account_balances where account = 'payable' and connector = 'points'";
        let owed: i64 = sqlx::query_scalar(owed).fetch_one(gateway.db()).await.expect("Postgres answers");
        let token = "select state #>> '{instrument,token}' from payments where state #>> '{instrument,method}' = 'points' limit 1";
        let token: String = sqlx::query_scalar(token).fetch_one(gateway.db()).await.expect("Postgres answers");
        assert_eq!(gateway.bank.points(&token).await, 30_000 - owed);
        30_000 - owed
    };
    let first = paid(&gateway, &Payment::of(20_000), &means).await;
    assert_eq!(mirrored().await, 10_000);
    let poor =
        gateway.shop.pay_with(&Payment::of(10_001), &means).await.expecting_problem(403, "REJECT_ACCOUNT_PAYMENT");
    assert_eq!((poor.text("acquirerCode"), mirrored().await), ("51", 10_000));
    let _ = gateway.shop.cancel_part(&first, 5_000).await.expecting(200);
    assert_eq!(mirrored().await, 15_000);
    paid(&gateway, &Payment::of(15_000), &means).await;
    assert_eq!(mirrored().await, 0);
    let _ = gateway.shop.cancel(&first).await.expecting(200);
    assert_eq!(mirrored().await, 15_000);
    gateway.check().await;
}

/// A bank that is down is left alone, and nobody else is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_acquirer_that_is_down_holds_up_no_other() {
    let gateway = Gateway::start().await;
    let storm = json!({ "match": { "method": "transfer", "call": "approve" },
        "steps": [{ "do": "http", "status": 502 }], "then": "repeat_last" });
    gateway.bank.script_whole(storm).await;
    let mut herd = Vec::new();
    for n in 0..15 {
        let payment = Payment::of(12_000 + n);
        let created = gateway.shop.authenticated_with(&payment, &Means::transfer("approve")).await;
        let key = created.payment_key().to_owned();
        let _ = gateway.shop.confirm(&key, &payment.order_id, 12_000 + n).prefer("respond-async").await.expecting(202);
        herd.push((payment, key));
    }
    eventually("the bank is left alone", SOON, async || {
        gateway
            .worker()
            .counted("naru_worker_breaker_open{connector=\"transfer\",mode=\"test\"}")
            .await
            .filter(|open| *open == 1)
    })
    .await;
    for means in [Means::mobile("approve"), Means::points("approve")] {
        paid(&gateway, &Payment::of(12_000), &means).await;
    }
    assert_eq!(gateway.shop.key_in(&Payment::of(12_000)).await.expecting(200).text("status"), "DONE");
    let withheld = "select count(*) from attempts a join operations o on o.id = a.operation_id
        where o.connector <> 'transfer' and a.answer <> 'approved'";
    let withheld: i64 = sqlx::query_scalar(withheld).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert_eq!(withheld, 0, "nobody else was held up");
    gateway.bank.clear_scripts().await;
    for (payment, key) in herd {
        eventually("it is paid when the bank is well again", Duration::from_secs(60), async || {
            (gateway.shop.get(&key).await.text("status") == "DONE").then_some(())
        })
        .await;
        gateway.bank.expect(&payment.order_id).charged_once().await;
    }
    gateway.check().await;
}

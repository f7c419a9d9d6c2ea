//! What can be asked for, in which parts, and what is refused.

use naru_testbed::{Answer, Gateway, Payment, eventually};
use serde_json::{Value, json};

use super::{SOON, each, paid};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_of_it_goes_back_before_capture() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(15_000);
    let key = paid(&gateway, &payment).await;
    let answer = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!((answer.text("status"), answer.text("moneyState")), ("CANCELED", "REVERSED"), "{answer:?}");
    let amounts = ["totalAmount", "balanceAmount", "suppliedAmount", "vat", "taxFreeAmount"];
    assert_eq!(amounts.map(|member| answer.number(member)), [15_000, 0, 0, 0, 0], "{answer:?}");
    let cancel = answer.at("cancels.0").as_object().expect("there is a cancel");
    let members: Vec<&str> = cancel.keys().map(String::as_str).collect();
    let documented = [
        "cancelAmount",
        "cancelReason",
        "taxFreeAmount",
        "taxExemptionAmount",
        "refundableAmount",
        "cardDiscountAmount",
        "transferDiscountAmount",
        "easyPayDiscountAmount",
        "canceledAt",
        "transactionKey",
        "receiptKey",
        "cancelStatus",
        "cancelRequestId",
    ];
    assert!(documented.iter().all(|member| members.contains(member)), "{members:?}");
    let expected = json!({ "cancelAmount": 15_000, "cancelReason": "고객 변심", "taxFreeAmount": 0,
        "taxExemptionAmount": 0, "refundableAmount": 0, "cardDiscountAmount": 0, "transferDiscountAmount": 0,
        "easyPayDiscountAmount": 0, "receiptKey": null, "cancelStatus": "DONE", "type": "CANCEL" });
    for (member, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(&cancel[member], value, "{member}: {answer:?}");
    }
    assert_eq!(&cancel["transactionKey"], answer.at("lastTransactionKey"), "{answer:?}");
    assert_eq!(cancel["canceledAt"].as_str().map(str::len), Some("2026-01-31T09:00:00+09:00".len()), "{answer:?}");
    assert_eq!(answer.text("card.acquireStatus"), "CANCELED");
    assert_eq!(gateway.shop.get(&key).await.expecting(200).body, answer.body);

    let again = gateway.shop.cancel(&key).await.expecting_problem(400, "ALREADY_CANCELED_PAYMENT");
    assert_eq!((again.text("moneyState"), again.text("paymentStatus")), ("NOT_MOVED", "CANCELED"));
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.refunded, money.net), (15_000, 0, 0));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_before_capture_and_after_it() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000).with("taxFreeAmount", 3_000);
    let answer = gateway.shop.key_in(&payment).await.expecting(200);
    let key = answer.payment_key().to_owned();
    let tax = |answer: &Answer| {
        ["balanceAmount", "suppliedAmount", "vat", "taxFreeAmount"].map(|member| answer.number(member))
    };
    assert_eq!(tax(&answer), [10_000, 6_364, 636, 3_000]);
    assert_eq!((answer.text("card.acquireStatus"), answer.at("cancels")), ("READY", &Value::Null));

    let part = gateway.shop.cancel_part(&key, 4_000).await.expecting(200);
    assert_eq!((part.text("status"), part.text("moneyState")), ("PARTIAL_CANCELED", "MOVED"), "{part:?}");
    assert_eq!(tax(&part), [6_000, 2_727, 273, 3_000]);
    assert_eq!((part.number("cancels.0.refundableAmount"), part.text("cancels.0.type")), (6_000, "CANCEL"));

    let captured = gateway.shop.capture(&key).await.expecting(200);
    assert_eq!((captured.text("status"), captured.text("card.acquireStatus")), ("PARTIAL_CANCELED", "COMPLETED"));
    assert_eq!(gateway.shop.capture(&key).await.expecting(200).body, captured.body, "once is enough");

    let body = json!({ "cancelReason": "반품", "cancelAmount": "1000", "taxFreeAmount": 500, "currency": "KRW",
        "refundableAmount": 6_000, "paymentKey": key, "escrow": null, "zq9": 1 });
    let refund = gateway.shop.cancel_with(&key, &body).await.expecting(200);
    assert_eq!(refund.header("naru-ignored-fields"), "zq9");
    assert_eq!((refund.text("cancels.1.type"), refund.number("cancels.1.taxFreeAmount")), ("REFUND", 500));
    assert_eq!(tax(&refund), [5_000, 2_273, 227, 2_500]);

    let rest = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!((rest.text("status"), rest.text("moneyState")), ("CANCELED", "REVERSED"), "{rest:?}");
    assert_eq!(each(&rest, "cancelAmount"), [4_000, 1_000, 5_000]);
    assert_eq!(each(&rest, "refundableAmount"), [6_000, 5_000, 0]);
    assert_eq!(each(&rest, "taxFreeAmount"), [0, 500, 2_500]);
    assert_eq!(tax(&rest), [0, 0, 0, 0]);
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.charged, money.voided, money.captured, money.refunded), (10_000, 4_000, 6_000, 6_000));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_can_not_be_is_refused_and_writes_nothing() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let payment = Payment::of(10_000).with("taxFreeAmount", 3_000);
    let key = paid(&gateway, &payment).await;
    let _ = shop.cancel_part(&key, 4_000).await.expecting(200);
    let ready = shop.create(&Payment::of(10_000)).await.expecting(200);
    let ready = ready.payment_key();
    let poor = Payment::of(10_000).card("decline_51");
    let _ = shop.key_in(&poor).await.expecting_problem(403, "REJECT_CARD_PAYMENT");
    let aborted = shop.get_order(&poor.order_id).await;
    let nobody = format!("naru_{}", "0".repeat(40));
    let gone = paid(&gateway, &Payment::of(10_000)).await;
    let _ = shop.cancel(&gone).await.expecting(200);

    let before = gateway.shop.list("limit=100").await.expecting(200).body;
    let reason = |more: Value| {
        let mut body = json!({ "cancelReason": "고객 변심" });
        body.as_object_mut().into_iter().for_each(|body| body.extend(more.as_object().cloned().unwrap_or_default()));
        body
    };
    for (key, body, status, code) in [
        (&*key, reason(json!({ "cancelAmount": 6_001 })), 403, "NOT_CANCELABLE_AMOUNT"),
        (
            &key,
            reason(json!({ "cancelAmount": 1_000, "refundableAmount": 10_000 })),
            400,
            "NOT_MATCHES_REFUNDABLE_AMOUNT",
        ),
        // Of 6,000 that are left 3,000 are free of tax.
        (&key, reason(json!({ "cancelAmount": 4_000, "taxFreeAmount": 999 })), 400, "INVALID_REQUEST"),
        (&key, reason(json!({ "cancelAmount": 4_000, "taxFreeAmount": 3_001 })), 400, "INVALID_REQUEST"),
        (&key, reason(json!({ "paymentKey": nobody })), 400, "INVALID_REQUEST"),
        (&key, json!({ "cancelReason": "가".repeat(201) }), 400, "INVALID_REQUEST"),
        (&key, json!({}), 400, "INVALID_REQUEST"),
        (ready, reason(json!({})), 403, "NOT_CANCELABLE_PAYMENT"),
        (aborted.payment_key(), reason(json!({})), 403, "NOT_CANCELABLE_PAYMENT"),
        (&nobody, reason(json!({})), 404, "NOT_FOUND_PAYMENT"),
        (&gone, reason(json!({})), 400, "ALREADY_CANCELED_PAYMENT"),
        (&gone, reason(json!({ "refundableAmount": 10_000 })), 400, "ALREADY_CANCELED_PAYMENT"),
        (&gone, reason(json!({ "cancelAmount": 1 })), 400, "ALREADY_CANCELED_PAYMENT"),
    ] {
        let answer = shop.cancel_with(key, &body).await.expecting_problem(status, code);
        assert_eq!(answer.text("moneyState"), "NOT_MOVED", "{body} {answer:?}");
        match code {
            "NOT_CANCELABLE_AMOUNT" | "NOT_MATCHES_REFUNDABLE_AMOUNT" => {
                assert_eq!(answer.number("refundableAmount"), 6_000, "{answer:?}");
            }
            "INVALID_REQUEST" if body["taxFreeAmount"].is_i64() => {
                let bounds = [answer.number("taxFreeAmountMin"), answer.number("taxFreeAmountMax")];
                assert_eq!((answer.text("reason"), bounds), ("TAX_FREE_DOES_NOT_FIT", [1_000, 3_000]), "{answer:?}");
            }
            _ => {}
        }
    }
    for key in [ready, aborted.payment_key(), &gone] {
        let answer = shop.capture(key).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(answer.text("reason"), "NOT_CAPTURABLE", "{answer:?}");
    }
    let _ = shop.capture(&nobody).await.expecting_problem(404, "NOT_FOUND_PAYMENT");
    assert_eq!(gateway.shop.list("limit=100").await.expecting(200).body, before);
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.net), (4_000, 6_000));
    gateway.check().await;
}

/// Two that nothing tells apart may be one that was sent twice, so the second is refused, unless something does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_again_while_it_is_at_work_is_refused_unless_something_tells_them_apart() {
    let gateway = Gateway::start().await;
    let (shop, payment) = (&gateway.shop, Payment::of(10_000));
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
    let first = shop.cancel_part(&key, 1_000).prefer("respond-async").await.expecting(202);
    assert_eq!((first.text("status"), first.text("moneyState")), ("DONE", "MOVED"), "{first:?}");
    assert_eq!((first.text("cancels.0.cancelStatus"), first.number("balanceAmount")), ("IN_PROGRESS", 10_000));
    held.reached().await;
    let again = shop.cancel_part(&key, 1_000).await.expecting_problem(403, "FORBIDDEN_CONSECUTIVE_REQUEST");
    assert_eq!(again.text("moneyState"), "NOT_MOVED");
    // Another amount is another cancel. And there are two ways to say that an equal one is.
    let _ = shop.cancel_part(&key, 1_001).prefer("respond-async").await.expecting(202);
    let _ = shop.cancel_part(&key, 1_000).idempotency_key("another").prefer("respond-async").await.expecting(202);
    let guarded = json!({ "cancelReason": "고객 변심", "cancelAmount": 1_000, "refundableAmount": 6_999 });
    let _ = shop.cancel_with(&key, &guarded).prefer("respond-async").await.expecting(202);
    let stale = shop.cancel_with(&key, &guarded).await.expecting_problem(400, "NOT_MATCHES_REFUNDABLE_AMOUNT");
    assert_eq!(stale.number("refundableAmount"), 5_999);
    // What is reserved can't be cancelled twice.
    let _ = shop.cancel_part(&key, 6_000).await.expecting_problem(403, "NOT_CANCELABLE_AMOUNT");
    // All of it, twice: the first is told apart from the others, the second is not told from the first.
    let _ = shop.cancel(&key).prefer("respond-async").await.expecting(202);
    let _ = shop.cancel(&key).await.expecting_problem(403, "FORBIDDEN_CONSECUTIVE_REQUEST");
    held.release().await;
    let done = gateway.shop.until(&key, "all goes back", SOON, |read| read.text("status") == "CANCELED").await;
    assert_eq!(each(&done, "cancelAmount"), [1_000, 1_001, 1_000, 1_000, 5_999]);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_parts_one_after_another() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    for nth in 1..=5 {
        let answer = gateway.shop.cancel_part(&key, 2_000).await.expecting(200);
        assert_eq!(answer.number("balanceAmount"), 10_000 - nth * 2_000, "{answer:?}");
    }
    let _ = gateway.shop.cancel_part(&key, 2_000).await.expecting_problem(400, "ALREADY_CANCELED_PAYMENT");
    assert_eq!(gateway.bank.asked(&payment.order_id, "cancel").await, 5);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_makes_one_cancel_however_often_it_comes() {
    let gateway = Gateway::start().await;
    let (shop, payment) = (&gateway.shop, Payment::of(10_000));
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "after").await;
    let part = || shop.cancel_part(&key, 1_000).idempotency_key("part");
    let _ = part().prefer("respond-async").await.expecting(202);
    held.reached().await;
    let at_work = part().await.expecting_problem(409, "IDEMPOTENT_REQUEST_PROCESSING");
    assert_eq!((at_work.header("retry-after"), at_work.text("moneyState")), ("1", "UNKNOWN"));
    let other = shop.cancel_part(&key, 1_001).idempotency_key("part").await.expecting_problem(422, "INVALID_REQUEST");
    assert_eq!(other.text("errors.0.field"), "cancelAmount", "{other:?}");
    held.release().await;
    let first = eventually("it is done", SOON, async || {
        let answer = part().await;
        (answer.status != 409).then_some(answer)
    });
    let first = first.await.expecting(200);
    // What became of the payment later makes no difference to what this cancel answers.
    let _ = shop.cancel_part(&key, 1_000).idempotency_key("another").await.expecting(200);
    let again = part().await.expecting(200);
    assert_eq!((&again.text, again.header("idempotent-replayed")), (&first.text, "true"));
    assert_eq!(again.number("balanceAmount"), 9_000);

    let capture = || shop.capture(&key).idempotency_key("capture");
    let (first, again) = (capture().await.expecting(200), capture().await.expecting(200));
    assert_eq!((&again.text, again.header("idempotent-replayed")), (&first.text, "true"));
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.captured), (2_000, 8_000));
    gateway.check().await;
}

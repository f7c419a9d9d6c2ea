//! Giving money back, before capture and after it, and capture itself: through HTTP, against the card company.

use std::future::IntoFuture as _;
use std::time::Duration;

use futures::future::join_all;
use naru_testbed::{Answer, Gateway, Payment, eventually};
use serde_json::{Value, json};

/// The longest course of a change: two calls that are never answered, and until "not found" is believed.
const LONGEST: Duration = Duration::from_secs(60);
/// What is not in trouble.
const SOON: Duration = Duration::from_secs(15);

/// Has an order paid, and returns its key.
async fn paid(gateway: &Gateway, payment: &Payment) -> String {
    gateway.shop.key_in(payment).await.expecting(200).payment_key().to_owned()
}

/// The member of each cancel, in order.
fn each<'a>(payment: &'a Answer, member: &str) -> Vec<&'a Value> {
    payment.at("cancels").as_array().into_iter().flatten().map(|cancel| &cancel[member]).collect()
}

fn is_done(payment: &Answer) -> bool {
    each(payment, "cancelStatus").iter().all(|status| *status == "DONE")
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_11_give_back_more_than_was_paid_when_sixty_four_ask_at_once() {
    const PART: i64 = 200;
    const LATENCY_MS: i64 = 40;
    let gateway = Gateway::with().apis(2).workers(2).start().await;
    let payment = Payment::of(50 * PART + 100);
    let key = paid(&gateway, &payment).await;
    gateway.bank.set(json!({ "latencyMs": LATENCY_MS })).await;
    let one = async |nth: usize| loop {
        let call = gateway.shop.cancel_part(&key, PART).idempotency_key(&format!("part-{nth}"));
        let answer = call.prefer("respond-async").await;
        // So many at once may have to come again; they are told that nothing was done.
        if answer.status != 503 {
            return answer;
        }
        assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("NOT_MOVED", &json!(true)), "{answer:?}");
    };
    let answers = join_all((0..64).map(one)).await;
    let accepted = answers.iter().filter(|answer| matches!(answer.status, 200 | 202)).count();
    assert_eq!(accepted, 50, "{:?}", answers.iter().map(|answer| answer.status).collect::<Vec<_>>());
    for answer in answers.iter().filter(|answer| answer.status > 202) {
        assert_eq!((answer.status, answer.text("code")), (403, "NOT_CANCELABLE_AMOUNT"), "{answer:?}");
    }
    let done = gateway.shop.until(&key, "all are done", LONGEST, is_done).await;
    assert_eq!((each(&done, "cancelAmount").len(), done.number("balanceAmount")), (50, 100));
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.voided, money.net), (50 * PART, 100));
    // One after another, as the card company saw it: it takes so long before it does anything it is asked, so whatever came while
    // another was at work would have been done sooner after that.
    let journal = gateway.bank.journal(&payment.order_id).await;
    let done_at: Vec<time::OffsetDateTime> = journal
        .iter()
        .filter(|entry| entry["request"] == "cancel")
        .map(|entry| entry["at"].as_str().expect("it has a time"))
        .map(|at| time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).expect("a time"))
        .collect();
    assert_eq!(done_at.len(), 50);
    // The journal tells whole milliseconds.
    let apart = time::Duration::milliseconds(LATENCY_MS - 1);
    assert!(done_at.windows(2).all(|pair| pair[1] - pair[0] >= apart), "{done_at:?}");
    gateway.check().await;
}

/// Without keys, without promises, of unequal amounts: what is accepted is done, and what is not was not for want of trying.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_of_unequal_amounts_while_it_is_captured() {
    let gateway = Gateway::with().workers(2).start().await;
    let payment = Payment::of(20_000);
    let key = paid(&gateway, &payment).await;
    let cancels = (1..=24).map(|nth| gateway.shop.cancel_part(&key, nth * 100).prefer("wait=30").into_future());
    let capture = async {
        loop {
            let answer = gateway.shop.capture(&key).prefer("wait=30").await;
            // Who loses every race for five seconds is told to come again, and that nothing was done.
            if answer.status != 503 {
                return answer;
            }
            assert_eq!((answer.text("moneyState"), answer.at("retryable")), ("NOT_MOVED", &json!(true)), "{answer:?}");
        }
    };
    let (answers, captured) = tokio::join!(join_all(cancels), capture);
    assert!(matches!(captured.status, 200 | 202), "{captured:?}");
    for answer in &answers {
        let refused = (answer.status, answer.text("code")) == (403, "NOT_CANCELABLE_AMOUNT");
        let come_again = (answer.status, answer.text("moneyState")) == (503, "NOT_MOVED");
        assert!(answer.status == 200 || refused || come_again, "{answer:?}");
    }
    let done = gateway.shop.until(&key, "all are done", LONGEST, is_done).await;
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!(money.net, done.number("balanceAmount"), "{money:?}");
    assert!(money.voided + money.refunded <= 20_000 && money.captured == 20_000 - money.voided, "{money:?}");
    gateway.check().await;
}

/// In the payment's own order: what is accepted while a capture is at work is a refund when its turn comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_behind_a_capture_is_a_refund() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "capture", "before").await;
    let asked = gateway.shop.capture(&key).prefer("respond-async").await.expecting(202);
    assert_eq!((asked.text("card.acquireStatus"), asked.text("operation.type")), ("REQUESTED", "capture"), "{asked:?}");
    held.reached().await;
    let _ = gateway.shop.cancel_part(&key, 3_000).prefer("respond-async").await.expecting(202);
    // Whoever asks for the capture again waits for the same one.
    let again = gateway.shop.capture(&key).prefer("wait=30").into_future();
    let ((), again) = tokio::join!(held.release(), again);
    assert_eq!(again.expecting(200).text("card.acquireStatus"), "CANCEL_REQUESTED");
    let done = gateway.shop.until(&key, "it is refunded", SOON, |read| read.text("status") == "PARTIAL_CANCELED").await;
    assert_eq!((done.text("cancels.0.type"), done.text("card.acquireStatus")), ("REFUND", "COMPLETED"));
    let money = gateway.bank.money(&payment.order_id).await;
    assert_eq!((money.captured, money.voided, money.refunded), (10_000, 0, 3_000));
    gateway.check().await;
}

/// And the other way round: a capture behind cancels takes what they have left, which may be nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_behind_cancels_takes_what_is_left() {
    let gateway = Gateway::start().await;
    for (amount, status, captured) in [(3_000, "PARTIAL_CANCELED", 7_000), (10_000, "CANCELED", 0)] {
        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
        let _ = gateway.shop.cancel_part(&key, amount).prefer("respond-async").await.expecting(202);
        held.reached().await;
        let capture = gateway.shop.capture(&key).prefer("wait=30").into_future();
        let ((), capture) = tokio::join!(
            async {
                gateway
                    .shop
                    .until(&key, "it is asked for", SOON, |read| read.text("card.acquireStatus") == "REQUESTED")
                    .await;
                held.release().await;
            },
            capture
        );
        if captured > 0 {
            assert_eq!(capture.expecting(200).text("card.acquireStatus"), "COMPLETED");
        } else {
            let capture = capture.expecting_problem(400, "PROVIDER_ERROR");
            assert_eq!((capture.text("reason"), capture.text("moneyState")), ("NOTHING_TO_CAPTURE", "NOT_MOVED"));
        }
        let done = gateway.shop.until(&key, "it is cancelled", SOON, |read| read.text("status") == status).await;
        assert_eq!(done.text("cancels.0.type"), "CANCEL");
        assert_eq!(gateway.bank.money(&payment.order_id).await.captured, captured);
    }
    gateway.check().await;
}

/// A card company that captured by itself says so, and is believed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_that_it_was_captured_learns_it() {
    let gateway = Gateway::start().await;
    // Whether the refusal is heard at once or asked for later makes no difference.
    for trouble in [None, Some("drop_after")] {
        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        gateway.bank.acts_by_itself(&payment.order_id, "captures", 10_000).await;
        if let Some(trouble) = trouble {
            gateway.bank.script(&payment.order_id, "cancel", json!([{ "do": trouble }])).await;
        }
        let answer = gateway.shop.cancel_part(&key, 4_000).prefer("wait=30").await.expecting(200);
        let told = (answer.text("cancels.0.type"), answer.text("card.acquireStatus"));
        assert_eq!(told, ("REFUND", "COMPLETED"), "{trouble:?} {answer:?}");
        let money = gateway.bank.money(&payment.order_id).await;
        assert_eq!((money.voided, money.refunded), (0, 4_000));

        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        gateway.bank.acts_by_itself(&payment.order_id, "captures", 10_000).await;
        if let Some(trouble) = trouble {
            gateway.bank.script(&payment.order_id, "capture", json!([{ "do": trouble }])).await;
        }
        let answer = gateway.shop.capture(&key).prefer("wait=30").await.expecting(200);
        assert_eq!(answer.text("card.acquireStatus"), "COMPLETED", "{answer:?}");
    }
    gateway.check().await;
}

/// "Already cancelled" of something that we have not cancelled: nobody is told that it failed, nothing that was reserved is
/// free, and a person finds out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_told_that_it_was_cancelled_asks_a_person() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    gateway.bank.acts_by_itself(&payment.order_id, "cancels", 10_000).await;
    let part = || gateway.shop.cancel_part(&key, 4_000).idempotency_key("part");
    let answer = part().prefer("respond-async").await.expecting(202);
    assert_eq!(answer.text("cancels.0.cancelStatus"), "IN_PROGRESS");
    let dead = gateway.shop.until(&key, "it is given up", SOON, |read| read.text("operation.status") == "dead").await;
    assert_eq!((dead.text("status"), dead.text("cancels.0.cancelStatus")), ("DONE", "IN_PROGRESS"));
    // Nobody is told to come back in a second for what a person has to look at.
    let told = part().await.expecting_problem(504, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING");
    assert_eq!((told.text("reason"), told.at("retryable")), ("OUTCOME_OPEN", &json!(false)), "{told:?}");
    let asked: Vec<String> = gateway.bank.journal(&payment.order_id).await.iter().skip(2).map(asked).collect();
    assert_eq!(asked, ["cancel none", "inquire none"], "the inquiry says that it was not ours");
    let case = "select k.kind || ' ' || o.letter from cases k join operations o on o.id = k.operation_id";
    let case: String = sqlx::query_scalar(case).fetch_one(gateway.db()).await.expect("there is a case");
    assert_eq!(case, "books_disagree needs_person");
    let left = gateway.shop.cancel_part(&key, 6_001).await.expecting_problem(403, "NOT_CANCELABLE_AMOUNT");
    assert_eq!(left.number("refundableAmount"), 6_000);
    // No check: our books and the card company's do disagree.
}

fn asked(entry: &Value) -> String {
    format!("{} {}", entry["request"].as_str().unwrap_or_default(), entry["effect"].as_str().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refund_that_is_declined_leaves_it_paid() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000).card("refund_declined");
    let key = paid(&gateway, &payment).await;
    let _ = gateway.shop.capture(&key).await.expecting(200);
    let part = || gateway.shop.cancel_part(&key, 4_000).idempotency_key("part");
    let refused = part().await.expecting_problem(400, "REFUND_REJECTED");
    let told = (refused.text("moneyState"), refused.text("reason"), refused.text("acquirerCode"));
    assert_eq!(told, ("NOT_MOVED", "ACQUIRER_DECLINED", "05"), "{refused:?}");
    assert_eq!(part().await.text, refused.text, "again the same");
    let read = gateway.shop.get(&key).await.expecting(200);
    assert_eq!((read.text("status"), read.text("moneyState"), read.number("balanceAmount")), ("DONE", "MOVED", 10_000));
    assert_eq!((read.text("cancels.0.cancelStatus"), read.at("cancels.0.type")), ("ABORTED", &Value::Null));
    assert_eq!(read.text("card.acquireStatus"), "COMPLETED");
    // What was reserved is free again: it can be tried again, in whole.
    gateway.bank.script(&payment.order_id, "refund", json!([{ "do": "approve" }])).await;
    let done = gateway.shop.cancel(&key).await.expecting(200);
    assert_eq!(
        (done.text("status"), each(&done, "cancelStatus")),
        ("CANCELED", vec![&json!("ABORTED"), &json!("DONE")])
    );
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_that_is_declined_can_be_asked_for_again() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    gateway.bank.script(&payment.order_id, "capture", json!([{ "do": "decline", "code": "96" }])).await;
    let refused = gateway.shop.capture(&key).await.expecting_problem(400, "PROVIDER_ERROR");
    assert_eq!((refused.text("moneyState"), refused.text("acquirerCode")), ("NOT_MOVED", "96"), "{refused:?}");
    assert_eq!(gateway.shop.get(&key).await.text("card.acquireStatus"), "READY");
    let tomorrow = "select capture_at > now() from payments where payment_key = $1";
    let tomorrow: bool =
        sqlx::query_scalar(tomorrow).bind(&key).fetch_one(gateway.db()).await.expect("Postgres answers");
    assert!(tomorrow, "or the merchant is never paid");
    let captured = gateway.shop.capture(&key).idempotency_key("again").await.expecting(200);
    // What has been done already answers its key for ever, too.
    let known = gateway.shop.capture(&key).idempotency_key("known").await.expecting(200);
    let _ = gateway.shop.cancel(&key).await.expecting(200);
    for (key_used, first) in [("again", captured), ("known", known)] {
        let replayed = gateway.shop.capture(&key).idempotency_key(key_used).await.expecting(200);
        assert_eq!((replayed.header("idempotent-replayed"), &replayed.text), ("true", &first.text));
    }
    gateway.check().await;
}

/// A card company that will not buy a slip is asked on three days; then a person is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capture_that_is_declined_on_three_days_is_a_persons() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000).card("capture_declined");
    let key = paid(&gateway, &payment).await;
    for day in 1..=3_i64 {
        let due = "update payments set capture_at = now() where payment_key = $1 and capture_at is not null";
        let due = sqlx::query(due).bind(&key).execute(gateway.db()).await.expect("Postgres answers");
        assert_eq!(due.rows_affected(), 1, "day {day}");
        let asked = "select count(*) from operations where kind = 'capture' and status = 'failed'";
        eventually("it is refused", LONGEST, async || {
            let asked: i64 = sqlx::query_scalar(asked).fetch_one(gateway.db()).await.expect("Postgres answers");
            (asked == day).then_some(())
        })
        .await;
    }
    let due: bool = sqlx::query_scalar("select capture_at is not null from payments where payment_key = $1")
        .bind(&key)
        .fetch_one(gateway.db())
        .await
        .expect("Postgres answers");
    assert!(!due);
    let letters: Vec<String> =
        sqlx::query_scalar("select letter from operations where kind = 'capture' order by number")
            .fetch_all(gateway.db())
            .await
            .expect("Postgres answers");
    assert_eq!(letters, ["information", "information", "needs_person"]);
    gateway.check().await;
}

/// Everything that can go wrong with a call that gives back, gives back in part, or captures.
async fn in_trouble(gateway: &Gateway) {
    let troubles = [
        json!([{ "do": "http", "status": 500 }, { "do": "http", "status": 503 }]),
        json!([{ "do": "http", "status": 502, "acts": true }]),
        json!([{ "do": "busy" }, { "do": "busy" }]),
        json!([{ "do": "timeout_before" }]),
        json!([{ "do": "timeout_after" }]),
        json!([{ "do": "drop_before" }]),
        json!([{ "do": "drop_after" }]),
        json!([{ "do": "slow", "ms": 2000 }]),
        json!([{ "do": "malformed" }]),
        json!([{ "do": "truncated" }]),
        json!([{ "do": "huge" }]),
    ];
    let cases = troubles.iter().flat_map(|trouble| ["cancel", "refund", "capture"].map(|call| (call, trouble)));
    let each = cases.map(|(call, trouble)| async move {
        let payment = Payment::of(10_000);
        let key = paid(gateway, &payment).await;
        if call == "refund" {
            let _ = gateway.shop.capture(&key).prefer("wait=60").await.expecting(200);
        }
        gateway.bank.script(&payment.order_id, call, trouble.clone()).await;
        let what = format!("{call} in trouble, {trouble}");
        if call == "capture" {
            let _ = gateway.shop.capture(&key).prefer("respond-async").await;
            gateway.shop.until(&key, &what, LONGEST, |read| read.text("card.acquireStatus") == "COMPLETED").await;
        } else {
            let _ = gateway.shop.cancel_part(&key, 4_000).prefer("respond-async").await;
            gateway.shop.until(&key, &what, LONGEST, |read| read.text("status") == "PARTIAL_CANCELED").await;
        }
        let money = gateway.bank.money(&payment.order_id).await;
        let expected = match call {
            "cancel" => (4_000, 0, 0),
            "refund" => (0, 10_000, 4_000),
            _ => (0, 10_000, 0),
        };
        assert_eq!((money.voided, money.captured, money.refunded), expected, "{what}: {money:?}");
    });
    join_all(each).await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_trouble_with_a_card_company_that_dedupes() {
    in_trouble(&Gateway::with().workers(2).start().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_trouble_with_one_that_does_not() {
    let lag = Duration::from_secs(1);
    in_trouble(&Gateway::with().workers(2).naive_bank().inquiry_lag(lag).start().await).await;
}

/// Nothing undoes a change, so nobody may believe one of another amount: a person is told, and it is asked after until the
/// card company speaks of ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_amount_is_not_believed() {
    let gateway = Gateway::start().await;
    for step in ["wrong_amount", "wrong_currency"] {
        let payment = Payment::of(10_000);
        let key = paid(&gateway, &payment).await;
        gateway.bank.script(&payment.order_id, "cancel", json!([{ "do": step }])).await;
        let inquiry = gateway.bank.hold(&payment.order_id, "inquire", "before").await;
        let _ = gateway.shop.cancel_part(&key, 4_000).prefer("respond-async").await;
        inquiry.reached().await;
        let open = gateway.shop.get(&key).await.expecting(200);
        let told = (open.text("status"), open.text("cancels.0.cancelStatus"), open.text("operation.status"));
        assert_eq!(told, ("DONE", "IN_PROGRESS", "unknown"), "{step}: {open:?}");
        inquiry.release().await;
        gateway.shop.until(&key, step, LONGEST, |read| read.text("status") == "PARTIAL_CANCELED").await;
    }
    let cases: Vec<String> = sqlx::query_scalar("select kind from cases").fetch_all(gateway.db()).await.expect("cases");
    assert_eq!(cases, ["amount_mismatch", "amount_mismatch"]);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_is_bought_when_its_time_has_come() {
    let gateway = Gateway::with().workers(2).start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let _ = gateway.shop.cancel_part(&key, 1_000).await.expecting(200);
    let due = "select capture_at > now() and capture_at <= now() + interval '24 hours'
        and extract(hour from capture_at at time zone 'Asia/Seoul') = 0 from payments where payment_key = $1";
    let due: bool = sqlx::query_scalar(due).bind(&key).fetch_one(gateway.db()).await.expect("it has a time");
    assert!(due, "the next day in Korea");
    assert_eq!(gateway.bank.asked(&payment.order_id, "capture").await, 0);
    let now = "update payments set capture_at = now() where payment_key = $1";
    sqlx::query(now).bind(&key).execute(gateway.db()).await.expect("Postgres answers");
    let read =
        gateway.shop.until(&key, "it is captured", SOON, |read| read.text("card.acquireStatus") == "COMPLETED").await;
    assert_eq!(read.text("status"), "PARTIAL_CANCELED");
    assert_eq!(gateway.bank.asked(&payment.order_id, "capture").await, 1);
    assert_eq!(gateway.bank.money(&payment.order_id).await.captured, 9_000);
    gateway.check().await;
}

/// Clients take any 2xx as done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_after_eight_seconds_is_no_success() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "after").await;
    let cancel = gateway.shop.cancel(&key).idempotency_key("all").into_future();
    let (open, ()) = tokio::join!(cancel, held.reached());
    let open = open.expecting_problem(504, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING");
    assert_eq!((open.text("moneyState"), open.text("reason")), ("UNKNOWN", "OUTCOME_OPEN"), "{open:?}");
    assert!(open.header("location").ends_with(&key), "{open:?}");
    let read = gateway.shop.get(&key).await.expecting(200);
    // All that is left may have gone back.
    assert_eq!((read.text("status"), read.text("moneyState")), ("DONE", "UNKNOWN"), "{read:?}");
    held.release().await;
    gateway.shop.until(&key, "it is done", LONGEST, |read| read.text("status") == "CANCELED").await;
    let replayed = gateway.shop.cancel(&key).idempotency_key("all").await.expecting(200);
    assert_eq!((replayed.text("status"), replayed.text("moneyState")), ("CANCELED", "REVERSED"));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_of_a_cancel_and_ends() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(10_000);
    let key = paid(&gateway, &payment).await;
    let held = gateway.bank.hold(&payment.order_id, "cancel", "before").await;
    let _ = gateway.shop.cancel_part(&key, 1_000).prefer("respond-async").await.expecting(202);
    held.reached().await;
    let mut stream = gateway.shop.stream(&key).await;
    stream.until_status("DONE", SOON).await;
    let _ = gateway.shop.capture(&key).prefer("respond-async").await.expecting(202);
    held.release().await;
    stream.until("the capture", SOON, |seen| seen.event == "payment.captured").await;
    stream.until_end(SOON).await;
    let told: Vec<String> = stream.seen().iter().map(|seen| seen.event.clone()).collect();
    assert_eq!(told, ["snapshot", "capture.queued", "cancel.done", "payment.captured"]);
    stream.assert_every_version_once();
    stream.reconnect().await;
    assert_eq!(stream.status, 204, "nothing will happen any more, unless somebody asks for it");
    // And then it does.
    let _ = gateway.shop.cancel(&key).await.expecting(200);
    stream.reconnect().await;
    stream.until_status("CANCELED", SOON).await;
    stream.until_end(SOON).await;
    stream.assert_every_version_once();
    let listed = gateway.shop.events(&key).await.expecting(200);
    let listed: Vec<&str> =
        listed.at("data").as_array().into_iter().flatten().filter_map(|event| event["type"].as_str()).collect();
    let states = [
        "payment.created",
        "payment.done",
        "cancel.queued",
        "cancel.done",
        "payment.captured",
        "cancel.queued",
        "cancel.done",
    ];
    assert_eq!(listed, states);
    gateway.check().await;
}

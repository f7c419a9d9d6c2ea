//! `Naru-Test-Code`: the sandbox answers as a developer wishes, and does nothing.

use naru_testbed::{Gateway, Payment};
use reqwest::Method;

use crate::bad_input::{Target, described, rows, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_answers_with_any_code_and_does_nothing() {
    let gateway = Gateway::start().await;
    for call in described(&gateway.shop).await {
        if !call.path.starts_with("/v1/") {
            continue;
        }
        let target = Target::prepare(&gateway, call).await;
        let before = rows(&gateway).await;
        for (header, asked, status, code) in [
            ("naru-test-code", "REJECT_CARD_COMPANY", 403, "REJECT_CARD_COMPANY"),
            ("tosspayments-test-code", "INVALID_CARD_EXPIRATION", 400, "INVALID_CARD_EXPIRATION"),
            (
                "TossPayments-Test-Code",
                "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
                500,
                "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
            ),
            // Of these we have no page.
            ("Naru-Test-Code", "MAINTAINED_METHOD", 400, "MAINTAINED_METHOD"),
            ("naru-test-code", "NOT_A_CODE", 400, "INVALID_TEST_CODE"),
        ] {
            gateway.expect_errors("\"status\":500");
            // Not even the body is looked at.
            for body in [target.body(), b"{".to_vec()] {
                let answer = send(target.request(&gateway, body).header(header, asked)).await;
                let answer = answer.expecting_problem(status, code);
                assert_eq!(answer.text("moneyState"), "NOT_MOVED", "{}: {answer:?}", target.call.name());
                assert_eq!(answer.text("reason") == "TEST_CODE", code != "INVALID_TEST_CODE", "{answer:?}");
            }
        }
        assert_eq!(rows(&gateway).await, before, "{} wrote something", target.call.name());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_for_test_keys_and_for_those_who_have_one() {
    let gateway = Gateway::start().await;
    let live = gateway.live_shop().await;
    for code in ["REJECT_CARD_COMPANY", "NOT_A_CODE"] {
        let paid = live.key_in(&Payment::of(12_000)).header("naru-test-code", code).await.expecting(200);
        assert_eq!(paid.text("status"), "DONE");
        let list = gateway.shop.anonymous(Method::GET, "/v1/payments").header("naru-test-code", code).await;
        let _ = list.expecting_problem(401, "UNAUTHORIZED_KEY");
    }
    // It comes before the payment is looked for.
    let nothing = gateway.shop.get("nothing").header("tosspayments-test-code", "NOT_FOUND_PAYMENT_SESSION").await;
    let _ = nothing.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION");
    let english = gateway.shop.get("nothing").header("naru-test-code", "MAINTAINED_METHOD");
    let english = english.header("accept-language", "en").await.expecting_problem(400, "MAINTAINED_METHOD");
    assert_eq!((english.text("message"), english.text("type")), ("The method is under maintenance.", "about:blank"));
    gateway.check().await;
}

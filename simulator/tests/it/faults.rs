//! What each test card does, and what becomes of the money.

use naru_simulator::behaviour::cards::TABLE;
use serde_json::json;

use crate::simulator::{Silence, Simulator};

fn number(name: &str) -> &'static str {
    TABLE.iter().find(|card| card.name == name).unwrap_or_else(|| panic!("no card {name}")).number
}

#[tokio::test]
async fn every_issuer_and_kind_of_card_is_approved() {
    let company = Simulator::start().await;
    #[rustfmt::skip]
    let cards = [
        // number             issuer  kind     owner
        ("4242424242424242", "61", "신용",   "개인"),
        ("5555555555554444", "61", "신용",   "개인"),
        ("9400010000000006", "11", "신용",   "개인"),
        ("9400050000000002", "W1", "신용",   "개인"),
        ("9400061000000009", "41", "체크",   "개인"),
        ("9400080100000008", "61", "신용",   "법인"),
        ("9400092000000004", "71", "기프트", "개인"),
        ("9400120000000003", "3A", "신용",   "개인"),
        ("9400190000000006", "3C", "신용",   "개인"),
    ];
    for (number, issuer, kind, owner) in cards {
        let seen = company.present(number).await.unwrap().body;
        assert_eq!(
            [
                &seen["issuerCode"],
                &seen["acquirerCode"],
                &seen["cardType"],
                &seen["ownerType"],
                &seen["bin"],
                &seen["last4"]
            ],
            [issuer, issuer, kind, owner, &number[..6], &number[12..]],
        );
        let token = seen["token"].as_str().unwrap();
        let answer = company.approve(number, &format!("order-{number}"), token, 15_000).await;
        answer.is("approved").with_code("00");
        assert_eq!(answer.body["approvalNumber"].as_str().unwrap().len(), 8);
        assert_eq!((answer.body["amount"].as_i64(), answer.body["currency"].as_str()), (Some(15_000), Some("KRW")));
    }
}

#[tokio::test]
async fn cards_decline_with_their_code_and_charge_nothing() {
    let company = Simulator::start().await;
    for card in TABLE.iter().filter(|card| card.name.starts_with("decline_")) {
        let code = card.name.strip_prefix("decline_").unwrap();
        let token = company.card(card.number).await;
        let answer = company.approve(card.name, card.name, &token, 1_000).await;
        answer.is("declined").with_code(code);
        assert!(answer.body["message"].is_string());
        company.inquire(card.name).await.is("declined").with_code(code);
        assert_eq!(company.charged_and_net(card.name).await, (0, 0));
    }
}

#[tokio::test]
async fn cards_are_refused_at_registration() {
    let company = Simulator::start().await;
    for card in TABLE.iter().filter(|card| card.name.starts_with("refuse_token_")) {
        let answer = company.present(card.number).await.unwrap();
        let code = card.name.strip_prefix("refuse_token_").unwrap();
        assert_eq!((answer.status, answer.body["responseCode"].as_str()), (422, Some(code)));
    }
    // A wrong check digit, no digits, an expired card.
    for wrong in ["4242424242424241", "4242-4242-4242-4242", "42"] {
        assert_eq!(company.present(wrong).await.unwrap().with_code("14").status, 422);
    }
    let expired =
        json!({ "number": "4242424242424242", "expiryYear": "20", "expiryMonth": "01", "merchantId": "shop" });
    assert_eq!(company.post("/v1/cards", &expired).await.with_code("54").status, 422);
    assert_eq!(company.present(number("token_error")).await.unwrap().status, 500);
    assert_eq!(company.present(number("token_busy")).await.unwrap().with_code("M1").status, 503);
    assert_eq!(company.present(number("token_timeout")).await.unwrap_err(), Silence::TimedOut);
}

/// What the first approvals of a fault card look like from outside.
enum See {
    Status(u16, &'static str),
    TimeOut,
    Break,
    Garbage,
    Approval,
    Decline(&'static str),
}

#[tokio::test]
async fn fault_cards_misbehave_and_the_books_know_the_truth() {
    use See::{Approval, Break, Decline, Garbage, Status, TimeOut};
    let company = Simulator::start().await;
    #[rustfmt::skip]
    let cases: &[(&str, &[See], bool)] = &[
        // name              what is seen, each under a new reference                           first one charged?
        ("error_twice",     &[Status(500, "96"), Status(500, "96"), Approval, Approval],        false),
        ("error_always",    &[Status(500, "96"), Status(500, "96"), Status(500, "96")],         false),
        ("busy_twice",      &[Status(503, "M1"), Status(503, "M1"), Approval],                  false),
        ("busy_always",     &[Status(503, "M1"), Status(503, "M1"), Status(503, "M1")],         false),
        ("timeout_before",  &[TimeOut, Approval],                                               false),
        ("timeout_always",  &[TimeOut, TimeOut],                                                false),
        ("timeout_after",   &[TimeOut, Approval],                                               true),
        ("drop_before",     &[Break, Approval],                                                 false),
        ("drop_after",      &[Break, Approval],                                                 true),
        ("error_after",     &[Status(500, "96"), Approval],                                     true),
        ("malformed",       &[Garbage, Approval],                                               true),
        ("truncated",       &[Break, Approval],                                                 true),
        ("approve_twice",   &[Approval, Approval, Decline("51"), Decline("51")],                true),
    ];
    for (name, sights, charged) in cases {
        let token = company.card(number(name)).await;
        for (nth, sight) in sights.iter().enumerate() {
            let (reference, order) = (format!("{name}-r{nth}"), format!("{name}-o{nth}"));
            let heard = company.try_approve(&reference, &order, &token, 1_000).await;
            match (sight, heard) {
                (Status(status, code), Ok(answer)) => {
                    assert_eq!(answer.with_code(code).status, *status, "{name} {nth}")
                }
                (TimeOut, Err(silence)) => assert_eq!(silence, Silence::TimedOut, "{name} {nth}"),
                (Break, Err(silence)) => assert_eq!(silence, Silence::Broken, "{name} {nth}"),
                (Garbage, Ok(answer)) => assert!(answer.status == 200 && answer.body.is_string(), "{name} {nth}"),
                (Approval, Ok(answer)) => drop(answer.is("approved")),
                (Decline(code), Ok(answer)) => drop(answer.is("declined").with_code(code)),
                (_, heard) => panic!("{name} {nth}: {heard:?}"),
            }
        }
        let (reference, order) = (format!("{name}-r0"), format!("{name}-o0"));
        let (truth, amount) = if *charged { ("approved", 1_000) } else { ("not_found", 0) };
        company.inquire(&reference).await.is(truth);
        assert_eq!(company.charged_and_net(&order).await, (amount, amount), "{name}");
    }
}

#[tokio::test]
async fn a_slow_card_is_charged_late_even_when_nobody_waits() {
    let company = Simulator::start().await;
    let token = company.card(number("slow")).await;
    assert_eq!(company.try_approve("r", "o", &token, 1_000).await.unwrap_err(), Silence::TimedOut);
    company.inquire("r").await.is("not_found");
    let patient = company.request(reqwest::Method::POST, "/v1/approvals");
    let body = crate::simulator::approval("r2", "o", &token, 500);
    crate::simulator::hear(patient.json(&body)).await.unwrap().is("approved");
    company.inquire("r").await.is("approved");
}

#[tokio::test]
async fn a_huge_answer_is_valid_and_huge() {
    let company = Simulator::start().await;
    let token = company.card(number("huge")).await;
    let request = company.request(reqwest::Method::POST, "/v1/approvals");
    let answer =
        crate::simulator::hear(request.json(&crate::simulator::approval("r", "o", &token, 1_000))).await.unwrap();
    answer.is("approved");
    assert_eq!(answer.body["padding"].as_str().unwrap().len(), 8 << 20);
}

#[tokio::test]
async fn lying_cards_charge_the_right_amount_and_keep_lying() {
    let company = Simulator::start().await;
    for (name, amount, currency) in [("wrong_amount", 1_010, "KRW"), ("wrong_currency", 1_000, "USD")] {
        let token = company.card(number(name)).await;
        for answer in [company.approve(name, name, &token, 1_000).await, company.inquire(name).await] {
            answer.is("approved");
            assert_eq!(
                (answer.body["amount"].as_i64(), answer.body["currency"].as_str()),
                (Some(amount), Some(currency))
            );
        }
        assert_eq!(company.charged_and_net(name).await, (1_000, 1_000));
        company.net_cancel(&format!("{name}-n"), name, 1_000).await.is("reversed");
        assert_eq!(company.charged_and_net(name).await, (1_000, 0));
    }
    let token = company.card(number("charges_more")).await;
    assert_eq!(company.approve("more", "more", &token, 1_000).await.body["amount"], 1_010);
    assert_eq!(company.approve("more", "more", &token, 1_000).await.body["amount"], 1_010);
    assert_eq!(company.charged_and_net("more").await, (1_010, 1_010));
    assert_eq!(company.net_cancel("more-n", "more", 1_000).await.is("reversed").body["amount"], 1_010);
    assert_eq!(company.charged_and_net("more").await, (1_010, 0));
}

#[tokio::test]
async fn pending_charges_are_settled_by_inquiry_or_undone() {
    let company = Simulator::start().await;
    for (name, end, charged) in [("pending_approved", "approved", 1_000), ("pending_declined", "declined", 0)] {
        let token = company.card(number(name)).await;
        company.approve(name, name, &token, 1_000).await.is("pending");
        company.approve(name, name, &token, 1_000).await.is("pending");
        assert_eq!(company.charged_and_net(name).await, (0, 0));
        company.inquire(name).await.is("pending");
        company.inquire(name).await.is(end);
        company.inquire(name).await.is(end);
        assert_eq!(company.charged_and_net(name).await, (charged, charged));
        company.approve(name, name, &token, 1_000).await.is(end);
    }
    let token = company.card(number("pending_approved")).await;
    company.approve("undone", "undone", &token, 1_000).await.is("pending");
    company.net_cancel("undone-n", "undone", 1_000).await.is("reversed");
    company.inquire("undone").await.is("reversed");
    assert_eq!(company.charged_and_net("undone").await, (0, 0));
}

#[tokio::test]
async fn net_cancels_can_be_refused_or_lost() {
    let company = Simulator::start().await;
    let token = company.card(number("net_cancel_refused")).await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.net_cancel("n", "r", 1_000).await.is("refused");
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));

    let token = company.card(number("net_cancel_lost")).await;
    company.approve("r2", "o2", &token, 1_000).await.is("approved");
    assert_eq!(company.try_net_cancel("n2", "r2", 1_000).await.unwrap_err(), Silence::TimedOut);
    assert_eq!(company.charged_and_net("o2").await, (1_000, 1_000));
    company.net_cancel("n2", "r2", 1_000).await.is("reversed");
    assert_eq!(company.charged_and_net("o2").await, (1_000, 0));
}

#[tokio::test]
async fn a_lagging_card_is_charged_but_not_found() {
    let company = Simulator::start().await;
    let token = company.card(number("inquiry_lag")).await;
    assert_eq!(company.try_approve("r", "o", &token, 1_000).await.unwrap_err(), Silence::Broken);
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));
    company.inquire("r").await.is("not_found");
    tokio::time::sleep(std::time::Duration::from_millis(3_050)).await;
    company.inquire("r").await.is("approved");
}

#[tokio::test]
async fn a_card_may_decline_refunds() {
    let company = Simulator::start().await;
    let token = company.card(number("refund_declined")).await;
    company.approve("r", "o", &token, 1_000).await.is("approved");
    company.change("/v1/captures", "c", "r", "o", 1_000).await.is("approved");
    company.change("/v1/refunds", "f", "r", "o", 1_000).await.is("declined").with_code("05");
    assert_eq!(company.charged_and_net("o").await, (1_000, 1_000));
}

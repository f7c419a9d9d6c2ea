//! The faults of accounts, phones and members, and of issues and pay-outs: what is seen, and what becomes of the money.

use serde_json::{Value, json};

use crate::simulator::{Counter, Heard, Silence, Simulator, approval, change, net_cancel};
use crate::virtual_account::{issue, pay_out};

/// What the first requests look like from outside.
#[derive(Clone, Copy)]
enum See {
    Status(u16, &'static str),
    TimeOut,
    Break,
    Garbage,
    Yes,
    No(&'static str),
}
use See::{Break, Garbage, No, Status, TimeOut, Yes};

#[rustfmt::skip]
const FAULTS: &[(&str, &[See], bool)] = &[
    // name              what is seen, each under a new reference                          first one took effect?
    ("error_twice",     &[Status(500, "96"), Status(500, "96"), Yes],                      false),
    ("error_always",    &[Status(500, "96"), Status(500, "96"), Status(500, "96")],        false),
    ("busy_twice",      &[Status(503, "M1"), Status(503, "M1"), Yes],                      false),
    ("busy_always",     &[Status(503, "M1"), Status(503, "M1"), Status(503, "M1")],        false),
    ("timeout_before",  &[TimeOut, Yes],                                                   false),
    ("timeout_after",   &[TimeOut, Yes],                                                   true),
    ("drop_before",     &[Break, Yes],                                                     false),
    ("drop_after",      &[Break, Yes],                                                     true),
    ("error_after",     &[Status(500, "96"), Yes],                                         true),
    ("malformed",       &[Garbage, Yes],                                                   true),
    ("truncated",       &[Break, Yes],                                                     true),
    ("decline_51",      &[No("51"), No("51")],                                             false),
];

fn insist(what: &str, see: See, heard: Heard) {
    match (see, heard) {
        (Status(status, code), Ok(answer)) => assert_eq!(answer.with_code(code).status, status, "{what}"),
        (TimeOut, Err(silence)) => assert_eq!(silence, Silence::TimedOut, "{what}"),
        (Break, Err(silence)) => assert_eq!(silence, Silence::Broken, "{what}"),
        (Garbage, Ok(answer)) => assert!(answer.status == 200 && answer.body.is_string(), "{what}"),
        (Yes, Ok(answer)) => drop(answer.is("approved")),
        (No(code), Ok(answer)) => drop(answer.is("declined").with_code(code)),
        (_, heard) => panic!("{what}: {heard:?}"),
    }
}

fn truth(took_effect: bool, last: See) -> &'static str {
    match (took_effect, last) {
        (true, _) => "approved",
        (false, No(_)) => "declined",
        (false, _) => "not_found",
    }
}

#[tokio::test]
async fn faulty_accounts_phones_and_members_misbehave_and_the_books_know_the_truth() {
    let company = Simulator::start().await;
    for counter in Counter::ALL {
        for (name, sights, took_effect) in FAULTS {
            let token = company.token(counter, &counter.number(name)).await;
            let of = |nth: usize| format!("{}-{name}-{nth}", &counter.base()[1..4]);
            for (nth, see) in sights.iter().enumerate() {
                let body = approval(&of(nth), &of(nth), &token, 1_000);
                insist(&of(nth), *see, company.try_post(&counter.path("approvals"), &body).await);
            }
            company.inquire_at(counter.base(), &of(0)).await.is(truth(*took_effect, sights[0]));
            let amount = if *took_effect { 1_000 } else { 0 };
            assert_eq!(company.charged_and_net(&of(0)).await, (amount, amount), "{}", of(0));
        }
    }
}

#[tokio::test]
async fn issues_and_pay_outs_misbehave_and_the_books_know_the_truth() {
    let company = Simulator::start().await;
    company.post("/virtual-accounts/v1/accounts", &issue("rich", "rich")).await.is("approved");
    company.post("/admin/deposits", &json!({ "reference": "rich", "amount": 1_000_000 })).await.is("approved");
    for (name, sights, took_effect) in FAULTS {
        let order = format!("i-{name}");
        for (nth, see) in sights.iter().enumerate() {
            let mut body = issue(&format!("i-{name}-{nth}"), &order);
            body["customerName"] = json!(format!("sandbox:{name}"));
            let heard = company.try_post("/virtual-accounts/v1/accounts", &body).await;
            insist(&order, *see, heard);
        }
        let first = company.inquire_at("/virtual-accounts/v1", &format!("i-{name}-0")).await;
        first.is(truth(*took_effect, sights[0]));
        assert_eq!(first.body["accountNumber"].is_string(), *took_effect, "{name}");

        for (nth, see) in sights.iter().enumerate() {
            let mut body = pay_out(&format!("p-{name}-{nth}"), "rich", "rich", 1_000);
            body["accountNumber"] = json!(Counter::Bank.number(name));
            insist(name, *see, company.try_post("/virtual-accounts/v1/pay-outs", &body).await);
        }
        let first = company.inquire_at("/virtual-accounts/v1", &format!("p-{name}-0")).await;
        first.is(truth(*took_effect, sights[0]));
    }
    let entries = company.get("/admin/journal?reference=rich&limit=10000").await.body["entries"].clone();
    let paid_out = entries.as_array().unwrap().iter().filter(|entry| entry["effect"] == "paid_out");
    let paid: i64 = paid_out.map(|entry| entry["amount"].as_i64().unwrap()).sum();
    assert_eq!(company.charged_and_net("rich").await, (1_000_000, 1_000_000 - paid));
    assert!(paid >= 10_000);
}

#[tokio::test]
async fn lies_lost_net_cancels_and_late_endings_are_the_same_everywhere() {
    let company = Simulator::start().await;
    for counter in Counter::ALL {
        let of = |name: &str| format!("{}-{name}", &counter.base()[1..4]);
        let approved = async |name: &str| {
            let token = company.token(counter, &counter.number(name)).await;
            company.charge(counter, &of(name), &of(name), &token, 1_000).await
        };
        let undo = |name: &str| (counter.path("net-cancels"), net_cancel(&format!("{}-n", of(name)), &of(name), 1_000));

        assert_eq!(approved("wrong_amount").await.is("approved").body["amount"], 1_010);
        assert_eq!(company.inquire_at(counter.base(), &of("wrong_amount")).await.body["amount"], 1_010);
        assert_eq!(approved("wrong_currency").await.is("approved").body["currency"], "USD");
        assert_eq!(approved("charges_more").await.is("approved").body["amount"], 1_010);
        assert_eq!(company.charged_and_net(&of("charges_more")).await, (1_010, 1_010));

        approved("net_cancel_refused").await.is("approved");
        let (path, body) = undo("net_cancel_refused");
        company.post(&path, &body).await.is("refused");
        approved("net_cancel_lost").await.is("approved");
        let (path, body) = undo("net_cancel_lost");
        assert_eq!(company.try_post(&path, &body).await.unwrap_err(), Silence::TimedOut);
        assert_eq!(company.charged_and_net(&of("net_cancel_lost")).await, (1_000, 1_000));
        company.post(&path, &body).await.is("reversed");
        assert_eq!(company.charged_and_net(&of("net_cancel_lost")).await, (1_000, 0));

        for (name, end, net) in [("pending_approved", "approved", 1_000), ("pending_declined", "declined", 0)] {
            approved(name).await.is("pending");
            company.inquire_at(counter.base(), &of(name)).await.is("pending");
            company.inquire_at(counter.base(), &of(name)).await.is(end);
            assert_eq!(company.charged_and_net(&of(name)).await, (net, net));
        }

        for (name, first, then, net) in [
            ("refund_pending", "pending", "approved", 0),
            ("refund_fails_later", "approved", "declined", 1_000),
            ("refund_declined", "declined", "declined", 1_000),
        ] {
            approved(name).await.is("approved");
            let refund = format!("{}-f", of(name));
            company.post(&counter.back(), &change(&refund, &of(name), &of(name), 1_000)).await.is(first);
            company.inquire_at(counter.base(), &refund).await.is(first);
            company.inquire_at(counter.base(), &refund).await.is(then);
            assert_eq!(company.charged_and_net(&of(name)).await, (1_000, net), "{name}");
        }
        approved("refund_answer_lost").await.is("approved");
        let lost = change(&of("lost-f"), &of("refund_answer_lost"), &of("refund_answer_lost"), 1_000);
        assert_eq!(company.try_post(&counter.back(), &lost).await.unwrap_err(), Silence::Broken);
        company.inquire_at(counter.base(), &of("lost-f")).await.is("approved");
        assert_eq!(company.charged_and_net(&of("refund_answer_lost")).await, (1_000, 0));
    }
}

#[tokio::test]
async fn registrations_fail_everywhere() {
    let company = Simulator::start().await;
    for counter in Counter::ALL {
        assert_eq!(company.present_to(counter, &counter.number("token_error")).await.status, 500);
        assert_eq!(company.present_to(counter, &counter.number("token_busy")).await.with_code("M1").status, 503);
        assert_eq!(company.present_to(counter, &counter.number("refuse_token_57")).await.with_code("57").status, 422);
    }
}

#[tokio::test]
async fn in_mode_n_every_counter_acts_each_time() {
    let company = Simulator::start_with(&[("NARU_SIMULATOR_MODE", "N")]).await;
    for counter in Counter::ALL {
        let token = company.token(counter, "01012345678").await;
        let name = &counter.base()[1..4];
        for _ in 0..3 {
            company.charge(counter, name, name, &token, 1_000).await.is("approved");
        }
        assert_eq!(company.charged_and_net(name).await, (3_000, 3_000));
        let body = net_cancel(&format!("{name}-n"), name, 1_000);
        assert_eq!(company.post(&counter.path("net-cancels"), &body).await.is("reversed").body["amount"], 3_000);
        assert_eq!(company.charged_and_net(name).await, (3_000, 0));
    }
    let entries: Value = company.get("/admin/journal").await.body;
    assert!(entries["entries"].as_array().unwrap().iter().any(|e| e["method"] == "points"));
}

#[tokio::test]
async fn inquiries_lag_and_requests_park_at_every_counter() {
    let company = Simulator::start().await;
    for counter in Counter::ALL {
        let token = company.token(counter, "01012345678").await;
        let name = &counter.base()[1..4];
        let step = json!({ "do": "lag", "ms": 600_000 });
        company.script(json!({ "match": { "orderId": name }, "steps": [step] })).await;
        company.charge(counter, name, name, &token, 1_000).await.is("approved");
        company.inquire_at(counter.base(), name).await.is("not_found");
        let hold = format!("hold-{name}");
        let step = json!({ "do": "hold", "id": hold, "effect": "after" });
        let order = format!("{name}-held");
        company.script(json!({ "match": { "orderId": order, "call": "approve" }, "steps": [step] })).await;
        let body = approval(&order, &order, &token, 1_000);
        let (path, watch) = (counter.path("approvals"), format!("/admin/holds/{hold}"));
        let release = async {
            assert_eq!(company.get(&watch).await.body["parked"], 1);
            company.inquire_at(counter.base(), &order).await.is("approved");
            company.post(&format!("{watch}/release"), &json!({})).await
        };
        let (answer, _) = futures::future::join(company.post(&path, &body), release).await;
        answer.is("approved");
    }
}

//! Passwords: how often they may be tried, and by whom.

use std::future::IntoFuture as _;

use naru_shared::domain::staff::Role;
use naru_testbed::{Answer, Gateway, PASSWORD};
use serde_json::{Value, json};

use super::number;

/// Nobody learns whose address is known, and nobody tries many passwords.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_28_addresses_are_told_and_passwords_tried_without_end() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let desk = company.person(Role::Owner).await;
    let told = |answer: Answer| {
        let answer = answer.expecting_problem(401, "UNAUTHORIZED_KEY");
        let names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
        let mut body = answer.body;
        body["traceId"] = Value::Null;
        (body, names)
    };
    let known = told(company.sign_in(&desk.email, "a password of somebody").await);
    let unknown = told(company.sign_in("nobody@shop.example", "a password of somebody").await);
    assert_eq!(known, unknown);
    assert_eq!(known.0["reason"], "SIGN_IN_FAILED");
    // Being right takes nothing off the count of wrong ones: not here, and not with a namesake that somebody made at another
    // merchant, whose password they chose.
    let theirs = gateway.company().await;
    let (_, invitation) = theirs.invite(&desk.email).await;
    let chosen = json!({ "token": invitation, "name": "Nobody", "password": "a password of their own" });
    let _ = theirs.empty_desk().post("invitations/accept", &chosen).await.expecting(200);
    for n in 1..5 {
        let right = match n % 2 {
            0 => company.sign_in(&desk.email, PASSWORD).await,
            _ => theirs.sign_in(&desk.email, "a password of their own").await,
        };
        let _ = right.expecting(200);
        let _ = company.sign_in(&desk.email, "a password of somebody").await.expecting(401);
    }
    for password in [PASSWORD, "a password of somebody"] {
        let limited = company.sign_in(&desk.email, password).await.expecting_problem(429, "COMMON_ERROR");
        assert!((1..=120).contains(&limited.header("retry-after").parse::<u64>().expect("seconds")), "{limited:?}");
    }
    // It is this place that is told to wait. From where its owner is, the right password is right.
    let elsewhere = company.sign_in(&desk.email, PASSWORD).header("x-forwarded-for", "198.51.100.7").await;
    let _ = elsewhere.expecting(200);
    let _ = theirs.sign_in(&desk.email, "a password of their own").await.expecting(200);
    // An address that nobody has is counted alike; another one is not concerned.
    for _ in 0..4 {
        let _ = company.sign_in("nobody@shop.example", "a password of somebody").await.expecting(401);
    }
    let _ = company.sign_in("nobody@shop.example", "a password of somebody").await.expecting(429);
    let other = company.person(Role::Owner).await;
    let _ = company.sign_in(&other.email, PASSWORD).await.expecting(200);
    // From one place no more than twenty are wrong, whoever they are of.
    let mut last = 401;
    for n in 0..20 {
        last = company.sign_in(&format!("nobody{n}@shop.example"), "a password of somebody").await.status;
    }
    assert_eq!(last, 429);
}

/// Whoever may make an account as a payer can't keep merchants' people out, and what can't be judged was not wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payers_do_not_crowd_out_merchants_people() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let desk = company.person(Role::Owner).await;
    let strangers: Vec<_> = (0..120).map(|_| gateway.stranger("test")).collect();
    let crowd = futures::future::join_all(strangers.iter().map(naru_testbed::Account::sign_in));
    let (crowd, signed_in) = tokio::join!(crowd, company.sign_in(&desk.email, PASSWORD).into_future());
    assert!(crowd.iter().any(|answer| answer.text("reason") == "OVERLOADED"), "there was no crowd: {crowd:?}");
    let _ = signed_in.expecting(200);
    let wrong = "select coalesce(sum(count), 0) from rate_limits where scope like 'wrong%'";
    let refused = i64::try_from(crowd.iter().filter(|answer| answer.status == 401).count()).expect("few");
    // Of each that was wrong: the address, the account there, and the account.
    assert_eq!(number(&gateway, wrong).await, 3 * refused);
    // Right ones are counted by where they come from, too: each makes a processor sweat.
    let full = "update rate_limits set count = 60 where scope = 'password_checks_address'";
    sqlx::query(full).execute(gateway.db()).await.expect("Postgres answers");
    let limited = company.sign_in(&desk.email, PASSWORD).await.expecting_problem(429, "COMMON_ERROR");
    assert_eq!(limited.text("reason"), "RATE_LIMITED");
}

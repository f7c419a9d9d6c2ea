//! The audit log.

use std::time::Duration;

use naru_shared::api_key::KeyKind;
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_testbed::{Gateway, PASSWORD, eventually};
use reqwest::Method;
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::number;
use crate::bad_input::{Target, described, send};

/// Whatever changes something in the backoffice is in the audit log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_in_the_audit_log() {
    let gateway = Gateway::start().await;
    let count = "select count(*) from audit_log";
    let mut changed = 0;
    for call in described(&gateway.shop).await.into_iter().filter(|call| call.is_backoffice()) {
        let target = Target::prepare(&gateway, call.clone()).await;
        let company = target.company().expect("it is the backoffice's").clone();
        let looker = company.person(Role::ReadOnly).await;
        let before = number(&gateway, count).await;
        if call.method == Method::GET {
            let _ = send(target.bare(&gateway)).await.expecting(200);
            assert_eq!(number(&gateway, count).await, before, "{}", call.name());
            continue;
        }
        let refused = looker.request(Method::POST, target.path()).header("content-type", "application/json");
        let refused = send(refused.header("origin", "https://evil.example").body(target.body())).await;
        assert_eq!(
            refused.expecting_problem(403, "FORBIDDEN_REQUEST").text("reason"),
            "FOREIGN_PAGE",
            "{}",
            call.name()
        );
        assert_eq!(number(&gateway, count).await, before, "{} was refused", call.name());
        let answer = send(target.request(&gateway, target.body())).await.expecting(200);
        assert!(number(&gateway, count).await > before, "{} is not in the log", call.name());
        let traced = "select count(*) from audit_log where split_part(trace_id, '-', 1) = '";
        let traced = number(&gateway, &format!("{traced}{}'", answer.header("naru-trace-id"))).await;
        assert!(traced > 0, "{} is in the log under another trace", call.name());
        changed += 1;
    }
    assert!(changed >= 13, "only {changed} calls change anything?");
    let without = "select count(*) from audit_log where address is distinct from '127.0.0.1' and trace_id !~ '^0+1$'";
    assert_eq!(number(&gateway, without).await, 0, "what came over HTTP has an address");
    let failed = "select count(*) from audit_log where action = 'staff.sign_in_refused'";
    let company = gateway.company().await;
    let _ = company.sign_in("nobody@shop.example", "a password of nobody").await.expecting(401);
    assert_eq!(number(&gateway, failed).await, 1);
}

/// What is refused is in the log as far as it is worth knowing; whoever is refused over and over does not flood it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_noted_and_do_not_flood_the_log() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let (staff, owner) = (company.person(Role::Staff).await, company.person(Role::Owner).await);
    let noted = async |action: &str, subject: &str| {
        let noted = format!("select count(*) from audit_log where action = 'staff.{action}' and subject = '{subject}'");
        number(&gateway, &noted).await
    };
    let windows_end = async || {
        let end = "update rate_limits set window_start = window_start - interval '16 minutes', until = until - interval '16 minutes'";
        sqlx::query(end).execute(gateway.db()).await.expect("Postgres answers");
    };
    for _ in 0..3 {
        let _ = staff.post("live/keys", &json!({ "kind": "secret" })).await.expecting(403);
        let _ = staff.post("merchant", &json!({ "name": "Mine" })).await.expecting(403);
    }
    assert_eq!(
        [noted("role_refused", "change-live-keys").await, noted("role_refused", "rename-merchant").await],
        [1, 1]
    );
    windows_end().await;
    let _ = staff.post("live/keys", &json!({ "kind": "secret" })).await.expecting(403);
    assert_eq!(noted("role_refused", "change-live-keys").await, 2);

    // A wrong password is a row, and so is that there were too many.
    let id = owner.id.to_string();
    let wrong = async || company.sign_in(&owner.email, "a password of somebody").await.status;
    for _ in 0..5 {
        assert_eq!(wrong().await, 401);
    }
    assert_eq!([noted("sign_in_refused", &id).await, noted("sign_in_limited", &id).await], [5, 0]);
    for _ in 0..3 {
        assert_eq!(wrong().await, 429);
    }
    assert_eq!([noted("sign_in_refused", &id).await, noted("sign_in_limited", &id).await], [5, 1]);
    // Whoever sits at an open session and guesses shows, too.
    windows_end().await;
    let guess = json!({ "currentPassword": "a password of somebody", "newPassword": "another password of nobody" });
    for status in [403, 403, 403, 403, 403, 429, 429] {
        let _ = owner.post("password", &guess).await.expecting(status);
    }
    assert_eq!([noted("password_refused", &id).await, noted("password_limited", &id).await], [5, 1]);

    // Of one address the log has so many in a quarter of an hour.
    windows_end().await;
    let many =
        "update rate_limits set count = 20, until = now() + interval '1 minute' where scope = 'noted_wrong_address'";
    sqlx::query(many).execute(gateway.db()).await.expect("Postgres answers");
    assert_eq!(wrong().await, 401);
    assert_eq!(noted("sign_in_refused", &id).await, 5);
    let elsewhere = company.sign_in(&owner.email, "a password of somebody").header("x-forwarded-for", "198.51.100.7");
    let _ = elsewhere.await.expecting(401);
    assert_eq!(noted("sign_in_refused", &id).await, 6);
    let _ = company.sign_in(&owner.email, PASSWORD).await.expecting(200);
}

/// A caller may name the trace. The request in it is named by us, in the log and in our log lines.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_gives_a_row_somebody_elses_request() {
    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let gateway = Gateway::start().await;
    let owner = gateway.company().await.person(Role::Owner).await;
    for _ in 0..2 {
        let call = owner.post("test/keys", &json!({ "kind": "secret" }));
        let _ = call.header("traceparent", &format!("00-{TRACE}-00f067aa0ba902b7-01")).await.expecting(200);
    }
    let kept: Vec<String> = sqlx::query_scalar("select trace_id from audit_log where action = 'api_key.issued'")
        .fetch_all(gateway.db())
        .await
        .expect("Postgres answers");
    let requests: Vec<&str> = kept.iter().filter_map(|kept| kept.strip_prefix(TRACE)?.strip_prefix('-')).collect();
    assert_eq!(requests.len(), 2, "{kept:?}");
    assert_ne!(requests[0], requests[1]);
    for request in requests {
        assert!(request.len() == 16 && request != "00f067aa0ba902b7", "{kept:?}");
        let lines = eventually("the answer is in the log", Duration::from_secs(5), async || {
            let log = gateway.api().log();
            let lines = log.lines().filter(|line| line.contains(request) && line.contains("answered")).count();
            (lines > 0).then_some(lines)
        });
        assert_eq!(lines.await, 1);
    }
}

/// What ended a year ago is forgotten, and nothing that is younger.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_year_it_is_forgotten() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    for name in ["First", "Second"] {
        let _ = owner.post("merchant", &json!({ "name": name })).await.expecting(200);
    }
    let run = async |sql: String| {
        let done = sqlx::query(AssertSqlSafe(sql)).execute(gateway.db()).await.expect("Postgres answers");
        assert_eq!(done.rows_affected(), 1);
    };
    let mut keys = Vec::new();
    for (end, months) in [("revoked_at", 13), ("expires_at", 13), ("revoked_at", 11), ("expires_at", 11)] {
        let key = company.key(Mode::Test, KeyKind::Secret).await.id;
        run(format!("update api_keys set {end} = now() - interval '{months} months' where id = '{key}'")).await;
        keys.push(key);
    }
    // One that works is kept, however old.
    keys.push(company.key(Mode::Test, KeyKind::Secret).await.id);
    run(format!("update api_keys set created_at = now() - interval '5 years' where id = '{}'", keys[4])).await;
    let named = "select id from audit_log where action = 'merchant.renamed' order by id";
    let rows: Vec<i64> = sqlx::query_scalar(named).fetch_all(gateway.db()).await.expect("Postgres answers");
    run(format!("update audit_log set at = now() - interval '13 months' where id = {}", rows[0])).await;
    run(format!("update audit_log set at = now() - interval '11 months' where id = {}", rows[1])).await;
    let left = eventually("the housekeeper comes by", Duration::from_secs(20), async || {
        let left: Vec<i64> = sqlx::query_scalar(named).fetch_all(gateway.db()).await.expect("Postgres answers");
        let listed = owner.get("test/keys").await.expecting(200);
        let kept: Vec<bool> = keys.iter().map(|key| listed.text.contains(key.as_str())).collect();
        (left.len() < 2 && !kept[0] && !kept[1]).then_some((left, kept))
    });
    assert_eq!(left.await, (vec![rows[1]], vec![false, false, true, true, true]));
}

//! Sessions: when they end, and what of them is asked when.

use naru_shared::domain::staff::Role;
use naru_testbed::{Gateway, PASSWORD};
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::number;
use crate::raw::Raw;

/// A session can be ended, at once and everywhere: it is a row, not a signed text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_25_a_session_outlives_its_end() {
    let gateway = Gateway::with().apis(2).start().await;
    let company = gateway.company().await;
    let desk = company.person(Role::Owner).await;
    let signs_in = async || {
        let answer = company.sign_in(&desk.email, PASSWORD).await.expecting(200);
        company.empty_desk().with_cookie(answer.header("set-cookie"))
    };
    let (one, other) = (signs_in().await, signs_in().await);
    assert_ne!(one.cookie(), other.cookie(), "a session is new at each sign-in");
    let out = one.post("sign-out", &json!({})).await.expecting(200);
    assert!(out.header("set-cookie").contains("Max-Age=0"), "{out:?}");
    assert_eq!(one.get("me").await.expecting_problem(401, "UNAUTHORIZED_KEY").text("reason"), "SIGN_IN_REQUIRED");
    let _ = other.get("me").await.expecting(200);
    // A browser is told nothing that makes it ask its user for a password by itself.
    assert!(!one.get("me").await.header("www-authenticate").starts_with("Basic"));

    // Another password ends every session, the one that chose it, too: whoever has its cookie as well is out.
    let another = "another password of nobody";
    let wrong = json!({ "currentPassword": "a password of somebody", "newPassword": another });
    let refused = other.post("password", &wrong).await.expecting_problem(403, "INVALID_PASSWORD");
    assert_eq!(refused.text("reason"), "CURRENT_PASSWORD_WRONG");
    let noted = "select count(*) from audit_log where action = 'staff.password_refused'";
    assert_eq!(number(&gateway, noted).await, 1);
    let right = json!({ "currentPassword": PASSWORD, "newPassword": another });
    let changed = other.post("password", &right).await.expecting(200);
    let _ = other.get("me").await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = other.with_cookie(changed.header("set-cookie")).get("me").await.expecting(200);
    let _ = desk.get("me").await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = company.sign_in(&desk.email, PASSWORD).await.expecting_problem(401, "UNAUTHORIZED_KEY");
    let _ = company.sign_in(&desk.email, another).await.expecting(200);

    // Nobody uses it for a quarter of an hour, or it is half a day old.
    for end in ["used_at = now() - interval '15 minutes'", "expires_at = now()"] {
        let session = company.sign_in(&desk.email, another).await.expecting(200);
        let session = desk.with_cookie(session.header("set-cookie"));
        let _ = session.get("me").await.expecting(200);
        let end = format!("update staff_sessions set created_at = now() - interval '13 hours', {end}");
        sqlx::query(AssertSqlSafe(end)).execute(gateway.db()).await.expect("Postgres answers");
        let _ = session.get("me").await.expecting_problem(401, "UNAUTHORIZED_KEY");
    }
}

/// Who may do it is asked when all of a call has arrived, not when it begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_drips_in_is_nobodys_when_its_session_ends_meanwhile() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let desk = company.person(Role::Owner).await;
    let body = json!({ "kind": "secret" }).to_string();
    let mut raw = Raw::open(&gateway.shop).await;
    let head = format!(
        "POST /backoffice/v1/live/keys HTTP/1.1\r\nhost: api\r\norigin: {}\r\ncookie: {}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{}",
        desk.own_origin(),
        desk.cookie(),
        body.len(),
        &body[..1],
    );
    raw.send(head).await;
    // Its first bytes are there before this call's: they came first, and this one is answered.
    let _ = desk.get("me").await.expecting(200);
    let _ = desk.post("sign-out", &json!({})).await.expecting(200);
    raw.send(&body[1..]).await;
    let refused = raw.answer().await;
    assert_eq!((refused.status, refused.json()["reason"].as_str()), (401, Some("SIGN_IN_REQUIRED")), "{refused:?}");
    assert_eq!(number(&gateway, "select count(*) from audit_log where action = 'api_key.issued'").await, 0);
}

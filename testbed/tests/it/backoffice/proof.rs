//! What gives the merchant away takes the password again.

use naru_shared::api_key::KeyKind;
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_testbed::{Desk, Gateway, PASSWORD};
use serde_json::{Value, json};

use super::number;

/// Everybody who is signed in proved their password five minutes ago.
async fn five_minutes_pass(gateway: &Gateway) {
    let pass = "update staff_sessions set created_at = created_at - interval '5 minutes', proved_at = proved_at - interval '5 minutes'";
    sqlx::query(pass).execute(gateway.db()).await.expect("Postgres answers");
}

/// What gives the merchant away: live keys, and owners.
fn giving_away(key: &str, somebody: &Desk) -> [(String, Value); 4] {
    [
        ("live/keys".to_owned(), json!({ "kind": "client" })),
        (format!("live/keys/{key}/roll"), json!({ "overlapHours": 1 })),
        ("invitations".to_owned(), json!({ "email": "kim@shop.example", "role": "owner" })),
        (format!("staff/{}/role", somebody.id), json!({ "role": "owner" })),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_alone_gives_nothing_away() {
    let gateway = Gateway::with().apis(2).start().await;
    let company = gateway.company().await;
    let (owner, somebody) = (company.person(Role::Owner).await, company.person(Role::Staff).await);
    let key = company.key(Mode::Live, KeyKind::Secret).await.id;
    let also = company.sign_in(&owner.email, PASSWORD).await.expecting(200);
    let also = owner.with_cookie(also.header("set-cookie"));
    five_minutes_pass(&gateway).await;

    let given = "select (select count(*) from api_keys) + (select count(*) from staff_invitations)
        + (select count(*) from staff where role = 'owner')";
    let before = number(&gateway, given).await;
    for (path, body) in giving_away(&key, &somebody) {
        let refused = owner.post(&path, &body).await.expecting_problem(403, "FORBIDDEN_REQUEST");
        assert_eq!(refused.text("reason"), "PROOF_TOO_OLD", "{path}");
    }
    assert_eq!(number(&gateway, given).await, before);
    let noted = "select count(*) from audit_log where action = 'staff.proof_refused' and subject in ('change-live-keys', 'change-staff')";
    assert_eq!(number(&gateway, noted).await, 2, "each once");

    // Whoever has the cookie does not find out the password either.
    let prove = |password: &str| json!({ "password": password });
    let wrong = owner.post("prove", &prove("a password of somebody")).await.expecting_problem(403, "INVALID_PASSWORD");
    assert_eq!(wrong.text("reason"), "CURRENT_PASSWORD_WRONG");
    let refused = "select count(*) from audit_log where action = 'staff.password_refused'";
    assert_eq!(number(&gateway, refused).await, 1);
    let _ = owner.post("live/keys", &json!({ "kind": "client" })).await.expecting(403);

    let proved = owner.post("prove", &prove(PASSWORD)).await.expecting(200);
    let fresh = owner.with_cookie(proved.header("set-cookie"));
    assert_eq!(fresh.get("me").await.expecting(200).text("provedUntil"), proved.text("provedUntil"));
    assert_eq!(number(&gateway, "select count(*) from audit_log where action = 'staff.proved'").await, 1);
    // A copy of the cookie was worth something until then; another session has proved nothing.
    assert_eq!(owner.get("me").await.expecting(401).text("reason"), "SIGN_IN_REQUIRED");
    let _ = also.get("me").await.expecting(200);
    let _ = also.post("live/keys", &json!({ "kind": "client" })).await.expecting(403);
    for (path, body) in giving_away(&key, &somebody) {
        let _ = fresh.post(&path, &body).await.expecting(200);
    }

    // It does not last, and it does not make a session last.
    five_minutes_pass(&gateway).await;
    let _ = fresh.post("live/keys", &json!({ "kind": "client" })).await.expecting(403);
    let proved = fresh.post("prove", &prove(PASSWORD)).await.expecting(200);
    let fresh = fresh.with_cookie(proved.header("set-cookie"));
    let _ = fresh.post("live/keys", &json!({ "kind": "client" })).await.expecting(200);
    let end = "update staff_sessions set created_at = now() - interval '13 hours', expires_at = now()";
    sqlx::query(end).execute(gateway.db()).await.expect("Postgres answers");
    let _ = fresh.post("prove", &prove(PASSWORD)).await.expecting(401);
}

/// What takes something away, or is of the sandbox, is done at once: a leak is shut by whoever sits there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_gives_nothing_away_takes_no_proof() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let (owner, other, somebody) =
        (company.person(Role::Owner).await, company.person(Role::Owner).await, company.person(Role::Staff).await);
    let key = company.key(Mode::Live, KeyKind::Secret).await.id;
    five_minutes_pass(&gateway).await;
    for (path, body) in [
        (format!("live/keys/{key}/revoke"), json!({})),
        ("test/keys".to_owned(), json!({ "kind": "secret" })),
        ("invitations".to_owned(), json!({ "email": "kim@shop.example", "role": "staff" })),
        (format!("staff/{}/role", other.id), json!({ "role": "staff" })),
        (format!("staff/{}/remove", somebody.id), json!({})),
    ] {
        let _ = owner.post(&path, &body).await.expecting(200);
    }
    // Another password is a proof, too.
    let right = json!({ "currentPassword": PASSWORD, "newPassword": "another password of nobody" });
    let changed = owner.post("password", &right).await.expecting(200);
    let _ = owner
        .with_cookie(changed.header("set-cookie"))
        .post("live/keys", &json!({ "kind": "secret" }))
        .await
        .expecting(200);
}

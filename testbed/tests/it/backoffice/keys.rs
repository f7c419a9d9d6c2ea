//! API keys and the origins that they are used from.

use std::collections::BTreeSet;
use std::time::Duration;

use naru_shared::api_key::KeyKind;
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_testbed::{Gateway, PASSWORD, Payment, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};

use super::{BELIEVED, number, until_refused, with_key};
use crate::bad_input::{basic, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_issued_rolled_and_revoked() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let issued = owner.post("test/keys", &json!({ "kind": "secret" })).await.expecting(200);
    let first = with_key(&gateway, issued.text("apiKey"));
    let _ = first.list("limit=1").await.expecting(200);
    let listed = owner.get("test/keys").await.expecting(200);
    assert!(!listed.text.contains(issued.text("apiKey")), "a key is shown once");
    assert_eq!((listed.text("data.0.status"), listed.text("data.0.kind")), ("ACTIVE", "secret"));
    let hint = listed.text("data.0.hint").trim_end_matches('…');
    assert!(issued.text("apiKey").starts_with(hint) && hint.len() == 17, "{listed:?}");

    let roll = |id: &str| format!("test/keys/{id}/roll");
    let rolled = owner.post(&roll(issued.text("key.id")), &json!({ "overlapHours": 168 })).await.expecting(200);
    let second = with_key(&gateway, rolled.text("apiKey"));
    for shop in [&first, &second] {
        let _ = shop.list("limit=1").await.expecting(200);
    }
    let listed = owner.get("test/keys").await.expecting(200);
    assert_eq!((listed.text("data.0.status"), listed.text("data.1.status")), ("ACTIVE", "ENDING"));
    let at_once = owner.post(&roll(rolled.text("key.id")), &json!({ "overlapHours": 0 })).await.expecting(200);
    until_refused(&second).await;
    let third = with_key(&gateway, at_once.text("apiKey"));
    let _ = third.list("limit=1").await.expecting(200);
    let ended = owner.post(&roll(rolled.text("key.id")), &json!({ "overlapHours": 0 })).await;
    assert_eq!(ended.expecting_problem(409, "INVALID_REQUEST").text("reason"), "KEY_ENDED");

    let revoke = format!("test/keys/{}/revoke", at_once.text("key.id"));
    for _ in 0..2 {
        assert_eq!(owner.post(&revoke, &json!({})).await.expecting(200).text("status"), "ENDED");
    }
    until_refused(&third).await;
    let _ = first.list("limit=1").await.expecting(200);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_key_works_from_the_origins_of_its_world() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let test = company.key(Mode::Test, KeyKind::Client).await.key;
    let live = company.key(Mode::Live, KeyKind::Client).await.key;
    let create = async |key: &str| {
        let order = Payment::of(12_000);
        let call = gateway.shop.anonymous_request(Method::POST, "/v1/payments").header("authorization", basic(key));
        send(call.header("origin", "https://shop.example").json(&order.create_body())).await
    };
    assert_eq!(create(&test).await.text("reason"), "ORIGIN_NOT_REGISTERED");
    let _ = owner.post("test/origins", &json!({ "origin": "https://shop.example" })).await.expecting(200);
    eventually("the origin is known", BELIEVED, async || (create(&test).await.status == 200).then_some(())).await;
    assert_eq!(create(&live).await.text("reason"), "ORIGIN_NOT_REGISTERED", "it is the other world's");
    let gone = owner.post("test/origins/remove", &json!({ "origin": "https://shop.example" })).await.expecting(200);
    assert_eq!(gone.at("data"), &json!([]));
    eventually("the origin is forgotten", BELIEVED, async || (create(&test).await.status == 403).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_key_was_used_last_is_shown_and_no_payment_waits_for_it() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let key = company.key(Mode::Test, KeyKind::Secret).await;
    assert_eq!(owner.get("test/keys").await.at("data.0.lastUsedAt"), &Value::Null);
    let shop = with_key(&gateway, &key.key);
    let _ = shop.list("limit=1").await.expecting(200);
    let used = eventually("the use is noted", Duration::from_secs(10), async || {
        let listed = owner.get("test/keys").await.expecting(200);
        (!listed.at("data.0.lastUsedAt").is_null()).then_some(listed)
    });
    assert_eq!(used.await.text("data.0.lastUsedFrom"), "127.0.0.0/24");
    // Nobody can write the note; everything else goes on.
    let mut blocked = gateway.db().begin().await.expect("Postgres answers");
    sqlx::query("update api_keys set last_used_at = null").execute(&mut *blocked).await.expect("Postgres answers");
    for _ in 0..3 {
        let paid = gateway.shop.key_in(&Payment::of(12_000)).await.expecting(200);
        assert_eq!(paid.text("status"), "DONE");
    }
    blocked.rollback().await.expect("Postgres answers");
    gateway.check().await;
}

/// Of what is issued over HTTP nothing stands still and nothing counts: it is drawn anew each time. How much of it that is, and why it is
/// enough, `keys_are_unpredictable_and_unique` says of API keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_issued_is_random_in_every_place() {
    const COUNT: usize = 20;
    let gateway = Gateway::start().await;
    let (company, shop) = (gateway.company().await, &gateway.shop);
    let owner = company.person(Role::Owner).await;
    let [mut issued, mut rolled, mut invited, mut requested, mut auth, mut billing] =
        [const { Vec::<String>::new() }; 6];
    for n in 0..COUNT {
        let mode = ["test", "live"][n % 2];
        let key = owner.post(&format!("{mode}/keys"), &json!({ "kind": "secret" })).await.expecting(200);
        let roll = format!("{mode}/keys/{}/roll", key.text("key.id"));
        let next = owner.post(&roll, &json!({ "overlapHours": 0 })).await.expecting(200);
        let somebody = json!({ "email": format!("somebody{n}@shop.example"), "role": "staff" });
        let invitation = owner.post("invitations", &somebody).await.expecting(200);
        let request = shop.request_billing("customer-1").await.expecting(200);
        let auth_key = shop.auth_key("customer-1", "approve").await;
        let made = shop.issue(&auth_key, "customer-1").await.expecting(200);
        for (all, one) in [
            (&mut issued, key.text("apiKey")),
            (&mut rolled, next.text("apiKey")),
            (&mut invited, invitation.text("token")),
            (&mut requested, request.text("requestId")),
            (&mut auth, &auth_key),
            (&mut billing, made.text("billingKey")),
        ] {
            all.push(one.rsplit('_').next().unwrap_or_default().to_owned());
        }
    }
    for all in [issued, rolled, invited, requested, auth, billing] {
        let length = all[0].len();
        assert!(length >= 39 && all.iter().all(|one| one.len() == length), "{all:?}");
        assert!(!all.is_sorted(), "they are in the order of time: {all:?}");
        for place in 0..length {
            let there: BTreeSet<Option<char>> = all.iter().map(|one| one.chars().nth(place)).collect();
            assert!(there.len() > 1, "place {place} stands still: {all:?}");
        }
    }
}

/// A key is shown once. What stays of it anywhere is a keyed hash and how it begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_24_a_key_can_be_read_again() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let mut secrets = Vec::new();
    for mode in ["test", "live"] {
        let issued = owner.post(&format!("{mode}/keys"), &json!({ "kind": "secret" })).await.expecting(200);
        let rolled = format!("{mode}/keys/{}/roll", issued.text("key.id"));
        let rolled = owner.post(&rolled, &json!({ "overlapHours": 1 })).await.expecting(200);
        secrets.extend([issued, rolled].map(|answer| answer.text("apiKey").to_owned()));
    }
    let invited =
        owner.post("invitations", &json!({ "email": "kim@shop.example", "role": "staff" })).await.expecting(200);
    secrets.push(invited.text("token").to_owned());
    secrets.push(owner.cookie().split_once('=').expect("a cookie has a value").1.to_owned());
    secrets.push(PASSWORD.to_owned());
    // The hidden part, so that a hint is no find.
    let hidden = |secret: &str| secret[secret.len() - 20..].to_owned();
    for path in ["me", "staff", "invitations", "test/keys", "live/keys", "merchant"] {
        let answer = owner.get(path).await.expecting(200);
        assert!(secrets.iter().all(|secret| !answer.text.contains(&hidden(secret))), "{path}: {answer:?}");
    }
    let tables = "select table_name::text from information_schema.tables where table_schema = 'public'";
    let tables = sqlx::query(tables).fetch_all(gateway.db()).await.expect("Postgres answers");
    assert!(tables.len() > 10);
    for table in tables {
        let table: String = table.get(0);
        for secret in &secrets {
            let found = format!("select count(*) from {table} t where position('{}' in t::text) > 0", hidden(secret));
            assert_eq!(number(&gateway, &found).await, 0, "{table}");
        }
    }
    for file in std::fs::read_dir(gateway.folder()).expect("the logs can be read").flatten() {
        let text = std::fs::read(file.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        assert!(secrets.iter().all(|secret| !text.contains(&hidden(secret))), "{}", file.path().display());
    }
}

/// Nobody fills tables with keys and origins that come and go; and a leak is shut all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_origins_come_and_go_so_often_and_no_more() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let (owner, staff) = (company.person(Role::Owner).await, company.person(Role::Staff).await);
    let issued = staff.post("test/keys", &json!({ "kind": "secret" })).await.expecting(200);
    let _ = staff.post("test/origins", &json!({ "origin": "https://shop.example" })).await.expecting(200);
    for (scope, limit) in [("merchant_keys", 60), ("merchant_origins", 100)] {
        let counted = format!("update rate_limits set count = {limit} where scope = '{scope}' and count = 1");
        let counted = sqlx::query(AssertSqlSafe(counted)).execute(gateway.db()).await.expect("Postgres answers");
        assert_eq!(counted.rows_affected(), 1, "{scope}");
    }
    let key = issued.text("key.id");
    for desk in [&staff, &owner] {
        for (path, body) in [
            ("test/keys", json!({ "kind": "secret" })),
            (&*format!("test/keys/{key}/roll"), json!({ "overlapHours": 0 })),
            ("test/origins", json!({ "origin": "https://another.example" })),
        ] {
            let limited = desk.post(path, &body).await.expecting_problem(429, "COMMON_ERROR");
            assert_eq!(limited.text("reason"), "RATE_LIMITED", "{path}");
        }
    }
    let _ = staff.post(&format!("test/keys/{key}/revoke"), &json!({})).await.expecting(200);
    let _ = staff.post("test/origins/remove", &json!({ "origin": "https://shop.example" })).await.expecting(200);
    // The other world and the other merchants have theirs.
    let _ = owner.post("live/keys", &json!({ "kind": "secret" })).await.expecting(200);
    let other = gateway.company().await.person(Role::Staff).await;
    let _ = other.post("test/keys", &json!({ "kind": "secret" })).await.expecting(200);
}

//! The merchants' people: who may do what, and that keys, sessions and worlds are kept apart. Who gets what from each call is in
//! `authz.txt`.

use std::collections::BTreeSet;
use std::future::IntoFuture as _;
use std::time::Duration;

use naru_shared::api_key::KeyKind;
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_testbed::{Answer, Company, Desk, Gateway, PASSWORD, Payment, Shop, eventually};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row as _};

use crate::bad_input::{Target, basic, described, send};
use crate::raw::Raw;

/// How long instances believe a key at most, and a little.
const BELIEVED: Duration = Duration::from_secs(4);

async fn number(gateway: &Gateway, sql: &str) -> i64 {
    sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_one(gateway.db()).await.expect("Postgres answers").get(0)
}

/// A shop that uses this key.
fn with_key(gateway: &Gateway, key: &str) -> Shop {
    let mut shop = gateway.shop.clone();
    key.clone_into(&mut shop.secret_key);
    shop
}

async fn until_refused(shop: &Shop) {
    let refused = async || (shop.list("limit=1").await.text("reason") == "KEY_UNKNOWN").then_some(());
    eventually("the key opens nothing any more", BELIEVED, refused).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_invites_somebody_who_signs_in_and_does_what_the_role_allows() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let invited =
        owner.post("invitations", &json!({ "email": "Kim@Shop.Example", "role": "staff" })).await.expecting(200);
    let token = invited.text("token").to_owned();
    assert!(token.starts_with("naru_invitation_") && token.len() == 59, "{invited:?}");
    let listed = owner.get("invitations").await.expecting(200);
    assert_eq!((listed.text("data.0.email"), listed.text("data.0.role")), ("kim@shop.example", "staff"));
    assert!(!listed.text.contains(&token), "a token is shown once: {listed:?}");

    let nobody = company.empty_desk();
    let accept = |password: &str| json!({ "token": token, "name": "김나루", "password": password });
    for (weak, why) in [("elevenchars", "12"), ("Password1234", "first"), (&"x1y".repeat(43), "128")] {
        let refused = nobody.post("invitations/accept", &accept(weak)).await.expecting_problem(400, "INVALID_REQUEST");
        assert_eq!(refused.text("errors.0.field"), "password");
        assert!(refused.text("errors.0.reason").contains(why), "{refused:?}");
    }
    let password = "열두 글자가 넘는 비밀번호";
    let joined = nobody.post("invitations/accept", &accept(password)).await.expecting(200);
    assert_eq!(
        (joined.text("email"), joined.text("role"), joined.text("mid")),
        ("kim@shop.example", "staff", &*company.mid)
    );
    let again = nobody.post("invitations/accept", &accept(password)).await.expecting_problem(404, "NOT_FOUND");
    assert_eq!(again.text("reason"), "INVITATION_INVALID");
    let taken = owner.post("invitations", &json!({ "email": "kim@shop.example", "role": "owner" })).await;
    assert_eq!(taken.expecting_problem(409, "INVALID_REQUEST").text("reason"), "EMAIL_TAKEN");

    let signed_in = company.sign_in("KIM@shop.example", password).await.expecting(200);
    let set_cookie = signed_in.header("set-cookie");
    for part in ["naru_staff=", "; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=43200"] {
        assert!(set_cookie.contains(part), "{part}: {set_cookie}");
    }
    assert!(!set_cookie.contains("Domain"), "{set_cookie}");
    let kim = nobody.with_cookie(set_cookie);
    let me = kim.get("me").await.expecting(200);
    assert_eq!(
        (me.text("email"), me.text("role"), me.text("merchant.mid")),
        ("kim@shop.example", "staff", &*company.mid)
    );
    assert_eq!(me.at("may"), &json!(["look", "change-test-origins", "change-test-keys"]));

    // What `may` says is what is so.
    let origin = json!({ "origin": "https://kim.example" });
    let _ = kim.post("test/origins", &origin).await.expecting(200);
    let _ = kim.post("test/keys", &json!({ "kind": "secret" })).await.expecting(200);
    for (path, body) in [
        ("live/origins", origin),
        ("live/keys", json!({ "kind": "secret" })),
        ("merchant", json!({ "name": "Kim's" })),
        ("invitations", json!({ "email": "lee@shop.example", "role": "owner" })),
        (&*format!("staff/{}/remove", owner.id), json!({})),
        (&*format!("staff/{}/role", kim_id(&me)), json!({ "role": "owner" })),
    ] {
        let refused = kim.post(path, &body).await.expecting_problem(403, "FORBIDDEN_REQUEST");
        assert_eq!(refused.text("reason"), "ROLE_NOT_ALLOWED", "{path}");
    }
    // Another role holds from the next request on, in the session that is open.
    let _ = owner.post(&format!("staff/{}/role", kim_id(&me)), &json!({ "role": "read-only" })).await.expecting(200);
    let refused = kim.post("test/keys", &json!({ "kind": "secret" })).await.expecting_problem(403, "FORBIDDEN_REQUEST");
    assert_eq!(refused.text("reason"), "ROLE_NOT_ALLOWED");
    assert_eq!(kim.get("me").await.text("role"), "read-only");
    // Whoever is removed is out at once.
    let left = owner.post(&format!("staff/{}/remove", kim_id(&me)), &json!({})).await.expecting(200);
    assert_eq!(left.at("data").as_array().map(Vec::len), Some(1), "{left:?}");
    assert_eq!(kim.get("me").await.expecting_problem(401, "UNAUTHORIZED_KEY").text("reason"), "SIGN_IN_REQUIRED");
    let _ = company.sign_in("kim@shop.example", password).await.expecting_problem(401, "UNAUTHORIZED_KEY");
}

fn kim_id(me: &Answer) -> String {
    me.text("id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_owner_stays_one() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let [owner, other] = [company.person(Role::Owner).await, company.person(Role::Owner).await];
    let _ = company.person(Role::Staff).await;
    let remove = |who: &Desk| format!("staff/{}/remove", who.id);
    let role = |who: &Desk| format!("staff/{}/role", who.id);
    let (one, two) = (remove(&owner), remove(&other));
    let (by_one, by_other) =
        (async { owner.post(&two, &json!({})).await }, async { other.post(&one, &json!({})).await });
    let (by_one, by_other) = tokio::join!(by_one, by_other);
    // One was faster. The other was removed by then, when the call came or when it had its turn.
    let statuses = BTreeSet::from([by_one.status, by_other.status]);
    assert!(
        statuses.contains(&200) && (statuses.contains(&401) || statuses.contains(&403)),
        "{by_one:?}\n{by_other:?}"
    );
    let last = if by_one.status == 200 { &owner } else { &other };
    for refused in
        [last.post(&remove(last), &json!({})).await, last.post(&role(last), &json!({ "role": "staff" })).await]
    {
        assert_eq!(refused.expecting_problem(409, "FORBIDDEN_REQUEST").text("reason"), "LAST_OWNER");
    }
    let _ = last.get("me").await.expecting(200);
    let owners = "select count(*) from staff where role = 'owner' and removed_at is null";
    assert_eq!(number(&gateway, owners).await, 1);
}

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

/// Everything of one world, asked for from the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_and_live_never_meet() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let worlds = [(Mode::Test, "test", "live"), (Mode::Live, "live", "test")];
    let mut keys = Vec::new();
    for (mode, name, _) in worlds {
        company.origin(mode, &format!("https://{name}.example")).await;
        company.origin(mode, "https://shop.example").await;
        keys.push(company.key(mode, KeyKind::Secret).await);
    }
    for (n, (_, own, foreign)) in worlds.into_iter().enumerate() {
        let (mine, other) = (&keys[n], &keys[1 - n]);
        // What the backoffice shows and does names its world, and finds nothing of the other.
        for list in ["keys", "origins"] {
            let listed = owner.get(&format!("{own}/{list}")).await.expecting(200);
            assert!(!listed.text.contains(foreign) && !listed.text.contains(&other.id), "{own}: {listed:?}");
        }
        for (path, body) in [
            (format!("{own}/keys/{}/revoke", other.id), json!({})),
            (format!("{own}/keys/{}/roll", other.id), json!({ "overlapHours": 1 })),
            (format!("{own}/origins/remove"), json!({ "origin": format!("https://{foreign}.example") })),
        ] {
            let _ = owner.post(&path, &body).await.expecting_problem(404, "NOT_FOUND");
        }
        let issued = owner.post(&format!("{own}/keys"), &json!({ "kind": "secret" })).await.expecting(200);
        assert!(issued.text("apiKey").starts_with(&format!("{own}_sk_naru_")), "{issued:?}");

        // A payment of this world is nothing to a key of the other.
        let (here, there) = (with_key(&gateway, &mine.key), with_key(&gateway, &other.key));
        let order = Payment::of(12_000);
        let created = here.authenticated(&order).await;
        let key = created.payment_key();
        let _ = here.get(key).await.expecting(200);
        for refused in [
            there.get(key).await,
            there.get_order(&order.order_id).await,
            there.events(key).await,
            there.confirm(key, &order.order_id, 12_000).await,
        ] {
            let _ = refused.expecting_problem(404, "NOT_FOUND_PAYMENT");
        }
        assert!(!there.list("limit=100").await.expecting(200).text.contains(key));
        assert!(here.list("limit=100").await.expecting(200).text.contains(key));
        // The same order is another one there, and the world of a key can't be talked out of it.
        let _ = there.create(&order).await.expecting(200);
        let renamed = with_key(&gateway, &mine.key.replacen(own, foreign, 1));
        assert_eq!(renamed.list("limit=1").await.text("reason"), "KEY_MALFORMED");
    }
}

/// Whatever changes something in the backoffice is in the audit log, and what was refused is not.
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
        let traced = "select count(*) from audit_log where trace_id = '";
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

/// No credentials of one audience are any of another's: each kind has its own form, its own table and its own door.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_05_credentials_of_one_audience_open_another() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    let token = owner.cookie().split_once('=').expect("a cookie has a value").1.to_owned();
    let invitation = company.invite("kim@shop.example").await.1;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let strangers = [&gateway.shop.secret_key, &gateway.shop.client_key, created.text("checkoutToken"), &invitation];
    for stranger in strangers {
        for cookie in [
            format!("__Host-naru_staff={stranger}"),
            format!("naru_staff={stranger}"),
            format!("naru_payer={stranger}"),
        ] {
            let answer = owner.with_cookie(&cookie).get("me").await.expecting_problem(401, "UNAUTHORIZED_KEY");
            assert_eq!(answer.text("reason"), "SIGN_IN_REQUIRED", "{cookie}");
        }
        for authorization in [format!("Bearer {stranger}"), basic(stranger)] {
            let _ = company.empty_desk().get("me").header("authorization", &authorization).await.expecting(401);
        }
    }
    // Nor does the session open anything but the backoffice, nor under another name.
    for cookie in
        [format!("__Host-naru_staff={token}"), format!("naru_payer={token}"), format!("{0}; {0}", owner.cookie())]
    {
        let request = owner.with_cookie("").request(Method::GET, "/backoffice/v1/me").header("cookie", &cookie);
        assert_eq!(send(request).await.text("reason"), "SIGN_IN_REQUIRED", "{cookie}");
    }
    for request in [
        owner.request(Method::GET, "/v1/payments"),
        owner.request(Method::GET, "/v1/payments").header("authorization", format!("Bearer {token}")),
        owner.request(Method::GET, "/v1/payments").header("authorization", basic(&token)),
    ] {
        let answer = send(request).await;
        assert!(matches!(answer.status, 400 | 401 | 403), "{answer:?}");
    }
    let operators =
        gateway.operator.anonymous(Method::GET, "/ops/v1/stuck").header("authorization", &format!("Bearer {token}"));
    let _ = operators.header("cookie", owner.cookie()).await.expecting(401);
}

/// A key that is in a page, or on a server, is no person: it reads nothing in the backoffice and changes nothing there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_06_an_api_key_opens_the_backoffice() {
    let gateway = Gateway::start().await;
    for call in described(&gateway.shop).await.into_iter().filter(|call| call.is_backoffice()) {
        if ["/sign-in", "/accept"].iter().any(|end| call.path.ends_with(end)) {
            continue;
        }
        let target = Target::prepare(&gateway, call.clone()).await;
        let company = target.company().expect("it is the backoffice's");
        for kind in [KeyKind::Client, KeyKind::Secret] {
            let key = company.key(Mode::Test, kind).await.key;
            let desk = company.empty_desk();
            let request = desk.request(call.method.clone(), target.path()).header("origin", desk.own_origin());
            let request = request.header("content-type", "application/json").header("authorization", basic(&key));
            let answer = send(request.body(target.body())).await;
            assert_eq!(
                (answer.status, answer.text("reason")),
                (401, "SIGN_IN_REQUIRED"),
                "{}: {answer:?}",
                call.name()
            );
        }
    }
}

/// No page of another origin may read what a cookie opens, whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_23_another_origin_reads_with_a_cookie() {
    let gateway = Gateway::start().await;
    let company = gateway.company().await;
    let owner = company.person(Role::Owner).await;
    company.origin(Mode::Test, "https://shop.example").await;
    for origin in ["https://evil.example", "https://shop.example", "null"] {
        for path in
            ["/backoffice/v1/me", "/backoffice/v1/test/keys", "/backoffice/v1/sign-in", "/backoffice/v1/nothing"]
        {
            for (method, asked) in
                [(Method::GET, None), (Method::OPTIONS, Some("GET")), (Method::OPTIONS, Some("POST"))]
            {
                let mut request = owner.request(method.clone(), path).header("origin", origin);
                if let Some(asked) = asked {
                    request = request.header("access-control-request-method", asked);
                    request = request.header("access-control-request-headers", "content-type");
                }
                let answer = send(request).await;
                let cors: Vec<_> =
                    answer.headers.keys().filter(|name| name.as_str().starts_with("access-control-")).collect();
                assert!(cors.is_empty(), "{method} {path} from {origin}: {answer:?}");
            }
        }
    }
    // And what changes something is refused, cookie or not.
    for (header, value) in
        [("origin", "https://evil.example"), ("origin", "null"), ("sec-fetch-site", "cross-site"), ("x-none", "")]
    {
        let request = owner.request(Method::POST, "/backoffice/v1/test/keys").header(header, value);
        let answer = send(request.json(&json!({ "kind": "secret" }))).await;
        assert_eq!(
            answer.expecting_problem(403, "FORBIDDEN_REQUEST").text("reason"),
            "FOREIGN_PAGE",
            "{header}: {value}"
        );
    }
    let form = owner.request(Method::POST, "/backoffice/v1/sign-out").header("origin", owner.own_origin());
    let form =
        send(form.header("content-type", "text/plain").body("{}")).await.expecting_problem(415, "INVALID_REQUEST");
    assert_eq!(form.text("reason"), "UNSUPPORTED_MEDIA_TYPE");
    let _ = owner.get("me").await.expecting(200);
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

/// One merchant's people are nothing to another's, whatever ids they know.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_merchant_is_there() {
    let gateway = Gateway::start().await;
    let ours: Company = gateway.company().await;
    let owner = ours.person(Role::Owner).await;
    let theirs = gateway.company().await;
    let their_owner = theirs.person(Role::Owner).await;
    let _ = theirs.person(Role::Owner).await;
    let key = theirs.key(Mode::Test, KeyKind::Secret).await;
    let (invitation, _) = theirs.invite("kim@shop.example").await;
    theirs.origin(Mode::Test, "https://theirs.example").await;
    let nobody = uuid::Uuid::nil().to_string();
    for (path, id, body) in [
        ("staff/{}/role", their_owner.id.to_string(), json!({ "role": "staff" })),
        ("staff/{}/remove", their_owner.id.to_string(), json!({})),
        ("invitations/{}/withdraw", invitation, json!({})),
        ("test/keys/{}/roll", key.id.clone(), json!({ "overlapHours": 0 })),
        ("test/keys/{}/revoke", key.id.clone(), json!({})),
    ] {
        let [real, none] = [&id, &nobody].map(|id| owner.post(&path.replace("{}", id), &body));
        let [real, none] = [real.await, none.await].map(|answer| {
            let mut body = answer.expecting_problem(404, "NOT_FOUND").body;
            (body["traceId"], body["instance"]) = (Value::Null, Value::Null);
            body
        });
        assert_eq!(real, none, "{path}");
    }
    let _ = owner.post("test/origins/remove", &json!({ "origin": "https://theirs.example" })).await.expecting(404);
    for path in ["staff", "invitations", "test/keys", "test/origins", "me"] {
        let listed = owner.get(path).await.expecting(200);
        for foreign in [&theirs.mid, &key.id, &their_owner.email, "theirs.example", "kim@"] {
            assert!(!listed.text.contains(foreign), "{path}: {listed:?}");
        }
    }
    // The same address may be invited by both: neither learns of the other.
    let _ = owner.post("invitations", &json!({ "email": "kim@shop.example", "role": "staff" })).await.expecting(200);
    let _ = owner.post("invitations", &json!({ "email": their_owner.email, "role": "staff" })).await.expecting(200);
}

//! Every field, header, parameter and path of every call, wrong in every plausible way: a documented refusal, and nothing
//! written. What is to be attacked is read from `/openapi.json`.

mod document;
mod lenient;
mod target;
mod wire;
mod wrong;

use std::collections::BTreeMap;

use futures::StreamExt as _;
use naru_testbed::{Answer, Gateway};
use reqwest::{Method, RequestBuilder};
use sqlx::Row as _;

pub(crate) use self::document::{Described, described};
pub(crate) use self::target::{Target, basic};
use self::wrong::{CANARY, Wrong, wrong_values};
use crate::problem::{complaint, insist_on_none};

/// Requests at once.
const AT_ONCE: usize = 16;

/// Rows of every table that a request may write.
pub(crate) async fn rows(gateway: &Gateway) -> BTreeMap<String, i64> {
    let count = "select 'payments' as name, count(*) as rows from payments
        union all select 'versions', coalesce(sum(version), 0)::bigint from payments
        union all select 'operations', count(*) from operations
        union all select 'payment_events', count(*) from payment_events
        union all select 'idempotency_keys', count(*) from idempotency_keys
        union all select 'attempts', count(*) from attempts
        union all select 'staff', sum(hashtext(concat(id, email, name, role, password_hash, removed_at))) from staff
        union all select 'staff_sessions', count(*) from staff_sessions
        union all select 'staff_invitations', sum(hashtext(i::text)) from staff_invitations i
        union all select 'merchants', sum(hashtext(m::text)) from merchants m
        union all select 'merchant_origins', sum(hashtext(o::text)) from merchant_origins o
        union all select 'api_keys', sum(hashtext(concat(id, revoked_at, expires_at))) from api_keys
        union all select 'payers', count(*) from payers
        union all select 'passwords', count(distinct password_hash) from payers
        union all select 'payer_sessions', count(*) from payer_sessions
        union all select 'stored_cards', count(*) from stored_cards
        union all select 'nicknames', count(nickname) from stored_cards
        union all select 'payment_payers', count(*) from payment_payers
        union all select 'billing_keys', sum(hashtext(b::text)) from billing_keys b
        union all select 'billing_requests', sum(hashtext(r::text)) from billing_requests r";
    let rows = sqlx::query(count).fetch_all(gateway.db()).await.expect("Postgres answers");
    rows.iter().map(|row| (row.get("name"), row.get::<Option<i64>, _>("rows").unwrap_or_default())).collect()
}

/// What was written since, as a complaint.
async fn written(gateway: &Gateway, before: &BTreeMap<String, i64>, target: &Target) -> Option<String> {
    let after = rows(gateway).await;
    (after != *before).then(|| format!("{} wrote something: {before:?} became {after:?}", target.call.name()))
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.expect("the API answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("an answer is text");
    let body = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, headers, text, body }
}

/// Sends all of these and complains of every one that is not refused as it should be.
async fn all_refused(target: &Target, requests: Vec<(String, RequestBuilder, Option<Wrong>)>) -> Vec<String> {
    let judged = requests.into_iter().map(|(what, request, wrong)| async move {
        let answer = send(request).await;
        let mut complaint = complaint(&answer, |status| target.call.lists(status));
        // A path is the caller's own words, and the problem says which path it is about.
        let said = answer.text.replace(answer.text("instance"), "") + &format!("{:?}", answer.headers);
        if wrong.is_some_and(|wrong| wrong.is_repeated_in(&said)) || said.contains(CANARY) {
            complaint = Some("repeats what was sent".to_owned());
        }
        complaint.map(|complaint| format!("{}, {what}: {complaint}\n{answer:?}", target.call.name()))
    });
    futures::stream::iter(judged).buffer_unordered(AT_ONCE).filter_map(|complaint| async { complaint }).collect().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_every_body() {
    let gateway = Gateway::start().await;
    let mut complaints = Vec::new();
    for call in described(&gateway.shop).await {
        let Some(fields) = call.body.clone() else { continue };
        let target = Target::prepare(&gateway, call).await;
        let before = rows(&gateway).await;
        let mut requests = Vec::new();
        for field in &fields {
            for wrong in wrong_values(field) {
                let body = target.body_with(&field.name, &wrong);
                requests.push((format!("{}: {}", field.name, wrong.what), target.request(&gateway, body), Some(wrong)));
            }
        }
        for (what, body) in wrong_bodies(&target) {
            requests.push((what.to_owned(), target.request(&gateway, body), None));
        }
        complaints.extend(all_refused(&target, requests).await);
        complaints.extend(written(&gateway, &before, &target).await);
        // Whoever tried so often would have to wait.
        sqlx::query("delete from rate_limits").execute(gateway.db()).await.expect("Postgres answers");
        // The request that was made wrong was right but for that.
        let good = send(target.request(&gateway, target.body())).await;
        assert_eq!(good.status, 200, "{}: {good:?}", target.call.name());
    }
    insist_on_none(&complaints);
    gateway.check().await;
}

/// What can be wrong with a body as a whole.
fn wrong_bodies(target: &Target) -> Vec<(&'static str, Vec<u8>)> {
    let good = target.body();
    let with = |more: &str| match good.len() {
        2 => format!("{{{more}}}").into_bytes(),
        _ => [format!("{{{more},").as_bytes(), &good[1..]].concat(),
    };
    let mut all = vec![
        ("a list", b"[]".to_vec()),
        ("a list of it", [b"[", good.as_slice(), b"]"].concat()),
        ("text", b"\"zq9canary\"".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"7".to_vec()),
        ("twice", [good.as_slice(), &good].concat()),
        ("cut off", good[..good.len() - 1].to_vec()),
        ("something behind it", [good.as_slice(), b"zq9canary"].concat()),
        ("a comma too many", [&good[..good.len() - 1], b",}"].concat()),
        ("a comment", [b"/* zq9canary */".as_slice(), &good].concat()),
        ("a byte order mark", [b"\xef\xbb\xbf".as_slice(), &good].concat()),
        ("UTF-16", String::from_utf8_lossy(&good).encode_utf16().flat_map(u16::to_be_bytes).collect()),
        ("a NUL before it", [b"\0".as_slice(), &good].concat()),
        ("a form", b"amount=15000&orderId=zq9canary".to_vec()),
        ("XML", b"<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>".to_vec()),
        ("a thousand levels", [b"{\"a\":".repeat(1_000), b"1".to_vec(), b"}".repeat(1_000)].concat()),
        ("a key twice", with("\"zq9\":1,\"zq9\":2")),
        ("a key twice, once written otherwise", with("\"zq9\":1,\"\\u007aq9\":2")),
        ("an unknown field with a control character", with("\"zq9\":\"\\u0000\"")),
        ("an unknown field beyond a double", with("\"zq9\":1e309")),
        ("more than 64 KiB", with(&format!("\"zq9\":\"{}\"", "x".repeat(65_536)))),
        ("more than 64 KiB of spaces", [good.as_slice(), &b" ".repeat(65_536)].concat()),
    ];
    if target.call.body.iter().flatten().any(|field| field.required) {
        all.extend([("nothing", Vec::new()), ("an empty object", b"{}".to_vec()), ("spaces", b" \r\n".to_vec())]);
    }
    if let Some(field) = target.call.body.iter().flatten().next() {
        all.push(("its first field twice", with(&format!("\"{}\":1", field.name))));
    }
    if !target.call.is_tosss() {
        all.push(("an unknown field", with("\"zq9\":1")));
        all.push(("a field from a prototype", with("\"__proto__\":{\"admin\":true}")));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_every_call() {
    let gateway = Gateway::start().await;
    let mut complaints = Vec::new();
    for call in described(&gateway.shop).await {
        let target = Target::prepare(&gateway, call).await;
        let before = rows(&gateway).await;
        let mut requests = Vec::new();
        let mut add = |what: String, request| requests.push((what, request, None));
        if target.call.body.is_some() {
            for kind in [
                "text/plain",
                "text/json",
                "application/x-www-form-urlencoded",
                "multipart/form-data; boundary=x",
                "application/jsonp",
                "application/json; charset=euc-kr",
                "application/json; charset=utf-16",
                "application/json, text/plain",
                "*/*",
                "zq9canary",
            ] {
                // Whoever sends nothing need not say of what kind.
                let body = if target.body() == b"{}" { b"{ }".to_vec() } else { target.body() };
                add(format!("content-type {kind}"), target.bare(&gateway).header("content-type", kind).body(body));
            }
            let two = target.request(&gateway, target.body()).header("content-type", "text/plain");
            add("two content types".into(), two);
            add("no content type".into(), target.bare(&gateway).body(b"{ }".to_vec()));
        }
        if target.call.headers.iter().any(|header| header == "idempotency-key") {
            let keys: [&[u8]; 6] = [b"", b" ", &b"k".repeat(301), "열쇠".as_bytes(), b"zq9canary\xff", b"zq9\tcanary"];
            for key in keys {
                let request = target.request(&gateway, target.body()).header("idempotency-key", key);
                add(format!("idempotency-key {:?}", String::from_utf8_lossy(key)), request);
            }
            let request = target.request(&gateway, target.body());
            add("two keys".into(), request.header("idempotency-key", "a").header("idempotency-key", "b"));
        }
        let large = target.request(&gateway, target.body()).header("x-large", "x".repeat(20_000));
        add("20 kB of headers".into(), large);
        if target.call.path.starts_with("/v1/") {
            for (what, authorization) in wrong_credentials(&gateway.shop.secret_key) {
                let shop = gateway.shop.anonymous_request(target.call.method.clone(), target.path());
                let request = shop.header("content-type", "application/json").body(target.body());
                let header = reqwest::header::HeaderValue::from_bytes(&authorization).expect("a header");
                add(format!("authorization: {what}"), request.header("authorization", header));
            }
            let twice = target.request(&gateway, target.body());
            add("two authorizations".into(), twice.header("authorization", basic(&gateway.shop.secret_key)));
        }
        complaints.extend(all_refused(&target, requests).await);
        complaints.extend(written(&gateway, &before, &target).await);
    }
    insist_on_none(&complaints);
}

/// Credentials that are none.
fn wrong_credentials(key: &str) -> Vec<(&'static str, Vec<u8>)> {
    use base64::Engine as _;
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let last = key.len() - 1;
    let mistyped = format!("{}{}:", &key[..last], if key.ends_with('0') { '1' } else { '0' });
    [
        ("empty", String::new()),
        ("a scheme", "Basic".to_owned()),
        ("a bearer of nothing", "Bearer".to_owned()),
        ("the key itself", key.to_owned()),
        ("the key as a bearer", format!("Bearer {key}")),
        ("no base64", "Basic !!!zq9canary".to_owned()),
        ("no colon", format!("Basic {}", base64(key))),
        ("a password", format!("Basic {}", base64(&format!("{key}:zq9canary")))),
        ("a key that is mistyped", format!("Basic {}", base64(&mistyped))),
        ("a key that is cut off", format!("Basic {}", base64(&format!("{}:", &key[..last])))),
        ("a key with something behind it", format!("Basic {}", base64(&format!("{key}zq9canary:")))),
        ("Toss's own sample", format!("Basic {}", base64("test_sk_docs_OaPz8L5KdmQXkzRz3y47BMw6:"))),
        ("SQL", format!("Basic {}", base64("' or '1'='1:"))),
        ("NUL", format!("Basic {}", base64("\0:\0"))),
        ("no UTF-8", "Basic //79:".to_owned()),
        ("another scheme", "Digest username=\"zq9canary\"".to_owned()),
        ("a very long one", format!("Basic {}", "A".repeat(12_000))),
        ("a token that is none", "Bearer naru_ct_zq9canary".to_owned()),
    ]
    .map(|(what, text)| (what, text.into_bytes()))
    .into_iter()
    .chain([("bytes", b"Basic \xff\xfe".to_vec())])
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameters_of_every_query() {
    let gateway = Gateway::start().await;
    let mut complaints = Vec::new();
    let before = rows(&gateway).await;
    let mut parameters = 0;
    for call in described(&gateway.shop).await.into_iter().filter(|call| !call.query.is_empty()) {
        let names: Vec<String> = call.query.iter().map(|field| field.name.clone()).collect();
        parameters += names.len();
        let mut requests = Vec::new();
        let target = Target::prepare(&gateway, call).await;
        let wrong = [
            "zq9canary",
            "%00",
            "zq9canary%0d%0aX:%20y",
            "%ff%fe",
            "%c0%af",
            "%e2%80%ae",
            "-1",
            "0x10",
            "1e4",
            "1.5",
            "99999999999999999999",
            "%27%20or%20%271%27=%271",
            "%3Cscript%3E",
            "%EF%BC%91%EF%BC%90",
            "null",
            "true",
            "[]",
            "{}",
            "..%2f..%2f",
            "%252e",
            "9999-12-31T23:59:59-23:59",
            "%F0%9F%92%B3",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "gAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "__________8AAAAAAAAAAAAAAAAAAAAA",
        ];
        let long = "9".repeat(5_000);
        for name in &names {
            for value in wrong.iter().copied().chain([long.as_str()]) {
                let request = target.at(&gateway, Method::GET, &format!("{}?{name}={value}", target.path()));
                requests.push((format!("{name}={value}"), request, None));
            }
            let twice = target.at(&gateway, Method::GET, &format!("{}?{name}=1&{name}=1", target.path()));
            requests.push((format!("{name} twice"), twice, None));
        }
        for query in ["zq9=1", "=1", "zq9", "limit=1;drop", "limit[]=1", "limit%00=1", "%ff=1", "&&limit=0"] {
            let request = target.at(&gateway, Method::GET, &format!("{}?{query}", target.path()));
            requests.push((query.to_owned(), request, None));
        }
        complaints.extend(all_refused(&target, requests).await);
    }
    assert!(parameters > 0, "no call has a query any more?");
    // The payment of each target was created by us.
    let after = rows(&gateway).await;
    assert_eq!(after["operations"], before["operations"]);
    insist_on_none(&complaints);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_methods_of_every_call() {
    let gateway = Gateway::start().await;
    let mut complaints = Vec::new();
    let calls = described(&gateway.shop).await;
    let allowed = |path: &str, method: &Method| calls.iter().any(|call| call.path == path && call.method == *method);
    for call in &calls {
        let target = Target::prepare(&gateway, call.clone()).await;
        let before = rows(&gateway).await;
        let mut requests = Vec::new();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW", "get"] {
            let method: Method = method.parse().expect("a method");
            if !allowed(&call.path, &method) {
                let request = target.elsewhere(&gateway, method.clone(), target.path());
                requests.push((format!("method {method}"), request.body(target.body()), None));
            }
        }
        for path in strange_paths(target.path()) {
            let request = target.elsewhere(&gateway, call.method.clone(), &path);
            requests.push((format!("path {path}"), request.body(target.body()), None));
        }
        let places = call.path.split(['{', '}']).skip(1).step_by(2);
        for place in places {
            for value in strange_segments() {
                let path = target.path_with(place, &value);
                let request = target.elsewhere(&gateway, call.method.clone(), &path);
                requests.push((format!("path {path}"), request.body(target.body()), None));
            }
        }
        complaints.extend(all_refused(&target, requests).await);
        complaints.extend(written(&gateway, &before, &target).await);
    }
    insist_on_none(&complaints);
}

/// Paths that are nearly the right one.
fn strange_paths(path: &str) -> Vec<String> {
    vec![
        format!("/{path}"),
        path.replacen("/v1/", "//v1/", 1).replacen("/checkout/", "/checkout//", 1),
        path.replacen("/backoffice/", "/Backoffice/", 1).replacen("/v1/", "/v1%2F", 1),
        path.replacen("/v1/", "/V1/", 1).replacen("/checkout/", "/Checkout/", 1),
        path.replacen("/v1/", "/v1%2f", 1).replacen("/checkout/", "/checkout%2f", 1),
        format!("{path}/zq9canary"),
        format!("{path}%00"),
        format!("{path}%2f"),
        format!("{path};zq9=1"),
        format!("{path}.json"),
        format!("{path}%20"),
    ]
}

/// Path segments that name no payment.
fn strange_segments() -> Vec<String> {
    [
        "%00",
        "%ff%fe",
        "%c0%af",
        "%0d%0aX-Injected:%20y",
        "..%2f..%2fetc%2fpasswd",
        "%27%20or%20%271%27=%271",
        "%3Cscript%3E",
        "%F0%9F%92%B3",
        "%E2%80%AE",
        "*",
        "null",
        "undefined",
        "-1",
        "naru_",
        "%25",
        "%zz",
        "4242424242424242",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain(["a".repeat(201), "a".repeat(8_000), "%EA%B0%80".repeat(300)])
    .collect()
}

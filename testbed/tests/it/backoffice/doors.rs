//! Doors that open nothing: other audiences' credentials, API keys, other sites' pages.

use naru_shared::api_key::KeyKind;
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_testbed::{Gateway, Payment};
use reqwest::Method;
use serde_json::json;

use crate::bad_input::{Target, basic, described, send};

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

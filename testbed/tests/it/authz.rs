//! Who may do what: every call, as everybody. `authz.txt` says what is expected and is read by people; a call that the
//! API describes and the table lacks fails.

use std::collections::BTreeMap;
use std::future::IntoFuture as _;

use naru_shared::api_key::CheckoutToken;
use naru_shared::domain::staff::Role;
use naru_testbed::{Account, Answer, Company, Gateway, Payment, Shop};
use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::bad_input::{Described, Target, basic, described, rows, send};
use crate::problem::{complaint, insist_on_none};

const TABLE: &str = include_str!("authz.txt");

/// Everybody who may come, in the words of the table.
const EVERYBODY: [&str; 30] = [
    "nobody",
    "garbage",
    "malformed",
    "made-up",
    "revoked",
    "client",
    "client-at-home",
    "client-elsewhere",
    "secret",
    "secret-in-a-page",
    "other",
    "live",
    "token",
    "token-of-another",
    "token-forged",
    "token-late",
    "owner",
    "staff",
    "looker",
    "signed-out",
    "made-up-session",
    "owner-of-another",
    "owner-elsewhere",
    "payer",
    "payer-elsewhere",
    "payer-other",
    "payer-live",
    "payer-out",
    "payer-forged",
    "page",
];

/// The keys and tokens of everybody, made once.
struct Everybody {
    other: Shop,
    live: Shop,
    revoked: Shop,
    another_token: String,
    company: Company,
    another_company: Company,
    /// Another payer, one for real money, and one who has signed out.
    other_payer: Account,
    live_payer: Account,
    out: String,
}

impl Everybody {
    async fn of(gateway: &Gateway) -> Self {
        let revoked = gateway.another_shop().await;
        let _ = revoked.list("limit=1").await.expecting(200);
        gateway.revoke(&revoked.secret_key).await;
        // A key is believed for two seconds after it was seen.
        naru_testbed::eventually("the revoked key is forgotten", std::time::Duration::from_secs(4), async || {
            (revoked.list("limit=1").await.status == 401).then_some(())
        })
        .await;
        let another = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
        let live_payer = gateway.stranger("live");
        let _ = live_payer.sign_up().await.expecting(200);
        let out = gateway.payer().await;
        let cookie = out.cookie().expect("signed in");
        let _ = out.sign_out().await.expecting(200);
        let out = cookie;
        Self {
            other: gateway.another_shop().await,
            live: gateway.live_shop().await,
            revoked,
            another_token: another.text("checkoutToken").to_owned(),
            other_payer: gateway.payer().await,
            live_payer,
            out,
            company: gateway.company().await,
            another_company: gateway.company().await,
        }
    }

    /// Some calls end the session that they come with.
    async fn sign_in_again(&self, who: &str) {
        let account = match who {
            "payer-other" => &self.other_payer,
            "payer-live" => &self.live_payer,
            _ => return,
        };
        if account.me().await.status == 401 {
            let _ = account.sign_in().await.expecting(200);
        }
    }

    /// What the merchant's people send: a cookie, and the origin of the page they use.
    async fn at_desk(&self, who: &str, target: &Target) -> Vec<(&'static str, String)> {
        let company = target.company().unwrap_or(&self.company);
        let desk = match who {
            "owner" | "owner-elsewhere" => company.person(Role::Owner).await,
            "staff" => company.person(Role::Staff).await,
            "looker" => company.person(Role::ReadOnly).await,
            "signed-out" => {
                let desk = company.person(Role::Owner).await;
                let _ = desk.post("sign-out", &json!({})).await.expecting(200);
                desk
            }
            "made-up-session" => company.empty_desk().with_cookie(&format!("naru_staff={}", "0".repeat(43))),
            "owner-of-another" => self.another_company.person(Role::Owner).await,
            _ => return Vec::new(),
        };
        let page = if who == "owner-elsewhere" { "https://evil.example" } else { desk.own_origin() };
        vec![("cookie", desk.cookie().to_owned()), ("origin", page.to_owned())]
    }

    /// What `who` sends to prove who they are.
    async fn headers(&self, who: &str, gateway: &Gateway, target: &Target) -> Vec<(&'static str, String)> {
        let mut headers = self.at_desk(who, target).await;
        if headers.is_empty() {
            headers = self.with_key(who, gateway, target);
            // It is not for the page it comes from that they are refused.
            if target.call.is_backoffice() && !headers.iter().any(|(name, _)| *name == "origin") {
                headers.push(("origin", self.company.empty_desk().own_origin().to_owned()));
            }
        }
        headers
    }

    fn with_key(&self, who: &str, gateway: &Gateway, target: &Target) -> Vec<(&'static str, String)> {
        let shop = &gateway.shop;
        let authorization = |value: String| ("authorization", value);
        let at = |origin: &str| ("origin", origin.to_owned());
        let bearer = |token: &str| authorization(format!("Bearer {token}"));
        match who {
            "nobody" => vec![],
            "garbage" => vec![authorization("garbage".to_owned())],
            "malformed" => vec![authorization(basic("test_sk_naru_short"))],
            "made-up" => vec![authorization(basic(&made_up_key()))],
            "revoked" => vec![authorization(basic(&self.revoked.secret_key))],
            "client" => vec![authorization(basic(&shop.client_key))],
            "client-at-home" => vec![authorization(basic(&shop.client_key)), at("https://shop.example")],
            "client-elsewhere" => vec![authorization(basic(&shop.client_key)), at("https://shop.example.evil.example")],
            "secret" => vec![authorization(basic(&shop.secret_key))],
            "secret-in-a-page" => vec![authorization(basic(&shop.secret_key)), at("https://shop.example")],
            "other" => vec![authorization(basic(&self.other.secret_key))],
            "live" => vec![authorization(basic(&self.live.secret_key))],
            "token" | "token-late" => vec![bearer(target.checkout_token())],
            "token-of-another" => vec![bearer(&self.another_token)],
            "token-forged" => vec![bearer(&forged(target.checkout_token()))],
            "payer" if !target.call.is_of_payers() => self.other_payer.headers(),
            "payer" => target.account().headers(),
            "payer-other" => self.other_payer.headers(),
            "payer-live" => self.live_payer.headers(),
            // Of whoever may: another site's page with the right cookie, no cookie on the right page, and wrong ones.
            "payer-elsewhere" => {
                let mut headers = self.with_key("payer", gateway, target);
                headers.retain(|(name, _)| *name == "cookie");
                headers.push(at("https://evil.example"));
                headers
            }
            "page" => {
                let mut headers = self.with_key("payer", gateway, target);
                headers.retain(|(name, _)| *name != "cookie");
                headers
            }
            "payer-out" | "payer-forged" => {
                let mut headers = self.with_key("page", gateway, target);
                let forged = format!("naru_payer={}", "7".repeat(43));
                headers.push(("cookie", if who == "payer-out" { self.out.clone() } else { forged }));
                headers
            }
            other => panic!("who is {other}?"),
        }
    }
}

/// A key of the right form that nobody was given.
fn made_up_key() -> String {
    use naru_shared::api_key::{ApiKey, KeyKind};
    ApiKey::generate(naru_shared::domain::id::Mode::Test, KeyKind::Secret, &[7; 24]).expose().to_owned()
}

/// A token for the same payment whose seal is somebody else's.
fn forged(token: &str) -> String {
    let (named, seal) = token.rsplit_once('_').expect("a token has a seal");
    let other = CheckoutToken::issue(&[0; 32], Uuid::from_u128(7));
    let other = other.rsplit_once('_').expect("a token has a seal").1.to_owned();
    assert_ne!(seal, other);
    format!("{named}_{other}")
}

/// What a cell of the table says of this answer: `200`, `401 KEY_MISSING`, `404 NOT_FOUND_PAYMENT`.
fn cell(answer: &Answer) -> String {
    let reason = if answer.text("reason").is_empty() { answer.text("code") } else { answer.text("reason") };
    format!("{} {reason}", answer.status).trim_end().to_owned()
}

/// The table: what is expected, by call and principal.
fn expected() -> BTreeMap<(String, String), String> {
    let mut table = BTreeMap::new();
    let mut call = String::new();
    for line in TABLE.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        if !line.starts_with(' ') {
            line.clone_into(&mut call);
            continue;
        }
        let (outcome, who) = line.split_once(':').unwrap_or_else(|| panic!("authz.txt: {line:?} has no colon"));
        for who in who.split_whitespace() {
            let earlier = table.insert((call.clone(), who.to_owned()), outcome.trim().to_owned());
            assert_eq!(earlier, None, "authz.txt says twice what {who} gets from {call}");
        }
    }
    table
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_as_everybody() {
    let gateway = Gateway::start().await;
    let everybody = Everybody::of(&gateway).await;
    let expected = expected();
    let (mut complaints, mut found) = (Vec::new(), BTreeMap::new());
    for call in described(&gateway.shop).await {
        for who in EVERYBODY {
            let target = Target::prepare(&gateway, call.clone()).await;
            if who == "token-late" {
                end_long_ago(&gateway, &target).await;
            }
            let mut request = gateway.shop.anonymous_request(call.method.clone(), &target.address());
            if call.body.is_some() {
                request = request.header("content-type", "application/json").body(target.body());
            }
            everybody.sign_in_again(who).await;
            for (name, value) in everybody.headers(who, &gateway, &target).await {
                request = request.header(name, value);
            }
            let before = rows(&gateway).await;
            let answer = send(request).await;
            let what = format!("{} as {who}", call.name());
            if answer.status != 200 {
                complaints.extend(
                    complaint(&answer, |status| call.lists(status)).map(|why| format!("{what}: {why}\n{answer:?}")),
                );
                if rows(&gateway).await != before {
                    complaints.push(format!("{what} was refused and wrote something"));
                }
            }
            // But an invitation's token says whose it is, whoever holds it.
            let is_told = call.path.ends_with("/accept");
            if who == "owner-of-another"
                && !is_told
                && target.company().is_some_and(|company| answer.text.contains(&company.mid))
            {
                complaints.push(format!("{what} saw something of another merchant\n{answer:?}"));
            }
            if who == "other" && answer.text.contains(&gateway.shop.mid) {
                complaints.push(format!("{what} saw something of another merchant\n{answer:?}"));
            }
            found.insert((call.name(), who.to_owned()), cell(&answer));
        }
    }
    for (place, outcome) in &found {
        match expected.get(place) {
            Some(right) if right == outcome => {}
            Some(right) => {
                complaints.push(format!("{} as {}: {outcome}, but authz.txt says {right}", place.0, place.1))
            }
            None => complaints
                .push(format!("{} as {}: {outcome}, and authz.txt does not say what is right", place.0, place.1)),
        }
    }
    let gone = expected.keys().filter(|place| !found.contains_key(place));
    complaints.extend(gone.map(|(call, who)| format!("authz.txt speaks of {call} as {who}, which there is not")));
    insist_on_none(&complaints);
    gateway.check().await;
}

/// The payment was cancelled by its payer, or paid, eleven minutes ago.
async fn end_long_ago(gateway: &Gateway, target: &Target) {
    if target.call.path.starts_with("/v1/virtual-accounts/") {
        let _ = gateway.shop.cancel(target.payment_key()).await.expecting(200);
    } else if !target.is_paid {
        let _ = target.payer(gateway).cancel().await.expecting(200);
    }
    let age = "update payment_events set occurred_at = occurred_at - interval '11 minutes'
        where payment_id = (select id from payments where payment_key = $1)";
    let aged = sqlx::query(age).bind(target.payment_key()).execute(gateway.db()).await.expect("Postgres answers");
    assert!(aged.rows_affected() >= 2, "the payment has events");
}

/// Nobody can tell another merchant's payment from one that is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_merchants_payment_is_like_none() {
    let gateway = Gateway::start().await;
    let stranger = gateway.another_shop().await;
    let live = gateway.live_shop().await;
    for call in described(&gateway.shop).await {
        if !call.path.starts_with("/v1/payments/{")
            && !call.path.starts_with("/v1/payments/orders/")
            && !call.path.starts_with("/v1/virtual-accounts/{")
            && call.path != "/v1/payments/confirm"
        {
            continue;
        }
        let target = Target::prepare(&gateway, call.clone()).await;
        let none = target.of_nobody();
        for who in [&stranger, &live] {
            let [theirs, nobodys] = [ask(who, &call, &target).await, ask(who, &call, &none).await];
            assert_eq!(cell(&theirs), cell(&nobodys), "{}", call.name());
            assert_eq!(theirs.status, 404, "{}: {theirs:?}", call.name());
            assert_eq!(told(&theirs), told(&nobodys), "{}", call.name());
            let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(names(&theirs), names(&nobodys), "{}", call.name());
        }
    }
    // Nor is it in a list, whatever is asked for.
    let listed = gateway.shop.list("limit=1").await.expecting(200);
    let cursor = listed.text("nextCursor");
    for query in ["limit=100".to_owned(), format!("limit=100&cursor={cursor}"), "status=READY".to_owned()] {
        assert_eq!(stranger.list(&query).await.expecting(200).at("data"), &serde_json::json!([]), "{query}");
    }
    gateway.check().await;
}

async fn ask(shop: &Shop, call: &Described, target: &Target) -> Answer {
    let mut request = shop.request(call.method.clone(), target.path());
    if call.body.is_some() {
        request = request.header("content-type", "application/json").body(target.body());
    }
    send(request).await
}

/// The document without what is different each time.
fn told(answer: &Answer) -> serde_json::Value {
    let mut body = answer.body.clone();
    for member in ["instance", "traceId"] {
        body[member] = serde_json::Value::Null;
    }
    body
}

/// A stream is for those who may read the payment, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_guarded_like_lists() {
    let gateway = Gateway::start().await;
    let everybody = Everybody::of(&gateway).await;
    let call = described(&gateway.shop)
        .await
        .into_iter()
        .find(|call| call.path.ends_with("/events"))
        .expect("there are events");
    let table = expected();
    for who in EVERYBODY {
        let target = Target::prepare(&gateway, call.clone()).await;
        if who == "token-late" {
            end_long_ago(&gateway, &target).await;
        } else {
            let _ = target.payer(&gateway).cancel().await.expecting(200);
        }
        let mut request =
            gateway.shop.anonymous_request(Method::GET, target.path()).header("accept", "text/event-stream");
        for (name, value) in everybody.headers(who, &gateway, &target).await {
            request = request.header(name, value);
        }
        let answer = send(request).await;
        assert_eq!(&cell(&answer), &table[&(call.name(), who.to_owned())], "{who}: {answer:?}");
        assert_eq!(answer.text.contains("event: snapshot"), answer.status == 200, "{who}: {answer:?}");
    }
}

/// Browsers may ask from anywhere, never with cookies; what they may read is the key's and token's matter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cross_origin_requests_carry_no_credentials() {
    let gateway = Gateway::start().await;
    for path in ["/v1/payments", "/v1/payments/confirm", "/checkout/v1/co_x/authenticate", "/readyz", "/openapi.json"] {
        for origin in ["https://evil.example", "null", "https://shop.example"] {
            let preflight = gateway.shop.anonymous(Method::OPTIONS, path).header("origin", origin);
            let answer = preflight.header("access-control-request-method", "DELETE").await;
            assert_eq!(answer.header("access-control-allow-credentials"), "", "{path} {origin}: {answer:?}");
            assert!(!answer.header("access-control-allow-methods").contains("DELETE"), "{path} {origin}: {answer:?}");
            assert!(answer.status < 500, "{path} {origin}: {answer:?}");
        }
    }
}

/// The operators' listener answers their token, and nothing else anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_and_nobody_else() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let id = Uuid::nil();
    let calls = [
        (Method::GET, "/ops/v1/dead-letters".to_owned(), 200),
        (Method::GET, format!("/ops/v1/dead-letters/{id}"), 404),
        (Method::GET, "/ops/v1/dead-letters/%00".to_owned(), 404),
        (Method::GET, "/ops/v1/dead-letters?kind=%27%20or%201=1".to_owned(), 400),
        (Method::GET, "/ops/v1/dead-letters?cursor=AAAA".to_owned(), 400),
        (Method::POST, format!("/ops/v1/dead-letters/{id}/replay"), 404),
        // Without a body it is not even looked for.
        (Method::POST, format!("/ops/v1/dead-letters/{id}/settle"), 400),
        (Method::POST, format!("/ops/v1/dead-letters/{id}/release"), 400),
        (Method::GET, "/ops/v1/stuck".to_owned(), 200),
        (Method::GET, "/ops/v1/stuck?olderThanSeconds=99999999999999999999".to_owned(), 400),
        (Method::GET, "/ops/v1/stuck?olderThanSeconds=2147483647".to_owned(), 200),
        (Method::DELETE, "/ops/v1/stuck".to_owned(), 405),
        (Method::GET, "/ops/v1/payments/naru_0000000000000000000000000000000000000000".to_owned(), 404),
        (Method::GET, "/ops/v1/payments/%00".to_owned(), 404),
        (Method::GET, "/".to_owned(), 404),
        (Method::GET, "/v1/payments".to_owned(), 404),
        (Method::GET, "/metrics".to_owned(), 404),
        (Method::GET, "/openapi.json".to_owned(), 404),
    ];
    let strangers = [
        ("nobody", None),
        ("a secret key", Some(basic(&gateway.shop.secret_key))),
        ("a client key", Some(basic(&gateway.shop.client_key))),
        ("a checkout token", Some(format!("Bearer {}", created.text("checkoutToken")))),
        ("an empty token", Some("Bearer ".to_owned())),
        ("a wrong token", Some("Bearer 00000000000000000000000000000000".to_owned())),
        ("a token as a key", Some(basic("operator"))),
    ];
    for (method, path, status) in &calls {
        for (who, authorization) in &strangers {
            let mut call = gateway.operator.anonymous(method.clone(), path);
            if let Some(authorization) = authorization {
                call = call.header("authorization", authorization);
            }
            let answer = call.await;
            assert!(matches!(answer.status, 400 | 401 | 403), "{method} {path} as {who}: {answer:?}");
            assert_eq!(complaint(&answer, |_| true), None, "{method} {path} as {who}: {answer:?}");
        }
        let answer = gateway.operator.call(method.clone(), path).await;
        assert_eq!(answer.status, *status, "{method} {path}: {answer:?}");
    }
}

/// What is for operators and machines is not on the public listener, and nothing else is either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn must_not_26_leave_a_back_door_open() {
    let gateway = Gateway::start().await;
    for path in [
        "/ops/v1/dead-letters",
        "/ops/v1/stuck",
        "/ops/v1/payments/naru_0000000000000000000000000000000000000000",
        "/ops",
        "/metrics",
        "/debug",
        "/debug/pprof",
        "/admin",
        "/admin/scripts",
        "/actuator/env",
        "/internal",
        "/health",
        "/env",
        "/.env",
        "/.git/config",
        "/test",
        "/v1/test",
        "/v1/cards",
        "/v1/keys",
        "/swagger",
        "/graphql",
        "/v2/payments",
        "/v1/merchants",
        "/server-status",
        "/config",
        "/v1",
        "/",
        "/problems/..",
        "/docs/../../etc/passwd",
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = gateway.shop.call(method.clone(), path).await;
            assert!(matches!(answer.status, 404 | 405), "{method} {path}: {answer:?}");
            assert_eq!(complaint(&answer, |_| true), None, "{method} {path}: {answer:?}");
        }
    }
    let ready = gateway.shop.anonymous(Method::GET, "/readyz").await;
    for secret in ["password", "127.0.0.1", "postgres://", "amqp://", "redis://"] {
        assert!(!ready.text.contains(secret), "{ready:?}");
    }
}

/// A checkout is no place to find out which numbers are cards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_may_try_ten_cards() {
    let gateway = Gateway::start().await;
    let order = Payment::of(12_000);
    let payer = gateway.shop.payer_of(&gateway.shop.create(&order).await.expecting(200));
    let wrong = order.clone().card("refuse_token_82");
    let tries = futures::future::join_all((0..30).map(|_| payer.authenticate(&wrong).into_future())).await;
    let refused = tries.iter().filter(|answer| answer.text("reason") == "TOO_MANY_CARDS").count();
    assert_eq!(refused, 20, "{tries:#?}");
    assert!(tries.iter().all(|answer| complaint(answer, |status| matches!(status, 400 | 403)).is_none()), "{tries:#?}");
    // From another address, too: this one has had its ten for an hour.
    let elsewhere = payer.authenticate(&order).header("x-forwarded-for", "10.200.0.1").await;
    let _ = elsewhere.expecting_problem(403, "EXCEED_MAX_AUTH_COUNT");
    let other = Payment::of(12_000);
    let other = gateway.shop.payer_of(&gateway.shop.create(&other).await.expecting(200)).authenticate(&other);
    let _ = other.header("x-forwarded-for", "10.200.0.1").await.expecting(200);
}

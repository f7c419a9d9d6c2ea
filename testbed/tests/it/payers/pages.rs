//! Other sites' pages.

use naru_testbed::{Account, Gateway, Payment, cards};
use reqwest::Method;
use serde_json::{Value, json};

use crate::bad_input::send;

/// A cookie is sent along with whatever any page asks for: that alone changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_pages_change_nothing() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let created = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let checkout = created.text("checkout.url").rsplit('/').next().expect("an id").to_owned();
    let cookie = payer.cookie().expect("signed in");
    let calls = [
        (Method::POST, "/payer/v1/sign-out".to_owned(), json!({})),
        (Method::POST, "/payer/v1/sign-out-everywhere".to_owned(), json!({})),
        (Method::POST, "/payer/v1/cards".to_owned(), Account::card(cards::number("slow"))),
        (Method::DELETE, format!("/payer/v1/cards/{card}"), Value::Null),
        (Method::POST, format!("/payer/v1/cards/{card}/default"), json!({})),
        (Method::POST, format!("/payer/v1/payments/{checkout}/authenticate"), json!({ "cardId": card })),
        (Method::POST, format!("/payer/v1/payments/{checkout}/cancel"), json!({})),
    ];
    let own = gateway.shop.url("");
    for (method, path, body) in &calls {
        for headers in [
            vec![],
            vec![("sec-fetch-site", "cross-site")],
            vec![("sec-fetch-site", "same-site"), ("origin", own.as_str())],
            vec![("origin", "https://evil.example")],
            vec![("origin", "null")],
            vec![("sec-fetch-site", "same-origin"), ("origin", "https://evil.example")],
        ] {
            let mut request = gateway.shop.anonymous_request(method.clone(), path).header("cookie", &cookie).json(body);
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let refused = send(request).await.expecting_problem(403, "FORBIDDEN_REQUEST");
            assert_eq!(refused.text("reason"), "FOREIGN_PAGE", "{method} {path} {headers:?}");
        }
        // What a form can send, even of our own.
        if *method == Method::POST {
            let form = payer.request(method.clone(), path).header("content-type", "text/plain").body(body.to_string());
            let _ = send(form).await.expecting_problem(415, "INVALID_REQUEST");
        }
        let preflight = gateway.shop.anonymous(Method::OPTIONS, path).header("origin", "https://evil.example");
        let preflight = preflight.header("access-control-request-method", method.as_str()).await;
        assert_eq!(preflight.header("access-control-allow-origin"), "", "{preflight:?}");
    }
    assert_eq!(payer.cards().await.expecting(200).at("data").as_array().map(Vec::len), Some(1));
    assert_eq!(gateway.shop.get(created.payment_key()).await.text("status"), "READY");
}

/// Nobody's page has its visitors' browsers try cards, or reads what a checkout says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_are_typed_on_no_page_but_ours() {
    let gateway = Gateway::start().await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let (guest, own) = (gateway.shop.payer_of(&created), gateway.shop.url(""));
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "https://shop.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for call in [guest.authenticate(&payment), guest.cancel()] {
            let refused = call.header(name, value).await.expecting_problem(403, "FORBIDDEN_REQUEST");
            assert_eq!(refused.text("reason"), "FOREIGN_PAGE", "{name}: {value}");
            assert_eq!(refused.header("access-control-allow-origin"), "", "{refused:?}");
        }
        let shown = guest.look().header(name, value).await.expecting(200);
        assert_eq!(shown.header("access-control-allow-origin"), "", "{shown:?}");
    }
    let ours = guest.authenticate(&payment).header("origin", &own).header("sec-fetch-site", "same-origin").await;
    assert_eq!(ours.expecting(200).text("status"), "IN_PROGRESS");
}

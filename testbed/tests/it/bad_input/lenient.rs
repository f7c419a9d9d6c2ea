//! What is strange and all the same right: Toss Payments takes it, and money can't differ.

use naru_testbed::{Gateway, Payment};
use reqwest::Method;
use serde_json::json;

use super::document::described;
use super::send;
use super::target::Target;
use super::wrong::{CANARY, attacks};
use crate::raw::{Raw, head};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_as_digits_nulls_and_unknown_fields() {
    let gateway = Gateway::start().await;
    let order = Payment::of(0)
        .with("amount", "15000")
        .with("taxFreeAmount", "0")
        .with("currency", json!(null))
        .with("customerName", json!(null))
        .with("metadata", json!(null))
        .with("escrow", true)
        .with("flow\r\nx", json!({ "deep": [1, { "er": null }] }))
        .with("flowMode", "4242");
    let created = gateway.shop.create(&order).await.expecting(200);
    assert_eq!((created.number("totalAmount"), created.at("metadata")), (15_000, &json!(null)));
    let ignored: Vec<&str> = created.header("naru-ignored-fields").split(", ").collect();
    assert_eq!(ignored, ["escrow", "flow??x", "flowMode"]);
    assert!(!created.text.contains("4242"), "{created:?}");

    let paid = gateway.shop.key_in(&order.clone().order(&Payment::of(1).order_id)).await.expecting(200);
    assert_eq!((paid.text("status"), paid.number("totalAmount")), ("DONE", 15_000));
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_headers_and_addresses() {
    let gateway = Gateway::start().await;
    let order = Payment::of(15_000);
    let paid = gateway.shop.key_in(&order).await.expecting(200);
    let path = format!("/v1/payments/{}", paid.payment_key());
    for (path, headers) in [
        (path.clone(), vec![("content-type", "application/json")]),
        (path.clone(), vec![("content-type", "text/plain"), ("accept", "text/html, image/gif, *; q=.2")]),
        (
            path.clone(),
            vec![("accept", "application/xml"), ("accept-language", "xx-\u{7f}".trim_end_matches('\u{7f}'))],
        ),
        (path.clone(), vec![("accept", "text/event-stream")]),
        (path.clone(), vec![("prefer", "wait=zq9, ;;, =,"), ("last-event-id", "zq9"), ("traceparent", "00-zq9")]),
        (path.clone(), vec![("idempotency-key", "")]),
        (format!("{path}/"), vec![]),
        (format!("{path}///"), vec![]),
        (format!("{path}/?"), vec![]),
        (format!("{path}?unknown=1"), vec![]),
        (format!("/v1/payments/orders/{}/", order.order_id), vec![]),
    ] {
        let mut call = gateway.shop.call(Method::GET, &path);
        for (name, value) in &headers {
            call = call.header(name, value);
        }
        let answer = call.await;
        assert_eq!((answer.status, answer.payment_key()), (200, paid.payment_key()), "{path} {headers:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/json", "{path} {headers:?}");
    }
    let unpadded = super::target::basic(&gateway.shop.secret_key);
    let unpadded = unpadded.trim_end_matches('=').replacen("Basic", "bAsIc ", 1);
    let answer = gateway.shop.anonymous(Method::GET, &path).header("authorization", &unpadded).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let head_only = gateway.shop.call(Method::HEAD, &path).await;
    assert_eq!((head_only.status, head_only.text.as_str()), (200, ""));
}

/// The habits of clients in other languages, at every call that Toss Payments also has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn habits_of_clients_at_every_call() {
    let gateway = Gateway::start().await;
    let unpadded = super::target::basic(&gateway.shop.secret_key);
    let unpadded = unpadded.trim_end_matches('=').to_owned();
    for call in described(&gateway.shop).await {
        if !call.is_tosss() || call.path.ends_with("/events") {
            continue;
        }
        let target = Target::prepare(&gateway, call.clone()).await;
        let query = if call.query.iter().any(|field| field.name == "startDate") {
            "?startDate=2026-01-01&endDate=2026-01-31T23:59:59&startingAfter=&limit=100"
        } else {
            ""
        };
        let path = format!("{}/{query}", target.path());
        let request = gateway.shop.anonymous_request(call.method.clone(), &path);
        let request = request
            .header("authorization", &unpadded)
            .header("content-type", "application/json;charset=UTF-8")
            .header("accept", "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2");
        let request = match call.body {
            Some(_) => request.body(target.strange_body()),
            None => request,
        };
        let answer = send(request).await;
        assert_eq!(answer.status, 200, "{}: {answer:?}", call.name());
        assert_eq!(answer.header("content-type"), "application/json", "{}", call.name());
        assert_eq!(answer.header("naru-ignored-fields"), if call.body.is_some() { "zq9" } else { "" }, "{answer:?}");
    }
    gateway.check().await;
}

/// Whoever waits in a way that can't be understood waits as if nothing was said, and no version that was never sent is
/// gone on from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn preferences_and_event_ids_that_can_not_be_read() {
    let gateway = Gateway::start().await;
    for preference in ["wait=-1", "wait=1e4", "wait=99999999999999999999", "respond_async", "\"", ";;,=,", "zq9canary"]
    {
        let paid = gateway.shop.key_in(&Payment::of(15_000)).prefer(preference).await.expecting(200);
        assert_eq!(paid.text("status"), "DONE", "{preference}");
        for id in ["-1", "9223372036854775808", "zq9", "1.5", "", "9223372036854775807"] {
            let stream = gateway.shop.events(paid.payment_key()).header("accept", "text/event-stream");
            let answer = stream.header("last-event-id", id).await;
            let is_behind = id == "9223372036854775807";
            assert_eq!(answer.status, if is_behind { 204 } else { 200 }, "{id}: {answer:?}");
            assert_eq!(answer.text.contains("event: snapshot"), !is_behind, "{id}: {answer:?}");
        }
    }
    gateway.check().await;
}

/// Names are people's own: they come back as they were given, and nobody on the way takes them for more than text.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_in_free_texts_are_only_strange_names() {
    let gateway = Gateway::start().await;
    for (what, text) in attacks() {
        let metadata = json!({ "note": text, (text.chars().take(40).collect::<String>()): "x" });
        let order = Payment::of(12_000)
            .with("orderName", text.as_str())
            .with("customerName", text.as_str())
            .with("metadata", metadata.clone());
        let created = gateway.shop.create(&order).await.expecting(200);
        assert_eq!((created.text("orderName"), created.at("metadata")), (text.as_str(), &metadata), "{what}");
        let found = gateway.shop.get_order(&order.order_id).await.expecting(200);
        assert_eq!(found.text("orderName"), text, "{what}");
        let seen = gateway.shop.payer_of(&created).look().await.expecting(200);
        assert_eq!(seen.text("orderName"), text, "{what}");
        assert_eq!(created.header("x-content-type-options"), "nosniff");
    }
    assert!(!gateway.api().log().contains(CANARY), "what people write is not logged");
}

/// `approveBefore` at the ends of time is a time; long past, it only means that nothing may be sent any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ends_of_time() {
    let gateway = Gateway::start().await;
    for (before, status) in [
        ("9999-12-31T23:59:59Z", "DONE"),
        ("2999-01-01T00:00:00-23:59", "DONE"),
        ("2001-01-01T00:00:00+23:59", "ABORTED"),
    ] {
        let order = Payment::of(12_000).with("approveBefore", before);
        let answer = gateway.shop.key_in(&order).await;
        assert!(answer.status == 200 || (400..500).contains(&answer.status), "{before}: {answer:?}");
        let found = gateway.shop.get_order(&order.order_id).await.expecting(200);
        assert_eq!(found.text("status"), status, "{before}: {answer:?}");
    }
    gateway.check().await;
}

/// Where nothing has to be said, nothing need be: no body, or an empty one, of whatever type.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_body_where_all_is_optional() {
    let gateway = Gateway::start().await;
    for call in described(&gateway.shop).await {
        let Some(fields) = call.body.clone() else { continue };
        if fields.iter().any(|field| field.required) {
            continue;
        }
        for (kind, body) in [
            (None, ""),
            (Some("text/plain"), ""),
            (Some("application/json"), ""),
            (Some("application/json"), "{}"),
            (Some("application/json; charset=UTF-8"), " {} "),
        ] {
            // With a cookie it matters that no form of another site can send it.
            if call.is_of_sessions() && !kind.is_some_and(|kind| kind.starts_with("application/json")) {
                continue;
            }
            let target = Target::prepare(&gateway, call.clone()).await;
            let request = target.bare(&gateway).body(body);
            let request = match kind {
                Some(kind) => request.header("content-type", kind),
                None => request,
            };
            let answer = send(request).await;
            assert_eq!(answer.status, 200, "{} {kind:?} {body:?}: {answer:?}", call.name());
        }
        let target = Target::prepare(&gateway, call.clone()).await;
        let mut lines = target.header_lines();
        lines.extend(call.is_of_sessions().then(|| "content-type: application/json".to_owned()));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let mut raw = Raw::open(&gateway.shop).await;
        raw.send(head(&gateway.shop, &format!("{} {}", call.method, target.path()), &lines) + "\r\n").await;
        let answer = raw.answer().await;
        assert_eq!(answer.status, 200, "{} without a length: {answer:?}", call.name());
    }
}

/// Slashes at the end make no difference, and pages that send us to themselves with one can be read all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_for_people() {
    let gateway = Gateway::start().await;
    for page in [
        "/docs",
        "/docs/",
        "/docs/index.html",
        "/problems",
        "/problems/",
        "/problems/INVALID_REQUEST.md",
        "/openapi.json",
        "/readyz",
        "/livez/",
    ] {
        let mut path = page.to_owned();
        for _ in 0..3 {
            let answer = gateway.shop.anonymous(Method::GET, &path).await;
            if answer.status == 200 {
                path.clear();
                break;
            }
            assert!((300..400).contains(&answer.status), "{page}: {answer:?}");
            answer.header("location").clone_into(&mut path);
        }
        assert_eq!(path, "", "{page} leads in circles");
    }
}

//! Clients that hold on, trickle, lie about where a request ends, or never read: everybody else is served as if they were
//! not there.

use std::time::{Duration, Instant};

use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use naru_testbed::{Gateway, Payment, eventually, share_of_handles};
use tokio::net::TcpStream;

use crate::bad_input::rows;
use crate::raw::{Raw, head};

/// What everybody else waits for a payment, at most, on a machine that other tests keep busy. Whoever had to wait for the
/// others to go would wait for their heads or bodies to time out: ten seconds and more.
const RESPONSIVE: Duration = Duration::from_secs(5);
/// What a request's head may take, and a little.
const HEAD_LIMIT: Duration = Duration::from_secs(13);
/// What a body may take, and a little.
const BODY_LIMIT: Duration = Duration::from_secs(18);

/// What 500 streams may take to be opened, or to be done with, on a busy machine.
const STREAMS_LIMIT: Duration = Duration::from_secs(30);

/// Insists that a payment goes through in time.
async fn assert_responsive(gateway: &Gateway, while_what: &str) {
    let begun: Instant = System.monotonic();
    let paid = gateway.shop.key_in(&Payment::of(12_000)).await.expecting(200);
    let took = System.monotonic().duration_since(begun);
    assert_eq!(paid.text("status"), "DONE");
    assert!(took < RESPONSIVE, "while {while_what} a payment takes {took:?}");
}

/// So many connections, or as many as a test may have here, each of which has sent this.
async fn crowd(gateway: &Gateway, count: usize, bytes: &[u8]) -> Vec<Raw> {
    let count = count.min(share_of_handles());
    let mut crowd = Vec::with_capacity(count);
    for _ in 0..count {
        let mut raw = Raw::open(&gateway.shop).await;
        raw.send(bytes).await;
        crowd.push(raw);
    }
    crowd
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_idle_connections_and_slow_heads() {
    let gateway = Gateway::start().await;
    let mut idle = crowd(&gateway, 2_000, b"").await;
    assert_responsive(&gateway, "2,000 connections are idle").await;
    let mut slow = crowd(&gateway, 300, b"GET /v1/payments HTTP/1.1\r\nhost: x\r\n").await;
    let begun = System.monotonic();
    // One more header every 100 ms, for ever: the head as a whole has its time.
    let trickle = async {
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            for raw in &mut slow {
                raw.send("x-a: b\r\n").await;
            }
            if System.monotonic().duration_since(begun) > HEAD_LIMIT {
                return;
            }
        }
    };
    let others = async {
        while System.monotonic().duration_since(begun) < HEAD_LIMIT - Duration::from_secs(2) {
            assert_responsive(&gateway, "300 heads trickle in").await;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::join!(trickle, others);
    for raw in slow.iter_mut().step_by(30).chain(idle.iter_mut().step_by(200)) {
        assert!(raw.ends_within(Duration::from_secs(3)).await, "a head has ten seconds");
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_bodies() {
    let gateway = Gateway::start().await;
    let before = rows(&gateway).await;
    let headers = ["content-type: application/json", "content-length: 1000"];
    let ours = head(&gateway.shop, "POST /v1/payments", &headers) + "\r\n{";
    let strangers = head(&gateway.shop, "POST /checkout/v1/co_x/authenticate", &headers) + "\r\n{";
    let mut slow = crowd(&gateway, 200, ours.as_bytes()).await;
    slow.extend(crowd(&gateway, 200, strangers.as_bytes()).await);
    assert_eq!(rows(&gateway).await, before);
    let begun = System.monotonic();
    let trickle = async {
        while System.monotonic().duration_since(begun) < BODY_LIMIT {
            for raw in &mut slow {
                raw.send(" ").await;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let others = async {
        for _ in 0..6 {
            assert_responsive(&gateway, "400 bodies trickle in").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::join!(trickle, others);
    for raw in slow.iter_mut().step_by(40) {
        let answer = raw.answer().await;
        assert_eq!(answer.json()["reason"], "BODY_TOO_SLOW", "{answer:?}");
        assert_eq!(answer.status, 408, "{answer:?}");
        assert!(raw.ends_within(Duration::from_secs(3)).await, "what else comes is no request");
    }
    gateway.check().await;
}

/// Two ways to read where a request ends: what a proxy in front takes for a body must never be a request of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_within_requests() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let before = rows(&gateway).await;
    let body = Payment::of(12_000).create_body().to_string();
    let inner = head(
        shop,
        "POST /v1/payments",
        &["content-type: application/json", &format!("content-length: {}", body.len())],
    );
    let smuggled = format!("{inner}\r\n{body}");
    let whole = smuggled.len();
    for (what, headers, before_it) in [
        (
            "a length and chunks",
            vec![format!("content-length: {}", whole + 5), "transfer-encoding: chunked".to_owned()],
            "0\r\n\r\n",
        ),
        (
            "chunks and a length",
            vec!["transfer-encoding: chunked".to_owned(), format!("content-length: {}", whole + 5)],
            "0\r\n\r\n",
        ),
        ("two lengths", vec!["content-length: 0".to_owned(), format!("content-length: {whole}")], ""),
        ("two lengths in one", vec![format!("content-length: 0, {whole}")], ""),
        (
            "chunks, spelled oddly",
            vec![format!("content-length: {}", whole + 5), "transfer-encoding: xchunked".to_owned()],
            "0\r\n\r\n",
        ),
        (
            "chunks behind a tab",
            vec![format!("content-length: {}", whole + 5), "transfer-encoding:\tchunked".to_owned()],
            "0\r\n\r\n",
        ),
        (
            "chunks with a space",
            vec![format!("content-length: {}", whole + 5), "transfer-encoding : chunked".to_owned()],
            "0\r\n\r\n",
        ),
        (
            "chunks twice",
            vec![
                format!("content-length: {}", whole + 5),
                "transfer-encoding: chunked".to_owned(),
                "transfer-encoding: identity".to_owned(),
            ],
            "0\r\n\r\n",
        ),
        (
            "chunks in HTTP/1.0",
            vec![format!("content-length: {}", whole + 5), "transfer-encoding: chunked".to_owned()],
            "0\r\n\r\n",
        ),
    ] {
        let mut raw = Raw::open(shop).await;
        let headers: Vec<&str> = headers.iter().map(String::as_str).chain(["content-type: application/json"]).collect();
        let mut outer = head(shop, "POST /v1/payments/confirm", &headers) + "\r\n";
        if what.ends_with("1.0") {
            outer = outer.replacen("HTTP/1.1", "HTTP/1.0", 1);
        }
        raw.send(format!("{outer}{before_it}{smuggled}")).await;
        let first = raw.answer().await;
        assert_eq!(first.status, 400, "{what}: {first:?}");
        let second = raw.answer().await;
        assert_eq!(
            second.status, 0,
            "{what}: after a request that can be read in two ways nothing more is heard: {second:?}"
        );
        assert_eq!(rows(&gateway).await, before, "{what}: something was written");
    }
}

/// Requests one behind the other on one connection are answered in order, and what is broken ends them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_behind_each_other() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let mut raw = Raw::open(shop).await;
    let get = |n: usize| head(shop, &format!("GET /v1/payments/naru_{n}"), &[]) + "\r\n";
    raw.send((0..100).map(get).collect::<String>()).await;
    for n in 0..100 {
        let answer = raw.answer().await;
        assert_eq!(answer.json()["instance"], format!("/v1/payments/naru_{n}"), "{answer:?}");
    }
    // Thousands without reading: we stop reading, too.
    let mut deaf = Raw::open(shop).await;
    let flood = (0..20_000).map(get).collect::<String>();
    let flooding = tokio::time::timeout(Duration::from_secs(3), deaf.send(flood));
    let (_, ()) = tokio::join!(flooding, assert_responsive(&gateway, "one client floods and does not read"));
    gateway.check().await;
}

/// Whoever hangs up after asking has asked: nothing is half done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hang_up() {
    let gateway = Gateway::start().await;
    let orders: Vec<Payment> = (0..40).map(|n| Payment::of(12_000 + n)).collect();
    for (n, order) in orders.iter().enumerate() {
        let body = order.key_in_body().to_string();
        let headers = ["content-type: application/json".to_owned(), format!("content-length: {}", body.len())];
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let mut raw = Raw::open(&gateway.shop).await;
        raw.send(head(&gateway.shop, "POST /v1/payments/key-in", &headers) + "\r\n" + &body).await;
        tokio::time::sleep(Duration::from_millis(u64::try_from(n).unwrap_or(0))).await;
        match n % 3 {
            0 => drop(raw),
            1 => raw.finish().await,
            _ => {
                let _ = raw.stream.set_zero_linger();
                drop(raw);
            }
        }
    }
    assert_responsive(&gateway, "others have hung up").await;
    // Some cards are still being registered: an order may yet be accepted between two looks.
    gateway.settled().await;
    for order in &orders {
        eventually("what was accepted is charged, and nothing else", RESPONSIVE, async || {
            let found = gateway.shop.get_order(&order.order_id).await;
            let money = gateway.bank.money(&order.order_id).await;
            match found.status {
                200 => (found.text("status") == "DONE" && money.charges == 1).then_some(()),
                404 => (money.charges == 0).then_some(()),
                _ => panic!("{found:?}"),
            }
        })
        .await;
    }
    gateway.check().await;
}

/// Streams that nobody reads cost their own connection, and a change of the payment reaches those who do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_nobody_reads() {
    let gateway = Gateway::start().await;
    let created = gateway.shop.authenticated(&Payment::of(12_000)).await;
    let line = format!("GET /v1/payments/{}/events", created.payment_key());
    let request = head(&gateway.shop, &line, &["accept: text/event-stream"]) + "\r\n";
    let deaf = crowd(&gateway, 500, request.as_bytes()).await;
    eventually("all of them are served", STREAMS_LIMIT, async || {
        let streams = gateway.api().metric("naru_sse_streams").await;
        (streams >= u64::try_from(deaf.len()).unwrap_or(u64::MAX)).then_some(())
    })
    .await;
    let mut reader = gateway.shop.stream_as_browser(created.payment_key(), created.text("checkoutToken")).await;
    assert_responsive(&gateway, "500 streams are not read").await;
    let paid = gateway.shop.confirm(created.payment_key(), created.text("orderId"), 12_000).await.expecting(200);
    assert_eq!(paid.text("status"), "DONE");
    let _ = reader.until_status("DONE", RESPONSIVE).await;
    reader.until_end(RESPONSIVE).await;
    drop(deaf);
    eventually("nothing is left of them", STREAMS_LIMIT, async || {
        (gateway.api().metric("naru_sse_streams").await == 0).then_some(())
    })
    .await;
    gateway.check().await;
}

/// More connections than there are handles for, from one place: the rest still works when they are gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_connections_passes() {
    let gateway = Gateway::start().await;
    let address = gateway.shop.url("").trim_start_matches("http://").to_owned();
    let storm = (0..share_of_handles().min(3_000)).map(|_| TcpStream::connect(address.clone()));
    let connected = futures::future::join_all(storm).await;
    drop(connected);
    assert_responsive(&gateway, "3,000 connections have come and gone").await;
    gateway.check().await;
}

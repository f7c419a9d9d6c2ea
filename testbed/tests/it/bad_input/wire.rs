//! Bodies that lie about themselves: lengths, chunks, ends.

use naru_testbed::Gateway;

use super::document::described;
use super::rows;
use super::target::Target;
use crate::raw::{Raw, head};

/// What is sent behind the head, and the statuses it may be answered with; 0 is a connection ended without a word.
fn lies(good: &str) -> Vec<(&'static str, Vec<&'static str>, Vec<u8>, bool, Vec<u16>)> {
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len()).into_bytes();
    let length =
        |length: usize| -> Vec<&'static str> { vec![Box::leak(format!("content-length: {length}").into_boxed_str())] };
    let with = |mut headers: Vec<&'static str>| {
        headers.push("content-type: application/json");
        headers
    };
    let chunked = || with(vec!["transfer-encoding: chunked"]);
    vec![
        ("shorter than announced", with(length(good.len() + 10)), good.into(), true, vec![400, 408, 0]),
        (
            "cut off by its length",
            with(length(good.len() - 1)),
            good.as_bytes()[..good.len() - 1].to_vec(),
            false,
            vec![400],
        ),
        ("announced, and nothing", with(length(good.len())), vec![], true, vec![400, 408, 0]),
        ("a negative length", with(vec!["content-length: -5"]), good.into(), false, vec![400]),
        ("a length that is none", with(vec!["content-length: zq9"]), good.into(), false, vec![400]),
        ("a length with a sign", with(vec!["content-length: +5"]), good.into(), false, vec![400]),
        ("a length beyond 64 bits", with(vec!["content-length: 99999999999999999999"]), good.into(), false, vec![400]),
        (
            "a length that is everything",
            with(vec!["content-length: 18446744073709551615"]),
            vec![],
            false,
            vec![400, 413, 431],
        ),
        ("two lengths", with(vec!["content-length: 2", "content-length: 3"]), good.into(), false, vec![400]),
        ("1 GB announced", with(vec!["content-length: 1000000000"]), good.into(), false, vec![413]),
        ("chunks that are none", chunked(), b"zq9\r\nhello\r\n0\r\n\r\n".to_vec(), false, vec![400, 408]),
        ("a chunk longer than said", chunked(), b"1\r\n{}}}}}}\r\n0\r\n\r\n".to_vec(), false, vec![400, 408]),
        ("a chunk that is too large", chunked(), b"ffffffffffffffffff\r\n{}".to_vec(), false, vec![400, 408]),
        ("a negative chunk", chunked(), b"-1\r\n{}\r\n0\r\n\r\n".to_vec(), false, vec![400, 408]),
        ("chunks without an end", chunked(), chunk(&good[..good.len() - 1]), true, vec![400, 408, 0]),
        (
            "chunks beyond 64 KiB",
            chunked(),
            [chunk(&"x".repeat(40_000)), chunk(&"x".repeat(40_000))].concat(),
            false,
            vec![413],
        ),
        (
            "an endless chunk extension",
            chunked(),
            [b"1;".to_vec(), b"x".repeat(100_000)].concat(),
            false,
            vec![400, 408],
        ),
        ("another transfer encoding", with(vec!["transfer-encoding: zq9"]), good.into(), false, vec![400]),
        ("chunked, and then not", with(vec!["transfer-encoding: chunked, identity"]), good.into(), false, vec![400]),
        ("a header without a name", with(vec![": zq9"]), vec![], false, vec![400]),
        ("a header with a space in its name", with(vec!["content length: 2"]), vec![], false, vec![400]),
        ("a folded header", with(vec!["x-a: b\r\n c"]), vec![], false, vec![400]),
        ("two hundred headers", vec!["x: y"; 200], vec![], false, vec![431]),
        (
            "100 kB of headers",
            with(vec![Box::leak(format!("x-large: {}", "x".repeat(100_000)).into_boxed_str())]),
            vec![],
            false,
            vec![431],
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lies_about_bodies() {
    let gateway = Gateway::start().await;
    for call in described(&gateway.shop).await.into_iter().filter(|call| call.body.is_some()) {
        let target = Target::prepare(&gateway, call).await;
        let good = String::from_utf8(target.body()).expect("text");
        // Where nothing has to be said, less than that is only less.
        let good = if good == "{}" { "{\"zq9\":1}".to_owned() } else { good };
        let before = rows(&gateway).await;
        let told = lies(&good).into_iter().map(|(what, headers, bytes, ends, statuses)| {
            let (gateway, target) = (&gateway, &target);
            async move {
                let mut raw = Raw::open(&gateway.shop).await;
                let line = format!("{} {}", target.call.method, target.path());
                raw.send(head(&gateway.shop, &line, &headers) + "\r\n").await;
                raw.send(&bytes).await;
                if ends {
                    raw.finish().await;
                }
                let answer = raw.answer().await;
                assert!(statuses.contains(&answer.status), "{}, {what}: {answer:?}", target.call.name());
                // What is no HTTP is refused by the HTTP library, in its own few words.
                if !answer.body.is_empty() {
                    assert_eq!(answer.json()["moneyState"], "NOT_MOVED", "{}, {what}: {answer:?}", target.call.name());
                }
            }
        });
        futures::future::join_all(told).await;
        assert_eq!(rows(&gateway).await, before, "{} wrote something", target.call.name());
    }
}

/// Paths are what they are: nobody walks up and down in them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_that_walk() {
    let gateway = Gateway::start().await;
    for path in [
        "/x/../v1/payments",
        "/x/%2e%2e/v1/payments",
        "/v1/./payments",
        "/v1/payments/orders/..",
        "/v1/payments/orders/%2e%2e",
        "/v1/payments/../payments",
        "/v1/payments/..;/payments",
        "/v1\\payments",
        "/docs/../readyz",
        "/docs/..%2f..%2f..%2fetc%2fpasswd",
        "/problems/..%2f..%2fCargo.toml",
        "/problems/../../Cargo.toml",
    ] {
        let mut raw = Raw::open(&gateway.shop).await;
        raw.send(head(&gateway.shop, &format!("GET {path}"), &[]) + "\r\n").await;
        let answer = raw.answer().await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
        assert_eq!(answer.json()["moneyState"], "NOT_MOVED", "{path}: {answer:?}");
    }
}

/// No request at all, or one of another protocol.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http() {
    let gateway = Gateway::start().await;
    let before = rows(&gateway).await;
    for bytes in [
        b"".as_slice(),
        b"\r\n\r\n\r\n",
        b"zq9canary\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/payments\r\n\r\n",
        b"GET /v1/payments HTTP/1.1\nhost: x\n\n",
        b"GET /v1/pay ments HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET http://evil.example/v1/payments HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET ? HTTP/1.1\r\nhost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n",
        b"CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
        b"AMQP\0\0\x09\x01",
        b"*1\r\n$4\r\nPING\r\n",
    ] {
        let mut raw = Raw::open(&gateway.shop).await;
        raw.send(bytes).await;
        raw.finish().await;
        let answer = raw.answer().await;
        let shown = String::from_utf8_lossy(bytes);
        let is_refused = answer.status == 0
            || (400..500).contains(&answer.status)
            || (answer.status == 200 && shown.starts_with("OPTIONS"));
        assert!(is_refused, "{shown:?}: {answer:?}");
    }
    assert_eq!(rows(&gateway).await, before);
    assert_eq!(gateway.shop.list("limit=1").await.status, 200);
}

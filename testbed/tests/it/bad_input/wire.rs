//! Bodies that lie about themselves: lengths, chunks, ends.

use naru_testbed::Gateway;

use super::document::described;
use super::rows;
use super::target::Target;
use crate::raw::{Raw, head};

/// One body, and how it lies about itself.
struct Lie {
    what: &'static str,
    headers: Vec<String>,
    sent: Vec<u8>,
    /// Whether our half of the connection ends behind it.
    hangs_up: bool,
    /// What it may be answered with; 0 is a connection ended without a word.
    statuses: &'static [u16],
}

impl Lie {
    fn new(what: &'static str, header: impl Into<String>, sent: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Self {
        Self { what, headers: vec![header.into()], sent: sent.into(), hangs_up: false, statuses }
    }

    fn chunked(what: &'static str, sent: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Self {
        Self::new(what, "transfer-encoding: chunked", sent, statuses)
    }

    fn header(mut self, header: &str) -> Self {
        self.headers.push(header.to_owned());
        self
    }

    fn hanging_up(mut self) -> Self {
        self.hangs_up = true;
        self
    }
}

fn lies(good: &str) -> Vec<Lie> {
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len()).into_bytes();
    let length = |length: usize| format!("content-length: {length}");
    let most = &good[..good.len() - 1];
    let broken: &[u16] = &[400, 408];
    let broken_off: &[u16] = &[400, 408, 0];
    vec![
        Lie::new("shorter than announced", length(good.len() + 10), good, broken_off).hanging_up(),
        Lie::new("cut off by its length", length(most.len()), most, &[400]),
        Lie::new("announced, and nothing", length(good.len()), "", broken_off).hanging_up(),
        Lie::new("a negative length", "content-length: -5", good, &[400]),
        Lie::new("a length that is none", "content-length: zq9", good, &[400]),
        Lie::new("a length with a sign", "content-length: +5", good, &[400]),
        Lie::new("a length beyond 64 bits", "content-length: 99999999999999999999", good, &[400]),
        Lie::new("a length that is everything", "content-length: 18446744073709551615", "", &[400, 413, 431]),
        Lie::new("two lengths", "content-length: 2", good, &[400]).header("content-length: 3"),
        Lie::new("1 GB announced", "content-length: 1000000000", good, &[413]),
        Lie::chunked("chunks that are none", "zq9\r\nhello\r\n0\r\n\r\n", broken),
        Lie::chunked("a chunk longer than said", "1\r\n{}}}}}}\r\n0\r\n\r\n", broken),
        Lie::chunked("a chunk that is too large", "ffffffffffffffffff\r\n{}", broken),
        Lie::chunked("a negative chunk", "-1\r\n{}\r\n0\r\n\r\n", broken),
        Lie::chunked("chunks without an end", chunk(most), broken_off).hanging_up(),
        Lie::chunked("chunks beyond 64 KiB", chunk(&"x".repeat(40_000)).repeat(2), &[413]),
        Lie::chunked("an endless chunk extension", format!("1;{}", "x".repeat(100_000)), broken),
        Lie::new("another transfer encoding", "transfer-encoding: zq9", good, &[400]),
        Lie::new("chunked, and then not", "transfer-encoding: chunked, identity", good, &[400]),
        Lie::new("a header without a name", ": zq9", "", &[400]),
        Lie::new("a header with a space in its name", "content length: 2", "", &[400]),
        Lie::new("a folded header", "x-a: b\r\n c", "", &[400]),
        Lie::new("two hundred headers", vec!["x: y"; 200].join("\r\n"), "", &[431]),
        Lie::new("100 kB of headers", format!("x-large: {}", "x".repeat(100_000)), "", &[431]),
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
        let told = lies(&good).into_iter().map(|lie| tell(&gateway, &target, lie));
        futures::future::join_all(told).await;
        assert_eq!(rows(&gateway).await, before, "{} wrote something", target.call.name());
    }
}

async fn tell(gateway: &Gateway, target: &Target, lie: Lie) {
    let more = target.header_lines();
    let headers = lie.headers.iter().chain(&more).map(String::as_str).chain(["content-type: application/json"]);
    let line = format!("{} {}", target.call.method, target.path());
    let mut raw = Raw::open(&gateway.shop).await;
    raw.send(head(&gateway.shop, &line, &headers.collect::<Vec<_>>()) + "\r\n").await;
    raw.send(&lie.sent).await;
    if lie.hangs_up {
        raw.finish().await;
    }
    let answer = raw.answer().await;
    let what = format!("{}, {}: {answer:?}", target.call.name(), lie.what);
    assert!(lie.statuses.contains(&answer.status), "{what}");
    // What is no HTTP is refused by the HTTP library, in its own few words.
    if !answer.body.is_empty() {
        assert_eq!(answer.json()["moneyState"], "NOT_MOVED", "{what}");
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

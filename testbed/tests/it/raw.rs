//! Bytes on a socket, for requests that no HTTP client would send.

use std::time::Duration;

use naru_testbed::Shop;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than the API gives a slow body.
const PATIENCE: Duration = Duration::from_secs(20);

/// One connection to the API.
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
}

/// What came back before the connection ended or the answer was whole.
#[derive(Debug)]
pub(crate) struct RawAnswer {
    /// 0 when there was none.
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl RawAnswer {
    /// The body as JSON; null when it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or(Value::Null)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

impl Raw {
    pub(crate) async fn open(shop: &Shop) -> Self {
        let address = shop.url("").trim_start_matches("http://").to_owned();
        Self { stream: TcpStream::connect(address).await.expect("the API accepts connections") }
    }

    /// Sends bytes; that the other side has hung up already is no error.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Ends our half of the connection.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// One answer; status 0 when the connection ends, or nothing comes, before there is one.
    pub(crate) async fn answer(&mut self) -> RawAnswer {
        tokio::time::timeout(PATIENCE, self.read()).await.unwrap_or_else(|_| RawAnswer {
            status: 0,
            head: "(nothing in time)".to_owned(),
            body: String::new(),
        })
    }

    /// Whether the other side hangs up in time, whatever it says before that.
    pub(crate) async fn ends_within(&mut self, patience: Duration) -> bool {
        let drained = async {
            let mut buffer = [0; 4096];
            while self.stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        };
        tokio::time::timeout(patience, drained).await.is_ok()
    }

    async fn read(&mut self) -> RawAnswer {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut answer = RawAnswer { status, head, body: String::new() };
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = vec![0; length];
        if self.stream.read_exact(&mut body).await.is_ok() {
            answer.body = String::from_utf8_lossy(&body).into_owned();
        }
        answer
    }
}

/// A request's head, without the empty line that ends it.
pub(crate) fn head(shop: &Shop, line: &str, headers: &[&str]) -> String {
    use base64::Engine as _;
    let authorization = base64::engine::general_purpose::STANDARD.encode(format!("{}:", shop.secret_key));
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("{line} HTTP/1.1\r\nhost: api\r\nauthorization: Basic {authorization}\r\n{more}")
}

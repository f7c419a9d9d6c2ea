//! An SSE client as browsers have it: it remembers the last id, and says it when it comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Program, eventually, http};

/// A stream may stay open for so long.
const STREAM_LIMIT: Duration = Duration::from_secs(600);

/// One event, as it came.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `id:`, the payment's version.
    pub id: i64,
    /// `event:`
    pub event: String,
    /// `data:`
    pub data: Value,
    /// When it came.
    pub at: Instant,
    /// On which connection, from 0.
    pub connection: usize,
}

/// A stream of one payment's events, over any number of connections.
pub struct Stream {
    url: String,
    authorization: String,
    /// HTTP status of the newest connection.
    pub status: u16,
    /// Headers of the newest connection.
    pub headers: HeaderMap,
    /// Comments (heartbeats) so far.
    pub comments: usize,
    seen: Vec<Seen>,
    connection: usize,
    lines: mpsc::UnboundedReceiver<String>,
    reading: Option<JoinHandle<()>>,
    broke_off: Arc<AtomicBool>,
    pending: Pending,
    ended: bool,
}

#[derive(Default)]
struct Pending {
    id: Option<i64>,
    event: String,
    data: String,
}

impl Stream {
    pub(crate) async fn open(url: &str, authorization: &str, last_event_id: Option<i64>) -> Self {
        let mut stream = Self {
            url: url.to_owned(),
            authorization: authorization.to_owned(),
            status: 0,
            headers: HeaderMap::new(),
            comments: 0,
            seen: Vec::new(),
            connection: 0,
            lines: mpsc::unbounded_channel().1,
            reading: None,
            broke_off: Arc::default(),
            pending: Pending::default(),
            ended: false,
        };
        stream.connect(last_event_id).await;
        stream
    }

    /// Everything seen so far, in order, over all connections.
    pub fn seen(&mut self) -> &[Seen] {
        self.take();
        &self.seen
    }

    /// The newest id seen; 0 when none was.
    pub fn last_id(&mut self) -> i64 {
        self.take();
        self.seen.last().map_or(0, |seen| seen.id)
    }

    /// Waits for an event that `wanted` says yes to, among those seen and those to come.
    ///
    /// # Panics
    /// When none comes in time; shows what did.
    pub async fn until(&mut self, what: &str, patience: Duration, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = System.monotonic() + patience;
        loop {
            self.take();
            if let Some(found) = self.seen.iter().find(|seen| wanted(seen)) {
                return found.clone();
            }
            assert!(
                System.monotonic() < deadline,
                "waited {patience:?} in vain: {what}; the stream had {:#?}",
                self.seen
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the payment's status is this on the stream.
    ///
    /// # Panics
    /// When it does not come in time.
    pub async fn until_status(&mut self, status: &str, patience: Duration) -> Seen {
        let what = format!("status {status}");
        self.until(&what, patience, |seen| seen.status() == status).await
    }

    /// Waits until the server has ended the stream.
    ///
    /// # Panics
    /// When it does not in time.
    pub async fn until_end(&mut self, patience: Duration) {
        eventually("the stream ends", patience, async || {
            self.take();
            self.ended.then_some(())
        })
        .await;
    }

    /// Whether the connection is still open.
    pub fn is_open(&mut self) -> bool {
        self.take();
        !self.ended && self.status == 200
    }

    /// Whether the newest connection was lost instead of being ended: reset, or its body without its last piece.
    #[must_use]
    pub fn broke_off(&self) -> bool {
        self.broke_off.load(Ordering::Relaxed)
    }

    /// Hangs up.
    pub fn hang_up(&mut self) {
        self.take();
        if let Some(reading) = self.reading.take() {
            reading.abort();
        }
        self.ended = true;
    }

    /// Hangs up and comes back, as a browser does: with the last id it saw, or none if it saw none.
    pub async fn reconnect(&mut self) {
        self.hang_up();
        self.connection += 1;
        let last = self.seen.last().map(|seen| seen.id);
        self.connect(last).await;
    }

    /// Insists that every version was seen exactly once and in order, save that a connection without `Last-Event-ID`
    /// begins with a snapshot, which may stand for several.
    ///
    /// # Panics
    /// When it was not; shows what was.
    pub fn assert_every_version_once(&mut self) {
        self.take();
        for (earlier, later) in self.seen.iter().zip(self.seen.iter().skip(1)) {
            assert_eq!(later.id, earlier.id + 1, "a version is missing or came twice: {:#?}", self.seen);
        }
    }

    /// The same, at another API of the gateway.
    pub async fn reconnect_at(&mut self, api: &Program) {
        let path = self.url.find("/v1/").map_or("", |at| &self.url[at..]);
        self.url = format!("{}{path}", api.address());
        self.reconnect().await;
    }

    async fn connect(&mut self, last_event_id: Option<i64>) {
        let mut request = http::client(STREAM_LIMIT)
            .get(&self.url)
            .header("authorization", &self.authorization)
            .header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id.to_string());
        }
        let (sender, lines) = mpsc::unbounded_channel();
        self.lines = lines;
        self.pending = Pending::default();
        self.ended = false;
        let Ok(response) = request.send().await else {
            self.status = 0;
            self.ended = true;
            return;
        };
        self.status = response.status().as_u16();
        self.headers = response.headers().clone();
        self.broke_off = Arc::default();
        let broke_off = Arc::clone(&self.broke_off);
        self.reading = Some(tokio::spawn(async move {
            let mut chunks = response.bytes_stream();
            let mut line = Vec::new();
            while let Some(chunk) = chunks.next().await {
                let Ok(chunk) = chunk else {
                    broke_off.store(true, Ordering::Relaxed);
                    return;
                };
                for byte in chunk {
                    match byte {
                        b'\n' => {
                            let whole = String::from_utf8_lossy(&line).into_owned();
                            line.clear();
                            if sender.send(whole).is_err() {
                                return;
                            }
                        }
                        b'\r' => {}
                        other => line.push(other),
                    }
                }
            }
        }));
    }

    /// Reads the lines that have come.
    fn take(&mut self) {
        loop {
            match self.lines.try_recv() {
                Ok(line) => self.line(&line),
                Err(mpsc::error::TryRecvError::Empty) => return,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.ended = true;
                    return;
                }
            }
        }
    }

    fn line(&mut self, line: &str) {
        if line.is_empty() {
            let Pending { id, event, data } = std::mem::take(&mut self.pending);
            if let (Some(id), false) = (id, data.is_empty()) {
                let data = serde_json::from_str(&data).unwrap_or(Value::String(data));
                self.seen.push(Seen { id, event, data, at: System.monotonic(), connection: self.connection });
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => self.comments += 1,
            "id" => self.pending.id = value.parse().ok(),
            "event" => value.clone_into(&mut self.pending.event),
            "data" => self.pending.data.push_str(value),
            _ => {}
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Seen {
    /// The payment's status at this event.
    #[must_use]
    pub fn status(&self) -> &str {
        let status = self.data.get("status").or_else(|| self.data.pointer("/payment/status"));
        status.and_then(Value::as_str).unwrap_or_default()
    }
}

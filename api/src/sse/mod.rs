//! A payment's events as server-sent events.
//!
//! Register, read, emit, and read again on every wake-up: the log in Postgres is what is shown, wake-ups only say when to
//! look. So nothing is missed, nothing is shown twice, and the order is the log's.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use naru_shared::domain::payment::Payment;
use naru_shared::store::EventRow;
use naru_shared::system;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Watcher;
use crate::headers::Language;
use crate::view::{PaymentView, seoul_millis};

/// How often a comment tells proxies and browsers that the stream lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events read at once.
const READ_MAX: i64 = 100;
/// Events that a slow reader may have waiting; beyond that we stop reading for it.
const BUFFERED_MAX: usize = 16;
/// How often it is asked whether a stream's reader may still see it. Streams of one key are told by one look at it.
const ASKED_EVERY: Duration = Duration::from_secs(5);
/// How long a stream waits before it asks a failing database again.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// One event.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventView {
    /// The payment's version that it made; the `id:` of the stream.
    pub id: i64,
    /// What happened: `payment.created`, `payment.done`, `operation.retry_scheduled` …
    #[serde(rename = "type")]
    pub kind: String,
    /// When, by the merchant's clock, at +09:00.
    pub created_at: String,
    /// The trace it happened in.
    pub trace_id: String,
    /// The payment as it stood then.
    pub payment: PaymentView,
}

impl EventView {
    /// How an event of `payment` looks to a reader of this language.
    #[must_use]
    pub fn of(app: &App, payment: &Payment, event: EventRow, language: Language) -> Self {
        let then = payment.clone().at(event.version, event.state);
        Self {
            id: event.version,
            kind: event.kind,
            created_at: seoul_millis(event.shown_at),
            trace_id: event.trace_id,
            payment: PaymentView::of(app, &then, language),
        }
    }
}

/// Streams a payment: from a snapshot, or from the version that the reader has seen last. It ends with the payment's course, or
/// when its reader may see it no more.
pub fn stream(app: App, payment: Payment, watcher: Watcher, last: Option<i64>, language: Language) -> Response {
    let (sender, events) = mpsc::channel(BUFFERED_MAX);
    tokio::spawn(async move {
        let shutdown = app.shutdown.clone();
        metrics::gauge!("naru_sse_streams").increment(1.0);
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = sender.closed() => {}
            () = locked_out(&app, &watcher) => {}
            () = tell(&app, payment, last, language, &sender) => {}
        }
        metrics::gauge!("naru_sse_streams").decrement(1.0);
    });
    let keep_alive = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(ReceiverStream::new(events)).keep_alive(keep_alive).into_response();
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    response
}

/// Ends when the key with which a stream was opened is good no more. A checkout token is good until the payment's course is over, and
/// the stream ends with that anyway.
async fn locked_out(app: &App, watcher: &Watcher) {
    let Watcher::Merchant { key, .. } = watcher else { return std::future::pending().await };
    loop {
        tokio::time::sleep(ASKED_EVERY).await;
        if !app.keys.still_speaks(*key).await {
            return;
        }
    }
}

async fn tell(
    app: &App,
    payment: Payment,
    last: Option<i64>,
    language: Language,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) {
    let mut watching = app.hub.watch(payment.id);
    // A version that does not exist yet was never sent by us: begin anew.
    let mut seen = last.filter(|last| *last <= payment.version);
    let mut retry = Some(retry_after());
    loop {
        match next(app, &payment, seen, language).await {
            Ok((events, at_rest)) => {
                for (id, name, data) in events {
                    let Ok(mut event) = Event::default().id(id.to_string()).event(name).json_data(data) else { return };
                    if let Some(retry) = retry.take() {
                        event = event.retry(retry);
                    }
                    if sender.send(Ok(event)).await.is_err() {
                        return;
                    }
                    seen = Some(id);
                }
                if at_rest {
                    return;
                }
                watching.newer_than(seen.unwrap_or(0)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "a stream waits for Postgres");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }
}

type Emission = (i64, String, serde_json::Value);

/// What comes after `seen`, and whether nothing will come after that.
async fn next(
    app: &App,
    payment: &Payment,
    seen: Option<i64>,
    language: Language,
) -> Result<(Vec<Emission>, bool), naru_shared::store::StoreError> {
    let Some(seen) = seen else {
        let now = app.store.payments(&[payment.id]).await?.into_iter().next();
        let now = now.unwrap_or_else(|| payment.clone());
        let view = PaymentView::of(app, &now, language);
        let snapshot = serde_json::to_value(view).unwrap_or_default();
        return Ok((vec![(now.version, "snapshot".into(), snapshot)], now.state.is_at_rest()));
    };
    let events = app.store.events_after(payment.id, seen, READ_MAX).await?;
    let full = i64::try_from(events.len()).is_ok_and(|count| count == READ_MAX);
    let at_rest = match events.last() {
        Some(last) => last.state.is_at_rest() && !full,
        None => payment.state.is_at_rest() && seen >= payment.version,
    };
    let emissions = events
        .into_iter()
        .map(|event| {
            let view = EventView::of(app, payment, event, language);
            (view.id, view.kind.clone(), serde_json::to_value(view).unwrap_or_default())
        })
        .collect();
    Ok((emissions, at_rest))
}

/// How long a browser waits before it comes back: spread, so that a restart brings no herd.
fn retry_after() -> Duration {
    use rand::RngExt as _;
    Duration::from_millis(system::dice().random_range(1_000..3_000))
}

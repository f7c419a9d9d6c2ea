//! A page that watches one payment by its event stream.

use std::pin::Pin;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use naru_servers::Failure;
use reqwest::header;

use super::{Authenticated, Shop};
use crate::Outcome;
use crate::http::answer;
use crate::measure::Made;

/// How long a stream may take to say that its payment is done.
const PATIENCE: Duration = Duration::from_secs(15);

/// A payment to be confirmed, and its open stream, whose snapshot was read.
pub(crate) struct Watched {
    shop: Shop,
    payment: Authenticated,
    stream: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
}

impl Watched {
    pub(super) async fn open(shop: &Shop, payment: Authenticated) -> Outcome<Self> {
        let failed = |cause| Failure::new("open a stream", cause);
        let url = format!("{}/v1/payments/{}/events", shop.api, payment.key);
        let request =
            shop.http.get(url).basic_auth(&shop.secret_key, Some("")).header(header::ACCEPT, "text/event-stream");
        let response = request.send().await.and_then(reqwest::Response::error_for_status).map_err(failed)?;
        let mut watched = Self { shop: shop.clone(), payment, stream: Box::pin(response.bytes_stream()) };
        watched.until("event: snapshot").await?;
        Ok(watched)
    }

    /// Confirms without waiting, and listens until the stream says that it is paid.
    pub(crate) async fn confirm(mut self) -> Outcome<Made> {
        let request = self.shop.confirm(&self.payment).header("prefer", "respond-async");
        let asking = async {
            answer("confirm a payment", request, 202).await?;
            Ok(Instant::now())
        };
        let listening = self.until("event: payment.done");
        let (accepted, heard) = tokio::try_join!(asking, listening)?;
        Ok(Made { accepted, heard })
    }

    async fn until(&mut self, line: &str) -> Outcome<Instant> {
        let failed = |cause: &str| Failure::new("read a stream", cause);
        let mut text = String::new();
        let reading = async {
            while let Some(chunk) = self.stream.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk.map_err(|cause| failed(&cause.to_string()))?));
                if text.contains(line) {
                    return Ok(Instant::now());
                }
            }
            Err(failed("it ended early"))
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap_or_else(|_| Err(failed("nothing came")))
    }
}

//! Notices through Redis: who waits for a payment hears that it is paid.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use naru_servers::Failure;
use redis::Client;
use redis::aio::MultiplexedConnection;
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::Outcome;

/// A payment that nobody has heard of for so long has failed.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub(super) struct Wakes {
    waiting: Arc<Mutex<HashMap<Uuid, oneshot::Sender<Instant>>>>,
    connection: MultiplexedConnection,
    channel: &'static str,
}

/// One who waits.
pub(super) struct Waiting(oneshot::Receiver<Instant>);

impl Wakes {
    /// Subscribes to `channel`, and connects to publish to it.
    pub(super) async fn start(url: &str, channel: &'static str) -> Outcome<Self> {
        let failed = |cause| Failure::new("reach Redis", cause);
        let client = Client::open(url).map_err(failed)?;
        let connection = client.get_multiplexed_async_connection().await.map_err(failed)?;
        let mut subscription = client.get_async_pubsub().await.map_err(failed)?;
        subscription.subscribe(channel).await.map_err(failed)?;
        let wakes = Self { waiting: Arc::default(), connection, channel };
        let waiting = Arc::clone(&wakes.waiting);
        tokio::spawn(async move {
            let mut messages = subscription.into_on_message();
            while let Some(message) = messages.next().await {
                if let Ok(payment) = Uuid::from_slice(message.get_payload_bytes())
                    && let Some(waiter) = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&payment)
                {
                    let _ = waiter.send(Instant::now());
                }
            }
        });
        Ok(wakes)
    }

    pub(super) fn watch(&self, payment: Uuid) -> Waiting {
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(payment, sender);
        Waiting(receiver)
    }

    /// Announces these payments in one round trip.
    pub(super) async fn publish(&self, payments: &[Uuid]) -> Outcome {
        let mut pipeline = redis::pipe();
        for payment in payments {
            pipeline.publish(self.channel, payment.as_bytes()).ignore();
        }
        let published = pipeline.exec_async(&mut self.connection.clone()).await;
        published.map_err(|cause| Failure::new("announce a payment", cause))
    }
}

impl Waiting {
    /// When the notice came.
    pub(super) async fn heard(self) -> Outcome<Instant> {
        match tokio::time::timeout(PATIENCE, self.0).await {
            Ok(Ok(at)) => Ok(at),
            Ok(Err(_)) | Err(_) => Err(Failure::new("wait for a payment", "it was never heard of")),
        }
    }
}

//! Redis: the only part of Naru that speaks to it.
//!
//! It carries wake-ups ("payment X is at version 7") from whoever changed a payment to every process that has somebody
//! waiting for it. Nothing is kept in it and nothing depends on it: a lost wake-up costs a waiting page up to two seconds,
//! until the next batched check of versions in Postgres finds the same thing.

mod connection;
mod notice;
mod publisher;
mod subscriber;

use std::fmt;

use redis::Client;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::{notice::Notice, subscriber::BusEvent};
use self::{publisher::Publisher, subscriber::Subscriber};

/// Events a subscriber may be behind before it is told to read everything again.
const EVENTS_MAX: usize = 4_096;

/// Where Redis is.
#[derive(Clone)]
pub struct BusConfig {
    /// `redis://user:password@host:port/database` (or `rediss:`).
    pub url: String,
    /// The first word of every channel, so that one Redis can serve several Narus.
    pub prefix: String,
}

/// Without the password.
impl fmt::Debug for BusConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusConfig").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The URL of Redis can't be used.
#[derive(Debug, thiserror::Error)]
#[error("REDIS_URL is not a Redis URL: {0}")]
pub struct BadUrl(#[from] redis::RedisError);

/// The wake-up bus. Cheap to clone; the publishing connection ends with the last clone.
#[derive(Debug, Clone)]
pub struct Bus {
    client: Client,
    prefix: String,
    publisher: Publisher,
    _stop_on_drop: std::sync::Arc<DropGuard>,
}

impl Bus {
    /// Starts to connect, in the background and without end.
    ///
    /// # Errors
    /// The URL is checked here; that Redis is away is not an error.
    pub fn connect(config: &BusConfig) -> Result<Self, BadUrl> {
        let client = connection::client(&config.url)?;
        let stop = CancellationToken::new();
        let publisher = Publisher::start(client.clone(), config.prefix.clone(), stop.clone());
        let _stop_on_drop = std::sync::Arc::new(stop.drop_guard());
        Ok(Self { client, prefix: config.prefix.clone(), publisher, _stop_on_drop })
    }

    /// Whether announcements go out at present.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.publisher.is_connected()
    }

    /// Announces new versions, all at once. Takes at most 100 ms; what did not go out in that time is counted and forgotten.
    pub async fn publish(&self, notices: &[Notice]) {
        self.publisher.publish(notices).await;
    }

    /// Hears all announcements, until `shutdown` or until the receiver is dropped. The first event is a
    /// [`BusEvent::Resync`]; another follows after every reconnect, and whenever this receiver fell behind.
    #[must_use]
    pub fn subscribe(&self, shutdown: CancellationToken) -> mpsc::Receiver<BusEvent> {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let subscriber = Subscriber { client: self.client.clone(), prefix: self.prefix.clone(), events };
        tokio::spawn(async move {
            shutdown.run_until_cancelled(subscriber.run()).await;
        });
        receiver
    }
}

//! RabbitMQ: the only part of Naru that speaks AMQP.
//!
//! Messages are hints (design §2): publishing writes nothing, a lost one is sent again by the
//! sweeper, and a repeated one meets a row that has moved on. What this module owes is therefore
//! small and exact: say truthfully what was published, hand out what arrives, settle what is
//! finished, and come back by itself after any trouble.
//!
//! * [`Broker`] keeps the connections, one to publish and one to consume.
//! * [`Publisher`] publishes batches and knows what the broker confirmed; [`Relay`] does so for
//!   those who can't wait.
//! * [`Delivery`] is a message that came in.
//! * [`Topology`] is `rabbitmq/definitions.json`; `rabbitmq/README.md` draws it.
//! * [`ladder`] is where hints wait.

mod acks;
mod consumer;
mod declare;
mod delivery;
mod headers;
mod hint;
pub mod ladder;
mod link;
mod outgoing;
mod publisher;
mod queue;
mod relay;
mod topology;

use std::{fmt, sync::Arc, time::Duration};

use lapin::{
    options::QueueDeclareOptions,
    types::{FieldTable, ShortString},
    uri::AMQPUri,
};
use tokio::{
    sync::{OnceCell, mpsc, watch},
    time::timeout,
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use self::{
    consumer::Consuming,
    link::{Link, OpenError, Role},
};
pub use self::{
    declare::DeclareError,
    delivery::Delivery,
    headers::{Death, Headers, storable},
    hint::{BODY_MAX, Hint, Poison},
    link::LinkState,
    outgoing::Outgoing,
    publisher::{PUBLISH_TIMEOUT, PublishError, PublishResults, Publisher},
    queue::WorkQueue,
    relay::Relay,
    topology::{
        Argument, Binding, DEAD_EXCHANGE, DEAD_QUEUE, DestinationType, Exchange, ExchangeKind, Queue, Topology,
        WORK_EXCHANGE,
    },
};

/// How long asking for the depth of a queue may take.
const DEPTH_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the broker is, and who we are to it.
#[derive(Clone)]
pub struct BrokerConfig {
    /// `amqp://user:password@host:port/vhost` (or `amqps:`).
    pub url: String,
    /// The program's name; the broker shows it with each connection.
    pub name: String,
}

/// Without the password.
impl fmt::Debug for BrokerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokerConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The URL of the broker can't be used.
#[derive(Debug, thiserror::Error)]
#[error("AMQP_URL is not an AMQP URL: {0}")]
pub struct BadUrl(String);

/// Why the topology was not declared at start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The URL is wrong.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// The broker refused, or was not there; only the latter is no reason to stop.
    #[error(transparent)]
    Declare(#[from] DeclareError),
}

/// Why the depth of a queue is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DepthError {
    /// There is no connection.
    #[error("RabbitMQ is not connected")]
    NotConnected,
    /// The broker did not say, or not in time; or it has no such queue.
    #[error("RabbitMQ did not say how deep `{queue}` is: {detail}")]
    Refused {
        /// The queue asked for.
        queue: String,
        /// What happened instead.
        detail: String,
    },
}

/// RabbitMQ, kept connected. Cheap to clone; the connections close when the last clone is dropped
/// (or properly by [`Broker::close`]).
#[derive(Debug, Clone)]
pub struct Broker {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    uri: AMQPUri,
    name: String,
    publishing: Link,
    /// Raised when either connection finds the broker back.
    back: watch::Sender<()>,
    publisher: Publisher,
    /// Made when the first consumer starts: a program that only publishes needs one connection.
    consuming: OnceCell<Link>,
    consumers: TaskTracker,
    keepers: TaskTracker,
    shutdown: CancellationToken,
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

impl Broker {
    /// Declares the topology once, before a program does anything else.
    ///
    /// # Errors
    /// [`DeclareError::Mismatch`] names the queue and the argument when the broker has something
    /// else under our names: do not start. [`DeclareError::Unreachable`] is no reason to stop.
    pub async fn declare(config: &BrokerConfig) -> Result<(), StartError> {
        let uri = parse(&config.url)?;
        let connection = match link::open(&uri, &config.name).await {
            Ok(connection) => connection,
            Err(OpenError::Declare(error)) => return Err(error.into()),
            Err(error @ (OpenError::Connect(_) | OpenError::TimedOut)) => {
                return Err(DeclareError::Unreachable(error.to_string()).into());
            }
        };
        let _ = timeout(Duration::from_secs(1), connection.close(200, "declared".into())).await;
        Ok(())
    }

    /// The same for a program that is of use without a broker: that it is away is logged, and no reason to stop.
    ///
    /// # Errors
    /// As [`Broker::declare`], save that it is away.
    pub async fn declare_if_reachable(config: &BrokerConfig) -> Result<(), StartError> {
        match Self::declare(config).await {
            Err(StartError::Declare(error @ DeclareError::Unreachable(_))) => {
                tracing::warn!(%error, "starting without RabbitMQ");
                Ok(())
            }
            declared => declared,
        }
    }

    /// Starts to connect, and stays connected from then on. When `shutdown` is cancelled consumers
    /// take no more; publishing goes on until [`Broker::close`], for what is still being worked on.
    ///
    /// # Errors
    /// The URL is checked here; that the broker is away is not an error.
    pub fn start(config: &BrokerConfig, shutdown: CancellationToken) -> Result<Self, BadUrl> {
        let uri = parse(&config.url)?;
        let stop = CancellationToken::new();
        let keepers = TaskTracker::new();
        let back = watch::Sender::new(());
        let (publishing, keeper) =
            Link::keep(uri.clone(), config.name.clone(), Role::Publish, back.clone(), stop.clone());
        keepers.spawn(keeper);
        let inner = Inner {
            uri,
            name: config.name.clone(),
            publisher: Publisher::start(publishing.clone()),
            publishing,
            back,
            consuming: OnceCell::new(),
            consumers: TaskTracker::new(),
            keepers,
            shutdown,
            _stop_on_drop: stop.clone().drop_guard(),
            stop,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Publishes batches.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.inner.publisher.clone()
    }

    /// How the publishing connection is.
    #[must_use]
    pub fn publishing(&self) -> LinkState {
        self.inner.publishing.state()
    }

    /// How the consuming connection is; `None` when this program does not consume.
    #[must_use]
    pub fn consuming(&self) -> Option<LinkState> {
        self.inner.consuming.get().map(Link::state)
    }

    /// Whether every connection this program uses is open and takes what it is for.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let up = |state| state == LinkState::Up;
        up(self.publishing()) && self.consuming().is_none_or(up)
    }

    /// Waits until the publishing connection is open. For start-up and tests; nothing needs it,
    /// since a publish without a connection says so.
    pub async fn connected(&self) {
        let mut link = self.inner.publishing.clone();
        while link.state() != LinkState::Up && link.changed().await {}
    }

    /// Takes messages from `queue` and hands them to `sender`, at most `prefetch` of them unsettled
    /// at a time, until the shutdown or until the receiver is dropped. A full `sender` is how to
    /// pause it. The sender is dropped at the end, after the last delivery was handed over.
    pub async fn consume(&self, queue: &str, prefetch: u16, sender: mpsc::Sender<Delivery>) {
        let inner = &self.inner;
        let start = async || {
            let (link, keeper) = Link::keep(
                inner.uri.clone(),
                inner.name.clone(),
                Role::Consume,
                inner.back.clone(),
                inner.stop.clone(),
            );
            inner.keepers.spawn(keeper);
            link
        };
        let consuming = Consuming {
            publishing: inner.publishing.clone(),
            link: inner.consuming.get_or_init(start).await.clone(),
            queue: queue.into(),
            prefetch: prefetch.max(1),
            sender,
            shutdown: inner.shutdown.clone(),
        };
        inner.consumers.spawn(consuming.run());
    }

    /// How many messages wait in a queue, not counting those delivered and unsettled.
    ///
    /// # Errors
    /// [`DepthError`] when the broker is away, does not answer within two seconds, or has no such
    /// queue. Whoever asks must then assume the worst for its purpose.
    pub async fn depth(&self, queue: &str) -> Result<u32, DepthError> {
        let refused = |detail: String| DepthError::Refused { queue: queue.to_owned(), detail };
        let session = self.inner.publishing.session().ok_or(DepthError::NotConnected)?;
        let name = ShortString::try_new(queue).map_err(|error| refused(error.to_string()))?;
        let asking = async {
            // Its own channel: a queue that is not there closes the channel that asks.
            let channel = session.connection.create_channel().await?;
            let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
            let found = channel.queue_declare(name, options, FieldTable::default()).await?;
            let _ = channel.close(200, "asked".into()).await;
            Ok(found.message_count())
        };
        match timeout(DEPTH_TIMEOUT, asking).await {
            Ok(answer) => answer.map_err(|error: lapin::Error| refused(error.to_string())),
            Err(_) => Err(refused(format!("no answer within {DEPTH_TIMEOUT:?}"))),
        }
    }

    /// Ends consumption, waits until all that was taken is settled and acked, then closes the
    /// connections. Whatever is unsettled after `within` comes again elsewhere.
    pub async fn close(&self, within: Duration) {
        let inner = &self.inner;
        inner.shutdown.cancel();
        inner.consumers.close();
        if timeout(within, inner.consumers.wait()).await.is_err() {
            tracing::warn!(?within, "RabbitMQ consumers did not drain in time");
        }
        inner.stop.cancel();
        inner.keepers.close();
        // Each keeper bounds its own close.
        inner.keepers.wait().await;
    }
}

fn parse(url: &str) -> Result<AMQPUri, BadUrl> {
    url.parse().map_err(BadUrl)
}

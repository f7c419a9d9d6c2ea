//! One connection to RabbitMQ that is always being kept, or being made again.
//!
//! lapin can recover a connection by itself; we do not let it. Its recovery leaves out channel
//! errors, and a consumer that meets one then waits for ever. Here there is one path for every
//! trouble: drop everything, wait a little, connect, declare, start again.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use lapin::{Connection, ConnectionProperties, Event, uri::AMQPUri};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::declare;
use crate::reconnect::Reconnect;

/// How long a connection may take to be open, handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a polite close may take; a broker that is frozen never answers it.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// Both sides send one at half this pace; silence of twice this time ends the connection.
const HEARTBEAT_SECONDS: u16 = 10;
/// lapin announces most ends as events; this finds the rest.
const HEALTH_TICK: Duration = Duration::from_secs(1);
/// The longest wait between attempts to connect, or to open a channel.
pub(super) const RECONNECT_DELAY_MAX: Duration = Duration::from_secs(10);
/// A connection that lived this long was a good one: the next attempt comes soon.
const GOOD_LIFE: Duration = Duration::from_secs(5);

/// What a link is used for: lapin pauses every write on a connection the broker blocks, so
/// publishing and consuming never share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Publish,
    Consume,
}

impl Role {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Consume => "consume",
        }
    }
}

/// How a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// Not connected; being tried again without end.
    Down,
    /// Connected, topology declared.
    Up,
    /// Connected, but the broker takes no publishes: it is out of memory or disk.
    Blocked,
}

/// An open connection with its number, so that a complaint about an old one is not held against
/// the one that followed.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) connection: Arc<Connection>,
    pub(super) number: u64,
}

#[derive(Debug, Clone, Default)]
struct Status {
    session: Option<Session>,
    blocked: bool,
}

/// A handle to a kept connection.
#[derive(Debug, Clone)]
pub(super) struct Link {
    status: watch::Receiver<Status>,
    complaints: mpsc::Sender<u64>,
}

impl Link {
    /// Starts keeping a connection until `stop`. Links with the same `back` tell each other that the broker is back, so
    /// that the one with the longer delay does not sit it out.
    pub(super) fn keep(
        uri: AMQPUri,
        name: String,
        role: Role,
        back: watch::Sender<()>,
        stop: CancellationToken,
    ) -> (Self, JoinHandle<()>) {
        let (sender, status) = watch::channel(Status::default());
        let (complaints, heard) = mpsc::channel(8);
        let keeper = Keeper {
            uri,
            name: format!("{name} {}", role.as_str()),
            role,
            back,
            status: sender,
            complaints: heard,
            number: 0,
        };
        let task = tokio::spawn(keeper.run(stop));
        (Self { status, complaints }, task)
    }

    /// How the link is now.
    pub(super) fn state(&self) -> LinkState {
        let status = self.status.borrow();
        match (&status.session, status.blocked) {
            (None, _) => LinkState::Down,
            (Some(_), false) => LinkState::Up,
            (Some(_), true) => LinkState::Blocked,
        }
    }

    /// The open connection, if there is one now.
    pub(super) fn session(&self) -> Option<Session> {
        self.status.borrow().session.clone()
    }

    /// Waits for an open connection. `None` when the link has stopped for good.
    pub(super) async fn connected(&mut self) -> Option<Session> {
        let status = self.status.wait_for(|status| status.session.is_some()).await;
        status.ok()?.session.clone()
    }

    /// Waits until the state may have changed. `false` when the link has stopped for good.
    pub(super) async fn changed(&mut self) -> bool {
        self.status.changed().await.is_ok()
    }

    /// Waits until `session` is no longer the open connection.
    pub(super) async fn lost(&mut self, session: &Session) {
        let number = session.number;
        // An error means that the link has stopped: lost as well.
        let _ = self.status.wait_for(|status| status.session.as_ref().is_none_or(|now| now.number != number)).await;
    }

    /// Asks for a new connection because this one does not answer.
    pub(super) fn complain(&self, session: &Session) {
        // Full means that others have complained already.
        let _ = self.complaints.try_send(session.number);
    }
}

struct Keeper {
    uri: AMQPUri,
    name: String,
    role: Role,
    back: watch::Sender<()>,
    status: watch::Sender<Status>,
    complaints: mpsc::Receiver<u64>,
    number: u64,
}

impl Keeper {
    async fn run(mut self, stop: CancellationToken) {
        let mut reconnect = Reconnect::up_to(RECONNECT_DELAY_MAX);
        let mut back = self.back.subscribe();
        while !stop.is_cancelled() {
            let opened = tokio::select! {
                () = stop.cancelled() => return,
                opened = open(&self.uri, &self.name) => opened,
            };
            match opened {
                Ok(connection) => {
                    let since = tokio::time::Instant::now();
                    self.hold(connection, &stop).await;
                    back.mark_unchanged();
                    if since.elapsed() > GOOD_LIFE {
                        reconnect.reset();
                    }
                }
                Err(error) => tracing::warn!(link = self.name, %error, "RabbitMQ is not reached"),
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(reconnect.next_delay()) => {}
                // Also when that was while we tried in vain.
                Ok(()) = back.changed() => {}
            }
        }
    }

    /// Holds an open connection until it ends, somebody complains, or `stop`.
    async fn hold(&mut self, connection: Connection, stop: &CancellationToken) {
        self.number += 1;
        let number = self.number;
        let mut events = std::pin::pin!(connection.events_listener());
        let connection = Arc::new(connection);
        let session = Session { connection: Arc::clone(&connection), number };
        let blocked = connection.status().blocked();
        self.status.send_replace(Status { session: Some(session), blocked });
        self.gauge(1.0);
        tracing::info!(link = self.name, "RabbitMQ is connected");
        self.back.send_replace(());

        let mut tick = interval(HEALTH_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let reason = loop {
            tokio::select! {
                () = stop.cancelled() => break "stopping".to_owned(),
                event = events.next() => match event {
                    // Channel errors come here too; their channels see to them.
                    Some(Event::Error(error)) if !connection.status().connected() => {
                        break error.to_string();
                    }
                    Some(_) => {}
                    None => break "lapin let go of the connection".to_owned(),
                },
                complaint = self.complaints.recv() => match complaint {
                    Some(about) if about == number => break "it does not answer".to_owned(),
                    Some(_) => {}
                    None => break "nobody uses it any more".to_owned(),
                },
                _ = tick.tick() => {}
            }
            if !connection.status().connected() {
                break "the connection ended".to_owned();
            }
            self.note_blocked(connection.status().blocked());
        };

        self.status.send_replace(Status::default());
        self.gauge(0.0);
        if stop.is_cancelled() {
            tracing::debug!(link = self.name, "RabbitMQ connection closes");
        } else {
            tracing::warn!(link = self.name, reason, "RabbitMQ connection is lost");
            metrics::counter!("naru_broker_connections_lost_total", "role" => self.role.as_str()).increment(1);
        }
        let _ = timeout(CLOSE_TIMEOUT, connection.close(200, "bye".into())).await;
    }

    fn note_blocked(&self, blocked: bool) {
        let changed = self.status.send_if_modified(|status| {
            let changed = status.blocked != blocked;
            status.blocked = blocked;
            changed
        });
        if changed {
            tracing::warn!(link = self.name, blocked, "RabbitMQ changed whether it takes publishes");
        }
    }

    fn gauge(&self, value: f64) {
        metrics::gauge!("naru_broker_connected", "role" => self.role.as_str()).set(value);
    }
}

/// Why no connection was opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error(transparent)]
    Connect(#[from] lapin::Error),
    #[error("no connection within {CONNECT_TIMEOUT:?}")]
    TimedOut,
    #[error(transparent)]
    Declare(#[from] declare::DeclareError),
}

/// Opens a connection and declares the topology on it.
pub(super) async fn open(uri: &AMQPUri, name: &str) -> Result<Connection, OpenError> {
    let mut uri = uri.clone();
    uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = Connection::connect_uri(uri, properties);
    let connection = timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| OpenError::TimedOut)??;
    declare::declare(&connection).await?;
    Ok(connection)
}

//! Takes messages from one queue, on its own channel, for as long as the program wants.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use lapin::{
    Channel, Consumer,
    options::{BasicCancelOptions, BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    acks::{self, AckerEnd, Settlement},
    declare,
    delivery::Delivery,
    link::{Link, RECONNECT_DELAY_MAX, Session},
};
use crate::reconnect::Reconnect;

/// How long the broker may take to open a channel and start or cancel a consumer.
const SETUP_TIMEOUT: Duration = Duration::from_secs(5);

/// One queue's consumer.
pub(super) struct Consuming {
    /// Nothing is taken before this one can publish.
    pub(super) publishing: Link,
    pub(super) link: Link,
    pub(super) queue: Arc<str>,
    pub(super) prefetch: u16,
    pub(super) sender: mpsc::Sender<Delivery>,
    /// Cancelled when no more is to be taken.
    pub(super) shutdown: CancellationToken,
}

/// A channel that consumes.
struct Open {
    channel: Channel,
    consumer: Consumer,
    settle: mpsc::UnboundedSender<Settlement>,
    acker: JoinHandle<Result<(), AckerEnd>>,
}

/// Why a channel ended although the program wants more.
enum Trouble {
    /// The connection is gone; the link is making another.
    ConnectionLost,
    /// Something else; build another channel.
    Broken(String),
}

impl Consuming {
    /// Runs until the shutdown or until the receiver is dropped. Trouble of any kind ends the channel and begins another;
    /// what was unsettled on it comes again.
    pub(super) async fn run(mut self) {
        let mut reconnect = Reconnect::up_to(RECONNECT_DELAY_MAX);
        let mut served = None;
        loop {
            let ready = async {
                // Whoever works on what arrives has hints to send, and one that can't be sent costs seconds.
                self.publishing.connected().await?;
                self.link.connected().await
            };
            let session = tokio::select! {
                () = self.shutdown.cancelled() => return,
                session = ready => session,
            };
            let Some(session) = session else { return };
            // A second channel on one connection follows trouble with the queue, which may be gone.
            let again = served.replace(session.number) == Some(session.number);
            match self.consume(&session, again).await {
                Ok(open) => return self.drain(open).await,
                Err(Trouble::ConnectionLost) => {
                    reconnect.reset();
                    continue;
                }
                Err(Trouble::Broken(reason)) => {
                    tracing::warn!(queue = %self.queue, reason, "consumer is rebuilt");
                    metrics::counter!("naru_broker_consumers_rebuilt_total").increment(1);
                }
            }
            tokio::select! {
                () = self.shutdown.cancelled() => return,
                () = sleep(reconnect.next_delay()) => {}
            }
        }
    }

    /// Consumes on a channel of its own until no more is wanted; returns the channel then, still open.
    async fn consume(&mut self, session: &Session, declare_first: bool) -> Result<Open, Trouble> {
        let (channel, consumer) = match timeout(SETUP_TIMEOUT, self.open(session, declare_first)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Err(Trouble::Broken(error)),
            Err(_) => {
                self.link.complain(session);
                return Err(Trouble::Broken(format!("no consumer within {SETUP_TIMEOUT:?}")));
            }
        };
        let (settle, settled) = mpsc::unbounded_channel();
        let acker = tokio::spawn(acks::run(settled, self.prefetch));
        let mut open = Open { channel, consumer, settle, acker };
        match self.take(session, &mut open).await {
            Ok(()) => Ok(open),
            Err(trouble) => {
                close(&open.channel, &open.acker).await;
                Err(trouble)
            }
        }
    }

    async fn open(&self, session: &Session, declare_first: bool) -> Result<(Channel, Consumer), String> {
        if declare_first {
            declare::declare(&session.connection).await.map_err(|error| error.to_string())?;
        }
        let opening = async {
            let channel = session.connection.create_channel().await?;
            // Without it the buffer in lapin has no bound.
            channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
            let consumer = channel
                .basic_consume(
                    self.queue.as_ref().into(),
                    "".into(),
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await?;
            Ok((channel, consumer))
        };
        opening.await.map_err(|error: lapin::Error| error.to_string())
    }

    /// Hands deliveries over one by one. A full receiver makes this wait, and then the prefetch makes the broker wait.
    async fn take(&mut self, session: &Session, open: &mut Open) -> Result<(), Trouble> {
        loop {
            let permit = tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                () = self.link.lost(session) => return Err(Trouble::ConnectionLost),
                end = &mut open.acker => return Err(Trouble::Broken(acker_end(end))),
                permit = self.sender.reserve() => permit,
            };
            let Ok(permit) = permit else { return Ok(()) };
            let delivery = tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                () = self.link.lost(session) => return Err(Trouble::ConnectionLost),
                end = &mut open.acker => return Err(Trouble::Broken(acker_end(end))),
                () = self.sender.closed() => return Ok(()),
                delivery = open.consumer.next() => delivery,
            };
            match delivery {
                Some(Ok(delivery)) => permit.send(Delivery::new(delivery, self.queue.clone(), open.settle.clone())),
                Some(Err(error)) => return Err(Trouble::Broken(error.to_string())),
                // Cancelled by the broker: the queue was deleted, or moved, or (4.3) an ack took too long. The channel still
                // looks healthy then.
                None => return Err(Trouble::Broken("the broker cancelled the consumer".to_owned())),
            }
        }
    }

    /// Takes no more, hands over what is here already, lets the receiver know that this was all, and waits until all of it
    /// is settled.
    async fn drain(self, open: Open) {
        let Open { channel, mut consumer, settle, mut acker } = open;
        let cancelling = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
        if matches!(timeout(SETUP_TIMEOUT, cancelling).await, Ok(Ok(()))) {
            while let Some(Ok(delivery)) = consumer.next().await {
                // When nobody takes it, it is dropped, and comes again elsewhere.
                let _ = self.sender.send(Delivery::new(delivery, self.queue.clone(), settle.clone())).await;
            }
            drop(self.sender);
            drop(settle);
            // The acker ends when the last delivery let go of its sender.
            let _ = (&mut acker).await;
        }
        close(&channel, &acker).await;
    }
}

/// What is settled after this is a late settlement, and does nothing.
async fn close(channel: &Channel, acker: &JoinHandle<Result<(), AckerEnd>>) {
    acker.abort();
    let _ = timeout(SETUP_TIMEOUT, channel.close(200, "done".into())).await;
}

fn acker_end(end: Result<Result<(), AckerEnd>, tokio::task::JoinError>) -> String {
    match end {
        Ok(Ok(())) => "the acker ended early".to_owned(),
        Ok(Err(end)) => end.to_string(),
        Err(panic) => panic.to_string(),
    }
}

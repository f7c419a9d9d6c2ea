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
    pub(super) link: Link,
    pub(super) queue: Arc<str>,
    pub(super) prefetch: u16,
    pub(super) sender: mpsc::Sender<Delivery>,
    /// Cancelled when no more is to be taken.
    pub(super) shutdown: CancellationToken,
}

/// Why a channel ended.
enum Ended {
    /// The program stops, or nobody takes deliveries any more.
    Wanted,
    /// The connection is gone; the link is making another.
    ConnectionLost,
    /// Something else; build another channel.
    Broken(String),
}

impl Consuming {
    /// Runs until the shutdown or until the receiver is dropped. Trouble of any kind ends the
    /// channel and begins another; what was unsettled on it comes again.
    pub(super) async fn run(mut self) {
        let mut reconnect = Reconnect::up_to(RECONNECT_DELAY_MAX);
        let mut served = None;
        loop {
            let session = tokio::select! {
                () = self.shutdown.cancelled() => return,
                session = self.link.connected() => session,
            };
            let Some(session) = session else { return };
            // A second channel on one connection follows trouble with the queue, which may be gone.
            let again = served.replace(session.number) == Some(session.number);
            match self.consume(&session, again).await {
                Ended::Wanted => return,
                Ended::ConnectionLost => {
                    reconnect.reset();
                    continue;
                }
                Ended::Broken(reason) => {
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

    async fn consume(&mut self, session: &Session, declare_first: bool) -> Ended {
        let opened = timeout(SETUP_TIMEOUT, self.open(session, declare_first)).await;
        let (channel, mut consumer) = match opened {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Ended::Broken(error),
            Err(_) => {
                self.link.complain(session);
                return Ended::Broken(format!("no consumer within {SETUP_TIMEOUT:?}"));
            }
        };
        let (settle, settled) = mpsc::unbounded_channel();
        let mut acker = tokio::spawn(acks::run(settled, self.prefetch));

        let ended = self.take(session, &mut consumer, &settle, &mut acker).await;
        if let Ended::Wanted = ended {
            self.drain(&channel, consumer, settle, &mut acker).await;
        }
        // What is settled after this is a late settlement, and does nothing.
        acker.abort();
        let _ = timeout(SETUP_TIMEOUT, channel.close(200, "done".into())).await;
        ended
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

    /// Hands deliveries over one by one. A full receiver makes this wait, and then the prefetch
    /// makes the broker wait.
    async fn take(
        &mut self,
        session: &Session,
        consumer: &mut Consumer,
        settle: &mpsc::UnboundedSender<Settlement>,
        acker: &mut JoinHandle<Result<(), AckerEnd>>,
    ) -> Ended {
        loop {
            let permit = tokio::select! {
                () = self.shutdown.cancelled() => return Ended::Wanted,
                () = self.link.lost(session) => return Ended::ConnectionLost,
                end = &mut *acker => return Ended::Broken(acker_end(end)),
                permit = self.sender.reserve() => permit,
            };
            let Ok(permit) = permit else {
                return Ended::Wanted;
            };
            let delivery = tokio::select! {
                () = self.shutdown.cancelled() => return Ended::Wanted,
                () = self.link.lost(session) => return Ended::ConnectionLost,
                end = &mut *acker => return Ended::Broken(acker_end(end)),
                delivery = consumer.next() => delivery,
            };
            match delivery {
                Some(Ok(delivery)) => {
                    permit.send(Delivery::new(delivery, self.queue.clone(), settle.clone()));
                }
                Some(Err(error)) => return Ended::Broken(error.to_string()),
                // Cancelled by the broker: the queue was deleted, or moved, or (4.3) an ack took
                // too long. The channel still looks healthy then.
                None => return Ended::Broken("the broker cancelled the consumer".to_owned()),
            }
        }
    }

    /// Takes no more, hands over what is here already, and waits until all of it is settled.
    async fn drain(
        &self,
        channel: &Channel,
        mut consumer: Consumer,
        settle: mpsc::UnboundedSender<Settlement>,
        acker: &mut JoinHandle<Result<(), AckerEnd>>,
    ) {
        let cancelling = channel.basic_cancel(consumer.tag(), BasicCancelOptions::default());
        if !matches!(timeout(SETUP_TIMEOUT, cancelling).await, Ok(Ok(()))) {
            return;
        }
        while let Some(Ok(delivery)) = consumer.next().await {
            let delivery = Delivery::new(delivery, self.queue.clone(), settle.clone());
            if self.sender.send(delivery).await.is_err() {
                return;
            }
        }
        // The acker ends when the last delivery let go of its sender.
        drop(settle);
        let _ = acker.await;
    }
}

fn acker_end(end: Result<Result<(), AckerEnd>, tokio::task::JoinError>) -> String {
    match end {
        Ok(Ok(())) => "the acker ended early".to_owned(),
        Ok(Err(end)) => end.to_string(),
        Err(panic) => panic.to_string(),
    }
}

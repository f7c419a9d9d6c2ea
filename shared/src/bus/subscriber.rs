//! Hears of new versions, and says when something may have been missed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use redis::{Client, PushInfo, PushKind, RedisResult, Value, aio::SendError};
use tokio::{
    sync::{Notify, mpsc},
    time::{MissedTickBehavior, interval, sleep},
};

use super::{
    connection::{self, PING_EVERY, RECONNECT_DELAY_MAX},
    notice::{self, Notice},
};
use crate::reconnect::Reconnect;

/// What a subscriber is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BusEvent {
    /// A payment has a new version.
    Notice(Notice),
    /// Notices may have been missed (a connection was made, or too many came at once): read again everything somebody waits
    /// for. It is sent only once later notices are heard, so that no gap is left between them and the reading.
    Resync,
}

/// Subscribes, over and over, until the receiver is dropped.
pub(super) struct Subscriber {
    pub(super) client: Client,
    pub(super) prefix: String,
    pub(super) events: mpsc::Sender<BusEvent>,
}

/// What the connection's own task tells the subscriber without ever waiting for it.
#[derive(Debug, Default)]
struct Signals {
    lagged: AtomicBool,
    ended: AtomicBool,
    changed: Notify,
}

impl Signals {
    fn raise(&self, flag: &AtomicBool) {
        flag.store(true, Ordering::Release);
        self.changed.notify_one();
    }
}

impl Subscriber {
    pub(super) async fn run(self) {
        let mut reconnect = Reconnect::up_to(RECONNECT_DELAY_MAX);
        while !self.events.is_closed() {
            match self.listen(&mut reconnect).await {
                Ok(()) => tracing::debug!("Redis subscription ended"),
                Err(error) => tracing::warn!(%error, "Redis subscription is lost"),
            }
            gauge(0.0);
            sleep(reconnect.next_delay()).await;
        }
    }

    /// Listens on one connection until it ends.
    async fn listen(&self, reconnect: &mut Reconnect) -> RedisResult<()> {
        let signals = Arc::new(Signals::default());
        let pushes = Pushes { events: self.events.clone(), signals: Arc::clone(&signals) };
        let receive = move |push| pushes.receive(push);
        let mut connection = connection::connect_with_pushes(&self.client, receive).await?;
        connection.subscribe(notice::channels(&self.prefix)).await?;
        gauge(1.0);
        tracing::info!("Redis is subscribed to");
        reconnect.reset();
        self.resync("subscribed").await;

        let mut tick = interval(PING_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => connection::ping(&mut connection).await?,
                () = signals.changed.notified() => {
                    if signals.ended.load(Ordering::Acquire) {
                        return Ok(());
                    }
                    if signals.lagged.swap(false, Ordering::AcqRel) {
                        self.resync("lagged").await;
                    }
                }
                () = self.events.closed() => return Ok(()),
            }
        }
    }

    async fn resync(&self, reason: &'static str) {
        metrics::counter!("naru_bus_resyncs_total", "reason" => reason).increment(1);
        // Waits for room: whoever reads will come to it after what is queued.
        let _ = self.events.send(BusEvent::Resync).await;
    }
}

/// Runs inside the connection's task, where nothing may wait.
struct Pushes {
    events: mpsc::Sender<BusEvent>,
    signals: Arc<Signals>,
}

impl Pushes {
    fn receive(&self, push: PushInfo) -> Result<(), SendError> {
        if push.kind == PushKind::Disconnection {
            self.signals.raise(&self.signals.ended);
        } else if push.kind == PushKind::Message
            && let Some(notice) = payload(&push.data).and_then(Notice::decode)
            && let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(BusEvent::Notice(notice))
        {
            self.signals.raise(&self.signals.lagged);
        }
        Ok(())
    }
}

/// A message push is its channel and its payload.
fn payload(data: &[Value]) -> Option<&[u8]> {
    match data {
        [_, Value::BulkString(payload)] => Some(payload),
        _ => None,
    }
}

fn gauge(value: f64) {
    metrics::gauge!("naru_bus_connected", "role" => "subscribe").set(value);
}

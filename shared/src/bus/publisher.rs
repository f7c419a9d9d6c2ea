//! Announces new versions. Never in the way: what can't be sent at once is counted and forgotten.

use std::time::Duration;

use redis::{Client, aio::MultiplexedConnection};
use tokio::{
    sync::{mpsc, watch},
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    connection::{self, PING_EVERY, RECONNECT_DELAY_MAX},
    notice::Notice,
};
use crate::reconnect::Reconnect;

/// How long an announcement may hold up whoever makes it.
const PUBLISH_TIMEOUT: Duration = Duration::from_millis(100);

/// Announces over a kept connection.
#[derive(Debug, Clone)]
pub(super) struct Publisher {
    prefix: String,
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    doubts: mpsc::Sender<()>,
}

impl Publisher {
    /// Starts keeping a connection until `stop`.
    pub(super) fn start(client: Client, prefix: String, stop: CancellationToken) -> Self {
        let (sender, connection) = watch::channel(None);
        let (doubts, doubted) = mpsc::channel(1);
        tokio::spawn(async move {
            let keeper = Keeper { client, connection: sender, doubted };
            stop.run_until_cancelled(keeper.run()).await;
        });
        Self { prefix, connection, doubts }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.borrow().is_some()
    }

    pub(super) async fn publish(&self, notices: &[Notice]) {
        if notices.is_empty() {
            return;
        }
        let count = u64::try_from(notices.len()).unwrap_or(u64::MAX);
        let Some(mut connection) = self.connection.borrow().clone() else {
            dropped("not_connected", count);
            return;
        };
        let mut pipeline = redis::pipe();
        for notice in notices {
            pipeline.publish(notice.channel(&self.prefix), notice.encode()).ignore();
        }
        match timeout(PUBLISH_TIMEOUT, pipeline.exec_async(&mut connection)).await {
            Ok(Ok(())) => metrics::counter!("naru_bus_published_total").increment(count),
            Ok(Err(_)) => self.doubt("error", count),
            Err(_) => self.doubt("timed_out", count),
        }
    }

    /// Nobody else is to wait for a connection that did not answer once.
    fn doubt(&self, reason: &'static str, count: u64) {
        dropped(reason, count);
        // Full means that it is doubted already.
        let _ = self.doubts.try_send(());
    }
}

fn dropped(reason: &'static str, count: u64) {
    metrics::counter!("naru_bus_dropped_total", "reason" => reason).increment(count);
}

struct Keeper {
    client: Client,
    connection: watch::Sender<Option<MultiplexedConnection>>,
    doubted: mpsc::Receiver<()>,
}

impl Keeper {
    async fn run(mut self) {
        let mut reconnect = Reconnect::up_to(RECONNECT_DELAY_MAX);
        loop {
            match connection::connect(&self.client).await {
                Ok(connection) => {
                    reconnect.reset();
                    self.hold(connection).await;
                }
                Err(error) => tracing::debug!(%error, "Redis is not reached to publish"),
            }
            sleep(reconnect.next_delay()).await;
        }
    }

    async fn hold(&mut self, mut connection: MultiplexedConnection) {
        while self.doubted.try_recv().is_ok() {}
        self.connection.send_replace(Some(connection.clone()));
        gauge(1.0);
        let mut tick = interval(PING_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                _ = self.doubted.recv() => break,
            }
            if let Err(error) = connection::ping(&mut connection).await {
                tracing::warn!(%error, "Redis connection to publish is lost");
                break;
            }
        }
        self.connection.send_replace(None);
        gauge(0.0);
    }
}

fn gauge(value: f64) {
    metrics::gauge!("naru_bus_connected", "role" => "publish").set(value);
}

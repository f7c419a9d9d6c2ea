//! What nobody asks for and must be done all the same: each a small service of its own.

mod accounts;
mod archiver;
mod capture;
mod delay;
mod expiry;
mod housekeeper;
mod sweeper;

use std::time::Duration;

use naru_shared::broker::DEAD_QUEUE;
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tokio_util::task::TaskTracker;

use crate::Worker;
use crate::intake::Orphanage;

/// Dead messages taken at once at most.
const DEAD_PREFETCH: u16 = 32;

/// Starts all of them.
pub(crate) async fn start(worker: &Worker, orphanage: Orphanage, tasks: &TaskTracker) {
    tasks.spawn(sweeper::run(worker.clone(), orphanage));
    tasks.spawn(expiry::run(worker.clone()));
    tasks.spawn(capture::run(worker.clone()));
    tasks.spawn(accounts::run(worker.clone()));
    tasks.spawn(delay::run(worker.clone()));
    tasks.spawn(housekeeper::run(worker.clone()));
    let (arrived, dead) = mpsc::channel(usize::from(DEAD_PREFETCH));
    worker.broker.consume(DEAD_QUEUE, DEAD_PREFETCH, arrived).await;
    tasks.spawn(archiver::run(worker.clone(), dead));
}

/// A tick that does not catch up on what it slept through.
fn every(period: Duration) -> Interval {
    let mut tick = interval(period);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tick
}

/// Waits for the next tick; false when it is time to stop.
async fn next(worker: &Worker, tick: &mut Interval) -> bool {
    tokio::select! {
        () = worker.shutdown.cancelled() => false,
        _ = tick.tick() => true,
    }
}

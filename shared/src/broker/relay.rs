//! Sends hints from inside a request, without the request waiting for them.
//!
//! The row is committed before its hint is offered, so a hint that is dropped here is not lost
//! work: the sweeper finds the row by its `nudge_at` and sends another.

use tokio::sync::mpsc;

use super::{
    outgoing::Outgoing,
    publisher::{BATCH_MAX, Publisher},
};

/// Hints that wait at most; at 2,000 a second this is four seconds of a slow broker.
const WAITING_MAX: usize = 8_192;

/// Takes hints and publishes them in the background. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay {
    waiting: mpsc::Sender<Outgoing>,
    publisher: Publisher,
}

impl Relay {
    /// Starts the relay's task. It ends when the last clone is dropped and all that waits is sent.
    #[must_use]
    pub fn start(publisher: Publisher) -> Self {
        let (waiting, taken) = mpsc::channel(WAITING_MAX);
        tokio::spawn(run(taken, publisher.clone()));
        Self { waiting, publisher }
    }

    /// Hands over a hint. Never waits; drops it, counted, when the broker is away or too much waits.
    pub fn offer(&self, message: Outgoing) {
        if let Some(refusal) = self.publisher.refusal() {
            dropped(refusal.kind(), 1);
        } else if self.waiting.try_send(message).is_err() {
            dropped("full", 1);
        }
    }
}

async fn run(mut taken: mpsc::Receiver<Outgoing>, publisher: Publisher) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while taken.recv_many(&mut batch, BATCH_MAX).await > 0 {
        let results = publisher.publish(std::mem::take(&mut batch)).await;
        for error in results.into_iter().filter_map(Result::err) {
            dropped(error.kind(), 1);
        }
    }
}

fn dropped(reason: &'static str, count: u64) {
    metrics::counter!("naru_relay_dropped_total", "reason" => reason).increment(count);
}

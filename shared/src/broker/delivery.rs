//! A message that came in, and how to be done with it.

use std::sync::Arc;

use lapin::Acker;
use tokio::sync::mpsc;

use super::{
    Headers, Hint, Poison,
    acks::{Ending, Settlement},
};

/// A message from a queue, held until it is settled.
///
/// [`done`](Self::done) and [`reject`](Self::reject) consume it, so it is settled at most once;
/// they may be called from any task, never wait, and do nothing when the channel it came on has
/// ended in the meantime (the broker then delivers it again).
///
/// Dropping it unsettled leaves it unacknowledged: it keeps one place of the prefetch until its
/// channel ends, and comes again then. That is right when a task panics or the program stops, and
/// wrong as a habit; it is counted, and when every place is taken that way the channel is rebuilt.
#[derive(Debug)]
pub struct Delivery {
    /// The bytes as they came.
    pub body: Vec<u8>,
    /// The headers as they came.
    pub headers: Headers,
    /// The queue it was taken from.
    pub queue: Arc<str>,
    /// The key it was published with; for a dead letter, the queue it had been meant for.
    pub routing_key: String,
    /// The publisher's id for it.
    pub message_id: Option<String>,
    /// Whether the broker may have delivered it before.
    pub redelivered: bool,
    pub(super) receipt: Receipt,
}

/// The right to settle one delivery.
#[derive(Debug)]
pub(super) struct Receipt {
    pub(super) tag: u64,
    pub(super) acker: Acker,
    pub(super) settle: Option<mpsc::UnboundedSender<Settlement>>,
}

impl Delivery {
    pub(super) fn new(
        delivery: lapin::message::Delivery,
        queue: Arc<str>,
        settle: mpsc::UnboundedSender<Settlement>,
    ) -> Self {
        let properties = delivery.properties;
        Self {
            body: delivery.data,
            queue,
            routing_key: delivery.routing_key.to_string(),
            message_id: properties.message_id().as_ref().map(ToString::to_string),
            redelivered: delivery.redelivered,
            headers: Headers::new(properties.headers().clone()),
            receipt: Receipt { tag: delivery.delivery_tag, acker: delivery.acker, settle: Some(settle) },
        }
    }

    /// The hint in it.
    ///
    /// # Errors
    /// [`Poison`] when it is none; such a delivery is to be rejected.
    pub fn hint(&self) -> Result<Hint, Poison> {
        Hint::decode(&self.body)
    }

    /// It is dealt with: the broker may forget it.
    pub fn done(self) {
        self.receipt.settle(Ending::Done);
    }

    /// It can't be dealt with: to the dead letters, bytes and headers as they are.
    pub fn reject(self) {
        self.receipt.settle(Ending::Rejected);
    }
}

impl Receipt {
    fn settle(mut self, ending: Ending) {
        self.send(ending);
    }

    fn send(&mut self, ending: Ending) {
        let Some(settle) = self.settle.take() else {
            return;
        };
        let settlement = Settlement { tag: self.tag, acker: self.acker.clone(), ending };
        if settle.send(settlement).is_err() {
            metrics::counter!("naru_broker_late_settlements_total").increment(1);
        } else if ending == Ending::Abandoned {
            metrics::counter!("naru_broker_abandoned_total").increment(1);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.send(Ending::Abandoned);
    }
}

//! Messages on their way out.

use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable, ShortString},
};
use time::OffsetDateTime;

use super::{
    Hint, WorkQueue, headers,
    ladder::{self, Step, Wait},
    topology::{DEAD_EXCHANGE, WORK_EXCHANGE},
};

/// A message to publish. It always starts from an empty header table: headers copied from a
/// delivery (`x-death` above all) make RabbitMQ 3.x drop what is dead-lettered a second time.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub(super) kind: Kind,
    pub(super) exchange: &'static str,
    pub(super) routing_key: String,
    pub(super) body: Vec<u8>,
    /// Names the message for people; it need not be unique.
    message_id: Option<ShortString>,
    headers: FieldTable,
}

/// What a message is, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Work,
    Wait,
    Dead,
}

impl Kind {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Work => "work",
            Self::Wait => "wait",
            Self::Dead => "dead",
        }
    }
}

impl Outgoing {
    /// A hint to be worked on now.
    #[must_use]
    pub fn work(queue: WorkQueue, hint: &Hint) -> Self {
        Self::hint(Kind::Work, WORK_EXCHANGE, queue, hint)
    }

    /// A hint that waits on a step of the ladder first; it counts the hop.
    #[must_use]
    pub fn wait(step: Step, queue: WorkQueue, hint: &Hint) -> Self {
        let hint = Hint { waited: hint.waited.saturating_add(1), ..*hint };
        Self::hint(Kind::Wait, step.exchange(), queue, &hint)
    }

    /// A hint on the way its due time asks for: as work, or to wait. `None` when it is due so late
    /// that it stays in Postgres until the sweeper sends it.
    #[must_use]
    pub fn due(queue: WorkQueue, hint: &Hint, now: OffsetDateTime) -> Option<Self> {
        let delay = (hint.due_at - now).try_into().unwrap_or_default();
        match ladder::step_for(delay) {
            Wait::Not => Some(Self::work(queue, hint)),
            Wait::On(step) => Some(Self::wait(step, queue, hint)),
            Wait::InPostgres => None,
        }
    }

    /// A dead letter: the body as it came, where it came from, and why it died.
    #[must_use]
    pub fn dead(from_queue: &str, reason: &str, body: Vec<u8>) -> Self {
        Self::new(Kind::Dead, DEAD_EXCHANGE, String::new(), body)
            .with_header(headers::REASON, reason)
            .with_header(headers::FROM_QUEUE, from_queue)
    }

    /// A name for the message, such as the id of the one it is made of. Ignored beyond the 255 bytes AMQP has for it.
    #[must_use]
    pub fn with_message_id(mut self, id: &str) -> Self {
        self.message_id = ShortString::try_new(id).ok();
        self
    }

    /// The trace this message belongs to, as W3C Trace Context writes it.
    #[must_use]
    pub fn with_traceparent(self, traceparent: &str) -> Self {
        self.with_header(headers::TRACEPARENT, traceparent)
    }

    fn with_header(mut self, name: &'static str, value: &str) -> Self {
        let value = AMQPValue::LongString(value.into());
        self.headers.insert(ShortString::from(name), value);
        self
    }

    fn hint(kind: Kind, exchange: &'static str, queue: WorkQueue, hint: &Hint) -> Self {
        let id = format!("{}.{}.{}", hint.operation, hint.attempt, hint.waited);
        Self::new(kind, exchange, queue.name(), hint.encode()).with_message_id(&id)
    }

    fn new(kind: Kind, exchange: &'static str, routing_key: String, body: Vec<u8>) -> Self {
        Self { kind, exchange, routing_key, body, message_id: None, headers: FieldTable::default() }
    }

    /// Persistent, or it would be gone after a restart even from a quorum queue's dead letters.
    /// `place` comes back with the message when it is unroutable, and says which publish of a batch that was.
    pub(super) fn properties(&self, place: usize) -> BasicProperties {
        const PERSISTENT: u8 = 2;
        let content_type = match self.kind {
            Kind::Work | Kind::Wait => "application/json",
            Kind::Dead => "application/octet-stream",
        };
        let properties = BasicProperties::default()
            .with_delivery_mode(PERSISTENT)
            .with_content_type(content_type.into())
            .with_correlation_id(place.to_string().into())
            .with_headers(self.headers.clone());
        match &self.message_id {
            Some(id) => properties.with_message_id(id.clone()),
            None => properties,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::operation::Urgency;
    use std::time::Duration;
    use uuid::Uuid;

    const QUEUE: WorkQueue = WorkQueue::new("card", Urgency::Pay);

    fn due_in(delay: Duration) -> Option<Outgoing> {
        let now = OffsetDateTime::UNIX_EPOCH;
        let hint = Hint { operation: Uuid::nil(), attempt: 1, due_at: now + delay, waited: 0 };
        Outgoing::due(QUEUE, &hint, now)
    }

    #[test]
    fn what_is_due_is_work_and_what_is_not_waits_with_its_key() {
        let now = due_in(Duration::ZERO).unwrap();
        assert_eq!((now.exchange, now.kind), (WORK_EXCHANGE, Kind::Work));
        let later = due_in(Duration::from_secs(3)).unwrap();
        assert_eq!((later.exchange, later.kind), ("naru.wait.2s", Kind::Wait));
        assert_eq!(later.routing_key, "work.pay.card");
        assert_eq!(Hint::decode(&later.body).unwrap().waited, 1);
        assert!(due_in(Duration::from_secs(513)).is_none());
    }

    #[test]
    fn what_is_overdue_is_work() {
        let hint = Hint { operation: Uuid::nil(), attempt: 1, due_at: OffsetDateTime::UNIX_EPOCH, waited: 2 };
        let now = OffsetDateTime::UNIX_EPOCH + Duration::from_secs(9);
        assert_eq!(Outgoing::due(QUEUE, &hint, now).unwrap().kind, Kind::Work);
    }
}

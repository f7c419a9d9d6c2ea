//! The exchanges, queues and bindings of `rabbitmq/definitions.json`, typed.
//!
//! That file is compiled in and is the only description there is: what the programs declare, what
//! compose imports and what the tests check is the same text.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use serde::Deserialize;

/// The exchange that routes work to the work queues, by name.
pub const WORK_EXCHANGE: &str = "naru.work";
/// The exchange every dead letter goes through.
pub const DEAD_EXCHANGE: &str = "naru.dead";
/// The queue of dead letters, emptied by the archiver.
pub const DEAD_QUEUE: &str = "dead";

const DEFINITIONS: &str = include_str!("../../../rabbitmq/definitions.json");

/// Everything Naru has on a broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The exchanges.
    pub exchanges: Vec<Exchange>,
    /// The queues.
    pub queues: Vec<Queue>,
    /// What is routed where.
    pub bindings: Vec<Binding>,
}

/// An exchange.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    /// Its name.
    pub name: String,
    /// Where an import of the file puts it. The programs declare in the vhost of their own URL.
    pub vhost: String,
    /// How it routes.
    #[serde(rename = "type")]
    pub kind: ExchangeKind,
    /// Whether it outlives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last binding.
    pub auto_delete: bool,
    /// Whether clients are kept from publishing to it.
    pub internal: bool,
    /// Extra arguments; none are used.
    pub arguments: BTreeMap<String, Argument>,
}

/// How an exchange routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExchangeKind {
    /// By routing key.
    Direct,
    /// To all that is bound.
    Fanout,
}

/// A queue.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// Where an import of the file puts it.
    pub vhost: String,
    /// Whether it outlives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// The `x-…` arguments; `rabbitmq/README.md` has the reason for each.
    pub arguments: BTreeMap<String, Argument>,
}

/// A binding.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The exchange messages come from.
    pub source: String,
    /// Where an import of the file puts it.
    pub vhost: String,
    /// The queue they go to.
    pub destination: String,
    /// Always `queue`.
    pub destination_type: DestinationType,
    /// The key, for a direct exchange.
    pub routing_key: String,
    /// Extra arguments; none are used.
    pub arguments: BTreeMap<String, Argument>,
}

/// What a binding leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DestinationType {
    /// A queue.
    Queue,
}

/// The value of an argument.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Argument {
    /// A whole number.
    Number(i64),
    /// A word.
    Text(String),
}

impl Queue {
    /// A textual argument.
    #[must_use]
    pub fn text(&self, argument: &str) -> Option<&str> {
        match self.arguments.get(argument)? {
            Argument::Text(text) => Some(text),
            Argument::Number(_) => None,
        }
    }

    /// A numeric argument.
    #[must_use]
    pub fn number(&self, argument: &str) -> Option<i64> {
        match self.arguments.get(argument)? {
            Argument::Number(number) => Some(*number),
            Argument::Text(_) => None,
        }
    }

    /// The exchange its dead letters go to.
    #[must_use]
    pub fn dead_letter_exchange(&self) -> Option<&str> {
        self.text("x-dead-letter-exchange")
    }
}

impl Topology {
    /// The topology of `rabbitmq/definitions.json`.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: LazyLock<Topology> = LazyLock::new(|| {
            #[expect(clippy::expect_used, reason = "the text is compiled in, and a test parses it")]
            serde_json::from_str(DEFINITIONS).expect("rabbitmq/definitions.json reads as a topology")
        });
        &EMBEDDED
    }

    /// The queue of that name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| queue.name == name)
    }

    /// The queues such that every queue comes after those its dead letters end in: what a queue
    /// lets go must find its target there, or it is lost (classic, at most once) or stuck for
    /// three minutes (at least once).
    #[must_use]
    pub fn queues_targets_first(&self) -> Vec<&Queue> {
        let mut ordered = Vec::with_capacity(self.queues.len());
        let mut visited = BTreeSet::new();
        for queue in &self.queues {
            self.visit(queue, &mut visited, &mut ordered);
        }
        ordered
    }

    fn visit<'a>(&'a self, queue: &'a Queue, visited: &mut BTreeSet<&'a str>, ordered: &mut Vec<&'a Queue>) {
        if !visited.insert(&queue.name) {
            return;
        }
        if let Some(exchange) = queue.dead_letter_exchange() {
            for target in self.bindings.iter().filter(|b| b.source == exchange) {
                if let Some(target) = self.queue(&target.destination) {
                    self.visit(target, visited, ordered);
                }
            }
        }
        ordered.push(queue);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{WorkQueue, ladder::Step};

    /// Every queue but the last stop of a dead letter, which has nowhere further to go.
    fn queues_that_let_go() -> impl Iterator<Item = &'static Queue> {
        Topology::embedded().queues.iter().filter(|queue| queue.name != DEAD_QUEUE)
    }

    #[test]
    fn every_queue_is_quorum_durable_and_says_its_delivery_limit() {
        for queue in &Topology::embedded().queues {
            assert_eq!(queue.text("x-queue-type"), Some("quorum"), "{}", queue.name);
            assert!(queue.durable && !queue.auto_delete, "{}", queue.name);
            assert!(queue.number("x-delivery-limit") > Some(0), "{}", queue.name);
        }
        for exchange in &Topology::embedded().exchanges {
            assert!(exchange.durable && !exchange.auto_delete && !exchange.internal);
        }
    }

    /// RabbitMQ accepts `at-least-once` without the other two and silently does at-most-once.
    #[test]
    fn dead_lettering_is_at_least_once_with_all_it_needs() {
        for queue in queues_that_let_go() {
            let name = &queue.name;
            assert_eq!(queue.text("x-dead-letter-strategy"), Some("at-least-once"), "{name}");
            assert_eq!(queue.text("x-overflow"), Some("reject-publish"), "{name}");
            assert!(queue.dead_letter_exchange().is_some(), "{name}");
            assert!(queue.text("x-dead-letter-routing-key").is_none(), "{name} keeps the key");
        }
    }

    #[test]
    fn every_dead_letter_finds_a_bound_target() {
        let topology = Topology::embedded();
        for queue in queues_that_let_go() {
            let exchange = queue.dead_letter_exchange().unwrap();
            assert!(topology.exchanges.iter().any(|e| e.name == exchange), "{exchange}");
            assert!(topology.bindings.iter().any(|b| b.source == exchange), "{exchange}");
        }
    }

    #[test]
    fn every_binding_joins_things_that_exist_and_every_queue_is_bound() {
        let topology = Topology::embedded();
        for binding in &topology.bindings {
            assert!(topology.exchanges.iter().any(|e| e.name == binding.source));
            assert!(topology.queue(&binding.destination).is_some());
        }
        for queue in &topology.queues {
            assert!(topology.bindings.iter().any(|b| b.destination == queue.name));
        }
    }

    #[test]
    fn work_is_routed_by_the_queues_own_name_and_dies_into_the_archive() {
        let topology = Topology::embedded();
        let mut limits = BTreeSet::new();
        for work in WorkQueue::all() {
            let name = work.name();
            let binding = topology.bindings.iter().find(|b| b.destination == name).unwrap();
            assert_eq!((binding.source.as_str(), binding.routing_key.as_str()), (WORK_EXCHANGE, name.as_str()));
            let queue = topology.queue(&name).unwrap();
            assert_eq!(queue.dead_letter_exchange(), Some(DEAD_EXCHANGE));
            limits.insert(queue.number("x-delivery-limit"));
        }
        assert_eq!(limits.len(), 1, "one delivery limit for all work: {limits:?}");
    }

    #[test]
    fn the_ladder_in_the_file_is_the_ladder_in_the_code() {
        let topology = Topology::embedded();
        for step in Step::ALL {
            let name = step.exchange();
            let exchange = topology.exchanges.iter().find(|e| e.name == name).unwrap();
            assert_eq!(exchange.kind, ExchangeKind::Fanout);
            let queue = topology.queue(name).unwrap();
            let ttl = i64::try_from(step.delay().as_millis()).unwrap();
            assert_eq!(queue.number("x-message-ttl"), Some(ttl), "{name}");
            assert_eq!(queue.dead_letter_exchange(), Some(WORK_EXCHANGE));
        }
        let rungs = topology.queues.iter().filter(|q| q.name.starts_with("naru.wait."));
        assert_eq!(rungs.count(), Step::ALL.len());
    }

    #[test]
    fn targets_come_before_sources() {
        let topology = Topology::embedded();
        let order: Vec<&str> = topology.queues_targets_first().iter().map(|q| q.name.as_str()).collect();
        assert_eq!(order.len(), topology.queues.len());
        let place = |name: &str| order.iter().position(|n| *n == name).unwrap();
        for work in WorkQueue::all() {
            assert!(place(DEAD_QUEUE) < place(&work.name()));
            for step in Step::ALL {
                assert!(place(&work.name()) < place(step.exchange()));
            }
        }
    }
}

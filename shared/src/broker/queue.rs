//! Which queue a piece of work goes to.

use std::fmt;

use super::topology::Topology;
use crate::domain::operation::Urgency;

/// A work queue: one per connector and urgency, `work.<urgency>.<connector>`.
///
/// The name is also the routing key under which `naru.work` knows it, and the one a message keeps
/// while it waits in the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkQueue {
    /// The connector's name, for example `card`.
    pub connector: &'static str,
    /// How urgent the work in it is.
    pub urgency: Urgency,
}

impl WorkQueue {
    /// The queue of a connector for an urgency. Whether the broker has such a queue is what
    /// [`WorkQueue::exists`] says; a hint for one it has not is returned as unroutable.
    #[must_use]
    pub const fn new(connector: &'static str, urgency: Urgency) -> Self {
        Self { connector, urgency }
    }

    /// The queue's name and routing key.
    #[must_use]
    pub fn name(&self) -> String {
        self.to_string()
    }

    /// Whether the topology holds this queue. Programs ask at start for every connector they run.
    #[must_use]
    pub fn exists(&self) -> bool {
        Topology::embedded().queue(&self.name()).is_some()
    }

    /// The work queue of that name, if the topology holds it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|queue| queue.name() == name)
    }

    /// Every work queue of the topology.
    pub fn all() -> impl Iterator<Item = Self> {
        Topology::embedded().queues.iter().filter_map(|queue| {
            let (urgency, connector) = queue.name.strip_prefix("work.")?.split_once('.')?;
            let urgency = Urgency::parse(urgency)?;
            Some(Self { connector, urgency })
        })
    }
}

impl fmt::Display for WorkQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "work.{}.{}", self.urgency.as_str(), self.connector)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::operation::Connector;

    #[test]
    fn names_read_back() {
        let queues: Vec<WorkQueue> = WorkQueue::all().collect();
        assert_eq!(queues.len(), Connector::ALL.len() * Urgency::ALL.len());
        for connector in Connector::ALL {
            assert!(Urgency::ALL.iter().all(|&urgency| WorkQueue::new(connector.as_str(), urgency).exists()));
        }
        for queue in queues {
            assert_eq!(WorkQueue::parse(&queue.name()), Some(queue));
        }
        assert_eq!(WorkQueue::new("card", Urgency::Recover).name(), "work.recover.card");
    }

    #[test]
    fn what_the_broker_has_not_is_no_queue() {
        for name in ["", "work", "work.pay", "work.pay.bank", "work.soon.card", "dead"] {
            assert_eq!(WorkQueue::parse(name), None, "{name}");
        }
        assert!(!WorkQueue::new("bank", Urgency::Pay).exists());
    }
}

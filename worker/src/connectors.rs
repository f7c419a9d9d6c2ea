//! The acquirers this worker can reach, each behind its circuit breaker.

use std::time::Duration;

use naru_shared::acquirer::{Acquirer, NoClient, open};
use naru_shared::config::WorkerConfig;
use naru_shared::domain::connector::{Connector, PerConnector};

use crate::gate::Breaker;

/// Failures in a row after which an acquirer is left alone, and how often it is asked then.
const FAILURES_MAX: u32 = 10;
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Every connector.
pub(crate) struct Connectors(PerConnector<Line>);

/// One of them.
struct Line {
    acquirer: Box<dyn Acquirer>,
    breaker: Breaker,
}

impl Connectors {
    pub(crate) fn new(config: &WorkerConfig) -> Result<Self, NoClient> {
        let lines = PerConnector::make(|connector| {
            let acquirer = open(connector, &config.acquirers.config(connector, &config.keys.master))?;
            Ok(Line { acquirer, breaker: Breaker::new(connector, FAILURES_MAX, PROBE_EVERY) })
        });
        lines.map(Self)
    }

    pub(crate) fn acquirer(&self, connector: Connector) -> &dyn Acquirer {
        &*self.0.of(connector).acquirer
    }

    pub(crate) fn breaker(&self, connector: Connector) -> &Breaker {
        &self.0.of(connector).breaker
    }
}

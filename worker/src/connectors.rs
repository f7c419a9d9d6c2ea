//! The acquirers this worker can reach, each behind two circuit breakers: the sandbox never closes the way to real money.

use std::time::Duration;

use naru_shared::acquirer::{Acquirer, NoClient, open};
use naru_shared::config::WorkerConfig;
use naru_shared::domain::connector::{Connector, PerConnector};
use naru_shared::domain::id::Mode;

use crate::gate::Breaker;

/// Failures in a row after which an acquirer is left alone, and how often it is asked then.
const FAILURES_MAX: u32 = 10;
const PROBE_EVERY: Duration = Duration::from_secs(2);

/// Every connector.
pub(crate) struct Connectors(PerConnector<Line>);

/// One of them.
struct Line {
    acquirer: Box<dyn Acquirer>,
    test: Breaker,
    live: Breaker,
}

impl Connectors {
    pub(crate) fn new(config: &WorkerConfig) -> Result<Self, NoClient> {
        let lines = PerConnector::make(|connector| {
            let acquirer = open(connector, &config.acquirers.config(connector, &config.keys.master))?;
            let breaker = |mode| Breaker::new(connector, mode, FAILURES_MAX, PROBE_EVERY);
            Ok(Line { acquirer, test: breaker(Mode::Test), live: breaker(Mode::Live) })
        });
        lines.map(Self)
    }

    pub(crate) fn acquirer(&self, connector: Connector) -> &dyn Acquirer {
        &*self.0.of(connector).acquirer
    }

    pub(crate) fn breaker(&self, connector: Connector, mode: Mode) -> &Breaker {
        let line = self.0.of(connector);
        match mode {
            Mode::Test => &line.test,
            Mode::Live => &line.live,
        }
    }
}

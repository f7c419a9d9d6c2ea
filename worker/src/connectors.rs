//! The acquirers this worker can reach. One line per connector.

use std::time::Duration;

use naru_shared::acquirer::card::{CardCompany, CardConfig};
use naru_shared::acquirer::{Acquirer, NoClient};
use naru_shared::config::WorkerConfig;
use naru_shared::domain::operation::Connector;

use crate::gate::Breaker;

/// Every connector, behind its circuit breaker.
pub(crate) struct Connectors {
    card: CardCompany,
    card_breaker: Breaker,
}

impl Connectors {
    pub(crate) fn new(config: &WorkerConfig) -> Result<Self, NoClient> {
        let card = CardCompany::new(&CardConfig {
            url: config.card_acquirer.url.clone(),
            dedupes_by_reference: config.card_acquirer.dedupes,
            settle_window: config.card_acquirer.settle_window,
            fingerprint_key: naru_shared::keys::card_fingerprint_key(&config.keys.master),
        })?;
        Ok(Self { card, card_breaker: Breaker::new(Connector::Card, 10, Duration::from_secs(2)) })
    }

    pub(crate) fn acquirer(&self, connector: Connector) -> &dyn Acquirer {
        match connector {
            Connector::Card => &self.card,
        }
    }

    pub(crate) fn breaker(&self, connector: Connector) -> &Breaker {
        match connector {
            Connector::Card => &self.card_breaker,
        }
    }
}

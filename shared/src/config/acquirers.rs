//! Who moves the money, and how each may be treated.

use std::time::Duration;

use url::Url;

use super::concerns::{web_url, whole};
use super::reader::{Concern, Reader, Variable};
use crate::acquirer::AcquirerConfig;
use crate::connectors::every_connector;
use crate::domain::connector::{Connector, PerConnector};
use crate::keys::fingerprint_key;
use crate::secret::MasterSecret;

/// Where an acquirer is, and what its contract promises.
#[derive(Debug, Clone)]
struct Contract {
    url: Url,
    dedupes: bool,
    settle_window: Duration,
}

/// Everybody who moves money: for each connector, with its name for `CARD`,
///
/// - `NARU_CARD_ACQUIRER_URL`, required: base URL of the acquirer; in the sandbox, of the simulator.
/// - `NARU_CARD_ACQUIRER_DEDUPES`, default `true`: whether the same reference again has no second effect there. Only what its
///   contract promises: a wrong `true` may charge twice.
/// - `NARU_CARD_SETTLE_WINDOW_MS`, default 5000, at most 600000: how long after it took effect a call may still be missing
///   from an inquiry.
#[derive(Debug, Clone)]
pub struct Acquirers(PerConnector<Contract>);

impl Acquirers {
    /// What is to be known of a connector's acquirer.
    #[must_use]
    pub fn config(&self, connector: Connector, master: &MasterSecret) -> AcquirerConfig {
        let Contract { url, dedupes, settle_window } = self.0.of(connector);
        AcquirerConfig {
            url: url.clone(),
            dedupes_by_reference: *dedupes,
            settle_window: *settle_window,
            fingerprint_key: fingerprint_key(master, connector),
        }
    }
}

macro_rules! variables {
    ($($(#[$doc:meta])* $name:ident $field:ident $word:literal $variable:literal $company:path,)+) => {
        const VARIABLES: &[Variable] = &[$(
            Variable::required(
                concat!("NARU_", $variable, "_ACQUIRER_URL"),
                "base URL of this acquirer (the simulator in the sandbox)",
            ),
            Variable::defaulting(
                concat!("NARU_", $variable, "_ACQUIRER_DEDUPES"),
                "true",
                "whether the same reference again has no second effect at this acquirer",
            ),
            Variable::defaulting(
                concat!("NARU_", $variable, "_SETTLE_WINDOW_MS"),
                "5000",
                "how long a call may be missing from this acquirer's inquiry, in milliseconds, at most 600000",
            ),
        )+];
    };
}

every_connector!(variables);

impl Concern for Acquirers {
    const VARIABLES: &'static [Variable] = VARIABLES;

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        // Every mistake is to be reported at once, so all are read before any is missed.
        let contracts: Vec<_> = VARIABLES.chunks_exact(3).map(|variables| contract(reader, variables)).collect();
        let mut contracts = contracts.into_iter();
        PerConnector::make(|_| contracts.next().flatten().ok_or(())).ok().map(Self)
    }
}

fn contract(reader: &mut Reader<'_>, variables: &[Variable]) -> Option<Contract> {
    let [url, dedupes, settle_window] = variables else { return None };
    let url = reader.parsed(url, web_url);
    let dedupes = reader.parsed(dedupes, |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be `true` or `false`"),
    });
    let settle_window = reader.parsed(settle_window, |text| whole(text, 0, 600_000));
    Some(Contract { url: url?, dedupes: dedupes?, settle_window: Duration::from_millis(settle_window?) })
}

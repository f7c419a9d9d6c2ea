//! Which concerns each program has.

use super::acquirers::Acquirers;
use super::browsers::Browsers;
use super::concerns::{
    Admission, ApiListen, Broker, CallbackSecret, Database, DemoCards, DepositCallbacks, InternalListen, MasterKeys,
    Operators, PublicUrl, Redis, Telemetry, Work,
};
use super::reader::{Concern, ConfigError, Lookup, Reader, Variable};

/// Declares a program's configuration from its concerns, so that reading and listing can't drift apart.
macro_rules! program {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $concern:ty,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $concern,)+
        }

        impl $name {
            /// Reads every concern.
            ///
            /// # Errors
            /// Everything that is wrong with any variable, at once.
            pub fn from_env(lookup: Lookup<'_>) -> Result<Self, ConfigError> {
                let mut reader = Reader::new(lookup);
                $(let $field = <$concern>::read(&mut reader);)+
                let all = (|| Some(Self { $($field: $field?,)+ }))();
                reader.finish(all)
            }

            /// Every variable this program reads.
            #[must_use]
            pub fn variables() -> Vec<Variable> {
                [$(<$concern>::VARIABLES,)+].concat()
            }
        }
    };
}

program! {
    /// `naru-api`.
    ApiConfig {
        /// Postgres.
        database: Database,
        /// RabbitMQ.
        broker: Broker,
        /// Redis.
        redis: Redis,
        /// Logs, traces, metrics.
        telemetry: Telemetry,
        /// Public and operators' addresses.
        listen: ApiListen,
        /// Address of health and metrics.
        internal: InternalListen<9090>,
        /// What the world reaches us by.
        public: PublicUrl,
        /// How browsers are told apart and remembered.
        browsers: Browsers,
        /// When to accept no more.
        admission: Admission,
        /// The operators' token.
        operators: Operators,
        /// What keys are derived from.
        keys: MasterKeys,
        /// Who turns what a payer types into a token.
        acquirers: Acquirers,
        /// What banks sign with when they tell of deposits.
        callbacks: CallbackSecret,
    }
}

program! {
    /// `naru-worker`.
    WorkerConfig {
        /// Postgres.
        database: Database,
        /// RabbitMQ.
        broker: Broker,
        /// Redis.
        redis: Redis,
        /// Logs, traces, metrics.
        telemetry: Telemetry,
        /// Address of health and metrics.
        internal: InternalListen<9091>,
        /// How much is taken at once.
        work: Work,
        /// What keys are derived from.
        keys: MasterKeys,
        /// Who is asked for the money.
        acquirers: Acquirers,
        /// Where banks tell of deposits.
        deposits: DepositCallbacks,
    }
}

program! {
    /// `naru seed-demo`. (`naru migrate` reads the first of the two alone; the rest of `naru` speaks HTTP and is told where by
    /// `cargo xtask up`'s `target/stack/env` or by whoever calls it.)
    CliConfig {
        /// Postgres.
        database: Database,
        /// What keys are derived from.
        keys: MasterKeys,
        /// Where the demo payer's card is registered.
        cards: DemoCards,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::secret::MasterSecret;

    fn good() -> BTreeMap<&'static str, String> {
        let random = std::array::from_fn(|i| b"Q3v=x.K9s+Wp(Zt5:mR!fH7$dJ2&yB8~"[i]);
        BTreeMap::from([
            ("DATABASE_URL", "postgres://naru:pw@127.0.0.1:5432/naru".into()),
            ("AMQP_URL", "amqp://naru:pw@127.0.0.1:5672/naru".into()),
            ("REDIS_URL", "redis://127.0.0.1:6379/0".into()),
            ("NARU_MASTER_SECRET", MasterSecret::encode(&random)),
            ("NARU_OPS_TOKEN", "0123456789abcdef0123".into()),
            ("NARU_CARD_ACQUIRER_URL", "http://127.0.0.1:8090".into()),
            ("NARU_TRANSFER_ACQUIRER_URL", "http://127.0.0.1:8090".into()),
            ("NARU_MOBILE_ACQUIRER_URL", "http://127.0.0.1:8090".into()),
            ("NARU_POINTS_ACQUIRER_URL", "http://127.0.0.1:8090".into()),
            ("NARU_VIRTUAL_ACCOUNT_ACQUIRER_URL", "http://127.0.0.1:8090".into()),
        ])
    }

    #[test]
    fn the_defaults_are_those_written_down() {
        let env = good();
        let api = ApiConfig::from_env(&|name| env.get(name).cloned()).unwrap();
        assert_eq!(api.internal.address.to_string(), "127.0.0.1:9090");
        assert_eq!(api.listen.public.to_string(), "127.0.0.1:8080");
        assert_eq!(api.public.join("/v1/payments"), "http://127.0.0.1:8080/v1/payments");
        assert!(api.telemetry.otlp_endpoint.is_none());
        let worker = WorkerConfig::from_env(&|name| env.get(name).cloned()).unwrap();
        assert_eq!(worker.internal.address.to_string(), "127.0.0.1:9091");
        assert!(CliConfig::from_env(&|name| env.get(name).cloned()).is_ok());
    }

    #[test]
    fn what_is_listed_is_what_is_read() {
        let env = good();
        type Read = fn(Lookup<'_>);
        let readers: [(Vec<Variable>, Read); 3] = [
            (ApiConfig::variables(), |lookup| drop(ApiConfig::from_env(lookup))),
            (WorkerConfig::variables(), |lookup| drop(WorkerConfig::from_env(lookup))),
            (CliConfig::variables(), |lookup| drop(CliConfig::from_env(lookup))),
        ];
        for (variables, read) in readers {
            let asked = RefCell::new(BTreeSet::new());
            read(&|name| {
                asked.borrow_mut().insert(name.to_owned());
                env.get(name).cloned()
            });
            let listed: BTreeSet<String> = variables.iter().map(|v| v.name.to_owned()).collect();
            assert_eq!(asked.into_inner(), listed);
        }
    }

    #[test]
    fn every_mistake_is_reported_at_once_and_no_value_is_shown() {
        let env = BTreeMap::from([
            ("DATABASE_URL", "mysql://naru:hunter2@db/naru"),
            ("REDIS_URL", "hunter2"),
            ("NARU_MASTER_SECRET", "aHVudGVyMg=="),
            ("NARU_OPS_TOKEN", "hunter2"),
            ("NARU_CARD_ACQUIRER_URL", "ftp://hunter2"),
            ("NARU_API_LISTEN", "hunter2"),
            ("NARU_LOG", "naru=hunter2"),
            ("NARU_LOG_FORMAT", "hunter2"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "hunter2"),
            ("NARU_DATABASE_CONNECTIONS", "1"),
        ]);
        let error = ApiConfig::from_env(&|name| env.get(name).map(|v| (*v).to_owned())).unwrap_err();
        let named: Vec<&str> = error.0.iter().map(|problem| problem.variable).collect();
        assert_eq!(
            named,
            [
                "DATABASE_URL",
                "NARU_DATABASE_CONNECTIONS",
                "AMQP_URL",
                "REDIS_URL",
                "NARU_LOG",
                "NARU_LOG_FORMAT",
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "NARU_API_LISTEN",
                "NARU_OPS_TOKEN",
                "NARU_MASTER_SECRET",
                "NARU_CARD_ACQUIRER_URL",
                "NARU_TRANSFER_ACQUIRER_URL",
                "NARU_MOBILE_ACQUIRER_URL",
                "NARU_POINTS_ACQUIRER_URL",
                "NARU_VIRTUAL_ACCOUNT_ACQUIRER_URL",
            ]
        );
        let shown = error.to_string();
        assert!(!shown.contains("hunter2") && !shown.contains("aHVudGVyMg"), "{shown}");
    }

    #[test]
    fn no_secret_is_printed_with_the_configuration() {
        let env = good();
        let api = ApiConfig::from_env(&|name| env.get(name).cloned()).unwrap();
        let shown = format!("{api:?}");
        assert!(!shown.contains("pw@") && !shown.contains("0123456789abcdef"), "{shown}");
    }
}

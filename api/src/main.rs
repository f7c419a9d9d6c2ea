//! Starts `naru-api`: one public listener, one for operators, one for health and metrics.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use naru_api::app::{App, Parts};
use naru_api::auth::KeyRing;
use naru_api::backlog::Backlog;
use naru_api::browser::Cookies;
use naru_api::checkout::Tries;
use naru_api::hub::Hub;
use naru_api::key_uses::KeyUses;
use naru_api::limits::{EdgeSettings, edge, serve};
use naru_api::passwords::{OF_PAYERS_AT_ONCE, OF_STAFF_AT_ONCE, Passwords};
use naru_api::rates::Rates;
use naru_api::turns::Turns;
use naru_api::{ops, routes, together};
use naru_shared::acquirer::card::CardCompany;
use naru_shared::acquirer::mobile::Carrier;
use naru_shared::acquirer::points::Issuer;
use naru_shared::acquirer::transfer::Bank;
use naru_shared::broker::{Broker, BrokerConfig, LinkState, Relay};
use naru_shared::bus::{Bus, BusConfig};
use naru_shared::config::ApiConfig;
use naru_shared::domain::operation::Connector;
use naru_shared::store::{Role, Store, StoreOptions};
use naru_shared::system::{System, environment, stop_signal};
use naru_shared::telemetry::{Dependency, Need, Readiness, Telemetry, internal_routes};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Requests worked on at once. One that waits for an outcome costs a few kilobytes and no connection.
const CONCURRENCY_MAX: usize = 4_096;
/// Longest time for a request: the longest wait that is granted, and what comes before and after it.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(75);
/// How often the dependencies are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[tokio::main]
async fn main() -> ExitCode {
    let config = match ApiConfig::from_env(&environment) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let telemetry = match Telemetry::start(&config.telemetry, "naru-api") {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let code = match run(config, &telemetry).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the API can't start");
            ExitCode::FAILURE
        }
    };
    telemetry.shutdown().await;
    code
}

async fn run(config: ApiConfig, telemetry: &Telemetry) -> Result<(), Box<dyn std::error::Error>> {
    let shutdown = CancellationToken::new();
    let cookies = Cookies::new(&config.browsers, &config.public)?;
    let public = TcpListener::bind(config.listen.public).await?;
    let operators = TcpListener::bind(config.listen.operators).await?;
    let internal = TcpListener::bind(config.internal.address).await?;

    let store = Store::new(
        config.database.url.expose(),
        &StoreOptions {
            role: Role::Api,
            connections_max: config.database.connections_max,
            acquire_timeout: Duration::from_secs(2),
            application_name: "naru-api",
        },
    )?;
    let broker_config = BrokerConfig { url: config.broker.url.expose().clone(), name: "naru-api".into() };
    // Payments are accepted all the same: the row is the outbox.
    Broker::declare_if_reachable(&broker_config).await?;
    let broker = Broker::start(&broker_config, shutdown.clone())?;
    let bus = Bus::connect(&BusConfig { url: config.redis.url.expose().clone(), prefix: config.redis.prefix.clone() })?;
    let acquirer = |connector| config.acquirers.config(connector, &config.keys.master);
    let cards = CardCompany::new(&acquirer(Connector::Card))?;
    let accounts = Bank::new(&acquirer(Connector::Transfer))?;
    let carrier = Arc::new(Carrier::new(&acquirer(Connector::Mobile))?);
    let members = Issuer::new(&acquirer(Connector::Points))?;

    let readiness = Readiness::new();
    let looking = Looking {
        postgres: readiness.dependency("postgres", Need::Required),
        rabbitmq: readiness.dependency("rabbitmq", Need::Useful),
        redis: readiness.dependency("redis", Need::Useful),
    };
    tokio::spawn(looking.run(store.clone(), broker.clone(), bus.clone(), shutdown.clone()));

    let key_uses = Arc::new(KeyUses::default());
    let noting = tokio::spawn(key_uses.clone().write_down(store.clone(), shutdown.clone()));
    let app = App::new(Parts {
        accepts: together::accepts(store.clone()),
        outcomes: together::outcomes(store.clone()),
        keys: KeyRing::new(store.clone(), &config.keys.master),
        key_uses,
        turns: Turns::new(),
        backlog: Backlog::watch(store.clone(), config.admission.backlog_max, shutdown.clone()),
        hub: Hub::start(store.clone(), bus.subscribe(shutdown.clone()), shutdown.clone()),
        relay: Relay::start(broker.publisher()),
        cards: Arc::new(cards),
        accounts: Arc::new(accounts),
        phones: Arc::clone(&carrier) as Arc<_>,
        codes: carrier,
        members: Arc::new(members),
        tries: Tries::default(),
        rates: Rates::new(store.clone(), &config.keys.master),
        passwords: Passwords::new(OF_PAYERS_AT_ONCE)?,
        staff_passwords: Passwords::new(OF_STAFF_AT_ONCE)?,
        cookies,
        browsers: config.browsers,
        public: config.public.clone(),
        callback_secret: config.callbacks.secret,
        shutdown: shutdown.clone(),
        bus,
        store: store.clone(),
    });
    let settings = EdgeSettings {
        public_url: config.public.clone(),
        concurrency_max: CONCURRENCY_MAX,
        time_max: REQUEST_TIME_MAX,
        random: Arc::new(System),
    };
    let public_routes = edge(routes::public(app.clone(), readiness.clone()), settings.clone());
    let operator_routes = edge(ops::routes(app, config.operators.token), settings);
    let internal_routes = internal_routes(readiness, telemetry.metrics.clone());
    // The orchestrator asks for health and counts until the very end.
    let stop_internal = CancellationToken::new();
    let internal = tokio::spawn(
        axum::serve(internal, internal_routes)
            .with_graceful_shutdown(stop_internal.clone().cancelled_owned())
            .into_future(),
    );
    tracing::info!(address = %public.local_addr()?, "ready for requests");

    let stop = shutdown.clone();
    tokio::spawn(async move {
        stop_signal().await;
        tracing::info!("stopping: ending streams, finishing requests");
        stop.cancel();
    });
    tokio::join!(serve(public, public_routes, shutdown.clone()), serve(operators, operator_routes, shutdown.clone()),);
    broker.close(Duration::from_secs(2)).await;
    let _ = tokio::time::timeout(Duration::from_secs(1), noting).await;
    stop_internal.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), internal).await;
    store.close().await;
    Ok(())
}

/// Tells readiness how the dependencies are.
struct Looking {
    postgres: Dependency,
    rabbitmq: Dependency,
    redis: Dependency,
}

impl Looking {
    async fn run(self, store: Store, broker: Broker, bus: Bus, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(tick.tick()).await.is_some() {
            match store.is_ready().await {
                Ok(true) => self.postgres.up(),
                Ok(false) => self.postgres.down("migrations are missing: run `naru migrate`"),
                Err(error) => self.postgres.down(error),
            }
            match broker.publishing() {
                LinkState::Up => self.rabbitmq.up(),
                state @ (LinkState::Down | LinkState::Blocked) => self.rabbitmq.down(format!("{state:?}")),
            }
            if bus.is_connected() { self.redis.up() } else { self.redis.down("not connected") }
        }
    }
}

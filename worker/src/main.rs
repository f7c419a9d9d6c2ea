//! `naru-worker`: carries out operations at the acquirers.
//!
//! A hint arrives ([`intake`]), its row is claimed together with others ([`claimer`]), the acquirer is asked
//! ([`conversation`]), and what came of it is recorded together with others ([`committer`]). Beside that,
//! [`upkeep`] finds what nobody came for. `docs/ARCHITECTURE.md` tells the whole story.

mod claimer;
mod committer;
mod connectors;
mod conversation;
mod gate;
mod intake;
mod job;
mod lease;
mod payee;
mod upkeep;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use naru_shared::broker::{Broker, BrokerConfig, Relay};
use naru_shared::bus::{Bus, BusConfig};
use naru_shared::clock::Ids as _;
use naru_shared::config::WorkerConfig;
use naru_shared::domain::id::WorkerId;
use naru_shared::store::{Role, Store, StoreOptions};
use naru_shared::system::{System, environment, stop_signal};
use naru_shared::telemetry::{Need, Readiness, Telemetry, internal_routes};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use self::connectors::Connectors;
use self::lease::Lease;

/// How long a worker that is told to stop goes on with what it has begun.
const DRAIN: Duration = Duration::from_secs(10);
/// Claims that wait to be recorded at most; beyond that claiming waits.
const FINISHED_MAX: usize = 512;

/// What every part of a worker needs.
#[derive(Clone)]
struct Worker {
    id: WorkerId,
    store: Store,
    broker: Broker,
    relay: Relay,
    bus: Bus,
    connectors: Arc<Connectors>,
    lease: Lease,
    /// Opens the accounts that money goes back to.
    payee_key: Arc<Zeroizing<[u8; 32]>>,
    /// Where banks tell of deposits.
    callback: Option<Arc<str>>,
    shutdown: CancellationToken,
}

#[tokio::main]
async fn main() -> ExitCode {
    let config = match WorkerConfig::from_env(&environment) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let telemetry = match Telemetry::start(&config.telemetry, "naru-worker") {
        Ok(telemetry) => telemetry,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let code = match run(&config, &telemetry).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the worker can't start");
            ExitCode::FAILURE
        }
    };
    telemetry.shutdown().await;
    code
}

async fn run(config: &WorkerConfig, telemetry: &Telemetry) -> Result<(), Box<dyn std::error::Error>> {
    let shutdown = CancellationToken::new();
    let readiness = Readiness::new();
    let internal = tokio::net::TcpListener::bind(config.internal.address).await?;

    let options = StoreOptions {
        role: Role::Worker,
        connections_max: config.database.connections_max,
        acquire_timeout: Duration::from_secs(3),
        application_name: "naru-worker",
    };
    let store = Store::new(config.database.url.expose(), &options)?;
    // The lease has a connection of its own, so that no amount of work keeps it waiting.
    let lease_store = Store::new(
        config.database.url.expose(),
        &StoreOptions {
            role: Role::Worker,
            connections_max: 1,
            acquire_timeout: Duration::from_secs(1),
            application_name: "naru-worker lease",
        },
    )?;

    let broker_config = BrokerConfig { url: config.broker.url.expose().clone(), name: "naru-worker".into() };
    Broker::declare_if_reachable(&broker_config).await?;
    let broker = Broker::start(&broker_config, shutdown.clone())?;
    let bus = Bus::connect(&BusConfig { url: config.redis.url.expose().clone(), prefix: config.redis.prefix.clone() })?;

    let id = WorkerId(System.ordered());
    let tasks = TaskTracker::new();
    let lease = Lease::hold(id, lease_store, readiness.dependency("postgres", Need::Required));
    let worker = Worker {
        id,
        store,
        relay: Relay::start(broker.publisher()),
        broker,
        bus,
        connectors: Arc::new(Connectors::new(config)?),
        lease,
        payee_key: Arc::new(Zeroizing::new(naru_shared::keys::payee_key(&config.keys.master))),
        callback: config.deposits.callback_url.as_ref().map(|url| Arc::from(url.as_str())),
        shutdown: shutdown.clone(),
    };
    tasks.spawn(watch_links(worker.clone(), readiness.clone()));
    let routes = internal_routes(readiness, telemetry.metrics.clone());
    let stop_serving = CancellationToken::new();
    let serving = tokio::spawn(
        axum::serve(internal, routes).with_graceful_shutdown(stop_serving.clone().cancelled_owned()).into_future(),
    );

    let (finished, to_record) = mpsc::channel(FINISHED_MAX);
    let committing = tokio::spawn(committer::run(worker.clone(), to_record));
    let conversations = TaskTracker::new();
    let orphanage = intake::start(&worker, config.work.prefetch, &finished, &conversations, &tasks).await;
    upkeep::start(&worker, orphanage, &tasks).await;
    drop(finished);
    tracing::info!(worker = %id, "ready for work");

    stop_signal().await;
    tracing::info!("stopping: finishing what has begun");
    shutdown.cancel();
    let drained = async {
        tasks.close();
        tasks.wait().await;
        conversations.close();
        conversations.wait().await;
        // Every sender is gone with the conversations; what they finished is recorded before this ends.
        let _ = committing.await;
    };
    if tokio::time::timeout(DRAIN, drained).await.is_err() {
        tracing::warn!("not everything could be finished; another worker takes it over");
    }
    worker.lease.end().await;
    worker.broker.close(Duration::from_secs(2)).await;
    stop_serving.cancel();
    let _ = tokio::time::timeout(Duration::from_secs(1), serving).await;
    worker.store.close().await;
    Ok(())
}

/// Tells readiness how RabbitMQ and Redis are.
async fn watch_links(worker: Worker, readiness: Readiness) {
    let broker = readiness.dependency("rabbitmq", Need::Required);
    let redis = readiness.dependency("redis", Need::Useful);
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    loop {
        tokio::select! {
            () = worker.shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if worker.broker.is_connected() {
            broker.up()
        } else {
            broker.down("not connected")
        }
        if worker.bus.is_connected() { redis.up() } else { redis.down("not connected") }
    }
}

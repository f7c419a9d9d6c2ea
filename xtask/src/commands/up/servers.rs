//! Private Postgres, RabbitMQ and Redis, or those whose addresses we were given.

use std::path::PathBuf;
use std::thread;

use naru_servers::{Failure, Postgres, Program, RabbitMq, Redis};

use crate::env_file::Environment;
use crate::progress::Step;
use crate::root;

/// Where the private servers' data lie (or where a note would, when their user cannot walk there).
pub(super) fn folder() -> PathBuf {
    root::stack().join("servers")
}

/// The addresses that were set when we were called.
pub(super) struct Given {
    database: Option<String>,
    amqp: Option<String>,
    redis: Option<String>,
}

impl Given {
    pub(super) fn from_environment() -> Self {
        let given = |name: &str| std::env::var_os(name)?.into_string().ok().filter(|value| !value.is_empty());
        Self { database: given("DATABASE_URL"), amqp: given("AMQP_URL"), redis: given("REDIS_URL") }
    }

    /// The servers that we start ourselves.
    pub(super) fn private(&self) -> Vec<Program> {
        let all = [(&self.database, Program::Postgres), (&self.amqp, Program::RabbitMq), (&self.redis, Program::Redis)];
        all.into_iter().filter(|(given, _)| given.is_none()).map(|(_, program)| program).collect()
    }
}

/// One of the three: ours, or somebody's address.
enum Source<S> {
    Private(S),
    Given(String),
}

impl<S> Source<S> {
    fn private(&self) -> Option<&S> {
        match self {
            Self::Private(server) => Some(server),
            Self::Given(_) => None,
        }
    }
}

/// All three.
pub(super) struct Servers {
    postgres: Source<Postgres>,
    rabbitmq: Source<RabbitMq>,
    redis: Source<Redis>,
}

impl Servers {
    /// Starts what was not given, side by side.
    pub(super) fn start(given: &Given) -> Result<Self, Failure> {
        let folder = &folder();
        thread::scope(|scope| {
            let rabbitmq = scope.spawn(|| source(given.amqp.as_ref(), "RabbitMQ", || RabbitMq::start_in(folder)));
            let postgres = scope.spawn(|| source(given.database.as_ref(), "Postgres", || Postgres::start_in(folder)));
            let redis = source(given.redis.as_ref(), "Redis", || Redis::start_in(folder));
            let panicked = |name: &str| Failure::new(format!("start {name}"), "its thread panicked");
            Ok(Self {
                postgres: postgres.join().map_err(|_| panicked("Postgres"))??,
                rabbitmq: rabbitmq.join().map_err(|_| panicked("RabbitMQ"))??,
                redis: redis?,
            })
        })
    }

    /// Names addresses, processes and data.
    pub(super) fn describe(&self, environment: &mut Environment) {
        let mut describe = |url_name: &str, name: &str, url: String, own: Option<(Option<u32>, PathBuf)>| {
            environment.set(url_name, url);
            if let Some((pid, home)) = own {
                environment.set(&format!("NARU_PID_{name}"), pid.map(|pid| pid.to_string()).unwrap_or_default());
                environment.set(&format!("NARU_DATA_{name}"), home.display().to_string());
            }
        };
        let own = self.postgres.private().map(|server| (server.pid(), server.home().to_owned()));
        describe("DATABASE_URL", "POSTGRES", self.postgres.url(Postgres::url), own);
        let own = self.rabbitmq.private().map(|server| (server.pid(), server.home().to_owned()));
        describe("AMQP_URL", "RABBITMQ", self.rabbitmq.url(RabbitMq::url), own);
        let own = self.redis.private().map(|server| (server.pid(), server.home().to_owned()));
        describe("REDIS_URL", "REDIS", self.redis.url(Redis::url), own);
        if let Some(rabbitmq) = self.rabbitmq.private() {
            environment.set("NARU_AMQP_MANAGEMENT_URL", rabbitmq.management_url());
        }
    }

    /// Fails when one of ours has ended.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let ended = |name: &str, log: PathBuf| {
            let failure = Failure::new(format!("keep {name} running"), "it ended by itself").with_log(&log);
            Err(failure.advice("start again; its data are kept"))
        };
        match (self.postgres.private(), self.rabbitmq.private(), self.redis.private()) {
            (Some(server), _, _) if server.pid().is_none() => ended("Postgres", server.log()),
            (_, Some(server), _) if server.pid().is_none() => ended("RabbitMQ", server.log()),
            (_, _, Some(server)) if server.pid().is_none() => ended("Redis", server.log()),
            _ => Ok(()),
        }
    }
}

impl<S> Source<S> {
    fn url(&self, of: impl FnOnce(&S) -> String) -> String {
        match self {
            Self::Private(server) => of(server),
            Self::Given(url) => url.clone(),
        }
    }
}

fn source<S>(
    given: Option<&String>,
    name: &str,
    start: impl FnOnce() -> Result<S, Failure>,
) -> Result<Source<S>, Failure> {
    if let Some(url) = given {
        return Ok(Source::Given(url.clone()));
    }
    let step = Step::begin(format!("starting a private {name}"));
    let server = start()?;
    step.done();
    Ok(Source::Private(server))
}

//! Postgres, RabbitMQ and Redis: shared by all tests, or one test's own, to be killed, frozen and wiped.

use std::path::PathBuf;
use std::sync::Arc;

use naru_servers::{Postgres, RabbitMq, Redis, forget};
use naru_shared::system::environment;
use tokio::sync::OnceCell;

use crate::run;

/// What a program of ours talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Link {
    /// The truth.
    Postgres,
    /// The hints.
    Amqp,
    /// The wake-ups.
    Redis,
    /// The card company.
    Acquirer,
}

/// Addresses of servers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    pub(crate) postgres: String,
    pub(crate) amqp: String,
    pub(crate) amqp_management: String,
    pub(crate) redis: String,
}

/// The servers that tests share.
pub(crate) async fn shared() -> &'static Addresses {
    static SHARED: OnceCell<Addresses> = OnceCell::const_new();
    SHARED
        .get_or_init(async || {
            let given = |name| environment(name);
            let all = (
                given("NARU_TEST_DATABASE_URL"),
                given("NARU_TEST_AMQP_URL"),
                given("NARU_TEST_AMQP_MANAGEMENT_URL"),
                given("NARU_TEST_REDIS_URL"),
            );
            if let (Some(postgres), Some(amqp), Some(amqp_management), Some(redis)) = all {
                return Addresses { postgres, amqp, amqp_management, redis };
            }
            let all = [Link::Postgres, Link::Amqp, Link::Redis];
            let own = OwnServers::start(&all).await;
            let addresses = Addresses {
                postgres: own.postgres().url(),
                amqp: own.rabbitmq().url(),
                amqp_management: own.rabbitmq().management_url(),
                redis: own.redis().url(),
            };
            // Until this process ends; the guardian ends them then.
            std::mem::forget(own);
            addresses
        })
        .await
}

/// Servers of one test. Those that it did not ask for are shared with the others, and are not to be touched.
///
/// Their methods block for as long as a server needs; see [`OwnServers::blocking`].
#[derive(Clone)]
pub struct OwnServers {
    servers: Arc<Servers>,
}

struct Servers {
    postgres: Option<Postgres>,
    rabbitmq: Option<RabbitMq>,
    redis: Option<Redis>,
    folder: PathBuf,
}

impl OwnServers {
    pub(crate) async fn start(which: &[Link]) -> Self {
        let wants = |link| which.contains(&link);
        let (postgres, rabbitmq, redis) = (wants(Link::Postgres), wants(Link::Amqp), wants(Link::Redis));
        let started = tokio::task::spawn_blocking(move || {
            let folder = run::folder().join("servers").join(run::unique());
            std::thread::scope(|scope| {
                let dir = &folder;
                let rabbitmq = rabbitmq.then(|| scope.spawn(|| RabbitMq::start_in(dir)));
                let postgres = postgres.then(|| scope.spawn(|| Postgres::start_in(dir)));
                let redis = redis.then(|| Redis::start_in(dir).unwrap_or_else(|failure| panic!("{failure}")));
                let rabbitmq = rabbitmq.map(|started| started.join().expect("the thread ends"));
                let postgres = postgres.map(|started| started.join().expect("the thread ends"));
                Servers {
                    postgres: postgres.map(|started| started.unwrap_or_else(|failure| panic!("{failure}"))),
                    rabbitmq: rabbitmq.map(|started| started.unwrap_or_else(|failure| panic!("{failure}"))),
                    redis,
                    folder: folder.clone(),
                }
            })
        });
        let servers = started.await.expect("the servers start");
        let homes = [
            servers.postgres.as_ref().map(Postgres::home),
            servers.rabbitmq.as_ref().map(RabbitMq::home),
            servers.redis.as_ref().map(Redis::home),
        ];
        for home in homes.into_iter().flatten() {
            run::guard_servers(&home.join("processes"));
        }
        Self { servers: Arc::new(servers) }
    }

    /// Postgres.
    ///
    /// # Panics
    /// When it is not this test's own.
    #[must_use]
    pub fn postgres(&self) -> &Postgres {
        self.servers.postgres.as_ref().expect("ask for `.own(&[Link::Postgres])`")
    }

    /// RabbitMQ.
    ///
    /// # Panics
    /// When it is not this test's own.
    #[must_use]
    pub fn rabbitmq(&self) -> &RabbitMq {
        self.servers.rabbitmq.as_ref().expect("ask for `.own(&[Link::Amqp])`")
    }

    /// Redis.
    ///
    /// # Panics
    /// When it is not this test's own.
    #[must_use]
    pub fn redis(&self) -> &Redis {
        self.servers.redis.as_ref().expect("ask for `.own(&[Link::Redis])`")
    }

    /// Does something to a server off the async threads: `own.blocking(|own| own.rabbitmq().stop()).await`.
    ///
    /// # Panics
    /// When it fails.
    pub async fn blocking(&self, what: impl FnOnce(&Self) -> Result<(), naru_servers::Failure> + Send + 'static) {
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || what(&own)).await.expect("it does not panic");
        done.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Where their data lie.
    #[must_use]
    pub fn homes(&self) -> Vec<PathBuf> {
        let servers = &self.servers;
        let homes = [
            servers.postgres.as_ref().map(Postgres::home),
            servers.rabbitmq.as_ref().map(RabbitMq::home),
            servers.redis.as_ref().map(Redis::home),
        ];
        homes.into_iter().flatten().map(Into::into).collect()
    }

    pub(crate) fn addresses(&self, shared: &Addresses) -> Addresses {
        let servers = &self.servers;
        Addresses {
            postgres: servers.postgres.as_ref().map_or_else(|| shared.postgres.clone(), Postgres::url),
            amqp: servers.rabbitmq.as_ref().map_or_else(|| shared.amqp.clone(), RabbitMq::url),
            amqp_management: servers
                .rabbitmq
                .as_ref()
                .map_or_else(|| shared.amqp_management.clone(), RabbitMq::management_url),
            redis: servers.redis.as_ref().map_or_else(|| shared.redis.clone(), Redis::url),
        }
    }

    pub(crate) fn has(&self, link: Link) -> bool {
        match link {
            Link::Postgres => self.servers.postgres.is_some(),
            Link::Amqp => self.servers.rabbitmq.is_some(),
            Link::Redis => self.servers.redis.is_some(),
            Link::Acquirer => false,
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        // Nobody will read the data again, so there is no need for good order.
        let _ = self.rabbitmq.take().map(|server| server.kill9());
        let _ = self.postgres.take().map(|server| server.kill9());
        let _ = self.redis.take().map(|server| server.kill9());
        let _ = forget(&self.folder);
    }
}

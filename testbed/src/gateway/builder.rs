//! Starting a test's Naru.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use naru_servers::free_ports;
use naru_shared::api_key::{ApiKey, KeyKind};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::{MerchantId, Mode, Tenant};
use naru_shared::domain::operation::Connector;
use naru_shared::keys::api_key_hash_key;
use naru_shared::secret::MasterSecret;
use naru_shared::store::{NewApiKey, NewMerchant, Role, Store, StoreOptions};
use naru_shared::system::System;

use super::Gateway;
use super::turn::Turn;
use crate::backdoor::Backdoor;
use crate::database::Database;
use crate::payment::ORIGIN;
use crate::servers::{Addresses, Link, OwnServers, shared};
use crate::vhost::VirtualHost;
use crate::{Bank, Operator, Program, Proxy, Shop, Worker, run};

/// What the simulator signs its callbacks with unless it is told otherwise.
pub(super) const CALLBACK_SECRET: &str = "sandbox-callback-secret";

/// Which programs reach a server through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// All of them.
    Everyone,
    /// The APIs only.
    Apis,
    /// The workers only.
    Workers,
    /// One worker only.
    Worker(usize),
}

/// What a test's Naru is made of.
#[must_use]
pub struct Builder {
    apis: usize,
    workers: usize,
    dedupes: bool,
    inquiry_lag: Duration,
    settle_window: Option<Duration>,
    own: Vec<Link>,
    proxied: Vec<(Link, Who)>,
    environment: Vec<(String, String)>,
    seed: u64,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            apis: 1,
            workers: 1,
            dedupes: true,
            inquiry_lag: Duration::ZERO,
            settle_window: None,
            own: Vec::new(),
            proxied: Vec::new(),
            environment: Vec::new(),
            seed: 1,
        }
    }

    /// So many APIs.
    pub fn apis(mut self, count: usize) -> Self {
        self.apis = count;
        self
    }

    /// So many workers.
    pub fn workers(mut self, count: usize) -> Self {
        self.workers = count;
        self
    }

    /// A card company that charges each time it is asked (mode N), and workers that know it.
    pub fn naive_bank(mut self) -> Self {
        self.dedupes = false;
        self
    }

    /// A card company whose inquiries see nothing for so long, and workers that know it.
    pub fn inquiry_lag(mut self, lag: Duration) -> Self {
        self.inquiry_lag = lag;
        self
    }

    /// How long workers think that the card company's inquiries may lag behind.
    pub fn settle_window(mut self, window: Duration) -> Self {
        self.settle_window = Some(window);
        self
    }

    /// These servers are this test's own: it may kill, freeze and wipe them.
    pub fn own(mut self, links: &[Link]) -> Self {
        self.own.extend(links);
        self
    }

    /// Postgres, RabbitMQ and Redis are this test's own.
    pub fn own_servers(self) -> Self {
        self.own(&[Link::Postgres, Link::Amqp, Link::Redis])
    }

    /// A proxy stands between a server and these programs.
    pub fn proxied(mut self, link: Link, who: Who) -> Self {
        self.proxied.push((link, who));
        self
    }

    /// Another environment variable for the APIs and workers.
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What random choices of proxies begin with; printed when the test fails.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Starts everything; returns when all of it is ready.
    ///
    /// # Panics
    /// When something does not start.
    pub async fn start(self) -> Gateway {
        let turn = Turn::wait().await;
        let name = run::unique();
        let folder = empty_folder();
        let own = OwnServers::start(&self.own).await;
        let all_own = [Link::Postgres, Link::Amqp, Link::Redis].into_iter().all(|link| own.has(link));
        let others = if all_own { Addresses::default() } else { shared().await.clone() };
        let servers = own.addresses(&others);
        let (database, vhost) = tokio::join!(database(&own, &servers), vhost(&own, &servers, &name));

        let [simulator_port, ops_port] = ports();
        let simulator = self.simulator(&folder, simulator_port);
        let addresses = Addresses { postgres: database.url.clone(), amqp: vhost.url.clone(), ..servers };
        let (master, encoded) = master_secret();
        let store = store(&database.url);
        let (tenant, mid, keys) = seed(&store, &master, &name).await;

        let acquirer = format!("http://127.0.0.1:{simulator_port}");
        let proxies = self.proxies(&addresses, &acquirer).await;
        let api_ports: Vec<u16> = (0..self.apis.max(1)).map(|_| ports::<1>()[0]).collect();
        let callback = format!("http://127.0.0.1:{}/callbacks/virtual-account", api_ports[0]);
        let common = Common { addresses, acquirer: acquirer.clone(), callback, prefix: name, master: encoded };
        let workers: Vec<Worker> = (0..self.workers).map(|n| self.worker(n, &folder, &common, &proxies)).collect();
        let operator_token = System.unguessable().simple().to_string();
        let apis: Vec<Program> = (0..self.apis)
            .map(|n| {
                let ops_port = if n == 0 { ops_port } else { ports::<1>()[0] };
                let ports = [api_ports[n], api_ports[0], ops_port];
                self.api(n, &folder, &common, &proxies, ports, &operator_token)
            })
            .collect();
        simulator.wait_ready().await;
        let ready = apis.iter().chain(workers.iter().map(|worker| &**worker)).map(Program::wait_ready);
        futures::future::join_all(ready).await;

        let bank = Bank::new(acquirer);
        let [secret_key, client_key] = keys;
        Gateway {
            shop: Shop::new(format!("http://127.0.0.1:{}", api_ports[0]), mid.clone(), secret_key, client_key),
            operator: Operator::new(format!("http://127.0.0.1:{ops_port}"), operator_token),
            backdoor: Backdoor::new(store, tenant, mid, bank.clone(), vhost.url.clone()),
            bank,
            apis,
            workers,
            simulator,
            own,
            proxies,
            database,
            vhost,
            folder,
            dedupes: self.dedupes,
            master,
            announced: std::sync::Mutex::default(),
            _turn: turn,
        }
    }

    fn simulator(&self, folder: &Path, port: u16) -> Program {
        let environment = [
            ("NARU_SIMULATOR_LISTEN", format!("127.0.0.1:{port}")),
            ("NARU_SIMULATOR_JOURNAL", folder.join("simulator.journal").display().to_string()),
            ("NARU_SIMULATOR_MODE", if self.dedupes { "D" } else { "N" }.to_owned()),
            ("NARU_SIMULATOR_INQUIRY_LAG_MS", self.inquiry_lag.as_millis().to_string()),
        ];
        let ready = format!("http://127.0.0.1:{port}/livez");
        Program::start("simulator", "naru-simulator", &environment, folder, ready, None)
    }

    fn worker(&self, n: usize, folder: &Path, common: &Common, proxies: &[(Link, Proxy)]) -> Worker {
        let holds = folder.join(format!("holds-{n}"));
        std::fs::create_dir_all(&holds).expect("the test's folder can be written");
        let [internal] = ports();
        let is_proxied = |link| {
            self.proxied
                .iter()
                .any(|(of, who)| *of == link && (matches!(who, Who::Everyone | Who::Workers) || *who == Who::Worker(n)))
        };
        let mut environment = self.environment_of(common, proxies, is_proxied);
        environment.push(("NARU_INTERNAL_LISTEN".to_owned(), format!("127.0.0.1:{internal}")));
        environment.push(("NARU_HOLD_DIR".to_owned(), holds.display().to_string()));
        let ready = format!("http://127.0.0.1:{internal}/readyz");
        let metrics = format!("http://127.0.0.1:{internal}/metrics");
        let program = Program::start(&format!("worker-{n}"), "naru-worker", &environment, folder, ready, Some(metrics));
        Worker::new(program, holds)
    }

    fn api(
        &self,
        n: usize,
        folder: &Path,
        common: &Common,
        proxies: &[(Link, Proxy)],
        [port, public_port, ops_port]: [u16; 3],
        operator_token: &str,
    ) -> Program {
        let [internal] = ports();
        let is_proxied =
            |link| self.proxied.iter().any(|(of, who)| *of == link && matches!(who, Who::Everyone | Who::Apis));
        let mut environment = self.environment_of(common, proxies, is_proxied);
        let own = [
            ("NARU_API_LISTEN", format!("127.0.0.1:{port}")),
            // What is behind one address answers alike.
            ("NARU_PUBLIC_URL", format!("http://127.0.0.1:{public_port}")),
            ("NARU_OPS_LISTEN", format!("127.0.0.1:{ops_port}")),
            ("NARU_OPS_TOKEN", operator_token.to_owned()),
            ("NARU_INTERNAL_LISTEN", format!("127.0.0.1:{internal}")),
        ];
        environment.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let ready = format!("http://127.0.0.1:{internal}/readyz");
        let metrics = format!("http://127.0.0.1:{internal}/metrics");
        let program = Program::start(&format!("api-{n}"), "naru-api", &environment, folder, ready, Some(metrics));
        program.reached_at(format!("http://127.0.0.1:{port}"))
    }

    fn environment_of(
        &self,
        common: &Common,
        proxies: &[(Link, Proxy)],
        is_proxied: impl Fn(Link) -> bool,
    ) -> Vec<(String, String)> {
        let through = |link: Link, url: &str| match proxies.iter().find(|(of, _)| *of == link && is_proxied(link)) {
            Some((_, proxy)) => with_port(url, proxy.port()),
            None => url.to_owned(),
        };
        let Common { addresses, acquirer, callback, prefix, master } = common;
        let settle_window = self.settle_window.unwrap_or(self.inquiry_lag);
        let environment = [
            ("DATABASE_URL", through(Link::Postgres, &addresses.postgres)),
            // Several gateways share one server.
            ("NARU_DATABASE_CONNECTIONS", "8".to_owned()),
            ("AMQP_URL", through(Link::Amqp, &addresses.amqp)),
            ("REDIS_URL", through(Link::Redis, &addresses.redis)),
            ("NARU_REDIS_PREFIX", prefix.clone()),
            ("NARU_MASTER_SECRET", master.clone()),
            ("NARU_DEPOSIT_CALLBACK_URL", callback.clone()),
            ("NARU_DEPOSIT_CALLBACK_SECRET", CALLBACK_SECRET.to_owned()),
            // Browsers without TLS, at addresses that tests choose.
            ("NARU_INSECURE_COOKIES", "true".to_owned()),
            ("NARU_TRUSTED_PROXIES", "127.0.0.1".to_owned()),
        ];
        let mut environment: Vec<_> = environment.map(|(name, value)| (name.to_owned(), value)).into();
        // The simulator is all of them.
        for connector in Connector::ALL {
            let word = connector.as_str().to_uppercase();
            environment.extend([
                (format!("NARU_{word}_ACQUIRER_URL"), through(Link::Acquirer, acquirer)),
                (format!("NARU_{word}_ACQUIRER_DEDUPES"), self.dedupes.to_string()),
                (format!("NARU_{word}_SETTLE_WINDOW_MS"), settle_window.as_millis().to_string()),
            ]);
        }
        environment.extend(self.environment.iter().cloned());
        environment
    }

    async fn proxies(&self, addresses: &Addresses, acquirer: &str) -> Vec<(Link, Proxy)> {
        let mut proxies: Vec<(Link, Proxy)> = Vec::new();
        for (link, _) in &self.proxied {
            if proxies.iter().any(|(of, _)| of == link) {
                continue;
            }
            let url = match link {
                Link::Postgres => &addresses.postgres,
                Link::Amqp => &addresses.amqp,
                Link::Redis => &addresses.redis,
                Link::Acquirer => acquirer,
            };
            proxies.push((*link, Proxy::start(address_of(url), self.seed).await));
        }
        proxies
    }
}

/// What all programs of a gateway have in common.
struct Common {
    addresses: Addresses,
    acquirer: String,
    callback: String,
    prefix: String,
    master: String,
}

async fn database(own: &OwnServers, servers: &Addresses) -> Database {
    if own.has(Link::Postgres) {
        Database::migrate(servers.postgres.clone()).await
    } else {
        Database::from_template(&servers.postgres).await
    }
}

async fn vhost(own: &OwnServers, servers: &Addresses, name: &str) -> VirtualHost {
    if own.has(Link::Amqp) {
        VirtualHost::of(&servers.amqp, &servers.amqp_management)
    } else {
        VirtualHost::create(&servers.amqp, &servers.amqp_management, &format!("naru_test_{name}")).await
    }
}

/// A merchant with a secret and a client key.
pub(super) async fn seed(store: &Store, master: &MasterSecret, name: &str) -> (Tenant, String, [String; 2]) {
    let mid = format!("shop_{name}");
    let id = MerchantId(System.ordered());
    let merchant = NewMerchant { id, mid: &mid, name: "A shop of socks" };
    let merchant = store.create_merchant(&merchant).await.expect("Postgres answers");
    let tenant = Tenant { merchant, mode: Mode::Test };
    store.register_origin(tenant, ORIGIN).await.expect("Postgres answers");
    let mut keys = [String::new(), String::new()];
    for (kind, shown) in [KeyKind::Secret, KeyKind::Client].into_iter().zip(&mut keys) {
        let key = ApiKey::generate(Mode::Test, kind, &System.bytes());
        let hash = key.hash(&api_key_hash_key(master));
        let new = NewApiKey { id: System.ordered(), tenant, kind, hash, hint: &key.hint() };
        store.create_api_key(&new).await.expect("Postgres answers");
        key.expose().clone_into(shown);
    }
    (tenant, mid, keys)
}

fn master_secret() -> (MasterSecret, String) {
    let encoded = MasterSecret::encode(&System.bytes());
    (MasterSecret::parse(&encoded).expect("random bytes are random"), encoded)
}

pub(super) fn store(url: &str) -> Store {
    let options = StoreOptions {
        role: Role::LoggedIn,
        connections_max: 4,
        acquire_timeout: Duration::from_secs(10),
        application_name: "naru-testbed",
    };
    Store::new(url, &options).expect("the address can be read")
}

/// A folder named after the test that runs on this thread, emptied.
fn empty_folder() -> PathBuf {
    let thread = std::thread::current();
    // Which is what the test harness calls its threads by. A second gateway of a test has a number.
    let name = thread.name().unwrap_or("unnamed").replace("::", "/");
    let folder = (1..)
        .map(|n| run::folder().join(if n == 1 { name.clone() } else { format!("{name}-{n}") }))
        .find(|folder| !is_ours(folder));
    let folder = folder.expect("there are many numbers");
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("target can be written");
    std::fs::write(folder.join("run"), std::process::id().to_string()).expect("target can be written");
    folder
}

fn is_ours(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("run")).is_ok_and(|run| run == std::process::id().to_string())
}

fn ports<const N: usize>() -> [u16; N] {
    let ports = free_ports(N).unwrap_or_else(|failure| panic!("{failure}"));
    ports.try_into().expect("as many as asked for")
}

fn address_of(url: &str) -> SocketAddr {
    authority(url).1.parse().unwrap_or_else(|error| panic!("{url}: {error}"))
}

/// The same URL with another port on 127.0.0.1.
fn with_port(url: &str, port: u16) -> String {
    let (before, authority) = authority(url);
    let after = &url[before.len() + authority.len()..];
    format!("{before}127.0.0.1:{port}{after}")
}

/// What comes before host and port, and these.
fn authority(url: &str) -> (&str, &str) {
    let start = url.find("://").map_or(0, |at| at + 3);
    let end = url[start..].find(['/', '?']).map_or(url.len(), |at| start + at);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    (&url[..start], &url[start..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_port_changes() {
        for (url, through) in [
            ("postgres://u:p@127.0.0.1:5432/db", "postgres://u:p@127.0.0.1:9/db"),
            ("amqp://u:p@127.0.0.1:5672/v", "amqp://u:p@127.0.0.1:9/v"),
            ("redis://default:p@127.0.0.1:6379/0", "redis://default:p@127.0.0.1:9/0"),
            ("http://127.0.0.1:8090", "http://127.0.0.1:9"),
        ] {
            assert_eq!(with_port(url, 9), through);
        }
    }
}

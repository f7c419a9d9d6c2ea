//! One test's Naru.

mod builder;
mod command_line;
mod tenants;
mod turn;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use naru_shared::domain::id::{OperationId, PaymentId};
use naru_shared::secret::MasterSecret;
use serde_json::Value;
use sqlx::{PgPool, Row as _};
use time::OffsetDateTime;

pub use self::builder::{Builder, Who};
pub use self::command_line::Ended;
pub use self::turn::share_of_handles;
pub use crate::backdoor::Accepted;
use crate::backdoor::Backdoor;
use crate::database::Database;
use crate::servers::OwnServers;
use crate::vhost::VirtualHost;
use crate::{Bank, Hold, Link, Operator, Payment, Program, Proxy, Shop, Worker, checker, eventually, logs};

/// How long work may take to come to rest, when a test does not say otherwise: the recovery from any one fault, and a little.
const SETTLE_LIMIT: Duration = Duration::from_secs(30);

/// A whole Naru for one test: its own database, virtual host and Redis prefix, simulator, API and workers.
///
/// Dropping it ends every program, and fails the test when a log holds an error that nobody announced, an answer with
/// status 500, a panic, or card data. Logs stay in `target/testbed/<test>`.
pub struct Gateway {
    /// A merchant that uses it.
    pub shop: Shop,
    /// The card company.
    pub bank: Bank,
    /// An operator.
    pub operator: Operator,
    /// The APIs; the shop and the operator use the first.
    pub apis: Vec<Program>,
    /// The workers.
    pub workers: Vec<Worker>,
    /// The card company's program.
    pub simulator: Program,
    /// Servers of this test alone.
    pub own: OwnServers,
    proxies: Vec<(Link, Proxy)>,
    backdoor: Backdoor,
    database: Database,
    vhost: VirtualHost,
    folder: PathBuf,
    dedupes: bool,
    master: MasterSecret,
    announced: Mutex<Vec<String>>,
    /// The last to go: the next test may begin.
    _turn: turn::Turn,
}

impl Gateway {
    /// One of everything, on servers that tests share.
    pub async fn start() -> Self {
        Self::with().start().await
    }

    /// Something else than one of everything.
    pub fn with() -> Builder {
        Builder::new()
    }

    /// The API.
    ///
    /// # Panics
    /// When the test wanted none.
    #[must_use]
    pub fn api(&self) -> &Program {
        self.apis.first().expect("this gateway has an API")
    }

    /// The first worker.
    ///
    /// # Panics
    /// When the test wanted none.
    #[must_use]
    pub fn worker(&self) -> &Worker {
        self.workers.first().expect("this gateway has a worker")
    }

    /// The proxy that was asked for before a server.
    ///
    /// # Panics
    /// When none was.
    #[must_use]
    pub fn proxy(&self, link: Link) -> &Proxy {
        let found = self.proxies.iter().find(|(of, _)| *of == link);
        &found.unwrap_or_else(|| panic!("ask for `.proxied(Link::{link:?}, …)`")).1
    }

    /// Announces that programs will log errors that contain this.
    pub fn expect_errors(&self, containing: &str) {
        self.announced.lock().expect("nobody panics with it").push(containing.to_owned());
    }

    /// Connections to this test's database that no proxy stands before.
    #[must_use]
    pub fn db(&self) -> &PgPool {
        &self.database.pool
    }

    /// The broker of this test, for messages that no program of ours would send.
    #[must_use]
    pub fn amqp_url(&self) -> &str {
        &self.vhost.url
    }

    /// The queues of this test, as the broker's management plugin tells of them, a few seconds late.
    pub async fn queues(&self) -> Value {
        self.vhost.queues().await
    }

    /// Where this test's logs and journal are.
    #[must_use]
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Accepts a payment with a typed-in card as the API would, without the API, and publishes its hint.
    pub async fn accept(&self, payment: &Payment) -> Accepted {
        let accepted = self.accept_silently(payment).await;
        self.hint(&[accepted.operation]).await;
        accepted
    }

    /// The same, but its hint is lost.
    pub async fn accept_silently(&self, payment: &Payment) -> Accepted {
        self.backdoor.accept(payment, None).await
    }

    /// The same, with a deadline; its hint is lost.
    pub async fn accept_until(&self, payment: &Payment, before: OffsetDateTime) -> Accepted {
        self.backdoor.accept(payment, Some(before)).await
    }

    /// Accepts many payments over one card, all at once, and publishes their hints in one batch.
    pub async fn accept_herd(&self, payments: &[Payment]) -> Vec<Accepted> {
        let Some(first) = payments.first() else { return Vec::new() };
        let token = self.bank.register(&first.card_number, &self.shop.mid).await;
        let each = payments.iter().map(|payment| self.backdoor.accept_with(&token, payment, None));
        let accepted = futures::future::join_all(each).await;
        let operations: Vec<OperationId> = accepted.iter().map(|accepted| accepted.operation).collect();
        self.hint(&operations).await;
        accepted
    }

    /// Publishes hints for these operations.
    pub async fn hint(&self, operations: &[OperationId]) {
        self.backdoor.hint(operations).await;
    }

    /// The worker that holds this operation now.
    ///
    /// # Panics
    /// When none does.
    pub async fn owner_of(&self, operation: OperationId) -> &Worker {
        let owner = "select w.name from operations o join workers w on w.id = o.owner where o.id = $1";
        let row = sqlx::query(owner).bind(operation.0).fetch_one(self.db()).await.expect("somebody holds it");
        let name: String = row.get(0);
        let pid = name.rsplit(' ').next().and_then(|pid| pid.parse().ok());
        let found = self.workers.iter().find(|worker| worker.is_running() && Some(worker.pid()) == pid);
        found.unwrap_or_else(|| panic!("{name} is none of ours"))
    }

    /// Holds every worker at this point, waits until one is held, and returns that one; the others are let go. It is
    /// held until the [`Hold`] is dropped.
    ///
    /// # Panics
    /// When none comes there.
    pub async fn first_at<T>(&self, point: &str, work: impl Future<Output = T>) -> (&Worker, Hold, T) {
        let mut holds: Vec<(&Worker, Hold)> = self
            .workers
            .iter()
            .filter(|worker| worker.is_running())
            .map(|worker| (worker, worker.hold_at(point)))
            .collect();
        let accepted = work.await;
        let what = format!("a worker reaches {point}");
        let first = async || holds.iter().position(|(_, hold)| hold.is_reached());
        let (worker, hold) = holds.swap_remove(eventually(&what, SETTLE_LIMIT, first).await);
        (worker, hold, accepted)
    }

    /// How an accepted payment stands: status and money.
    ///
    /// # Panics
    /// When there is no such payment, or Postgres does not answer.
    pub async fn standing(&self, payment: PaymentId) -> (String, String) {
        let row = sqlx::query("select status, money_state from payments where id = $1").bind(payment.0);
        let row = row.fetch_one(self.db()).await.expect("the payment is there");
        (row.get(0), row.get(1))
    }

    /// Waits until an accepted payment stands so.
    ///
    /// # Panics
    /// When it does not in time; says how it stands instead.
    pub async fn until_standing(&self, accepted: &Accepted, status: &str, money: &str, patience: Duration) {
        let wanted = (status.to_owned(), money.to_owned());
        let mut last = (String::new(), String::new());
        let reached = tokio::time::timeout(patience, async {
            loop {
                last = self.standing(accepted.payment).await;
                if last == wanted {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        });
        let reached = reached.await;
        assert!(reached.is_ok(), "a payment should be {wanted:?} within {patience:?}, but is {last:?}");
    }

    /// Waits until nothing is owed any more, save to a person: no operation is unsettled, every letter is archived.
    ///
    /// # Panics
    /// When that takes longer than any one fault may.
    pub async fn settled(&self) {
        self.settled_within(SETTLE_LIMIT).await;
    }

    /// The same, in this time.
    ///
    /// # Panics
    /// When it takes longer; lists what is owed.
    pub async fn settled_within(&self, patience: Duration) {
        let settled = tokio::time::timeout(patience, async {
            while !checker::owed(self.db()).await.is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        if settled.await.is_err() {
            let owed = checker::owed(self.db()).await;
            panic!("after {patience:?} these are not settled:\n{}\nlogs: {}", owed.join("\n"), self.folder.display());
        }
    }

    /// Waits until everything is settled, and holds every invariant against Postgres and the card company's journal.
    ///
    /// # Panics
    /// When one is violated; lists the rows.
    pub async fn check(&self) {
        self.settled().await;
        self.check_now().await;
    }

    /// Holds every invariant without waiting.
    ///
    /// # Panics
    /// When one is violated; lists the rows.
    pub async fn check_now(&self) {
        let journal = std::fs::read_to_string(self.journal()).expect("the journal can be read");
        let violations = checker::violations(self.db(), &journal, self.dedupes).await;
        assert!(
            violations.is_empty(),
            "invariants are violated:\n{}\nlogs: {}",
            violations.join("\n"),
            self.folder.display()
        );
    }

    /// The card company's journal: one JSON object a line.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.folder.join("simulator.journal")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.apis.iter().for_each(Program::kill9);
        self.workers.iter().for_each(|worker| worker.kill9());
        self.simulator.kill9();
        self.clean_up();
        let announced = self.announced.lock().map(|announced| announced.clone()).unwrap_or_default();
        let complaints = logs::complaints(&self.folder, &announced);
        let complaints = format!("in the logs ({}):\n{}", self.folder.display(), complaints.join("\n"));
        if std::thread::panicking() {
            // The test says why it failed; this may say what came before.
            eprintln!("{complaints}");
        } else {
            assert!(complaints.ends_with(":\n"), "{complaints}");
        }
    }
}

impl Gateway {
    /// Gives back what is on shared servers. The test's own runtime may be on its way out, so it takes another.
    fn clean_up(&self) {
        let (database, vhost) = (&self.database, &self.vhost);
        let done = std::thread::scope(|scope| {
            let cleaning = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
                let cleaning = async {
                    tokio::join!(database.drop(), vhost.delete());
                };
                runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), cleaning).await.ok() })
            });
            cleaning.join()
        });
        if !matches!(done, Ok(Some(()))) {
            eprintln!("{} could not be cleaned up", self.vhost.url);
        }
    }
}

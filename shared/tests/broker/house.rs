//! The RabbitMQ these stories happen to.

use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use naru_servers::RabbitMq;
use naru_shared::broker::{Broker, BrokerConfig, Delivery, Hint, Topology, WorkQueue};
use naru_shared::domain::operation::Urgency;
use time::OffsetDateTime;
use tokio::sync::{self as turn, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(crate) const PAY: WorkQueue = WorkQueue::new("card", Urgency::Pay);
pub(crate) const BACK: WorkQueue = WorkQueue::new("card", Urgency::Back);

/// How long anything may take before a story has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

static TURN: turn::Mutex<()> = turn::Mutex::const_new(());
static SHARED: Mutex<Weak<RabbitMq>> = Mutex::new(Weak::new());

/// A private RabbitMQ, all for one story at a time: it may be killed, frozen or emptied. The next story waits for its turn
/// with the broker already in its hand, so that it is started once for all and stopped after the last.
pub(crate) struct House {
    rabbit: Option<Arc<RabbitMq>>,
    _turn: turn::MutexGuard<'static, ()>,
}

impl House {
    pub(crate) async fn enter() -> Self {
        let rabbit = tokio::task::spawn_blocking(shared).await.unwrap();
        let house = Self { rabbit: Some(rabbit), _turn: TURN.lock().await };
        // A story that failed may have left it frozen, or ended.
        let recover = |rabbit: &RabbitMq| rabbit.resume().or(Ok(())).and_then(|()| rabbit.start());
        house.run(recover).await;
        Broker::declare(&house.config()).await.unwrap();
        house.empty().await;
        house
    }

    fn rabbit(&self) -> &Arc<RabbitMq> {
        self.rabbit.as_ref().unwrap()
    }

    pub(crate) fn config(&self) -> BrokerConfig {
        BrokerConfig { url: self.rabbit().url(), name: "story".to_owned() }
    }

    /// Somebody who uses the broker.
    pub(crate) fn broker(&self) -> Broker {
        Broker::start(&self.config(), CancellationToken::new()).unwrap()
    }

    /// Somebody who uses the broker, and is connected.
    pub(crate) async fn connected(&self) -> Broker {
        let broker = self.broker();
        within(broker.connected()).await;
        broker
    }

    /// Does something to the server, such as ending it.
    pub(crate) async fn run<F>(&self, what: F)
    where
        F: FnOnce(&RabbitMq) -> Result<(), naru_servers::Failure> + Send + 'static,
    {
        let rabbit = Arc::clone(self.rabbit());
        tokio::task::spawn_blocking(move || what(&rabbit)).await.unwrap().unwrap();
    }

    /// A connection that knows nothing of our rules.
    pub(crate) async fn raw(&self) -> lapin::Channel {
        raw(&self.rabbit().url()).await
    }

    async fn empty(&self) {
        let channel = self.raw().await;
        for queue in &Topology::embedded().queues {
            channel
                .queue_purge(queue.name.as_str().into(), lapin::options::QueuePurgeOptions::default())
                .await
                .unwrap();
        }
    }

    /// Asks the management API.
    pub(crate) async fn manage(&self, method: &'static str, path: &str, body: &str) -> String {
        let url = self.rabbit().management_url();
        let (path, body) = (path.to_owned(), body.to_owned());
        tokio::task::spawn_blocking(move || http(&url, method, &path, &body)).await.unwrap()
    }

    /// Asks the node itself, as `rabbitmqctl` does.
    pub(crate) async fn ctl(&self, arguments: &'static [&'static str]) {
        self.run(move |rabbit| {
            let home = rabbit.home();
            let settings = std::fs::read_to_string(home.with_file_name("settings")).unwrap();
            let epmd_port = settings.lines().find_map(|line| line.strip_prefix("epmd_port=")).unwrap();
            let cookie = std::fs::read_to_string(home.join(".erlang.cookie")).unwrap();
            let run = Command::new("/usr/lib/rabbitmq/bin/rabbitmqctl")
                .args(["--node", "naru@localhost", "--erlang-cookie", &cookie])
                .args(arguments)
                .env("ERL_EPMD_PORT", epmd_port)
                .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
                .output()
                .unwrap();
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
            Ok(())
        })
        .await;
    }

    /// A new virtual host with nothing in it, and its URL.
    pub(crate) async fn new_vhost(&self, name: &str) -> BrokerConfig {
        self.manage("PUT", &format!("/api/vhosts/{name}"), "").await;
        let all = r#"{"configure":".*","write":".*","read":".*"}"#;
        self.manage("PUT", &format!("/api/permissions/{name}/naru"), all).await;
        let url = self.rabbit().url();
        let (server, _) = url.rsplit_once('/').unwrap();
        BrokerConfig { url: format!("{server}/{name}"), name: "story".to_owned() }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        // The last one out stops the broker, and nobody starts another in the same folder meanwhile.
        let _shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        self.rabbit = None;
    }
}

pub(crate) async fn raw(url: &str) -> lapin::Channel {
    let connection = lapin::Connection::connect(url, lapin::ConnectionProperties::default()).await.unwrap();
    connection.create_channel().await.unwrap()
}

fn shared() -> Arc<RabbitMq> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("broker");
        let rabbit = Arc::new(RabbitMq::start_in(&folder).unwrap());
        *shared = Arc::downgrade(&rabbit);
        rabbit
    })
}

/// One request, by hand: `http://user:password@host:port`.
fn http(url: &str, method: &str, path: &str, body: &str) -> String {
    let (user, host) = url.strip_prefix("http://").unwrap().split_once('@').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    let user = STANDARD.encode(user);
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {host}\r\nAuthorization: Basic {user}\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    assert!(status.starts_with('2'), "{method} {path}: {head}\n{body}");
    body.to_owned()
}

/// Fails the story when `what` takes too long.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it happens in time")
}

/// A hint about operation number `n`.
pub(crate) fn hint(n: u128) -> Hint {
    Hint { operation: Uuid::from_u128(n), attempt: 1, due_at: OffsetDateTime::UNIX_EPOCH, waited: 0 }
}

/// Consumes `queue`.
pub(crate) async fn consume(broker: &Broker, queue: &str, prefetch: u16) -> mpsc::Receiver<Delivery> {
    let (sender, receiver) = mpsc::channel(1);
    broker.consume(queue, prefetch, sender).await;
    receiver
}

/// The next delivery.
pub(crate) async fn next(deliveries: &mut mpsc::Receiver<Delivery>) -> Delivery {
    within(deliveries.recv()).await.expect("the consumer goes on")
}

/// Takes and settles deliveries until all of `expected` have come; repetitions are fine.
pub(crate) async fn take_all(deliveries: &mut mpsc::Receiver<Delivery>, mut expected: BTreeSet<u128>) {
    while !expected.is_empty() {
        let delivery = next(deliveries).await;
        expected.remove(&delivery.hint().unwrap().operation.as_u128());
        delivery.done();
    }
}

/// Waits until `condition` holds; for what only the broker's own numbers can show.
pub(crate) async fn until(mut condition: impl AsyncFnMut() -> bool) {
    within(async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// Waits until `queue` holds `depth` messages that nobody has taken.
pub(crate) async fn depth_becomes(broker: &Broker, queue: &str, depth: u32) {
    until(async || broker.depth(queue).await == Ok(depth)).await;
}

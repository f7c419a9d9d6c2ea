//! One struct per concern.

use std::net::SocketAddr;

use url::{Host, Url};

use super::reader::{Concern, Reader, Variable};
use crate::secret::{MasterSecret, Secret};

/// How Postgres is reached.
#[derive(Debug, Clone)]
pub struct Database {
    /// `DATABASE_URL`, required: `postgres://user:password@host:port/database`.
    pub url: Secret<String>,
    /// `NARU_DATABASE_CONNECTIONS`, default 16: most connections one process opens, 2 to 200.
    pub connections_max: u32,
}

impl Database {
    const URL: Variable =
        Variable::required("DATABASE_URL", "Postgres, as postgres://user:password@host:port/database").secret();
    const CONNECTIONS: Variable =
        Variable::defaulting("NARU_DATABASE_CONNECTIONS", "16", "most Postgres connections of one process, 2 to 200");
}

impl Concern for Database {
    const VARIABLES: &'static [Variable] = &[Self::URL, Self::CONNECTIONS];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.parsed(&Self::URL, |text| url_of(text, &["postgres", "postgresql"]));
        let connections = reader.parsed(&Self::CONNECTIONS, |text| whole(text, 2, 200));
        Some(Self { url: secret_text(url?), connections_max: connections? })
    }
}

/// How RabbitMQ is reached.
#[derive(Debug, Clone)]
pub struct Broker {
    /// `AMQP_URL`, required: `amqp://user:password@host:port/vhost`, or `amqps`.
    pub url: Secret<String>,
}

impl Broker {
    const URL: Variable = Variable::required("AMQP_URL", "RabbitMQ, as amqp://user:password@host:port/vhost").secret();
}

impl Concern for Broker {
    const VARIABLES: &'static [Variable] = &[Self::URL];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.parsed(&Self::URL, |text| url_of(text, &["amqp", "amqps"]))?;
        Some(Self { url: secret_text(url) })
    }
}

/// How Redis is reached.
#[derive(Debug, Clone)]
pub struct Redis {
    /// `REDIS_URL`, required: `redis://user:password@host:port/database`, or `rediss`.
    pub url: Secret<String>,
    /// `NARU_REDIS_PREFIX`, default `naru`: the first word of every channel, 1 to 64 of letters, digits, `-`, `_`.
    pub prefix: String,
}

impl Redis {
    const URL: Variable = Variable::required("REDIS_URL", "Redis, as redis://user:password@host:port/0").secret();
    const PREFIX: Variable = Variable::defaulting("NARU_REDIS_PREFIX", "naru", "first word of every Redis channel");
}

impl Concern for Redis {
    const VARIABLES: &'static [Variable] = &[Self::URL, Self::PREFIX];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.parsed(&Self::URL, |text| url_of(text, &["redis", "rediss"]));
        let prefix = reader.parsed(&Self::PREFIX, |text| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            match text.len() <= 64 && text.chars().all(allowed) {
                true => Ok(text.to_owned()),
                false => Err("must be 1 to 64 of letters, digits, `-` and `_`"),
            }
        });
        Some(Self { url: secret_text(url?), prefix: prefix? })
    }
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object per line.
    Json,
    /// For a person at a terminal.
    Text,
}

/// What the program says about itself, and where.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `NARU_LOG`, default `info`: which spans and events are kept, as `tracing` directives (`info,naru_worker=debug`).
    pub filter: String,
    /// `NARU_LOG_FORMAT`, default `json`: `json` or `text`.
    pub format: LogFormat,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`, unset means no export: base URL of an OTLP collector speaking HTTP.
    pub otlp_endpoint: Option<Url>,
}

impl Telemetry {
    const FILTER: Variable =
        Variable::defaulting("NARU_LOG", "info", "which log events are kept, as tracing directives");
    const FORMAT: Variable = Variable::defaulting("NARU_LOG_FORMAT", "json", "log lines as `json` or `text`");
    const OTLP: Variable =
        Variable::optional("OTEL_EXPORTER_OTLP_ENDPOINT", "base URL of an OTLP/HTTP collector; unset means no export");
}

impl Concern for Telemetry {
    const VARIABLES: &'static [Variable] = &[Self::FILTER, Self::FORMAT, Self::OTLP];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let filter = reader.parsed(&Self::FILTER, |text| {
            tracing_subscriber::EnvFilter::builder()
                .parse(text)
                .map(|_| text.to_owned())
                .map_err(|_| "must be tracing directives, such as `info` or `info,naru_worker=debug`")
        });
        let format = reader.parsed(&Self::FORMAT, |text| match text {
            "json" => Ok(LogFormat::Json),
            "text" => Ok(LogFormat::Text),
            _ => Err("must be `json` or `text`"),
        });
        let problems = reader.problem_count();
        let otlp_endpoint = reader.parsed(&Self::OTLP, web_url);
        if reader.problem_count() > problems {
            return None;
        }
        Some(Self { filter: filter?, format: format?, otlp_endpoint })
    }
}

/// Where the API listens.
#[derive(Debug, Clone, Copy)]
pub struct ApiListen {
    /// `NARU_API_LISTEN`, default `127.0.0.1:8080`: merchants and payers.
    pub public: SocketAddr,
    /// `NARU_OPS_LISTEN`, default `127.0.0.1:8081`: operators. Keep it inside.
    pub operators: SocketAddr,
}

impl ApiListen {
    const PUBLIC: Variable =
        Variable::defaulting("NARU_API_LISTEN", "127.0.0.1:8080", "address for merchants and payers");
    const OPERATORS: Variable =
        Variable::defaulting("NARU_OPS_LISTEN", "127.0.0.1:8081", "address for operators; keep it inside");
}

impl Concern for ApiListen {
    const VARIABLES: &'static [Variable] = &[Self::PUBLIC, Self::OPERATORS];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let public = reader.parsed(&Self::PUBLIC, address);
        let operators = reader.parsed(&Self::OPERATORS, address);
        Some(Self { public: public?, operators: operators? })
    }
}

/// Where health and metrics are served. The API's and the worker's defaults differ, so that both start on one machine.
#[derive(Debug, Clone, Copy)]
pub struct InternalListen<const PORT: u16> {
    /// `NARU_INTERNAL_LISTEN`, default `127.0.0.1:9090` for the API, `127.0.0.1:9091` for the worker. Keep it inside.
    pub address: SocketAddr,
}

impl<const PORT: u16> InternalListen<PORT> {
    const ADDRESS: Variable = Variable::defaulting(
        "NARU_INTERNAL_LISTEN",
        match PORT {
            9090 => "127.0.0.1:9090",
            _ => "127.0.0.1:9091",
        },
        "address of /livez, /readyz and /metrics; keep it inside",
    );
}

impl<const PORT: u16> Concern for InternalListen<PORT> {
    const VARIABLES: &'static [Variable] = &[Self::ADDRESS];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let address = reader.parsed(&Self::ADDRESS, address)?;
        Some(Self { address })
    }
}

/// How the world reaches the API.
#[derive(Debug, Clone)]
pub struct PublicUrl {
    /// `NARU_PUBLIC_URL`, default `http://127.0.0.1:8080`: no path, no trailing slash needed.
    pub url: Url,
}

impl PublicUrl {
    const URL: Variable =
        Variable::defaulting("NARU_PUBLIC_URL", "http://127.0.0.1:8080", "what merchants and payers reach the API by");

    /// An absolute URL for a path that begins with a slash.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.url.as_str().trim_end_matches('/'))
    }

    /// The origin of pages that are served from there, as browsers write it.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Whether it is plain HTTP, and no further than this machine.
    #[must_use]
    pub fn is_plain_and_here(&self) -> bool {
        let here = match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        here && self.url.scheme() == "http"
    }
}

impl Concern for PublicUrl {
    const VARIABLES: &'static [Variable] = &[Self::URL];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.parsed(&Self::URL, |text| {
            let url = web_url(text)?;
            match url.query().is_none() && url.fragment().is_none() {
                true => Ok(url),
                false => Err("must have no query and no fragment".to_owned()),
            }
        })?;
        Some(Self { url })
    }
}

/// How operators prove who they are.
#[derive(Debug, Clone)]
pub struct Operators {
    /// `NARU_OPS_TOKEN`, required, at least 16 characters: what the operators' listener asks for as a bearer token.
    pub token: Secret<String>,
}

impl Operators {
    const TOKEN: Variable =
        Variable::required("NARU_OPS_TOKEN", "bearer token of the operators' listener, at least 16 characters")
            .secret();
}

impl Concern for Operators {
    const VARIABLES: &'static [Variable] = &[Self::TOKEN];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let token = reader.parsed(&Self::TOKEN, |text| {
            let different = text.bytes().collect::<std::collections::BTreeSet<_>>().len();
            match text {
                _ if text.len() < 16 => Err("must have at least 16 characters"),
                _ if different < 8 => Err("must be random"),
                _ if !text.bytes().all(|c| c.is_ascii_graphic()) => Err("must be printable ASCII without spaces"),
                _ => Ok(Secret::new(text.to_owned())),
            }
        })?;
        Some(Self { token })
    }
}

/// What all keys are derived from.
#[derive(Debug, Clone)]
pub struct MasterKeys {
    /// `NARU_MASTER_SECRET`, required: base64 of at least 32 random bytes.
    pub master: MasterSecret,
}

impl MasterKeys {
    const MASTER: Variable =
        Variable::required("NARU_MASTER_SECRET", "base64 of at least 32 random bytes; all keys are derived from it")
            .secret();
}

impl Concern for MasterKeys {
    const VARIABLES: &'static [Variable] = &[Self::MASTER];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let master = reader.parsed(&Self::MASTER, MasterSecret::parse)?;
        Some(Self { master })
    }
}

/// Where the demo payer's card is registered.
#[derive(Debug, Clone)]
pub struct DemoCards {
    /// `NARU_CARD_ACQUIRER_URL`, unset means that the demo payer keeps no card.
    pub url: Option<Url>,
}

impl DemoCards {
    const URL: Variable = Variable::optional(
        "NARU_CARD_ACQUIRER_URL",
        "base URL of the card acquirer, where the demo payer's card is registered; unset means that there is none",
    );
}

impl Concern for DemoCards {
    const VARIABLES: &'static [Variable] = &[Self::URL];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let problems = reader.problem_count();
        let url = reader.parsed(&Self::URL, web_url);
        (reader.problem_count() == problems).then_some(Self { url })
    }
}

/// Where banks tell of deposits into virtual accounts.
#[derive(Debug, Clone)]
pub struct DepositCallbacks {
    /// `NARU_DEPOSIT_CALLBACK_URL`, unset means that banks are not asked to: deposits are found by looking.
    pub callback_url: Option<Url>,
}

impl DepositCallbacks {
    const URL: Variable = Variable::optional(
        "NARU_DEPOSIT_CALLBACK_URL",
        "where banks tell of deposits: the API's address with /callbacks/virtual-account; unset means that deposits are found by looking only",
    );
}

impl Concern for DepositCallbacks {
    const VARIABLES: &'static [Variable] = &[Self::URL];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let problems = reader.problem_count();
        let callback_url = reader.parsed(&Self::URL, web_url);
        (reader.problem_count() == problems).then_some(Self { callback_url })
    }
}

/// What banks sign with when they tell of deposits.
#[derive(Debug, Clone)]
pub struct CallbackSecret {
    /// `NARU_DEPOSIT_CALLBACK_SECRET`, at least 16 characters; unset means that no callback is taken.
    pub secret: Option<Secret<String>>,
}

impl CallbackSecret {
    const SECRET: Variable = Variable::optional(
        "NARU_DEPOSIT_CALLBACK_SECRET",
        "what the bank signs its deposit callbacks with, at least 16 characters; unset means that none is taken",
    )
    .secret();
}

impl Concern for CallbackSecret {
    const VARIABLES: &'static [Variable] = &[Self::SECRET];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let problems = reader.problem_count();
        let secret = reader.parsed(&Self::SECRET, |text| match text.len() {
            16.. => Ok(Secret::new(text.to_owned())),
            _ => Err("must have at least 16 characters"),
        });
        (reader.problem_count() == problems).then_some(Self { secret })
    }
}

/// When the API accepts no more.
#[derive(Debug, Clone, Copy)]
pub struct Admission {
    /// `NARU_BACKLOG_MAX`, default 20000, 1 to 1000000: payments that wait for one acquirer, in one mode, beyond which new
    /// ones are refused with 503.
    pub backlog_max: i64,
}

impl Admission {
    const BACKLOG: Variable = Variable::defaulting(
        "NARU_BACKLOG_MAX",
        "20000",
        "payments that wait for one acquirer, in one mode, beyond which new ones are refused",
    );
}

impl Concern for Admission {
    const VARIABLES: &'static [Variable] = &[Self::BACKLOG];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let backlog_max = reader.parsed(&Self::BACKLOG, |text| whole(text, 1, 1_000_000))?;
        Some(Self { backlog_max })
    }
}

/// How much a worker takes at once.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// `NARU_WORKER_PREFETCH`, default 128: unacknowledged messages per consumer, 1 to 2000.
    pub prefetch: u16,
}

impl Work {
    const PREFETCH: Variable =
        Variable::defaulting("NARU_WORKER_PREFETCH", "128", "unacknowledged messages per consumer, 1 to 2000");
}

impl Concern for Work {
    const VARIABLES: &'static [Variable] = &[Self::PREFETCH];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let prefetch = reader.parsed(&Self::PREFETCH, |text| whole(text, 1, 2000))?;
        Some(Self { prefetch })
    }
}

fn url_of(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let expected = || format!("must be a URL that begins with {}://", schemes.join(":// or "));
    let url = Url::parse(text).map_err(|_| expected())?;
    match schemes.contains(&url.scheme()) && url.has_host() {
        true => Ok(url),
        false => Err(expected()),
    }
}

pub(super) fn web_url(text: &str) -> Result<Url, String> {
    url_of(text, &["http", "https"])
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "must be an address and port, such as 127.0.0.1:8080")
}

pub(super) fn whole<T: TryFrom<u64>>(text: &str, min: u64, max: u64) -> Result<T, String> {
    let expected = || format!("must be a whole number from {min} to {max}");
    let number: u64 = text.parse().map_err(|_| expected())?;
    match (min..=max).contains(&number) {
        true => T::try_from(number).map_err(|_| expected()),
        false => Err(expected()),
    }
}

fn secret_text(url: Url) -> Secret<String> {
    Secret::new(url.into())
}

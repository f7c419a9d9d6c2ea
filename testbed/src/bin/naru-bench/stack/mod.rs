//! Everything that is measured: private servers, and Naru's programs as they were built with this one.

mod place;
mod program;

use std::process::Command;
use std::time::Duration;

use naru_servers::{Failure, Ledger, TemporaryServers, free_ports, our_uid, random_hex};

pub(crate) use place::Place;
use program::Program;

use crate::Outcome;
use crate::measure::Processes;

/// The floor's own database, beside Naru's: same tables, same indexes.
const FLOOR_DATABASE: &str = "floor";
/// Random bytes of every secret.
const SECRET_BYTES: usize = 32;

/// All that runs. Dropping it ends it.
pub(crate) struct Stack {
    // Programs before servers: that is the order in which they end.
    programs: Vec<Program>,
    servers: TemporaryServers,
    pub(crate) addresses: Addresses,
    pub(crate) secret_key: String,
    _only_one: std::fs::File,
}

/// Where everything is reached.
#[derive(Clone)]
pub(crate) struct Addresses {
    pub(crate) api: String,
    pub(crate) simulator: String,
    /// Metrics of API and worker.
    pub(crate) metrics: [String; 2],
    /// Naru's database, as its superuser.
    pub(crate) admin: String,
    pub(crate) floor: String,
    pub(crate) amqp: String,
    pub(crate) redis: String,
}

impl Stack {
    /// Starts everything, with empty data. What a killed run left behind is ended first.
    pub(crate) async fn start(place: &Place) -> Outcome<Self> {
        let place = place.clone();
        let started = tokio::task::spawn_blocking(move || Self::start_here(&place));
        started.await.map_err(|cause| Failure::new("start the stack", cause))?
    }

    fn start_here(place: &Place) -> Outcome<Self> {
        let only_one = place.lock()?;
        let ledger = Ledger::new(place.folder().join("processes"), our_uid()?);
        ledger.end_leftovers()?;
        eprintln!("starting private servers");
        let servers = TemporaryServers::start(&place.folder().join("servers"))?;
        count_statements(&servers)?;

        let [api, ops, api_internal, worker_internal, simulator] = free_ports(5)?[..] else {
            return Err(Failure::new("find free ports", "too few"));
        };
        let url = |port: u16| format!("http://127.0.0.1:{port}");
        let listen = |port: u16| format!("127.0.0.1:{port}");
        let database = servers.postgres.url();
        let addresses = Addresses {
            api: url(api),
            simulator: url(simulator),
            metrics: [url(api_internal), url(worker_internal)].map(|url| format!("{url}/metrics")),
            admin: servers.postgres.admin_url(),
            floor: other_database(&database, FLOOR_DATABASE),
            amqp: servers.rabbitmq.url(),
            redis: servers.redis.url(),
        };
        let environment = [
            ("DATABASE_URL", database),
            ("AMQP_URL", addresses.amqp.clone()),
            ("REDIS_URL", addresses.redis.clone()),
            ("NARU_MASTER_SECRET", random_hex(SECRET_BYTES)?),
            ("NARU_OPS_TOKEN", random_hex(SECRET_BYTES)?),
            ("NARU_CARD_ACQUIRER_URL", addresses.simulator.clone()),
            ("NARU_TRANSFER_ACQUIRER_URL", addresses.simulator.clone()),
            ("NARU_MOBILE_ACQUIRER_URL", addresses.simulator.clone()),
            ("NARU_POINTS_ACQUIRER_URL", addresses.simulator.clone()),
            ("NARU_VIRTUAL_ACCOUNT_ACQUIRER_URL", addresses.simulator.clone()),
        ];
        let naru = |argument: &str, database: Option<&str>| {
            let mut command = Command::new(place.program("naru")?);
            command.arg(argument).envs(environment.clone());
            if let Some(database) = database {
                command.env("DATABASE_URL", database);
            }
            output(&mut command, argument)
        };
        naru("migrate", None)?;
        psql(&servers, &servers.postgres.url(), &format!("create database {FLOOR_DATABASE}"))?;
        naru("migrate", Some(&addresses.floor))?;
        eprintln!("starting simulator, api and worker");
        let journal = servers.folder().join("simulator.journal").display().to_string();
        let start = |name: &'static str, ready: u16, path: &'static str, own: &[(&str, String)]| {
            let mut command = Command::new(place.program(&format!("naru-{name}"))?);
            command.envs(environment.clone()).envs(own.iter().map(|(name, value)| (name, value)));
            Program::start(name, &command, place.folder().join(format!("{name}.log")), &ledger, (ready, path))
        };
        let own = [("NARU_SIMULATOR_LISTEN", listen(simulator)), ("NARU_SIMULATOR_JOURNAL", journal)];
        let mut bank = start("simulator", simulator, "/livez", &own)?;
        // The demo payer's card is registered there.
        bank.wait_ready()?;
        let printed = naru("seed-demo", None)?;
        let secret_key = printed.lines().find_map(|line| line.strip_prefix("NARU_SECRET_KEY="));
        let secret_key = secret_key.ok_or_else(|| Failure::new("seed the merchant", "no key was printed"))?.to_owned();
        let mut programs = vec![
            bank,
            start(
                "api",
                api_internal,
                "/readyz",
                &[
                    ("NARU_API_LISTEN", listen(api)),
                    ("NARU_PUBLIC_URL", url(api)),
                    ("NARU_OPS_LISTEN", listen(ops)),
                    ("NARU_INTERNAL_LISTEN", listen(api_internal)),
                ],
            )?,
            start("worker", worker_internal, "/readyz", &[("NARU_INTERNAL_LISTEN", listen(worker_internal))])?,
        ];
        for program in &mut programs {
            program.wait_ready()?;
        }
        Ok(Self { programs, servers, addresses, secret_key, _only_one: only_one })
    }

    /// What takes CPU time for a payment, by name.
    pub(crate) fn processes(&self) -> Processes {
        let programs = self.programs.iter().map(|program| (program.name(), Some(program.pid())));
        let servers = [
            ("postgres", self.servers.postgres.pid()),
            ("rabbitmq", self.servers.rabbitmq.pid()),
            ("redis", self.servers.redis.pid()),
        ];
        Processes::new(programs.chain(servers))
    }

    /// Shows the last lines of every program's log.
    pub(crate) fn tell_logs(&self) {
        for program in &self.programs {
            eprintln!("{}", program.failure("its log may say why"));
        }
    }

    /// Ends everything, in good order, off the async threads.
    pub(crate) async fn stop(self) {
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

/// Loads the extension that counts statements. It counts nothing until it is told to.
fn count_statements(servers: &TemporaryServers) -> Outcome {
    let admin = servers.postgres.admin_url();
    psql(servers, &admin, "alter system set shared_preload_libraries = 'pg_stat_statements'")?;
    servers.postgres.restart()?;
    psql(servers, &admin, "create extension pg_stat_statements")?;
    // The parameter is known only now.
    psql(servers, &admin, "alter system set pg_stat_statements.track = 'none'")?;
    psql(servers, &admin, "select from pg_reload_conf()")
}

fn psql(servers: &TemporaryServers, url: &str, statement: &str) -> Outcome {
    let mut psql = Command::new(servers.postgres.programs().join("psql"));
    psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--command", statement, "--dbname", url]);
    output(&mut psql, statement).map(|_| ())
}

fn output(command: &mut Command, step: &str) -> Outcome<String> {
    let run = command.output().map_err(|cause| Failure::new(step, cause))?;
    if run.status.success() {
        return Ok(String::from_utf8_lossy(&run.stdout).into_owned());
    }
    Err(Failure::new(step, String::from_utf8_lossy(&run.stderr).trim()))
}

fn other_database(url: &str, name: &str) -> String {
    url.rsplit_once('/').map_or_else(|| url.to_owned(), |(server, _)| format!("{server}/{name}"))
}

/// How long a program may take until it is ready.
const READY_LIMIT: Duration = Duration::from_secs(30);

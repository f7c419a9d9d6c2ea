//! `cargo xtask up`: the whole of Naru on this machine, from a fresh clone to the first payment, until Ctrl-C.

mod docker;
mod programs;
mod servers;
mod summary;

use std::fs::{self, File};
use std::process::{Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use naru_servers::{Failure, Ledger, Settings, our_uid};

use crate::cargo::cargo;
use crate::env_file::{self, Environment};
use crate::progress::{Step, say, seconds};
use crate::{interrupt, prerequisites, process, root};
use programs::Programs;
use servers::{Given, Servers};

/// How often the running stack is looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(200);
/// The master secret: hexadecimal digits are base64 digits too, and these 64 are base64 of 48 bytes with 256 random bits.
const MASTER_SECRET_BYTES: usize = 32;

pub(crate) fn run(options: &[&str]) -> Result<ExitCode, Failure> {
    if let Some(unknown) = options.iter().find(|option| !["--fresh", "--docker"].contains(option)) {
        return Err(Failure::new("start", format!("`{unknown}` is unknown")).advice("cargo xtask help"));
    }
    let fresh = options.contains(&"--fresh");
    if options.contains(&"--docker") {
        return docker::run(fresh);
    }

    let started = Instant::now();
    interrupt::listen()?;
    let _only_one = lock()?;
    let given = Given::from_environment();
    prerequisites::check(&given.private())?;
    let ledger = Ledger::new(root::stack().join("processes"), our_uid()?);
    ledger.end_leftovers()?;
    if fresh {
        forget()?;
    }

    let mut stack = start(&given, &ledger)?;
    let file = stack.environment.write()?;
    summary::print(&stack.environment, &file);
    say(&format!("ready after {}; Ctrl-C stops everything", seconds(started.elapsed())));
    let watched = stack.watch();
    env_file::remove();
    if let Err(failure) = &watched {
        say(&format!("\n{failure}"));
    }
    let step = Step::begin("stopping everything");
    drop(stack);
    ledger.forget();
    step.done();
    Ok(if watched.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Everything that runs. Dropping it stops the programs, then the servers.
struct Stack {
    programs: Programs,
    servers: Servers,
    environment: Environment,
}

impl Stack {
    /// Returns when somebody asks us to end; fails when something ends by itself.
    fn watch(&mut self) -> Result<(), Failure> {
        while !interrupt::interrupted() {
            self.programs.check()?;
            self.servers.check()?;
            thread::sleep(WATCH_INTERVAL);
        }
        Ok(())
    }
}

fn start(given: &Given, ledger: &Ledger) -> Result<Stack, Failure> {
    let mut settings = Settings::load(&root::stack().join("settings"));
    let mut environment = Environment::default();
    environment.set("NARU_MASTER_SECRET", settings.secret("NARU_MASTER_SECRET", MASTER_SECRET_BYTES)?);
    environment.set("NARU_OPS_TOKEN", settings.secret("NARU_OPS_TOKEN", MASTER_SECRET_BYTES)?);
    // Before anything is encrypted with it.
    settings.save()?;

    // RabbitMQ needs 6 s to start and the compiler has work for longer.
    let (servers, built) = thread::scope(|scope| {
        let servers = scope.spawn(|| Servers::start(given));
        let built = build();
        (servers.join(), built)
    });
    let servers = servers.map_err(|_| Failure::new("start the servers", "their thread panicked"))?;
    built?;
    let servers = servers?;
    interrupt::check()?;
    servers.describe(&mut environment);

    migrate(&environment)?;
    let programs = Programs::start(&mut environment, &mut settings, ledger)?;
    // The demo payer's card is registered with the simulator.
    seed(&mut environment)?;
    settings.save()?;
    Ok(Stack { programs, servers, environment })
}

fn build() -> Result<(), Failure> {
    let step = Step::begin("building simulator, api, worker and command line");
    let packages = ["build", "-p", "naru-simulator", "-p", "naru-api", "-p", "naru-worker", "-p", "naru-cli"];
    process::run_well(&mut cargo(&packages), "build Naru", "the compiler's messages above say why")?;
    step.done();
    Ok(())
}

fn migrate(environment: &Environment) -> Result<(), Failure> {
    let step = Step::begin("migrating the database");
    let mut naru = Command::new(process::built("naru")?);
    environment.give_to(naru.arg("migrate"));
    let advice = "the message above names the migration; `cargo xtask up --fresh` forgets the data";
    process::run_well(&mut naru, "migrate the database", advice)?;
    step.done();
    Ok(())
}

/// Creates the demo merchant and payer; every `NARU_…=…` line that the command prints becomes part of the environment.
fn seed(environment: &mut Environment) -> Result<(), Failure> {
    let step = Step::begin("seeding the demo merchant and payer");
    let mut naru = Command::new(process::built("naru")?);
    environment.give_to(naru.arg("seed-demo").current_dir(root::root()));
    let run = naru.output().map_err(|cause| Failure::new("seed the demo merchant and payer", cause))?;
    if !run.status.success() {
        return Err(Failure::new("seed the demo merchant and payer", String::from_utf8_lossy(&run.stderr).trim()));
    }
    let printed = String::from_utf8_lossy(&run.stdout);
    for (name, value) in printed.lines().filter_map(|line| line.trim().split_once('=')) {
        if name.starts_with("NARU_") {
            environment.set(name, value);
        }
    }
    step.done();
    Ok(())
}

/// Two at once would end each other's servers. The lock goes with us, however we end.
fn lock() -> Result<File, Failure> {
    let stack = root::stack();
    let failed = |cause: &dyn std::fmt::Display| Failure::new("start", cause);
    fs::create_dir_all(&stack).map_err(|cause| failed(&cause))?;
    let file = File::create(stack.join("lock")).map_err(|cause| failed(&cause))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            Err(failed(&"another `cargo xtask up` runs here").advice("stop it with Ctrl-C in its terminal, or use it"))
        }
        Err(fs::TryLockError::Error(cause)) => Err(failed(&cause)),
    }
}

/// Deletes all data, keys and logs of earlier runs.
fn forget() -> Result<(), Failure> {
    let step = Step::begin("forgetting earlier data");
    naru_servers::forget(&servers::folder())?;
    let stack = root::stack();
    let failed = |cause| Failure::new(format!("empty {}", stack.display()), cause);
    for entry in fs::read_dir(&stack).map_err(failed)?.flatten() {
        if entry.file_name() != "lock" {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    step.done();
    Ok(())
}

//! `cargo xtask test`: every check there is, in the order that tells the most the soonest. CI runs exactly this.

mod checks;
mod tally;
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use naru_servers::{Failure, Program, TemporaryServers};

use crate::progress::{Step, say, seconds};
use crate::{interrupt, prerequisites, process, root};
use tally::Tally;

/// How a check ended that did not fail.
pub(crate) enum Outcome {
    Passed,
    /// It cannot run on this machine; why.
    NotRun(String),
}

const WITHOUT_SERVERS: [&str; 5] = ["fmt", "clippy", "docs", "deny", "unit"];

/// Runs everything, or the part of that name. Each check counts like one test.
pub(crate) fn run(part: Option<&str>) -> Result<ExitCode, Failure> {
    let started = Instant::now();
    interrupt::listen()?;
    if part.is_none_or(|part| ["fmt", "clippy"].contains(&part)) {
        prerequisites::checkers()?;
    }
    let wanted = |name: &str| part.is_none_or(|part| part == name);
    let mut tally = Tally::default();

    if wanted("fmt") {
        check(&mut tally, "formatting", checks::formatting)?;
    }
    let servers = if part.is_some_and(|part| WITHOUT_SERVERS.contains(&part)) { None } else { Some(start_servers()?) };
    if let Some(servers) = &servers
        && (wanted("queries") || wanted("sqlx"))
    {
        check(&mut tally, "query descriptions are fresh", || checks::queries(&servers.postgres))?;
    }
    for (name, title, what) in [
        ("clippy", "lints", checks::lints as fn() -> Result<Outcome, Failure>),
        ("docs", "documentation", checks::documentation),
        ("deny", "licenses, bans and sources of dependencies", checks::dependencies),
    ] {
        if wanted(name) {
            check(&mut tally, title, what)?;
        }
    }
    let only_a_check = part.is_some_and(|part| ["fmt", "queries", "sqlx", "clippy", "docs", "deny"].contains(&part));
    if !only_a_check {
        tests::run(&mut tally, part, servers.as_deref())?;
    }
    drop(servers);
    let good = tally.is_good(!only_a_check);

    say(&format!("\nafter {}", seconds(started.elapsed())));
    for line in tally.remarks() {
        say(line);
    }
    if !good && tally.failures() == 0 {
        say("failed: no test ran");
    }
    say(&tally.to_string());
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one check; a failure is shown and counted, and the other checks go on.
fn check(tally: &mut Tally, title: &str, what: impl FnOnce() -> Result<Outcome, Failure>) -> Result<(), Failure> {
    interrupt::check()?;
    let step = Step::begin(title);
    match what() {
        Ok(Outcome::Passed) => {
            step.done();
            tally.passed();
        }
        Ok(Outcome::NotRun(why)) => {
            step.ended('-', &format!("not run here: {why}"));
            tally.skipped(format!("not run here: {title} ({why})"));
        }
        Err(failure) => {
            step.ended('✗', &failure.to_string());
            tally.failed(format!("failed: {title}"));
        }
    }
    Ok(())
}

/// Where the test servers' data lie. Each test has a database of its own, and a file system of a disk takes long to make the hundreds
/// of files of each: in memory, where there is enough of it. Nothing here is about the loss of a machine.
fn servers_folder() -> PathBuf {
    /// What a run takes at its peak, several times over.
    const KIB_WANTED: u64 = 6 * 1024 * 1024;
    let free = process::output("df", &["--output=avail", "-k", "/dev/shm"]);
    let free = free.and_then(|said| said.lines().last()?.trim().parse::<u64>().ok());
    match free {
        Some(kib) if kib >= KIB_WANTED => PathBuf::from("/dev/shm/naru-test-servers"),
        Some(_) | None => root::root().join("target/test-servers"),
    }
}

fn start_servers() -> Result<TemporaryServers, Failure> {
    prerequisites::check(&[Program::Postgres, Program::RabbitMq, Program::Redis])?;
    let step = Step::begin("starting private Postgres, RabbitMQ and Redis");
    let servers = TemporaryServers::start(&servers_folder())?;
    step.done();
    Ok(servers)
}

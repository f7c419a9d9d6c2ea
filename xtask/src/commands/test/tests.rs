//! `cargo test`, with everything the tests need around it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use naru_servers::{Failure, Servers, with_many_handles};

use super::tally::Tally;
use crate::cargo::cargo;
use crate::progress::{Step, say};
use crate::{interrupt, process, queries, root};

/// The migrated database that tests make their own from.
const TEMPLATE: &str = "naru_template";

/// What the largest crowd of connections in the tests takes, with the tests that run beside it.
const HANDLES_WANTED: u64 = 12_000;

/// Builds and runs the tests of `part` (all; `unit`; a package; or those whose names contain it) and counts them.
pub(super) fn run(tally: &mut Tally, part: Option<&str>, servers: Option<&Servers>) -> Result<(), Failure> {
    let mut arguments = vec!["test", "--no-fail-fast"];
    let package = part.and_then(package_named);
    match (part, &package) {
        (None, _) => arguments.push("--workspace"),
        (Some("unit"), _) => arguments.extend(["--workspace", "--lib", "--bins"]),
        (Some(_), Some(package)) => arguments.extend(["-p", package]),
        (Some(filter), None) => arguments.extend(["--workspace", "--", filter]),
    }
    // Some tests open thousands of connections.
    let mut test = with_many_handles(&cargo(&arguments));
    if let Some(servers) = servers {
        if let Some(most) = handles().filter(|most| *most < HANDLES_WANTED) {
            let advice = format!("`ulimit -Hn` is {most}, and {HANDLES_WANTED} are wanted");
            tally.skipped(format!("run in part: the tests with thousands of connections have fewer ({advice})"));
        }
        // Everything at once and with the tests, so that what they share is compiled once, with the same features.
        let step = Step::begin("building programs and tests");
        let mut build = cargo(&["build", "--workspace", "--all-targets"]);
        if let Err(failure) = process::run_well(&mut build, "build", "the compiler's messages above say why") {
            step.ended('✗', &failure.to_string());
            tally.failed("failed: building programs and tests".to_owned());
            return interrupt::check();
        }
        step.done();
        if let Err(failure) = migrate(servers) {
            say(&failure.to_string());
            tally.failed("failed: migrating the template database".to_owned());
            return interrupt::check();
        }
        test.env("NARU_TEST_DATABASE_URL", servers.postgres.url());
        test.env("NARU_TEST_TEMPLATE", TEMPLATE);
        test.env("NARU_TEST_AMQP_URL", servers.rabbitmq.url());
        test.env("NARU_TEST_AMQP_MANAGEMENT_URL", servers.rabbitmq.management_url());
        test.env("NARU_TEST_REDIS_URL", servers.redis.url());
        test.env("NARU_TEST_BIN_DIR", root::programs());
    }

    let step = Step::begin("tests");
    let failed_before = tally.failures();
    let good = run_counted(&mut test, tally)?;
    interrupt::check()?;
    if good {
        step.done();
    } else {
        // A test program that crashed, or did not compile, leaves no line to count.
        if tally.failures() == failed_before {
            tally.failed("failed: cargo test".to_owned());
        }
        step.ended('✗', "see above");
    }
    Ok(())
}

/// Shows all output as it comes and counts what it says; whether the command succeeded.
fn run_counted(test: &mut Command, tally: &mut Tally) -> Result<bool, Failure> {
    let failed = |cause| Failure::new("run cargo test", cause);
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let counter = thread::spawn(move || {
        let mut counted = Tally::default();
        for line in BufReader::new(reader).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            say(&line);
            counted.read(&line);
        }
        counted
    });
    // Both through one pipe: what cargo says and what the tests say stay in order, and lines whole.
    test.stdin(Stdio::null()).stderr(writer.try_clone().map_err(failed)?).stdout(writer);
    let status = process::run(test, "run cargo test");
    // Our ends of the pipe must be closed before the reader sees its end.
    test.stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(counted) = counter.join() {
        tally.add(&counted);
    }
    status.map(|status| status.success())
}

fn migrate(servers: &Servers) -> Result<(), Failure> {
    let step = Step::begin("migrating the template database");
    queries::create_database(&servers.postgres, TEMPLATE)?;
    let mut naru = Command::new(process::built("naru")?);
    naru.arg("migrate").env("DATABASE_URL", queries::url_of(&servers.postgres, TEMPLATE));
    process::run_well(&mut naru, "migrate the template database", "the message above names the migration")?;
    step.done();
    Ok(())
}

/// How many file handles a program may have here; nothing when that has no bound.
fn handles() -> Option<u64> {
    process::output("/bin/sh", &["-c", "ulimit -Hn"])?.parse().ok()
}

/// `api` or `naru-api`, when there is such a package.
fn package_named(name: &str) -> Option<String> {
    let metadata = process::output("cargo", &["metadata", "--no-deps", "--offline", "--format-version=1"])?;
    let candidates = [name.to_owned(), format!("naru-{name}")];
    candidates.into_iter().find(|package| metadata.contains(&format!("\"name\":\"{package}\",\"version\"")))
}

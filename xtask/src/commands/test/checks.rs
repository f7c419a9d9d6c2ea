//! The checks that are not tests.

use naru_servers::{Failure, Postgres};

use super::Outcome;
use crate::cargo::cargo;
use crate::process::{self, run_well};
use crate::queries;

pub(super) fn formatting() -> Result<Outcome, Failure> {
    run_well(&mut cargo(&["fmt", "--all", "--check"]), "find all code formatted", "cargo fmt --all")?;
    Ok(Outcome::Passed)
}

/// What the migrations and queries give now must be what is committed.
pub(super) fn queries(postgres: &Postgres) -> Result<Outcome, Failure> {
    let committed = queries::read(&queries::committed_folder());
    if committed.is_empty() && !queries::exist() {
        return Ok(Outcome::NotRun("there are no checked queries yet".to_owned()));
    }
    let fresh = queries::describe(postgres)?;
    let names = committed.keys().chain(fresh.keys().filter(|name| !committed.contains_key(*name)));
    let stale: Vec<&str> = names.filter(|name| committed.get(*name) != fresh.get(*name)).map(String::as_str).collect();
    if stale.is_empty() {
        return Ok(Outcome::Passed);
    }
    let cause = format!(
        "shared/.sqlx is not what migrations and queries give now; these differ:\n    {}",
        stale.join("\n    ")
    );
    Err(Failure::new("find the query descriptions fresh", cause).advice("cargo xtask sqlx, and commit shared/.sqlx"))
}

pub(super) fn lints() -> Result<Outcome, Failure> {
    let mut clippy = cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    run_well(&mut clippy, "find no lint", "the messages above name each place")?;
    Ok(Outcome::Passed)
}

pub(super) fn documentation() -> Result<Outcome, Failure> {
    let mut doc = cargo(&["doc", "--workspace", "--no-deps"]);
    run_well(doc.env("RUSTDOCFLAGS", "-D warnings"), "build the documentation", "the messages above name each place")?;
    Ok(Outcome::Passed)
}

/// Advisories are checked elsewhere (`.github/workflows/ci.yml`): their database is on the network.
pub(super) fn dependencies() -> Result<Outcome, Failure> {
    if process::output("cargo-deny", &["--version"]).is_none() {
        return Ok(Outcome::NotRun("cargo-deny is not installed".to_owned()));
    }
    run_well(
        &mut cargo(&["deny", "check", "bans", "licenses", "sources"]),
        "accept all dependencies",
        "see deny.toml",
    )?;
    Ok(Outcome::Passed)
}

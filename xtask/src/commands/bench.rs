//! `cargo xtask bench`: Naru beside the floor of this machine, compiled as for production.

use std::process::{Command, ExitCode};

use naru_servers::{Failure, Program, with_many_handles};

use crate::cargo::cargo;
use crate::progress::Step;
use crate::{prerequisites, process, root};

/// One build, so that all programs agree on their features.
const PACKAGES: [&str; 5] = ["naru-simulator", "naru-api", "naru-worker", "naru-cli", "naru-testbed"];
/// Builds in half the time, for those who change something and measure again.
const FAST: &str = "--fast-build";

pub(crate) fn run(options: &[&str]) -> Result<ExitCode, Failure> {
    let profile = if options.contains(&FAST) { "bench-fast" } else { "release" };
    let options = options.iter().filter(|option| **option != FAST);

    prerequisites::check(&[Program::Postgres, Program::RabbitMq, Program::Redis])?;
    let step = Step::begin(format!("building everything ({profile})"));
    let mut build = cargo(&["build", "--profile", profile]);
    build.args(PACKAGES.map(|package| ["--package", package]).concat());
    process::run_well(&mut build, "build Naru", "the compiler's messages above say why")?;
    step.done();

    let mut bench = Command::new(root::root().join("target").join(profile).join("naru-bench"));
    bench.args(options);
    process::run_well(&mut with_many_handles(&bench), "run the benchmark", "its last lines above say why")?;
    Ok(ExitCode::SUCCESS)
}

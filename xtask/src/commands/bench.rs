//! `cargo xtask bench`: the load generator, compiled as for production.

use std::process::ExitCode;

use naru_servers::{Failure, Program};

use crate::cargo::cargo;
use crate::{prerequisites, process};

pub(crate) fn run(options: &[&str]) -> Result<ExitCode, Failure> {
    prerequisites::check(&[Program::Postgres, Program::RabbitMq, Program::Redis])?;
    let mut bench = cargo(&["run", "--release", "-p", "naru-testbed", "--bin", "naru-bench", "--"]);
    process::run_well(bench.args(options), "run the benchmark", "its last lines above say why")?;
    Ok(ExitCode::SUCCESS)
}

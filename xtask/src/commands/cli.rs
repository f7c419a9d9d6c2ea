//! `cargo xtask pay`, `dead` and `payment`: the operators' command line, told where the running stack is.

use std::process::{Command, ExitCode};

use naru_servers::Failure;

use crate::env_file::Environment;
use crate::process;

pub(crate) fn run(subcommand: &str, options: &[&str]) -> Result<ExitCode, Failure> {
    let environment = Environment::of_running_stack()?;
    let mut naru = Command::new(process::built("naru")?);
    environment.give_to(naru.arg(subcommand).args(options));
    let status = process::run(&mut naru, "run naru")?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

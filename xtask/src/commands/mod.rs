//! One file per command.

mod bench;
mod cli;
mod help;
mod sqlx;
mod test;
mod up;

use std::process::ExitCode;

use naru_servers::Failure;

/// Runs the command that these arguments name.
pub(crate) fn run(arguments: &[String]) -> Result<ExitCode, Failure> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["up", options @ ..] => up::run(options),
        ["test"] => test::run(None),
        ["test", name] if !name.starts_with('-') => test::run(Some(name)),
        ["pay", options @ ..] => cli::run("pay", options),
        ["dead", options @ ..] => cli::run("dead", options),
        ["payment", options @ ..] => cli::run("payment", options),
        ["bench", options @ ..] => bench::run(options),
        ["sqlx"] => sqlx::run(),
        [] | ["help" | "--help" | "-h"] => Ok(help::run()),
        other => {
            Err(Failure::new(format!("do `{}`", other.join(" ")), "there is no such command")
                .advice("cargo xtask help"))
        }
    }
}

//! `cargo xtask`: everything a developer, a merchant who tries Naru, or CI does with this repository.
//!
//! It depends on next to nothing, so that its first line appears a few seconds after `git clone`.

mod cargo;
mod commands;
mod env_file;
mod http;
mod install;
mod interrupt;
mod prerequisites;
mod process;
mod progress;
mod queries;
mod root;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    commands::run(&arguments).unwrap_or_else(|failure| {
        progress::say(&format!("\n{failure}"));
        ExitCode::FAILURE
    })
}

//! `naru-bench`: payments per second of Naru beside the *floor* of this machine, on the same servers, in the same run.
//!
//! The floor makes the same durable steps with no business logic. What Naru costs above it is what Naru can still lose; what
//! the floor costs, no payment system on these servers can. `docs/performance.md` tells how to read the figures.

#![expect(clippy::float_arithmetic, reason = "rates and ratios; there is no money here")]

mod floor;
mod http;
mod measure;
mod naru;
mod options;
mod plan;
mod report;
mod stack;

use std::process::ExitCode;

use clap::Parser as _;
use naru_servers::Failure;

use options::Options;
use stack::{Place, Stack};

/// What can go wrong is told to a person, and ends the run.
type Outcome<T = ()> = Result<T, Failure>;

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let measured = tokio::select! {
        measured = tokio::time::timeout(options.limit(), run(&options)) => {
            measured.unwrap_or_else(|_| Err(Failure::new("measure", format!("not done within {:?}", options.limit()))))
        }
        _ = tokio::signal::ctrl_c() => Err(Failure::new("measure", "interrupted")),
    };
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Outcome {
    let place = Place::find()?;
    let stack = Stack::start(&place).await?;
    let results = plan::carry_out(options, &stack).await;
    let results = match results {
        Ok(results) => results,
        Err(failure) => {
            stack.tell_logs();
            return Err(failure);
        }
    };
    stack.stop().await;
    report::print(&results);
    let path = report::write(&place.results(), &results)?;
    println!("\n{}", path.display());
    Ok(())
}

//! `naru-simulator`: reads the environment, rebuilds the books, serves until told to stop.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use naru_simulator::config::Config;
use naru_simulator::server::{self, Caller, Desk, Settings};
use naru_simulator::{journal, logs};
use tokio::net::TcpListener;

fn main() -> ExitCode {
    match run(&Config::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("naru-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(config: &Config) -> Result<(), Box<dyn Error>> {
    logs::start(&config.log, config.log_format)?;
    let (journal, company, writer) = journal::open(&config.journal)?;
    let settings = Settings {
        mode: config.mode.into(),
        inquiry_lag_ms: config.inquiry_lag_ms,
        latency_ms: config.latency_ms,
        callback_backoff_ms: 500,
    };
    let caller = Caller::new(config.callback_secret.clone())?;
    let desk = Arc::new(Desk::new(company, journal, settings, caller));
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("can't listen on {} (NARU_SIMULATOR_LISTEN): {error}", config.listen))?;
    println!("listening on http://{}", listener.local_addr()?);
    server::serve(listener, desk, writer).await
}

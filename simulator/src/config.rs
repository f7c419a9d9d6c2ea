//! What the environment (or the command line) says. Read once, at the start.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::company::Mode;

/// The card companies and banks of Naru's sandbox.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Config {
    /// Where to listen. Port 0 takes a free one; the first line on standard output names it.
    #[arg(long, env = "NARU_SIMULATOR_LISTEN", default_value = "127.0.0.1:8090")]
    pub listen: SocketAddr,

    /// The journal: a file of JSON lines, created if need be. The books are rebuilt from it.
    #[arg(long, env = "NARU_SIMULATOR_JOURNAL")]
    pub journal: PathBuf,

    /// D answers a known reference with the first answer; N charges each time it is asked.
    #[arg(long, env = "NARU_SIMULATOR_MODE", default_value = "D")]
    pub mode: ModeName,

    /// Inquiries find nothing for so many milliseconds after the request they ask about.
    #[arg(long, env = "NARU_SIMULATOR_INQUIRY_LAG_MS", default_value_t = 0)]
    pub inquiry_lag_ms: u64,

    /// Every request of the company's API takes at least so many milliseconds.
    #[arg(long, env = "NARU_SIMULATOR_LATENCY_MS", default_value_t = 0)]
    pub latency_ms: u64,

    /// What callbacks are signed with. The sandbox's own secret is written in the README.
    #[arg(
        long,
        env = "NARU_SIMULATOR_CALLBACK_SECRET",
        default_value = "sandbox-callback-secret",
        hide_env_values = true
    )]
    pub callback_secret: String,

    /// Which log lines to print, as a tracing filter.
    #[arg(long, env = "NARU_LOG", default_value = "info")]
    pub log: String,

    /// How to print them, on standard error.
    #[arg(long, env = "NARU_LOG_FORMAT", default_value = "json")]
    pub log_format: LogFormat,
}

/// The modes by their letters.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeName {
    /// Dedupes by reference.
    #[value(name = "D", alias = "d")]
    D,
    /// Doesn't.
    #[value(name = "N", alias = "n")]
    N,
}

impl From<ModeName> for Mode {
    fn from(name: ModeName) -> Self {
        match name {
            ModeName::D => Self::D,
            ModeName::N => Self::N,
        }
    }
}

/// For machines or for people.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// One text line.
    Text,
}

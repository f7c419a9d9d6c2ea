//! What is measured, and for how long.

use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Longest window of one measurement, in seconds.
const SECONDS_MAX: u64 = 300;

/// Measures Naru beside the floor of this machine.
#[derive(Parser, Debug)]
#[command(name = "naru-bench", version)]
pub(crate) struct Options {
    /// Seconds of each measurement, after half a second of warm-up.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=SECONDS_MAX))]
    seconds: u64,
    /// How often floor and Naru are measured in turn at each number of clients; medians are reported.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// About a minute in all: one round of 2 seconds.
    #[arg(long)]
    quick: bool,
    /// Only these parts.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Clients of the closed loops.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub(crate) clients: Vec<usize>,
    /// Payments per second of the open loops.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) rate: u32,
}

/// A part of the benchmark.
#[derive(ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Closed loops of the floor.
    Floor,
    /// Closed loop of key-in payments.
    KeyIn,
    /// Closed loop of create, authenticate, confirm.
    Checkout,
    /// Open loops of floor and Naru.
    Open,
    /// Commits, statements and publishes per payment.
    Counts,
}

impl Options {
    pub(crate) fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }

    pub(crate) fn window(&self) -> Duration {
        Duration::from_secs(if self.quick { 2 } else { self.seconds })
    }

    /// An open loop is longer: its 99th percentile wants a thousand payments.
    pub(crate) fn open_window(&self) -> Duration {
        self.window() * 2
    }

    pub(crate) fn rounds(&self) -> u64 {
        if self.quick { 1 } else { self.rounds }
    }

    /// When a run that hangs is ended. A full run takes a third of it.
    pub(crate) fn limit(&self) -> Duration {
        let closed = u32::try_from(self.clients.len()).unwrap_or(1) * u32::try_from(self.rounds()).unwrap_or(1) * 4;
        (self.window() + Duration::from_secs(2)) * (closed + 12) * 3 + Duration::from_secs(180)
    }
}

//! The results, for people and for programs.

mod machine;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use naru_servers::Failure;
use naru_shared::clock::Clock as _;
use naru_shared::system::System;
use serde::Serialize;

use crate::Outcome;
use crate::measure::{Closed, Counts, Cpu, Open, Statement, Summary};
use crate::options::Options;
use machine::Machine;
pub(crate) use table::print;

/// What is measured in a closed loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    FloorBase,
    FloorBatched,
    KeyIn,
    Checkout,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::FloorBase, Self::FloorBatched, Self::KeyIn, Self::Checkout];

    fn name(self) -> &'static str {
        match self {
            Self::FloorBase => "floor, base",
            Self::FloorBatched => "floor, batched",
            Self::KeyIn => "Naru, key-in",
            Self::Checkout => "Naru, create + authenticate + confirm",
        }
    }
}

/// One closed loop.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Loop {
    kind: Kind,
    clients: usize,
    per_second: f64,
    millis: Summary,
    cpu: CpuView,
}

/// One open loop.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OpenLoop {
    name: &'static str,
    per_second: f64,
    /// From when a payment was meant to begin.
    from_intended_millis: Summary,
    /// From when whoever asked knew that it was accepted.
    from_accepted_millis: Summary,
    cpu: CpuView,
}

/// Counts per payment.
#[derive(Debug, Clone, Serialize)]
struct Counted {
    kind: Kind,
    clients: usize,
    #[serde(flatten)]
    counts: Counts,
}

/// CPU time of a measurement.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct CpuView {
    /// Microseconds per payment, by process.
    micros_per_payment: BTreeMap<&'static str, f64>,
    /// Their sum.
    micros_total: f64,
    /// How much of the machine's busy time was somebody else's: 0 to 1. A quiet machine is below 0.05.
    others: f64,
}

/// All of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Results {
    machine: Machine,
    /// Seconds of each closed loop.
    seconds: u64,
    rounds: u64,
    rate: u32,
    clients: Vec<usize>,
    pub(crate) loops: Vec<Loop>,
    open: Vec<OpenLoop>,
    counts: Vec<Counted>,
    /// Counts per second of a system at rest; taken off the others.
    pub(crate) idle: Option<Counts>,
    /// The costliest statements of key-in at the most clients, and of how many payments.
    pub(crate) statements: Vec<Statement>,
    pub(crate) statements_of: u64,
}

impl Results {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            machine: Machine::this(),
            seconds: options.window().as_secs(),
            rounds: options.rounds(),
            rate: options.rate,
            clients: options.clients.clone(),
            loops: Vec::new(),
            open: Vec::new(),
            counts: Vec::new(),
            idle: None,
            statements: Vec::new(),
            statements_of: 0,
        }
    }

    pub(crate) fn open(&mut self, measured: OpenLoop) {
        eprintln!("{}", measured.line());
        self.open.push(measured);
    }

    pub(crate) fn count(&mut self, kind: Kind, clients: usize, counts: Counts) {
        self.counts.push(Counted { kind, clients, counts });
    }

    fn of(&self, kind: Kind, clients: usize) -> Vec<&Loop> {
        self.loops.iter().filter(|one| one.kind == kind && one.clients == clients).collect()
    }
}

impl Loop {
    pub(crate) fn new(kind: Kind, clients: usize, measured: &Closed) -> Self {
        Self {
            kind,
            clients,
            per_second: measured.per_second(),
            millis: measured.times.summary(),
            cpu: CpuView::of(&measured.cpu, measured.payments as f64),
        }
    }

    pub(crate) fn line(&self) -> String {
        format!(
            "{:<40} C={:<3} {:>7.0}/s  p50 {:.1} ms  CPU {:.0} µs  (others {:.0} %)",
            self.kind.name(),
            self.clients,
            self.per_second,
            self.millis.p50,
            self.cpu.micros_total,
            self.cpu.others * 100.0
        )
    }
}

impl OpenLoop {
    pub(crate) fn new(name: &'static str, measured: &Open) -> Self {
        let payments = measured.from_intended.count() as f64;
        Self {
            name,
            per_second: payments / measured.seconds,
            from_intended_millis: measured.from_intended.summary(),
            from_accepted_millis: measured.from_accepted.summary(),
            cpu: CpuView::of(&measured.cpu, payments),
        }
    }

    fn line(&self) -> String {
        let Summary { p50, p99, .. } = self.from_intended_millis;
        format!(
            "{:<40} {:>7.0}/s  p50 {p50:.1} ms  p99 {p99:.1} ms  (others {:.0} %)",
            self.name,
            self.per_second,
            self.cpu.others * 100.0
        )
    }
}

impl CpuView {
    fn of(cpu: &Cpu, payments: f64) -> Self {
        let each = |seconds: f64| if payments > 0.0 { seconds * 1_000_000.0 / payments } else { 0.0 };
        let others = if cpu.machine > 0.0 { (1.0 - cpu.ours() / cpu.machine).max(0.0) } else { 0.0 };
        Self {
            micros_per_payment: cpu.by_name.iter().map(|(name, seconds)| (*name, each(*seconds))).collect(),
            micros_total: each(cpu.ours()),
            others,
        }
    }
}

/// Writes the results as JSON, named by the second in which they were written.
pub(crate) fn write(folder: &Path, results: &Results) -> Outcome<PathBuf> {
    let path = folder.join(format!("{}.json", System.now().unix_timestamp()));
    let failed = |cause: &dyn std::fmt::Display| Failure::new(format!("write {}", path.display()), cause);
    let text = serde_json::to_string_pretty(results).map_err(|cause| failed(&cause))?;
    std::fs::write(&path, text).map_err(|cause| failed(&cause))?;
    Ok(path)
}

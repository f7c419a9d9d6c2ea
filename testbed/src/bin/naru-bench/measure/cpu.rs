//! CPU time by process, from `/proc`.

use std::fs;

use naru_servers::ProcessId;

/// Clock ticks per second of `/proc` on every Linux that Rust knows.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processes whose CPU time counts as a payment's.
#[derive(Clone)]
pub(crate) struct Processes {
    /// With all that they started.
    trees: Vec<(&'static str, ProcessId)>,
}

/// Seconds of CPU time: by name, and of the whole machine.
#[derive(Clone, Default)]
pub(crate) struct Cpu {
    pub(crate) by_name: Vec<(&'static str, f64)>,
    /// Everything that ran on this machine, ours or not.
    pub(crate) machine: f64,
}

impl Processes {
    pub(crate) fn new(named: impl Iterator<Item = (&'static str, Option<u32>)>) -> Self {
        Self { trees: named.filter_map(|(name, pid)| Some((name, ProcessId::find(pid?)?))).collect() }
    }

    /// Seconds since each was started. The load generator itself counts as `driver`.
    pub(crate) fn sample(&self) -> Cpu {
        let mut by_name: Vec<_> = self
            .trees
            .iter()
            .map(|(name, root)| {
                let own: f64 = root.tree().iter().filter_map(|process| seconds(process.pid(), false)).sum();
                let ended = seconds(root.pid(), true).unwrap_or(0.0);
                (*name, own + ended)
            })
            .collect();
        by_name.push(("driver", seconds(std::process::id(), false).unwrap_or(0.0)));
        Cpu { by_name, machine: machine().unwrap_or(0.0) }
    }
}

impl Cpu {
    /// What was used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let by_name = self.by_name.iter().zip(&earlier.by_name).map(|((name, now), (_, then))| (*name, now - then));
        Self { by_name: by_name.collect(), machine: self.machine - earlier.machine }
    }

    pub(crate) fn ours(&self) -> f64 {
        self.by_name.iter().map(|(_, seconds)| seconds).sum()
    }
}

/// User and system time of a process, or of its children that have ended.
fn seconds(pid: u32, of_ended_children: bool) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    // The state is field 3 of the line and first here; `utime`, `stime`, `cutime`, `cstime` are 14 to 17.
    let mut fields = rest.split_ascii_whitespace().skip(if of_ended_children { 13 } else { 11 });
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}

/// Busy time of all processors: user, nice, system, interrupts; neither idle nor waiting for the disk.
fn machine() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<f64> =
        stat.lines().next()?.split_ascii_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, ..] = fields[..] else { return None };
    Some((user + nice + system + irq + softirq) / TICKS_PER_SECOND)
}

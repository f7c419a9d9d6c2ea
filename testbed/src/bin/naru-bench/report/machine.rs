//! What the figures are of.

use std::fs;

use serde::Serialize;

/// The machine that ran the benchmark, and how busy it was before.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Machine {
    pub(super) processors: usize,
    pub(super) model: String,
    pub(super) kernel: String,
    /// Runnable processes, on average over the minute before.
    pub(super) load: String,
}

impl Machine {
    pub(super) fn this() -> Self {
        let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self {
            processors: std::thread::available_parallelism().map_or(0, usize::from),
            model: model.map_or("unknown", |(_, model)| model).to_owned(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            load: load.split(' ').next().unwrap_or_default().to_owned(),
        }
    }
}

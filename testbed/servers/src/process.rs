//! Processes by id *and* start time, so that a recycled id is never mistaken for one of ours.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

/// How often a dying process is looked at.
const POLL: Duration = Duration::from_millis(20);

/// One process of this machine since its last boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    pid: u32,
    /// In clock ticks since boot, as the kernel tells it.
    started: u64,
}

impl ProcessId {
    /// The process that has this id now; `None` when there is none or only its remains (a zombie).
    #[must_use]
    pub fn find(pid: u32) -> Option<Self> {
        Stat::read(pid).filter(Stat::is_alive).map(|stat| stat.id())
    }

    /// Whether this id is taken by a process that has ended but was not yet taken note of by its parent (a zombie). Where the
    /// first process of a container reaps nobody, that lasts for ever.
    #[must_use]
    pub fn is_zombie(pid: u32) -> bool {
        Stat::read(pid).is_some_and(|stat| !stat.is_alive())
    }

    /// Reads a line in the format of `/proc/PID/stat`, as a server left it behind.
    #[must_use]
    pub fn from_stat_line(line: &str) -> Option<Self> {
        Stat::parse(line).map(|stat| stat.id())
    }

    /// The number other programs know it by.
    #[must_use]
    pub fn pid(self) -> u32 {
        self.pid
    }

    /// Whether exactly this process still runs (a stopped one does).
    #[must_use]
    pub fn is_alive(self) -> bool {
        Self::find(self.pid) == Some(self)
    }

    /// Whether it belongs to this user.
    #[must_use]
    pub fn belongs_to(self, uid: u32) -> bool {
        fs::metadata(format!("/proc/{}", self.pid)).is_ok_and(|metadata| metadata.uid() == uid)
    }

    /// This process and everything it started that still has a living line of parents up to it.
    #[must_use]
    pub fn tree(self) -> Vec<Self> {
        let everyone = Stat::all();
        let mut tree = vec![self];
        let mut next = 0;
        while let Some(parent) = tree.get(next).copied() {
            let children = everyone.iter().filter(|stat| stat.parent == parent.pid);
            tree.extend(children.map(Stat::id));
            next += 1;
        }
        tree.retain(|process| process.is_alive());
        tree
    }

    /// Waits until it is gone; `false` when it is still there after `patience`.
    #[must_use]
    pub fn wait_gone(self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(POLL);
        }
        true
    }
}

/// Sends `signal` (`TERM`, `KILL`, `STOP`, …) to those that are still alive. Having died meanwhile is not an error.
///
/// # Errors
/// When `/bin/sh` cannot be started.
pub fn signal(signal: &str, processes: &[ProcessId]) -> std::io::Result<()> {
    let alive: Vec<String> =
        processes.iter().filter(|process| process.is_alive()).map(|process| process.pid.to_string()).collect();
    if alive.is_empty() {
        return Ok(());
    }
    // The shell's own `kill`: the program of that name is not on every machine.
    Command::new("/bin/sh")
        .args(["-c", r#"s=$1; shift; for p; do kill -s "$s" "$p" 2>/dev/null; done; :"#])
        .args(["sh", signal])
        .args(alive)
        .status()
        .map(|_| ())
}

/// Sends `signal` to a process and all that it started, also to what is forked while we look.
pub(crate) fn signal_tree(name: &str, root: ProcessId) -> std::io::Result<Vec<ProcessId>> {
    // A stopped parent cannot fork; Postgres' children are sessions of their own, so its process group would not do.
    signal("STOP", &[root])?;
    let mut reached = vec![root];
    loop {
        let new: Vec<ProcessId> = root.tree().into_iter().filter(|process| !reached.contains(process)).collect();
        if new.is_empty() {
            break;
        }
        signal("STOP", &new)?;
        reached.extend(new);
    }
    if name != "STOP" {
        signal(name, &reached)?;
    }
    Ok(reached)
}

/// What we need of `/proc/PID/stat`.
struct Stat {
    pid: u32,
    state: char,
    parent: u32,
    started: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn all() -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter_map(Self::read).collect()
    }

    /// `pid (name) state parent … started …`; the name may hold spaces and parentheses.
    fn parse(line: &str) -> Option<Self> {
        let (pid, rest) = line.split_once(" (")?;
        let (_, rest) = rest.rsplit_once(") ")?;
        let mut fields = rest.split_ascii_whitespace();
        let state = fields.next()?.chars().next()?;
        let parent = fields.next()?.parse().ok()?;
        // `starttime` is field 22 of the line; two were before the name's end, two are taken.
        let started = fields.nth(17)?.parse().ok()?;
        Some(Self { pid: pid.trim().parse().ok()?, state, parent, started })
    }

    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    fn id(&self) -> ProcessId {
        ProcessId { pid: self.pid, started: self.started }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_are_alive_and_our_child_is_in_our_tree() {
        let us = ProcessId::find(std::process::id()).expect("we run");
        assert!(us.is_alive());
        let mut child = Command::new("sleep").arg("30").spawn().expect("sleep starts");
        let child_id = ProcessId::find(child.id()).expect("it runs");
        assert!(us.tree().contains(&child_id));
        signal("KILL", &[child_id]).expect("the shell runs");
        assert!(child_id.wait_gone(Duration::from_secs(5)));
        child.wait().expect("it is our child");
    }

    #[test]
    fn the_same_number_with_another_start_is_someone_else() {
        let us = ProcessId::find(std::process::id()).expect("we run");
        let earlier = ProcessId { pid: us.pid, started: us.started - 1 };
        assert!(!earlier.is_alive());
    }

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_confuse() {
        let line = "42 (a) b) (c) S 7 42 42 0 -1 4194368 90 0 0 0 0 0 0 0 20 0 1 0 123094 4722688 399";
        assert_eq!(ProcessId::from_stat_line(line), Some(ProcessId { pid: 42, started: 123_094 }));
        assert_eq!(ProcessId::from_stat_line("42 (half a li"), None);
    }
}

//! Programs that are run to their end, and programs that stay.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use naru_servers::{Failure, Ledger, ProcessId, kill_tree, signal};

use crate::{interrupt, root};

/// How often a program is looked at.
const POLL: Duration = Duration::from_millis(30);
/// How long a program may take to end in good order: it drains for up to 10 s.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// Runs a command to its end, in the workspace's folder. It is ended early when somebody asks us to end.
pub(crate) fn run(command: &mut Command, step: &str) -> Result<ExitStatus, Failure> {
    let failed = |cause| Failure::new(step, cause);
    let mut child = command.current_dir(root::root()).spawn().map_err(failed)?;
    loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            interrupt::check()?;
            return Ok(status);
        }
        if interrupt::interrupted() {
            if let Some(id) = ProcessId::find(child.id()) {
                kill_tree(id)?;
            }
            let _ = child.wait();
        }
        std::thread::sleep(POLL);
    }
}

/// Like [`run`], and fails unless the command succeeds.
pub(crate) fn run_well(command: &mut Command, step: &str, advice: &str) -> Result<(), Failure> {
    let status = run(command, step)?;
    if status.success() { Ok(()) } else { Err(Failure::new(step, status).advice(advice)) }
}

/// Runs a short command and returns what it printed; `None` when it cannot be started or fails.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let run = Command::new(program).args(arguments).current_dir(root::root()).stdin(Stdio::null()).output().ok()?;
    run.status.success().then(|| String::from_utf8_lossy(&run.stdout).trim().to_owned())
}

/// One of our programs, running, with its output in a log. Dropping it stops it.
pub(crate) struct Program {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

impl Program {
    /// Starts `command`; its log begins anew. It is written into `ledger`, so that the next `up` finds it if we are killed.
    pub(crate) fn start(name: &'static str, command: &Command, log: PathBuf, ledger: &Ledger) -> Result<Self, Failure> {
        let step = format!("start {name}");
        let failed = |cause| Failure::new(&step, cause);
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&log).map_err(failed)?;
        let file_too = file.try_clone().map_err(failed)?;
        let mut shell = Command::new("/bin/sh");
        shell.current_dir(root::root()).stdin(Stdio::null()).stdout(file).stderr(file_too);
        // A group of its own: Ctrl-C in the terminal is for us, and we stop it in good order.
        let child = ledger.write_down_and_become(shell, command).process_group(0).spawn().map_err(failed)?;
        Ok(Self { name, log, child })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` says so; fails when the program ends before, or after `limit`.
    pub(crate) fn wait_ready(&mut self, limit: Duration, ready: impl Fn() -> bool) -> Result<(), Failure> {
        let deadline = Instant::now() + limit;
        while !ready() {
            interrupt::check()?;
            self.check()?;
            if Instant::now() >= deadline {
                let cause = format!("not ready within {} s", limit.as_secs());
                return Err(Failure::new(format!("start {}", self.name), cause).with_log(&self.log));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Fails, with the last lines of its log, when the program has ended.
    pub(crate) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(self.ended(&status)),
            Err(cause) => Err(self.ended(&cause)),
        }
    }

    fn ended(&self, how: &dyn std::fmt::Display) -> Failure {
        Failure::new(format!("keep {} running", self.name), format!("it ended by itself with {how}"))
            .with_log(&self.log)
            .advice("the log above says why; `cargo xtask up --fresh` starts with empty data")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let Some(id) = ProcessId::find(self.child.id()) else {
            let _ = self.child.wait();
            return;
        };
        let asked = signal("TERM", &[id]);
        let deadline = Instant::now() + STOP_LIMIT;
        while asked.is_ok() && matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(POLL);
        }
        let _ = kill_tree(id);
        let _ = self.child.wait();
    }
}

/// The path of a program of ours, which must have been built.
pub(crate) fn built(name: &str) -> Result<PathBuf, Failure> {
    let path: PathBuf = root::programs().join(name);
    existing(&path)
        .ok_or_else(|| Failure::new(format!("find {}", path.display()), "it is not built").advice("cargo xtask up"))
}

fn existing(path: &Path) -> Option<PathBuf> {
    path.exists().then(|| path.to_owned())
}

//! Which processes are ours, so that they are found again after we were killed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Failure;
use crate::handles::RAISE;
use crate::process::{ProcessId, signal_tree};

/// How long the kernel may take to end what got SIGKILL.
const KILL_LIMIT: Duration = Duration::from_secs(10);
/// Writes the shell's own line of the process table into the file `$1`, then becomes the rest of its arguments: from its
/// first moment the process can be found again, even if we are killed right here.
const WRITE_DOWN_AND_BECOME: &str = r#"read -r stat < "/proc/$$/stat"; echo "$stat" >> "$1"; shift; exec "$@""#;

/// A file with one line for each process that was started, in the order in which they were started.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// The user our processes run as; nobody else's are ever touched.
    uid: u32,
}

impl Ledger {
    /// The ledger at `path` of processes that run as `uid`. The folder must exist and be writable for that user.
    #[must_use]
    pub fn new(path: PathBuf, uid: u32) -> Self {
        Self { path, uid }
    }

    /// Makes `command` write itself down, with as many file handles as it may have, before it becomes what it is; `shell` is
    /// what its `/bin/sh` starts from (folder, user, environment). What `command` sets in its environment is kept.
    pub fn write_down_and_become(&self, mut shell: Command, command: &Command) -> Command {
        shell.args(["-c", &format!("{RAISE}{WRITE_DOWN_AND_BECOME}"), "sh"]).arg(&self.path);
        shell.arg(command.get_program()).args(command.get_args());
        shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell
    }

    /// Ends with SIGKILL what is written down and still runs, last started first, and forgets it. A process is only touched
    /// if number, start time and user all agree.
    ///
    /// # Errors
    /// When one survives SIGKILL.
    pub fn end_leftovers(&self) -> Result<(), Failure> {
        let noted = fs::read_to_string(&self.path).unwrap_or_default();
        let processes: Vec<ProcessId> = noted.lines().filter_map(ProcessId::from_stat_line).collect();
        for process in processes.into_iter().rev() {
            if process.belongs_to(self.uid) {
                kill_tree(process)?;
            }
        }
        self.forget();
        Ok(())
    }

    /// Empties the ledger, once nothing that is written down runs any more.
    pub fn forget(&self) {
        let _ = fs::remove_file(&self.path);
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Ends a process and everything it started with SIGKILL, and waits until they are gone.
///
/// # Errors
/// When something survives for 10 s.
pub fn kill_tree(root: ProcessId) -> Result<(), Failure> {
    if !root.is_alive() {
        return Ok(());
    }
    let failure = |cause: String| Failure::new(format!("end process {}", root.pid()), cause);
    let tree = signal_tree("KILL", root).map_err(|cause| failure(cause.to_string()))?;
    if tree.iter().all(|process| process.wait_gone(KILL_LIMIT)) {
        return Ok(());
    }
    Err(failure("it survives SIGKILL".to_owned()).advice("is its disk stuck? end it by hand, then try again"))
}

//! One of our programs, as a process that terrible things can be done to.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use naru_servers::{Ledger, ProcessId, our_uid, signal};

use crate::{eventually, http, run};

/// How long a program may take until it is ready, on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(30);
/// How long a program may take to stop: its drain, and a little.
const STOP_LIMIT: Duration = Duration::from_secs(15);

/// A program, running or not. Its address and log stay the same over restarts.
pub struct Program {
    name: String,
    command: Mutex<Command>,
    /// What answers 200 once it is ready.
    ready: String,
    /// Where its metrics are, if it has any.
    metrics: Option<String>,
    /// Where merchants reach it, if they do.
    address: Option<String>,
    log: PathBuf,
    child: Mutex<Option<Child>>,
}

impl Program {
    /// Starts `binary` with exactly this environment; its log and the list of its processes go to `folder`.
    pub(crate) fn start(
        name: &str,
        binary: &str,
        environment: &[(impl AsRef<OsStr>, String)],
        folder: &Path,
        ready: String,
        metrics: Option<String>,
    ) -> Self {
        let path = run::programs().join(binary);
        assert!(path.exists(), "{} is not built; `cargo build --workspace` builds it", path.display());
        let mut program = Command::new(path);
        program.envs(environment.iter().map(|(name, value)| (name, value)));
        let mut shell = Command::new("/bin/sh");
        shell.env_clear().env("PATH", "/usr/bin:/bin").current_dir(folder).process_group(0);
        let ledger = Ledger::new(folder.join("processes"), our_uid().unwrap_or_else(|failure| panic!("{failure}")));
        run::guard_programs(ledger.path());
        let command = ledger.write_down_and_become(shell, &program);
        let log = folder.join(format!("{name}.log"));
        let program = Self {
            name: name.to_owned(),
            command: Mutex::new(command),
            ready,
            metrics,
            address: None,
            log,
            child: Mutex::default(),
        };
        program.spawn();
        program
    }

    /// The same, which merchants reach at this address.
    pub(crate) fn reached_at(mut self, address: String) -> Self {
        self.address = Some(address);
        self
    }

    /// Where merchants reach it.
    ///
    /// # Panics
    /// When it is no API.
    #[must_use]
    pub fn address(&self) -> &str {
        self.address.as_deref().unwrap_or_else(|| panic!("{} is no API", self.name))
    }

    /// Starts it again after it has ended; returns when it is ready.
    ///
    /// # Panics
    /// When it runs, or is not ready in time.
    pub async fn start_again(&self) {
        self.spawn();
        self.wait_ready().await;
    }

    /// Starts it again after it has ended, without waiting for it.
    ///
    /// # Panics
    /// When it runs.
    pub fn spawn(&self) {
        let mut child = self.child();
        assert!(child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log).expect("the log can be written");
        let log_too = log.try_clone().expect("the log can be written");
        let mut command = lock(&self.command);
        let started = command.stdin(Stdio::null()).stdout(log).stderr(log_too).spawn();
        *child = Some(started.unwrap_or_else(|error| panic!("{} does not start: {error}", self.name)));
    }

    /// Waits until it says it is ready.
    ///
    /// # Panics
    /// When it ends instead, or takes too long; shows the end of its log.
    pub async fn wait_ready(&self) {
        let client = http::client(Duration::from_secs(2));
        let what = format!("{} is ready; see {}", self.name, self.log.display());
        eventually(&what, READY_LIMIT, async || {
            if let Some(status) = self.ended() {
                panic!("{} ended with {status} instead of getting ready:\n{}", self.name, self.last_lines());
            }
            let answer = client.get(&self.ready).send().await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Ends it at once, with SIGKILL.
    pub fn kill9(&self) {
        if let Some(mut child) = self.child().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Freezes it, with SIGSTOP: its connections stay open, and it does nothing.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Thaws it.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// Asks it to end in good order, with SIGTERM, without waiting.
    pub fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Asks it to end in good order and waits until it has.
    ///
    /// # Panics
    /// When it takes longer than its drain.
    pub async fn terminate(&self) -> ExitStatus {
        self.ask_to_stop();
        let what = format!("{} stops", self.name);
        let status = eventually(&what, STOP_LIMIT, async || self.ended()).await;
        self.child().take();
        status
    }

    /// Kills it and starts it again.
    pub async fn restart(&self) {
        self.kill9();
        self.start_again().await;
    }

    /// Whether it runs (frozen counts).
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.child().is_some() && self.ended().is_none()
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child().as_ref().unwrap_or_else(|| panic!("{} does not run", self.name)).id()
    }

    /// What it is called in the folder of logs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything it has logged, over all of its starts.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// The sum of a counter over all its labels; 0 when there is none of that name, which is so until it is first raised.
    ///
    /// # Panics
    /// When it has no metrics or does not answer.
    pub async fn metric(&self, name: &str) -> u64 {
        self.counted(name).await.unwrap_or(0)
    }

    /// The same, and nothing when there is none of that name: for a test that wants a number to be small, and there to be one.
    ///
    /// # Panics
    /// When it has no metrics or does not answer.
    pub async fn counted(&self, name: &str) -> Option<u64> {
        let url = self.metrics.as_ref().unwrap_or_else(|| panic!("{} has no metrics", self.name));
        let answer = http::client(Duration::from_secs(5)).get(url).send().await.expect("it tells its metrics");
        let text = answer.text().await.expect("metrics are text");
        let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{']));
        let counts = text.lines().filter(of_name).filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok());
        counts.reduce(|sum, count| sum + count)
    }

    fn signal(&self, name: &str) {
        let process = ProcessId::find(self.pid()).unwrap_or_else(|| panic!("{} does not run", self.name));
        signal(name, &[process]).expect("the shell can send signals");
    }

    fn ended(&self) -> Option<ExitStatus> {
        self.child().as_mut().and_then(|child| child.try_wait().ok().flatten())
    }

    fn last_lines(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(8)..].join("\n")
    }

    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        lock(&self.child)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill9();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

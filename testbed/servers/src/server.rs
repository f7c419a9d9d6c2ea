//! The life of one server, the same for all three kinds.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::account::Account;
use crate::folder::Folder;
use crate::ledger::kill_tree;
use crate::place;
use crate::process::{ProcessId, signal, signal_tree};
use crate::settings::Settings;

/// How often a starting server is asked whether it is ready.
const PROBE_INTERVAL: Duration = Duration::from_millis(50);
/// What is particular to Postgres, RabbitMQ or Redis.
pub trait Kind: Sized + Send + Sync + 'static {
    /// Its folder's name, and the name of the user its Debian package makes.
    const NAME: &'static str;
    /// The user of the machine that it runs as when we are root.
    const USER: &'static str;
    /// The signal that asks it to end in good order.
    const STOP_SIGNAL: &'static str;
    /// How long a start may take, recovery after a crash included.
    const START_LIMIT: Duration;
    /// How long a stop may take before it is forced.
    const STOP_LIMIT: Duration;

    /// Finds its programs and chooses what must stay the same: ports and passwords.
    #[doc(hidden)]
    fn open(settings: &mut Settings) -> Result<Self, Failure>;
    /// Writes its configuration, and its first data when there are none.
    #[doc(hidden)]
    fn prepare(&self, folder: &Folder) -> Result<(), Failure>;
    /// What to start, in this order; the last one is the server itself, the ones before it help.
    #[doc(hidden)]
    fn commands(&self, folder: &Folder) -> Vec<Command>;
    /// Whether it answers in its own protocol.
    fn is_ready(&self) -> bool;
    /// Where clients reach it, password included.
    fn url(&self) -> String;
}

/// One private server. Dropping it stops it.
///
/// All methods take `&self`: a test may kill the server under the hands of the program that uses it.
pub struct Server<K: Kind> {
    pub(crate) kind: K,
    folder: Folder,
    /// In the order in which they were started.
    running: Mutex<Vec<Running>>,
    keep: AtomicBool,
}

struct Running {
    id: ProcessId,
    child: Child,
}

impl<K: Kind> Server<K> {
    /// Opens the server whose data lie in a folder of `dir`, ends what an earlier run left behind, and starts it.
    ///
    /// # Errors
    /// Names the step, the last lines of the log and what to do.
    pub fn start_in(dir: &Path) -> Result<Self, Failure> {
        let server = Self::open(dir)?;
        server.start()?;
        Ok(server)
    }

    /// Like [`Server::start_in`], but without starting it: what an earlier run left running is ended all the same.
    ///
    /// # Errors
    /// When its programs are not installed, or its folder cannot be used.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        let folder = Self::end_earlier(dir)?;
        let mut settings = Settings::load(&folder.settings());
        let kind = K::open(&mut settings)?;
        settings.save()?;
        Ok(Self { kind, folder, running: Mutex::default(), keep: AtomicBool::new(false) })
    }

    /// Ends what an earlier run left behind, which needs none of the programs.
    pub(crate) fn end_earlier(dir: &Path) -> Result<Folder, Failure> {
        let account = Account::for_server(K::USER)?;
        let dir = place::settle(dir, account)?;
        let folder = Folder::create(dir.join(K::NAME), account)?;
        folder.ledger().end_leftovers()?;
        Ok(folder)
    }

    /// Starts it, on the same ports and data as before, and returns once it answers. Nothing happens when it runs.
    ///
    /// # Errors
    /// When it ends by itself or does not answer in time; it is not running then.
    pub fn start(&self) -> Result<(), Failure> {
        let mut running = self.lock();
        if running.last().is_some_and(|server| server.id.is_alive()) {
            return Ok(());
        }
        self.kill(&mut running)?;
        self.kind.prepare(&self.folder)?;
        let started = self.spawn_all(&mut running).and_then(|()| self.wait_ready(&mut running));
        if started.is_err() {
            self.kill(&mut running)?;
        }
        started
    }

    /// Stops it in good order; a server that was paused is woken for that. Forced when it takes too long.
    ///
    /// # Errors
    /// When it survives even SIGKILL.
    pub fn stop(&self) -> Result<(), Failure> {
        let mut running = self.lock();
        if let Some(server) = running.last() {
            let asked = signal(K::STOP_SIGNAL, &[server.id]).and_then(|()| signal("CONT", &server.id.tree()));
            if asked.is_ok() {
                reap_within(&mut running, K::STOP_LIMIT);
            }
        }
        self.kill(&mut running)
    }

    /// Ends it and everything it started with SIGKILL, at once, as a crash of the machine would.
    ///
    /// # Errors
    /// When something survives SIGKILL for 10 s.
    pub fn kill9(&self) -> Result<(), Failure> {
        self.kill(&mut self.lock())
    }

    /// Stops it and starts it again on the same ports and data.
    ///
    /// # Errors
    /// As [`Server::stop`] and [`Server::start`].
    pub fn restart(&self) -> Result<(), Failure> {
        self.stop()?;
        self.start()
    }

    /// Freezes it: connections stay open and the kernel still accepts new ones, but nobody answers.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<(), Failure> {
        self.signal_server("pause", |server| signal_tree("STOP", server).map(|_| ()))
    }

    /// Thaws it.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<(), Failure> {
        self.signal_server("resume", |server| signal("CONT", &server.tree()))
    }

    /// Stops it, deletes all of its data, and starts it empty, on the same ports and with the same passwords.
    ///
    /// # Errors
    /// As [`Server::stop`] and [`Server::start`], or when the data cannot be deleted.
    pub fn wipe(&self) -> Result<(), Failure> {
        self.kill9()?;
        self.folder.empty_home()?;
        self.start()
    }

    /// Where clients reach it, password included.
    #[must_use]
    pub fn url(&self) -> String {
        self.kind.url()
    }

    /// The server's process id, as long as it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.lock().last().filter(|server| server.id.is_alive()).map(|server| server.id.pid())
    }

    /// Whether it answers in its own protocol now.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.kind.is_ready()
    }

    /// Everything it printed, over all of its starts.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.log()
    }

    /// Where its data lie.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.folder.home()
    }

    /// Leaves it running when this value is dropped; the next [`Server::open`] of the same folder ends it.
    pub fn keep(&self) {
        self.keep.store(true, Ordering::Relaxed);
    }

    pub(crate) fn stop_unless_kept(&self) {
        if !self.keep.load(Ordering::Relaxed)
            && let Err(failure) = self.stop()
        {
            eprintln!("{failure}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn_all(&self, running: &mut Vec<Running>) -> Result<(), Failure> {
        for command in self.kind.commands(&self.folder) {
            let failed = |cause| Failure::new(format!("start {}", K::NAME), cause);
            let log = self.folder.open_log()?;
            let log_too = log.try_clone().map_err(failed)?;
            let shell = self.folder.command(Path::new("/bin/sh"));
            let mut command = self.folder.ledger().write_down_and_become(shell, &command);
            // A group of its own: Ctrl-C in the terminal is for us, and we stop it in good order.
            let child = command.stdout(log).stderr(log_too).process_group(0).spawn().map_err(failed)?;
            let id = ProcessId::find(child.id());
            let id =
                id.ok_or_else(|| Failure::new(format!("start {}", K::NAME), "it ended at once").with_log(&self.log()))?;
            running.push(Running { id, child });
        }
        Ok(())
    }

    fn wait_ready(&self, running: &mut [Running]) -> Result<(), Failure> {
        let deadline = Instant::now() + K::START_LIMIT;
        while !self.kind.is_ready() {
            for process in &mut *running {
                if let Ok(Some(status)) = process.child.try_wait() {
                    return Err(self.start_failure(format!("it ended with {status}")));
                }
            }
            if Instant::now() >= deadline {
                return Err(self.start_failure(format!("no answer within {} s", K::START_LIMIT.as_secs())));
            }
            std::thread::sleep(PROBE_INTERVAL);
        }
        Ok(())
    }

    fn start_failure(&self, cause: String) -> Failure {
        Failure::new(format!("start {}", K::NAME), cause).with_log(&self.log()).advice(format!(
            "the log above says why; if its data are to blame, delete {} (or use `--fresh`) and try again",
            self.folder.home().display()
        ))
    }

    fn kill(&self, running: &mut Vec<Running>) -> Result<(), Failure> {
        // The server goes before its helpers.
        while let Some(process) = running.last_mut() {
            kill_tree(process.id)?;
            // Reap it; it is our child.
            let _ = process.child.wait();
            running.pop();
        }
        self.folder.ledger().forget();
        Ok(())
    }

    fn signal_server(&self, verb: &str, send: impl FnOnce(ProcessId) -> std::io::Result<()>) -> Result<(), Failure> {
        let failure = |cause: String| Failure::new(format!("{verb} {}", K::NAME), cause);
        let server = self.lock().last().map(|server| server.id).filter(|id| id.is_alive());
        let server = server.ok_or_else(|| failure("it does not run".to_owned()))?;
        send(server).map_err(|cause| failure(cause.to_string()))
    }
}

impl<K: Kind> Drop for Server<K> {
    fn drop(&mut self) {
        self.stop_unless_kept();
    }
}

/// Waits until the server (the last) has ended.
fn reap_within(running: &mut [Running], patience: Duration) {
    let deadline = Instant::now() + patience;
    while let Some(server) = running.last_mut() {
        if !matches!(server.child.try_wait(), Ok(None)) || Instant::now() >= deadline {
            return;
        }
        std::thread::sleep(PROBE_INTERVAL);
    }
}

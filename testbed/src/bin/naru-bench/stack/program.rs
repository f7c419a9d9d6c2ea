//! One of our programs, running.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use naru_servers::{Failure, Ledger, ProcessId, kill_tree, signal};

use super::READY_LIMIT;
use crate::Outcome;

/// How often a program is looked at.
const POLL: Duration = Duration::from_millis(30);
/// How long it may take to end in good order.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// Dropping it stops it.
pub(super) struct Program {
    name: &'static str,
    log: PathBuf,
    child: Child,
    /// Port and path that answer 200 once it is ready.
    ready: (u16, &'static str),
}

impl Program {
    pub(super) fn start(
        name: &'static str,
        command: &Command,
        log: PathBuf,
        ledger: &Ledger,
        ready: (u16, &'static str),
    ) -> Outcome<Self> {
        let failed = |cause| Failure::new(format!("start {name}"), cause);
        let file = File::create(&log).map_err(failed)?;
        let file_too = file.try_clone().map_err(failed)?;
        let mut shell = Command::new("/bin/sh");
        shell.stdin(Stdio::null()).stdout(file).stderr(file_too);
        // A group of its own: Ctrl-C in the terminal is for us, and we stop it in good order.
        let child = ledger.write_down_and_become(shell, command).process_group(0).spawn().map_err(failed)?;
        Ok(Self { name, log, child, ready })
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn failure(&self, cause: impl std::fmt::Display) -> Failure {
        Failure::new(format!("run {}", self.name), cause).with_log(&self.log)
    }

    pub(super) fn wait_ready(&mut self) -> Outcome {
        let deadline = Instant::now() + READY_LIMIT;
        while !is_ok(self.ready) {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Err(self.failure(status));
            }
            if Instant::now() >= deadline {
                return Err(self.failure(format!("not ready within {} s", READY_LIMIT.as_secs())));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(id) = ProcessId::find(self.child.id()) {
            let asked = signal("TERM", &[id]);
            let deadline = Instant::now() + STOP_LIMIT;
            while asked.is_ok() && matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(POLL);
            }
            let _ = kill_tree(id);
        }
        let _ = self.child.wait();
    }
}

fn is_ok((port, path): (u16, &str)) -> bool {
    let ask = || -> std::io::Result<bool> {
        let limit = Duration::from_secs(2);
        let mut stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n").as_bytes())?;
        let mut status = [0; 12];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

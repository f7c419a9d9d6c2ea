//! A server's two folders: ours, with what it may only read, and its home, where it may write.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::account::Account;
use crate::ledger::Ledger;

/// A log longer than this is started anew when the server starts.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// `settings`, `log` and configuration belong to us; `home/` belongs to the server's user. When we are root this keeps a
/// server from leading us to another file by a link.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    home: PathBuf,
    account: Account,
}

impl Folder {
    pub(crate) fn create(path: PathBuf, account: Account) -> Result<Self, Failure> {
        let home = path.join("home");
        let created = make_dir(&path, 0o755).and_then(|()| make_dir(&home, 0o700)).and_then(|()| account.own(&home));
        created.map_err(|cause| Failure::new(format!("create {}", home.display()), cause))?;
        Ok(Self { path, home, account })
    }

    /// Where the server may write.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.path.join("settings")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    /// Where processes of this server write themselves down.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(self.home.join("processes"), self.account.uid())
    }

    /// Writes a configuration file that the server, and nobody else, can read too.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, Failure> {
        let path = self.path.join(name);
        write_private(&path, text)?;
        self.account
            .let_read(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o640)))
            .map_err(|cause| Failure::new(format!("let the server read {}", path.display()), cause))?;
        Ok(path)
    }

    /// Opens the log for the server's output.
    pub(crate) fn open_log(&self) -> Result<File, Failure> {
        let path = self.log();
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX) {
            let _ = fs::remove_file(&path);
        }
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        opened.map_err(|cause| Failure::new(format!("open {}", path.display()), cause))
    }

    /// A program that runs as the server's user in its home.
    pub(crate) fn command(&self, program: &Path) -> std::process::Command {
        self.account.command(program, &self.home)
    }

    /// Deletes all that the server wrote, and gives it an empty home.
    pub(crate) fn empty_home(&self) -> Result<(), Failure> {
        let emptied = fs::remove_dir_all(&self.home)
            .and_then(|()| make_dir(&self.home, 0o700))
            .and_then(|()| self.account.own(&self.home));
        emptied.map_err(|cause| Failure::new(format!("empty {}", self.home.display()), cause))
    }
}

/// Creates a folder that may exist already. The mode is what it says, whatever the umask.
pub(crate) fn make_dir(path: &Path, mode: u32) -> std::io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => fs::set_permissions(path, fs::Permissions::from_mode(mode)),
        Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(cause) => Err(cause),
    }
}

/// Writes a file of ours whole or not at all, readable by us only.
///
/// # Errors
/// When its folder does not exist or the disk is full.
pub fn write_private(path: &Path, text: &str) -> Result<(), Failure> {
    let half = path.with_extension("new");
    let written = fs::remove_file(&half)
        .or_else(|cause| if cause.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(cause) })
        .and_then(|()| OpenOptions::new().create_new(true).write(true).mode(0o600).open(&half))
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&half, path));
    written.map_err(|cause| Failure::new(format!("write {}", path.display()), cause))
}

//! The user a server runs as.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Failure;

/// Where the servers look for programs; nothing of the caller's environment reaches them.
const SERVER_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Ourselves, or an unprivileged user when we are root.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    uid: u32,
    /// The group to change to; `None` when we stay who we are.
    switch_to_gid: Option<u32>,
}

impl Account {
    /// Ourselves; for root the first of `preferred` and `nobody` that exists.
    pub(crate) fn for_server(preferred: &str) -> Result<Self, Failure> {
        let uid = our_uid()?;
        if uid != 0 {
            return Ok(Self { uid, switch_to_gid: None });
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        [preferred, "nobody"]
            .iter()
            .find_map(|name| find_user(&users, name))
            .map(|(uid, gid)| Self { uid, switch_to_gid: Some(gid) })
            .ok_or_else(|| {
                Failure::new(
                    format!("find an unprivileged user for {preferred}"),
                    "neither its own user nor `nobody` exists",
                )
                .advice("install the package, or run as a user who is not root")
            })
    }

    pub(crate) fn uid(self) -> u32 {
        self.uid
    }

    /// A program that will run as this user, in `folder`, with a clean environment.
    pub(crate) fn command(self, program: impl AsRef<OsStr>, folder: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("PATH", SERVER_PATH).env("LANG", "C.UTF-8").env("HOME", folder);
        command.current_dir(folder).stdin(Stdio::null());
        if let Some(gid) = self.switch_to_gid {
            command.uid(self.uid).gid(gid);
        }
        command
    }

    /// Gives a folder to this user.
    pub(crate) fn own(self, path: &Path) -> std::io::Result<()> {
        match self.switch_to_gid {
            Some(gid) => std::os::unix::fs::chown(path, Some(self.uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// Lets this user read a file of ours.
    pub(crate) fn let_read(self, path: &Path) -> std::io::Result<()> {
        match self.switch_to_gid {
            Some(gid) => std::os::unix::fs::chown(path, None, Some(gid)),
            None => Ok(()),
        }
    }
}

/// The user this program runs as.
///
/// # Errors
/// Where there is no `/proc`.
pub fn our_uid() -> Result<u32, Failure> {
    fs::metadata("/proc/self").map(|metadata| metadata.uid()).map_err(|cause| {
        Failure::new("read /proc/self", cause).advice("the private servers need Linux with /proc mounted")
    })
}

/// The user and group numbers of `name` in the text of `/etc/passwd`.
fn find_user(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        if fields.next() != Some(name) {
            return None;
        }
        let uid = fields.nth(1)?.parse().ok()?;
        Some((uid, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::find_user;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\npostgresql:x:7:8::/:/bin/sh\npostgres:x:101:104:admin,,,:/var:/bin/bash\n";
        assert_eq!(find_user(users, "postgres"), Some((101, 104)));
        assert_eq!(find_user(users, "redis"), None);
    }
}

//! Where the data lie: where we were told, or where the servers' user can get to.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::account::{Account, our_uid};
use crate::folder::make_dir;

/// Creates `wanted` and returns it, absolute. When we are root and the server's user may not walk there (a checkout under
/// `/root`, say), a folder under `/var/tmp` that is named after it is used instead, the same every time.
pub(crate) fn settle(wanted: &Path, account: Account) -> Result<PathBuf, Failure> {
    let step = || format!("create {}", wanted.display());
    fs::create_dir_all(wanted).map_err(|cause| Failure::new(step(), cause))?;
    let wanted = wanted.canonicalize().map_err(|cause| Failure::new(step(), cause))?;
    if can_enter(account, &wanted) {
        return Ok(wanted);
    }
    let instead = instead_of(&wanted);
    make_dir(&instead, 0o755).map_err(|cause| Failure::new(format!("create {}", instead.display()), cause))?;
    if is_ours(&instead) {
        return Ok(instead);
    }
    Err(Failure::new(format!("use {}", instead.display()), "it exists and is not ours")
        .advice("remove it, or move the checkout to a folder that every user can enter"))
}

/// Deletes the folder that was used instead of `wanted`, if one was.
pub(crate) fn forget(wanted: &Path) {
    if let Ok(wanted) = wanted.canonicalize() {
        let instead = instead_of(&wanted);
        if is_ours(&instead) {
            let _ = fs::remove_dir_all(instead);
        }
    }
}

fn instead_of(wanted: &Path) -> PathBuf {
    let one_name = |c: char| if c == '/' || c.is_whitespace() { '-' } else { c };
    let name: String = wanted.to_string_lossy().chars().map(one_name).collect();
    PathBuf::from(format!("/var/tmp/naru{name}"))
}

/// Everybody may create names in /var/tmp: we take only what is a folder of ours, and no link.
fn is_ours(folder: &Path) -> bool {
    let found = fs::symlink_metadata(folder);
    found.is_ok_and(|found| found.is_dir() && our_uid().is_ok_and(|us| us == found.uid()))
}

/// Asks the user itself, by a shell that runs as it: mode bits alone do not tell on every file system.
fn can_enter(account: Account, folder: &Path) -> bool {
    account.command("/bin/sh", folder).args(["-c", ":"]).status().is_ok_and(|status| status.success())
}

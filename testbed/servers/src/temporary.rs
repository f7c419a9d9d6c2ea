//! Servers for one test run that leave nothing behind, not even when the run is killed.

use std::fs;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::folder::write_private;
use crate::process::ProcessId;
use crate::{Failure, Servers, forget};

/// The file in a temporary folder that says which process it is for, as that process' line of the process table.
const OWNER: &str = "owner";

/// All three servers, empty, with data in a folder of their own that goes away with this value.
pub struct TemporaryServers {
    servers: Option<Servers>,
    folder: TemporaryFolder,
}

impl TemporaryServers {
    /// Starts all three in a new folder under `parent`, and first ends and deletes what killed runs left there.
    ///
    /// # Errors
    /// As [`Servers::start`].
    pub fn start(parent: &Path) -> Result<Self, Failure> {
        let folder = TemporaryFolder::create(parent)?;
        let servers = Servers::start(&folder.path)?;
        Ok(Self { servers: Some(servers), folder })
    }

    /// Where their data and logs lie.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }
}

impl Deref for TemporaryServers {
    type Target = Servers;

    #[expect(clippy::expect_used, reason = "only `drop` takes the servers out")]
    fn deref(&self) -> &Servers {
        self.servers.as_ref().expect("servers are there until the drop")
    }
}

impl Drop for TemporaryServers {
    fn drop(&mut self) {
        // Nobody will read the data again, so there is no need for good order.
        if let Some(servers) = self.servers.take() {
            let _ = servers.rabbitmq.kill9();
            let _ = servers.postgres.kill9();
            let _ = servers.redis.kill9();
        }
    }
}

/// A folder for this process that goes away with this value.
struct TemporaryFolder {
    path: PathBuf,
}

impl TemporaryFolder {
    fn create(parent: &Path) -> Result<Self, Failure> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        fs::create_dir_all(parent).map_err(|cause| Failure::new(format!("create {}", parent.display()), cause))?;
        remove_abandoned(parent);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("{}-{number}", std::process::id()));
        let failed = |cause| Failure::new(format!("create {}", path.display()), cause);
        fs::create_dir(&path).map_err(failed)?;
        let stat = fs::read_to_string("/proc/self/stat").map_err(failed)?;
        write_private(&path.join(OWNER), &stat)?;
        Ok(Self { path })
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = forget(&self.path);
    }
}

/// Ends the servers and deletes the folders of runs that are no more. What cannot be deleted now is met again next time.
fn remove_abandoned(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        let Ok(owner) = fs::read_to_string(path.join(OWNER)) else {
            continue;
        };
        if ProcessId::from_stat_line(&owner).is_some_and(ProcessId::is_alive) {
            continue;
        }
        let _ = forget(&path);
    }
}

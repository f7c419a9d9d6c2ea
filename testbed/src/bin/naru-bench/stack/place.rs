//! Where programs are found, and where results go.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use naru_servers::Failure;

use crate::Outcome;

/// The folder of the programs that were built with this one, and `target/bench`.
#[derive(Clone)]
pub(crate) struct Place {
    programs: PathBuf,
    folder: PathBuf,
}

impl Place {
    pub(crate) fn find() -> Outcome<Self> {
        let failed = |cause: &dyn std::fmt::Display| Failure::new("find the programs", cause);
        let own = std::env::current_exe().map_err(|cause| failed(&cause))?;
        let programs = own.parent().ok_or_else(|| failed(&"this program is nowhere"))?.to_owned();
        let target = programs.parent().unwrap_or(&programs);
        let folder = target.join("bench");
        fs::create_dir_all(&folder).map_err(|cause| failed(&cause))?;
        Ok(Self { programs, folder })
    }

    /// A program that was built with the same profile.
    pub(crate) fn program(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.programs.join(name);
        if path.exists() {
            return Ok(path);
        }
        Err(Failure::new(format!("find {}", path.display()), "it is not built")
            .advice("cargo xtask bench builds all of them"))
    }

    /// Where data and logs lie while it runs.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where results are kept.
    pub(crate) fn results(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Two runs at once would measure each other.
    pub(crate) fn lock(&self) -> Outcome<File> {
        let failed = |cause: &dyn std::fmt::Display| Failure::new("start", cause);
        let file = File::create(self.folder.join("lock")).map_err(|cause| failed(&cause))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(failed(&"another benchmark runs here")),
            Err(fs::TryLockError::Error(cause)) => Err(failed(&cause)),
        }
    }
}

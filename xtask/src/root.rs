//! Where things lie.

use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    // Where this program was compiled is where the repository is: cargo compiles it again after a move.
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// What `up` keeps between runs: data, logs, secrets, and the `env` file while it runs.
pub(crate) fn stack() -> PathBuf {
    root().join("target/stack")
}

/// The folder with the programs built for development, which is also where this one was built.
pub(crate) fn programs() -> PathBuf {
    let own_folder = std::env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned()));
    own_folder.unwrap_or_else(|| root().join("target/debug"))
}

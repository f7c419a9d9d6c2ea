//! Points at which a program of ours waits for the test (`shared/src/crash.rs`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::eventually;

/// How long a program may take to reach a point.
const REACH_LIMIT: Duration = Duration::from_secs(20);

/// A point that holds whoever reaches it. Dropping it lets them go on.
#[must_use]
pub struct Hold {
    hold: PathBuf,
    reached: PathBuf,
}

impl Hold {
    pub(crate) fn at(folder: &Path, point: &str) -> Self {
        let hold =
            Self { hold: folder.join(format!("{point}.hold")), reached: folder.join(format!("{point}.reached")) };
        let _ = std::fs::remove_file(&hold.reached);
        std::fs::write(&hold.hold, "").expect("the folder of holds is there");
        hold
    }

    /// Waits until somebody is held here.
    ///
    /// # Panics
    /// When nobody comes.
    pub async fn reached(&self) {
        let what = format!("{} is reached", self.hold.display());
        eventually(&what, REACH_LIMIT, async || self.is_reached().then_some(())).await;
    }

    /// Whether somebody is held here now.
    #[must_use]
    pub fn is_reached(&self) -> bool {
        self.reached.exists()
    }

    /// Lets go.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.hold);
        let _ = std::fs::remove_file(&self.reached);
    }
}

//! What a person sees while waiting: one line a step, with its time.

use std::io::Write as _;
use std::time::{Duration, Instant};

/// Prints a line. A terminal that went away is no reason to leave servers running, so errors are ignored.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// A step that was announced, and is timed until it is finished.
pub(crate) struct Step {
    name: String,
    started: Instant,
}

impl Step {
    /// Announces what is about to be done.
    pub(crate) fn begin(name: impl Into<String>) -> Self {
        let name = name.into();
        say(&format!("· {name} …"));
        Self { name, started: Instant::now() }
    }

    /// Says that it is done.
    pub(crate) fn done(self) {
        say(&format!("✓ {} ({})", self.name, seconds(self.started.elapsed())));
    }

    /// Says how it ended otherwise.
    pub(crate) fn ended(self, sign: char, how: &str) {
        say(&format!("{sign} {} ({}): {how}", self.name, seconds(self.started.elapsed())));
    }
}

/// `12.3 s`
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}

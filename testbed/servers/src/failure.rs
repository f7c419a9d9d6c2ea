//! What a person needs when a server does not do what it should.

use std::fmt;
use std::path::{Path, PathBuf};

/// How many of a log's last lines a failure shows.
const LOG_LINES_MAX: usize = 20;
/// How much of a log's end is read to find them, in bytes.
const LOG_TAIL_BYTES_MAX: u64 = 16 * 1024;

/// A step that failed: which one, why, what the log said last, and what to do about it.
#[derive(Debug)]
pub struct Failure {
    step: String,
    cause: String,
    log: Option<(PathBuf, String)>,
    advice: Option<String>,
}

impl Failure {
    /// `step` completes the sentence "could not …".
    pub fn new(step: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self { step: step.into(), cause: cause.to_string(), log: None, advice: None }
    }

    /// Adds the last lines of `log`, read now.
    #[must_use]
    pub fn with_log(mut self, log: &Path) -> Self {
        self.log = Some((log.to_owned(), last_lines(log)));
        self
    }

    /// Adds what the reader can do.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.step, self.cause)?;
        if let Some((path, lines)) = &self.log {
            write!(f, "\n  last lines of {}:", path.display())?;
            for line in lines.lines() {
                write!(f, "\n    {line}")?;
            }
        }
        if let Some(advice) = &self.advice {
            write!(f, "\n  what to do: {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The end of a file as text, as far as it can be read; a log is never a reason to fail.
fn last_lines(path: &Path) -> String {
    use std::io::{Read, Seek, SeekFrom};
    let mut bytes = Vec::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let length = file.metadata().map_or(0, |metadata| metadata.len());
        let _ = file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL_BYTES_MAX)));
        let _ = file.take(LOG_TAIL_BYTES_MAX).read_to_end(&mut bytes);
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    if lines.is_empty() {
        return "(empty)".to_owned();
    }
    lines[lines.len().saturating_sub(LOG_LINES_MAX)..].join("\n")
}

//! A worker: a program with points to hold it at.

use std::ops::Deref;
use std::path::PathBuf;

use crate::{Hold, Program};

/// A worker program.
pub struct Worker {
    program: Program,
    holds: PathBuf,
}

impl Worker {
    pub(crate) fn new(program: Program, holds: PathBuf) -> Self {
        Self { program, holds }
    }

    /// Holds it when it next reaches this point: `claimed` (nothing was sent), `heard` (the acquirer's answer is in
    /// memory), `kept` (an answer that leads on is written down), `answered` (decided), `recorded` (committed, nobody was
    /// told), `published` (not acked yet).
    pub fn hold_at(&self, point: &str) -> Hold {
        Hold::at(&self.holds, point)
    }
}

impl Deref for Worker {
    type Target = Program;

    fn deref(&self) -> &Program {
        &self.program
    }
}

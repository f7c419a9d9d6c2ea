//! The company's durable journal: JSON lines, appended and synced before anyone hears the answer.
//!
//! One thread writes. It takes whatever is waiting, writes it, syncs once, and answers all (group commit), so that a
//! hundred requests at a time cost one sync and a single one waits for nobody.

mod open;
mod scan;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::mpsc::{SendError, Sender};
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

pub use open::{OpenError, open};
pub use scan::{Found, Wanted, scan};

use crate::company::Entry;
use writer::Batch;

/// The open journal.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    to_writer: Sender<Batch>,
    marks: Marks,
}

/// Where every 256th line begins: the offset of line 1, 257, 513 …
type Marks = Arc<Mutex<Vec<u64>>>;
const LINES_PER_MARK: u64 = 256;

/// The journal can't be written any more; the program must stop.
#[derive(Debug, thiserror::Error)]
#[error("the journal can't be written")]
pub struct Lost;

/// Resolves when the entries are durable.
#[must_use]
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<()>);

impl Journal {
    /// Hands entries to the writer. Call it under the lock that orders the entries.
    pub fn append(&self, entries: Vec<Entry>) -> Receipt {
        let (durable, receipt) = oneshot::channel();
        // A writer that has stopped drops `durable`, which the receipt reports.
        let _: Result<(), SendError<Batch>> = self.to_writer.send(Batch { entries, durable });
        Receipt(receipt)
    }

    /// Waits until everything handed over so far is durable.
    pub async fn settled(&self) -> Result<(), Lost> {
        self.append(Vec::new()).durable().await
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An offset at or before the first line after `seq`.
    pub fn offset_after(&self, seq: u64) -> u64 {
        let marks = self.marks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let nth = usize::try_from(seq / LINES_PER_MARK).unwrap_or(usize::MAX);
        marks.get(nth).or(marks.last()).copied().unwrap_or(0)
    }
}

impl Receipt {
    /// Waits for it.
    pub async fn durable(self) -> Result<(), Lost> {
        self.0.await.map_err(|_| Lost)
    }
}

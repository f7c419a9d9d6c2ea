//! The writing thread.

use std::fs::File;
use std::io::{self, Write};
use std::sync::PoisonError;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::{LINES_PER_MARK, Marks};
use crate::company::Entry;

/// Entries and who waits for them.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) durable: oneshot::Sender<()>,
}

/// Batches that share one sync, at most.
const BATCHES_MAX: usize = 4_096;

/// Writes until nobody can send any more, or until the file fails: then no further receipt is given.
pub(super) fn write_all(mut file: File, mut offset: u64, marks: &Marks, batches: &Receiver<Batch>) -> io::Result<()> {
    let mut text = Vec::new();
    let mut waiting = Vec::new();
    while let Ok(first) = batches.recv() {
        let more = std::iter::from_fn(|| batches.try_recv().ok());
        for batch in std::iter::once(first).chain(more).take(BATCHES_MAX) {
            for entry in &batch.entries {
                if entry.seq % LINES_PER_MARK == 1 {
                    marks.lock().unwrap_or_else(PoisonError::into_inner).push(offset + text.len() as u64);
                }
                serde_json::to_writer(&mut text, entry)?;
                text.push(b'\n');
            }
            waiting.push(batch.durable);
        }
        if !text.is_empty() {
            file.write_all(&text)?;
            file.sync_data()?;
            offset += text.len() as u64;
            text.clear();
        }
        for durable in waiting.drain(..) {
            // Whoever asked may have hung up; the entry is durable all the same.
            let _ = durable.send(());
        }
    }
    Ok(())
}

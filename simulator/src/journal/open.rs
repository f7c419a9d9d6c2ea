//! Opening a journal: the books are read back, and a line cut off by a crash is cut off for good.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};

use tokio::sync::oneshot;

use super::{Journal, LINES_PER_MARK, writer};
use crate::company::{Company, Entry};

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system said no.
    #[error("{}: {source}", path.display())]
    File {
        /// The journal.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Another simulator writes it.
    #[error("{}: another simulator is using this journal", .0.display())]
    InUse(PathBuf),
    /// A line that isn't the last can't be read.
    #[error("{}: line {line} can't be read: {source}", path.display())]
    Broken {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The lines are not numbered 1, 2, 3 ….
    #[error("{}: line {line} is numbered {seq}", path.display())]
    Hole {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What it says.
        seq: u64,
    },
}

/// Opens or creates the journal, rebuilds the company, and starts the writer. The receiver tells when the writer has
/// stopped: with an error, or (after the journal was dropped) with everything written.
pub fn open(path: &Path) -> Result<(Journal, Company, oneshot::Receiver<io::Result<()>>), OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(failed)?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => OpenError::InUse(path.to_owned()),
        TryLockError::Error(source) => failed(source),
    })?;

    let mut company = Company::default();
    let mut marks = Vec::new();
    let end = read_back(path, &file, &mut company, &mut marks)?;
    file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(failed)?;
    file.sync_all().and_then(|()| sync_folder(path)).map_err(failed)?;

    let marks = Arc::new(Mutex::new(marks));
    let (to_writer, batches) = mpsc::channel();
    let (stopped, when_stopped) = oneshot::channel();
    let journal = Journal { path: path.to_owned(), to_writer, marks: Arc::clone(&marks) };
    std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || {
            // Nobody may be left to tell; that is fine.
            let _ = stopped.send(writer::write_all(file, end, &marks, &batches));
        })
        .map_err(failed)?;
    Ok((journal, company, when_stopped))
}

/// Replays every whole line and returns where they end.
fn read_back(path: &Path, file: &File, company: &mut Company, marks: &mut Vec<u64>) -> Result<u64, OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut text = Vec::new();
    let (mut offset, mut line) = (0, 0);
    loop {
        text.clear();
        let length = reader.read_until(b'\n', &mut text).map_err(failed)?;
        if text.last() != Some(&b'\n') {
            // The end, or a line whose write a crash cut short: nobody was told of it.
            if length > 0 {
                tracing::warn!(line = line + 1, bytes = length, "the journal's last line was cut off; dropping it");
            }
            return Ok(offset);
        }
        line += 1;
        let entry: Entry = serde_json::from_slice(&text).map_err(|source| OpenError::Broken {
            path: path.to_owned(),
            line,
            source,
        })?;
        if entry.seq != line {
            return Err(OpenError::Hole { path: path.to_owned(), line, seq: entry.seq });
        }
        if line % LINES_PER_MARK == 1 {
            marks.push(offset);
        }
        company.replay(&entry);
        offset += length as u64;
    }
}

/// A new file's name is durable only when its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

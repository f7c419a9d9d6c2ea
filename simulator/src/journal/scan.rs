//! Reading the journal back while it grows.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use crate::company::{Effect, Entry, Method, Timestamp};

/// Which entries. Members that are `None` don't restrict.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only entries behind this one.
    pub after: u64,
    /// At most so many.
    pub limit: usize,
    /// Of this order.
    pub order_id: Option<String>,
    /// With or about this reference.
    pub reference: Option<String>,
    /// Of this merchant.
    pub merchant_id: Option<String>,
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// Only what moved money of this method, or fixed it.
    pub moved: Option<Method>,
}

/// What was found.
#[derive(Debug)]
pub struct Found {
    /// In the order of the journal.
    pub entries: Vec<Entry>,
    /// Ask again behind this one when there is more.
    pub next_after: Option<u64>,
}

/// Reads from `offset` (see [`super::Journal::offset_after`]). Blocking.
pub fn scan(path: &Path, offset: u64, wanted: &Wanted) -> io::Result<Found> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let mut entries: Vec<Entry> = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Ok(Found { entries, next_after: None });
        }
        // Most lines are another order's: looking is cheaper than parsing.
        if !mentions(&line, wanted.order_id.as_deref()) || !mentions(&line, wanted.reference.as_deref()) {
            continue;
        }
        let entry: Entry = serde_json::from_str(&line)?;
        if wanted.wants(&entry) {
            if entries.len() >= wanted.limit {
                let next_after = entries.last().map(|last| last.seq);
                return Ok(Found { entries, next_after });
            }
            entries.push(entry);
        }
    }
}

fn mentions(line: &str, name: Option<&str>) -> bool {
    name.is_none_or(|name| line.contains(name))
}

impl Wanted {
    fn wants(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, seen: Option<&str>| wanted.is_none() || wanted.as_deref() == seen;
        let reference = entry.reference.as_ref().map(|id| id.as_str());
        let original = entry.original_reference.as_ref().map(|id| id.as_str());
        entry.seq > self.after
            && self.moved.is_none_or(|method| entry.effect != Effect::None && entry.method == method)
            && is(&self.order_id, entry.order_id.as_ref().map(|id| id.as_str()))
            && is(&self.merchant_id, entry.merchant_id.as_ref().map(|id| id.as_str()))
            && (is(&self.reference, reference) || is(&self.reference, original))
            && self.from.is_none_or(|from| entry.at >= from)
            && self.to.is_none_or(|to| entry.at < to)
    }
}

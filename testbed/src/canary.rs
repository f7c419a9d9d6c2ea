//! Card data of the tests, and where none of it may be.
//!
//! Every card that a test uses is a canary: its number, however it is written, may occur in no database, broker, cache,
//! log or answer. First six and last four digits are all that may be kept.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sqlx::{AssertSqlSafe, PgPool, Row as _};

use crate::cards;

/// The identity number that every test's payer has: ten digits that occur nowhere else.
pub const IDENTITY_NUMBER: &str = "7305551239";

/// A CVC is too short to be looked for by itself; written like this it is one.
const CVC_NAMES: [&str; 3] = ["\"cvc\":\"", "\"cardPassword\":\"", "\"customerIdentityNumber\":\""];

/// All forms in which a test's card data might be found.
#[must_use]
pub fn needles() -> Vec<(String, Vec<u8>)> {
    let secrets = cards::all().chain([("identity number", IDENTITY_NUMBER)]);
    let mut needles: Vec<_> = secrets.flat_map(|(name, digits)| forms_of(name, digits)).collect();
    needles.extend(CVC_NAMES.map(|name| (format!("a member {name}"), name.as_bytes().to_vec())));
    needles
}

/// What of it occurs in these bytes.
#[must_use]
pub fn found_in(bytes: &[u8]) -> Vec<String> {
    static FINDER: OnceLock<Finder> = OnceLock::new();
    FINDER.get_or_init(|| Finder::of(needles())).found_in(bytes)
}

/// Looks for many texts in one pass: data folders are large, and there are many cards.
pub struct Finder {
    /// What begins with these four bytes.
    by_start: HashMap<[u8; 4], Vec<(String, Vec<u8>)>>,
    /// Whether anything begins with these two.
    begins: Vec<bool>,
}

impl Finder {
    /// A finder of these texts, each with a name, of at least four bytes.
    #[must_use]
    pub fn of(needles: Vec<(String, Vec<u8>)>) -> Self {
        let mut finder = Self { by_start: HashMap::new(), begins: vec![false; 1 << 16] };
        for (name, needle) in needles {
            let Some(start) = needle.first_chunk::<4>() else { continue };
            finder.begins[pair(start[0], start[1])] = true;
            finder.by_start.entry(*start).or_default().push((name, needle));
        }
        finder
    }

    /// The names of those that occur, each once.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeSet::new();
        for (at, window) in bytes.windows(4).enumerate() {
            if !self.begins[pair(window[0], window[1])] {
                continue;
            }
            let Some(candidates) = window.first_chunk::<4>().and_then(|start| self.by_start.get(start)) else {
                continue;
            };
            found.extend(
                candidates.iter().filter(|(_, needle)| bytes[at..].starts_with(needle)).map(|(name, _)| name.clone()),
            );
        }
        found.into_iter().collect()
    }

    /// What occurs in any file under `folder`, by file.
    #[must_use]
    pub fn found_under(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                found.extend(self.found_under(&path));
            } else if let Ok(bytes) = std::fs::read(&path) {
                found.extend(self.found_in(&bytes).into_iter().map(|what| format!("{}: {what}", path.display())));
            }
        }
        found
    }
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Every form in which these digits might be written down.
#[must_use]
pub fn forms_of(name: &str, digits: &str) -> Vec<(String, Vec<u8>)> {
    let mut forms = Vec::new();
    let mut add = |form: &str, text: String| forms.push((format!("{name}, {form}"), text.into_bytes()));
    add("as it is", digits.to_owned());
    for separator in ["-", " ", ".", "%20", "+"] {
        let groups: Vec<&str> = (0..digits.len()).step_by(4).map(|at| &digits[at..digits.len().min(at + 4)]).collect();
        add("in groups", groups.join(separator));
    }
    add("as hex", digits.bytes().map(|byte| format!("{byte:02x}")).collect());
    add("as HEX of UTF-16", digits.bytes().map(|byte| format!("{byte:02x}00")).collect());
    add("as percent codes", digits.bytes().map(|byte| format!("%{byte:02x}")).collect());
    add("as bytes in a list", digits.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "));
    for engine in [&STANDARD, &URL_SAFE] {
        for shift in 0..3 {
            // Inside a longer text the same bytes have one of three forms, whose ends depend on their neighbours.
            let shifted = [&b"\0\0"[..shift], digits.as_bytes()].concat();
            let whole = engine.encode(&shifted);
            let first = if shift == 0 { 0 } else { 4 };
            let last = whole.trim_end_matches('=').len() - usize::from(shifted.len() % 3 != 0);
            add("as base64", whole[first..last].to_owned());
        }
    }
    if let Ok(number) = digits.parse::<u64>() {
        forms.push((format!("{name}, as a number of eight bytes"), number.to_be_bytes().to_vec()));
        forms.push((format!("{name}, as a number of eight bytes, the last first"), number.to_le_bytes().to_vec()));
    }
    forms
}

/// The text of every row of every table, by table.
///
/// # Panics
/// When the database can't be read.
pub async fn tables(pool: &PgPool) -> Vec<(String, String)> {
    let tables = "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'public'";
    let tables = sqlx::query(tables).fetch_all(pool).await.expect("Postgres lists its tables");
    let mut all = Vec::new();
    for table in tables {
        let name: String = table.get("name");
        let rows = AssertSqlSafe(format!("select t::text as row from {name} t"));
        let rows = sqlx::query(rows).fetch_all(pool).await.expect("a table can be read");
        all.push((name, rows.iter().map(|row| row.get::<String, _>("row")).collect::<Vec<_>>().join("\n")));
    }
    all
}

/// What of it occurs in any row of any table, by table.
///
/// # Panics
/// When the database can't be read.
pub async fn found_in_database(pool: &PgPool) -> Vec<String> {
    let tables = tables(pool).await;
    let found = tables
        .iter()
        .flat_map(|(name, rows)| found_in(rows.as_bytes()).into_iter().map(move |what| format!("{name}: {what}")));
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_every_form() {
        let number = cards::number("approve");
        let hidden = |text: String| !found_in(text.as_bytes()).is_empty();
        assert!(hidden(format!("card={number};")));
        assert!(hidden("4242-4242-4242-4242".to_owned()));
        for prefix in ["", "a", "ab", "abc", "abcd"] {
            assert!(hidden(STANDARD.encode(format!("{prefix}{number}zz"))), "after {prefix:?}");
        }
        assert!(hidden(number.bytes().map(|byte| format!("{byte:02x}")).collect()));
        assert!(!hidden("424242******4242, order 4242".to_owned()));
    }
}

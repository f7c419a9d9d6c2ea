//! Card data of the tests, and where none of it may be.
//!
//! Every card that a test uses is a canary: its number, however it is written, may occur in no database, broker, cache,
//! log or answer. First six and last four digits are all that may be kept.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::{AssertSqlSafe, PgPool, Row as _};

use crate::cards;

/// The identity number that every test's payer has: ten digits that occur nowhere else.
pub const IDENTITY_NUMBER: &str = "7305551239";

/// A CVC is too short to be looked for by itself; written like this it is one.
const CVC_NAMES: [&str; 4] =
    ["\"cvc\":\"", "\"cardPassword\":\"", "\"cardNumber\":\"", "\"customerIdentityNumber\":\""];

/// All forms in which a test's card data might be found.
#[must_use]
pub fn needles() -> Vec<(String, Vec<u8>)> {
    let mut needles = Vec::new();
    let secrets = cards::all().chain([("identity number", IDENTITY_NUMBER)]);
    for (name, digits) in secrets {
        let mut add = |form: &str, text: String| needles.push((format!("{name}, {form}"), text.into_bytes()));
        add("as it is", digits.to_owned());
        for separator in ["-", " ", "."] {
            let groups: Vec<&str> =
                (0..digits.len()).step_by(4).map(|at| &digits[at..digits.len().min(at + 4)]).collect();
            add("in groups", groups.join(separator));
        }
        add("as hex", digits.bytes().map(|byte| format!("{byte:02x}")).collect());
        for shift in 0..3 {
            // Inside a longer text the same bytes have one of three forms, whose ends depend on their neighbours.
            let shifted = [&b"\0\0"[..shift], digits.as_bytes()].concat();
            let whole = STANDARD.encode(&shifted);
            let first = if shift == 0 { 0 } else { 4 };
            let last = whole.trim_end_matches('=').len() - usize::from(shifted.len() % 3 != 0);
            add("as base64", whole[first..last].to_owned());
        }
    }
    needles.extend(CVC_NAMES.map(|name| (format!("a member {name}"), name.as_bytes().to_vec())));
    needles
}

/// What of it occurs in these bytes.
#[must_use]
pub fn found_in(bytes: &[u8]) -> Vec<String> {
    static SEARCH: LazyLock<Search> = LazyLock::new(Search::new);
    SEARCH.found_in(bytes)
}

/// What of it occurs in any file under `folder`, by file.
#[must_use]
pub fn found_under(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(found_under(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.extend(found_in(&bytes).into_iter().map(|what| format!("{}: {what}", path.display())));
        }
    }
    found
}

/// Whether some other text occurs in any file under `folder`: proof that the right files are looked at.
#[must_use]
pub fn occurs_under(folder: &Path, text: &str) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| {
        path.is_dir() && occurs_under(&path, text)
            || std::fs::read(&path).is_ok_and(|bytes| bytes.windows(text.len()).any(|window| window == text.as_bytes()))
    })
}

/// What of it occurs in any row of any table, by table.
///
/// # Panics
/// When the database can't be read.
pub async fn found_in_database(pool: &PgPool) -> Vec<String> {
    let tables = "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = 'public'";
    let tables = sqlx::query(tables).fetch_all(pool).await.expect("Postgres lists its tables");
    let mut found = Vec::new();
    for table in tables {
        let name: String = table.get("name");
        let rows = AssertSqlSafe(format!("select t::text as row from {name} t"));
        for row in sqlx::query(rows).fetch_all(pool).await.expect("a table can be read") {
            let row: String = row.get("row");
            found.extend(found_in(row.as_bytes()).into_iter().map(|what| format!("{name}: {what}")));
        }
    }
    found
}

/// All needles, looked for in one pass: a database has many bytes.
struct Search {
    /// By their first two bytes.
    needles: HashMap<[u8; 2], Vec<(String, Vec<u8>)>>,
    /// Whether a needle begins with these two bytes.
    begins: Vec<bool>,
}

impl Search {
    fn new() -> Self {
        let mut search = Self { needles: HashMap::new(), begins: vec![false; 1 << 16] };
        for (name, needle) in needles() {
            let first = [needle[0], needle[1]];
            search.begins[usize::from(u16::from_be_bytes(first))] = true;
            search.needles.entry(first).or_default().push((name, needle));
        }
        search
    }

    fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut two = 0;
        for (at, byte) in bytes.iter().enumerate() {
            two = (two << 8) | u16::from(*byte);
            if at > 0 && self.begins[usize::from(two)] {
                let rest = &bytes[at - 1..];
                let begun = self.needles.get(&two.to_be_bytes()).into_iter().flatten();
                found.extend(begun.filter(|(_, needle)| rest.starts_with(needle)).map(|(name, _)| name.clone()));
            }
        }
        found.into_iter().collect()
    }
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

//! What a test's programs logged, held against what no log may hold.

use std::path::Path;

use serde_json::Value;

use crate::{canary, cards};

/// Lines shown of each kind of trouble, at most.
const SHOWN_MAX: usize = 5;

/// Everything in the logs of `folder` that should not be there: errors nobody announced, answers with status 500, panics,
/// card data.
pub(crate) fn complaints(folder: &Path, announced: &[String]) -> Vec<String> {
    let mut complaints = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        let log = std::fs::read(&path).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let bad = log.lines().filter(|line| is_bad(line) && !announced.iter().any(|part| line.contains(part)));
        complaints.extend(bad.take(SHOWN_MAX).map(|line| format!("{name}: {line}")));
        for (card, number) in cards::all() {
            if log.contains(number) {
                complaints.push(format!("{name}: the number of the card {card} is in the log"));
            }
        }
        if log.contains(canary::IDENTITY_NUMBER) {
            complaints.push(format!("{name}: an identity number is in the log"));
        }
    }
    complaints
}

/// An error, an internal server error that was answered, or a panic. A line that a `kill -9` cut short is no JSON.
fn is_bad(line: &str) -> bool {
    match serde_json::from_str::<Value>(line) {
        Ok(line) => {
            let status = line.get("status").or_else(|| line.pointer("/fields/status"));
            line["level"] == "ERROR" || status.is_some_and(|status| *status == 500 || *status == "500")
        }
        Err(_) => line.contains("panicked at"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_bad;

    #[test]
    fn what_is_bad() {
        for line in [
            r#"{"level":"ERROR","message":"no"}"#,
            r#"{"level":"INFO","status":500}"#,
            "thread 'main' panicked at api/src/main.rs:7:5:",
        ] {
            assert!(is_bad(line), "{line}");
        }
        for line in [r#"{"level":"WARN","status":503}"#, r#"{"level":"ERR"#, "naru-api 0.1.0"] {
            assert!(!is_bad(line), "{line}");
        }
    }
}

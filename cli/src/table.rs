//! Answers of the operators' API as text.

use std::io::Write as _;

use serde_json::Value;

use crate::Outcome;

/// Prints a text; whoever has read enough (`| head`) may go.
pub(crate) fn say(text: &str) -> Outcome {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        said => Ok(said?),
    }
}

/// A page of the operators' API, a row a line, with these members of each.
pub(crate) fn table(what: &str, page: &Value, columns: &[&str]) -> String {
    let rows = page["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let more = if page["hasMore"] == true { " (and more)" } else { "" };
    let mut lines = vec![format!("{} {what}{more}", rows.len())];
    lines.extend(rows.iter().map(|row| format!("  {}", line(row, columns))));
    lines.join("\n")
}

/// These members of an object, side by side.
pub(crate) fn line(row: &Value, columns: &[&str]) -> String {
    let cells: Vec<String> = columns
        .iter()
        .map(|column| match &row[*column] {
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => other.to_string(),
        })
        .collect();
    cells.join("  ")
}

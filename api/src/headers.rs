//! What the headers of a request ask for, read once and strictly typed.

mod accept;
mod authorization;
mod idempotency_key;
mod language;
mod last_event_id;
mod prefer;

pub use accept::Answer;
pub use authorization::Credentials;
pub use idempotency_key::IdempotencyKey;
pub use language::Language;
pub use last_event_id::LastEventId;
pub use prefer::Prefer;

use axum::http::{HeaderMap, HeaderName};

/// The header's values as text, those that are; several lines and comma lists become one list.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|item| !item.is_empty())
}

/// The weight of `item` (`text/html;q=0.5`) in thousandths; 1000 when none is given, 0 when it can't be read.
fn weight(item: &str) -> u16 {
    let Some(text) = item.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    }) else {
        return 1000;
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.parse::<u16>()) {
        ("1", Ok(0)) => 1000,
        ("0", Ok(thousandths)) if digits.len() == 3 => thousandths,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights() {
        let table = [
            ("a", 1000),
            ("a;q=1", 1000),
            ("a;q=1.000", 1000),
            ("a; Q=0.5", 500),
            ("a;x=y;q=0.001", 1),
            ("a;q=0", 0),
            ("a;q=2", 0),
            ("a;q=-1", 0),
            ("a;q=0.1234", 0),
            ("a;q=", 0),
            ("a;q=1.5", 0),
        ];
        for (item, expected) in table {
            assert_eq!(weight(item), expected, "{item}");
        }
    }
}

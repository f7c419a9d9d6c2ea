//! `Accept-Language`: Korean, unless English is preferred to it.

use axum::http::{HeaderMap, header};

use super::{listed, weight};

/// What texts are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// For everybody who does not ask.
    #[default]
    Korean,
    /// For those who ask.
    English,
}

impl Language {
    /// Reads `Accept-Language`. Of equal weights the first named wins.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let named = listed(headers, &header::ACCEPT_LANGUAGE).filter_map(|item| {
            let tag = item.split([';', '-']).next().unwrap_or_default().trim();
            let language = match tag {
                _ if tag.eq_ignore_ascii_case("ko") => Self::Korean,
                _ if tag.eq_ignore_ascii_case("en") => Self::English,
                _ => return None,
            };
            Some((weight(item), language)).filter(|(weight, _)| *weight > 0)
        });
        named
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map_or(Self::Korean, |(_, language)| language)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_unless_english_is_preferred() {
        let table = [
            (None, Language::Korean),
            (Some("en-US"), Language::English),
            (Some("EN"), Language::English),
            (Some("ko-KR,ko;q=0.9,en-US;q=0.8"), Language::Korean),
            (Some("ko;q=0.4, en;q=0.5"), Language::English),
            (Some("en;q=0"), Language::Korean),
            (Some("fr, *"), Language::Korean),
            (Some("ko, en"), Language::Korean),
            (Some(";;,q=,"), Language::Korean),
        ];
        for (value, expected) in table {
            let mut headers = HeaderMap::new();
            value.map(|value| headers.insert(header::ACCEPT_LANGUAGE, value.parse().unwrap()));
            assert_eq!(Language::of(&headers), expected, "{value:?}");
        }
    }
}

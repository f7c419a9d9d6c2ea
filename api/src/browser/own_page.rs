//! Whether a request that changes something came from a page of ours. A cookie alone does not say so: browsers send it along
//! with what other sites' pages ask for, too.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};

use crate::app::App;
use crate::body::is_json;
use crate::problem::{Problem, Reason};

const FETCH_SITE: &str = "sec-fetch-site";

/// A request from a page of ours, or from whoever is no browser and says that it stands for one.
#[derive(Debug, Clone, Copy)]
pub struct OwnPage;

/// A request from a page of ours, or from whoever is no browser: no page of anybody else's. For what no cookie opens.
#[derive(Debug, Clone, Copy)]
pub struct NoOtherPage;

/// What browsers say of the page that a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    Ours,
    Foreign,
    /// Nothing is said: no browser of today, or a `GET` of an old one.
    Unknown,
}

impl Page {
    fn of(headers: &HeaderMap, own_origin: &str) -> Self {
        let only = |name: &str| -> Option<Option<&str>> {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (None, _) => Some(None),
                (Some(value), None) => value.to_str().ok().map(Some),
                (Some(_), Some(_)) => None,
            }
        };
        // Browsers write the first by themselves and let no page change it; old ones write the second only.
        let ours = match (only(FETCH_SITE), only(header::ORIGIN.as_str())) {
            (Some(Some(site)), Some(origin)) => {
                matches!(site, "same-origin" | "none") && origin.is_none_or(|origin| origin == own_origin)
            }
            (Some(None), Some(Some(origin))) => origin == own_origin,
            (Some(None), Some(None)) => return Self::Unknown,
            (None, _) | (_, None) => false,
        };
        if ours { Self::Ours } else { Self::Foreign }
    }
}

impl OwnPage {
    fn check(method: &Method, headers: &HeaderMap, own_origin: &str) -> Result<Self, Problem> {
        match Page::of(headers, own_origin) {
            Page::Ours => {}
            Page::Foreign | Page::Unknown => return Err(Problem::because(Reason::ForeignPage)),
        }
        // A form of another site can send everything but this.
        if method == Method::POST && !is_json(headers) {
            return Err(Problem::because(Reason::UnsupportedMediaType));
        }
        Ok(Self)
    }
}

impl FromRequestParts<App> for OwnPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        Self::check(&parts.method, &parts.headers, &app.public.origin())
    }
}

impl FromRequestParts<App> for NoOtherPage {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Page::of(&parts.headers, &app.public.origin()) {
            Page::Ours | Page::Unknown => Ok(Self),
            Page::Foreign => Err(Problem::because(Reason::ForeignPage)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://pay.example";

    #[test]
    fn only_pages_of_ours_change_anything() {
        let evil = "https://evil.example";
        #[rustfmt::skip]
        let table = [
            (Some("same-origin"), Some(OURS), true),
            (Some("same-origin"), None,       true),
            (Some("none"),        None,       true),
            (Some("same-origin"), Some(evil), false),
            (Some("same-site"),   Some(OURS), false),
            (Some("cross-site"),  Some(OURS), false),
            (Some("cross-site"),  None,       false),
            (Some(""),            Some(OURS), false),
            (None,                Some(OURS), true),
            (None,                Some(evil), false),
            (None,                Some("null"), false),
            (None,                Some("https://pay.example.evil.example"), false),
            (None,                Some("http://pay.example"), false),
            (None,                None,       false),
        ];
        for (site, origin, allowed) in table {
            let mut headers = HeaderMap::new();
            site.map(|site| headers.insert(FETCH_SITE, site.parse().unwrap()));
            origin.map(|origin| headers.insert(header::ORIGIN, origin.parse().unwrap()));
            let page = match (site, origin, allowed) {
                (None, None, _) => Page::Unknown,
                (_, _, true) => Page::Ours,
                (_, _, false) => Page::Foreign,
            };
            assert_eq!(Page::of(&headers, OURS), page, "{site:?} {origin:?}");
            assert_eq!(OwnPage::check(&Method::DELETE, &headers, OURS).is_ok(), allowed, "{site:?} {origin:?}");
            let refused = OwnPage::check(&Method::POST, &headers, OURS).unwrap_err().reason();
            let expected = if allowed { Reason::UnsupportedMediaType } else { Reason::ForeignPage };
            assert_eq!(refused, Some(expected), "{site:?} {origin:?}");
            headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
            assert_eq!(OwnPage::check(&Method::POST, &headers, OURS).is_ok(), allowed, "{site:?} {origin:?}");
        }
        let mut twice = HeaderMap::new();
        twice.append(header::ORIGIN, OURS.parse().unwrap());
        twice.append(header::ORIGIN, evil.parse().unwrap());
        assert!(OwnPage::check(&Method::DELETE, &twice, OURS).is_err());
    }
}

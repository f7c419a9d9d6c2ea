//! Headers that every answer has.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use naru_shared::telemetry::mask;

use crate::context::RequestContext;

/// Names the fields of a request that were not understood and ignored.
const IGNORED_FIELDS: HeaderName = HeaderName::from_static("naru-ignored-fields");

/// Most names in that header.
const IGNORED_FIELDS_MAX: usize = 20;

/// An API answers nothing a browser should run, frame or keep.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// The pages we serve ourselves bring their own scripts and styles, and nothing from elsewhere.
const PAGE_POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) async fn dress(request: Request, next: Next) -> Response {
    let context = RequestContext::of(request.extensions());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let is_page = headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    unless_set(headers, header::CACHE_CONTROL, "no-store");
    unless_set(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(headers, header::REFERRER_POLICY, "no-referrer");
    unless_set(headers, header::CONTENT_SECURITY_POLICY, if is_page { PAGE_POLICY } else { API_POLICY });
    if let Some(names) = ignored_fields(&context.ignored_fields()) {
        headers.insert(IGNORED_FIELDS, names);
    }
    response
}

fn unless_set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.entry(name).or_insert(HeaderValue::from_static(value));
}

/// The names as one header; characters that a header can't carry become question marks.
fn ignored_fields(names: &[String]) -> Option<HeaderValue> {
    let plain = |c: char| match c {
        _ if c.is_ascii_alphanumeric() => c,
        '_' | '-' | '.' | '[' | ']' => c,
        _ => '?',
    };
    let shown: Vec<String> =
        names.iter().take(IGNORED_FIELDS_MAX).map(|name| mask(name).chars().take(100).map(plain).collect()).collect();
    match shown.is_empty() {
        true => None,
        false => HeaderValue::from_str(&shown.join(", ")).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_can_not_break_out_of_the_header() {
        assert_eq!(ignored_fields(&[]), None);
        let names = ["taxAmount".to_owned(), "a\r\nx: y".to_owned(), "이름".to_owned()];
        assert_eq!(ignored_fields(&names).unwrap(), "taxAmount, a??x??y, ??");
        assert_eq!(ignored_fields(&["4242-4242-4242-4242".to_owned()]).unwrap(), "424242??????4242");
        let many = vec!["x".repeat(500); 500];
        assert!(ignored_fields(&many).unwrap().len() < 2_100);
    }
}

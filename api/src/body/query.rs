//! A query string, read as strictly as a body.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::typed;
use crate::context::RequestContext;
use crate::problem::{FieldError, Problem, Reason};

/// The parameters of a call. Unknown, repeated or unreadable ones are refused by name; an empty one is absent.
#[derive(Debug)]
pub struct Params<T>(pub T);

/// The parameters of a call that Toss Payments also has: unknown ones are ignored, and named in `Naru-Ignored-Fields`.
#[derive(Debug)]
pub struct TossParams<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for TossParams<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let (params, unknown) = read_some(parts.uri.query().unwrap_or_default())?;
        RequestContext::of(&parts.extensions).ignore_fields(unknown);
        Ok(Self(params))
    }
}

fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    let (params, unknown) = read_some(query)?;
    match unknown.is_empty() {
        true => Ok(params),
        false => {
            let errors = unknown.into_iter().map(|name| FieldError::new(name, "is not a parameter of this call"));
            Err(Problem::because(Reason::InvalidQuery).errors(errors.collect()))
        }
    }
}

/// The parameters, and the names of those that the call does not have.
fn read_some<T: DeserializeOwned>(query: &str) -> Result<(T, Vec<String>), Problem> {
    let mut given = Map::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        // Percent-encoding can write bytes that are no text, and control characters.
        let is_text = |text: &str| !text.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER);
        if !is_text(&name) || !is_text(&value) {
            return Err(refused(shown(&name), "has characters that are not allowed"));
        }
        if given.contains_key(&*name) {
            return Err(refused(shown(&name), "is there twice"));
        }
        let value = if value.is_empty() { Value::Null } else { Value::from(value) };
        given.insert(name.into_owned(), value);
    }
    typed::read(&given)
        .map_err(|problem| Problem::because(Reason::InvalidQuery).errors(problem.field_errors().to_vec()))
}

fn refused(name: String, reason: &'static str) -> Problem {
    Problem::because(Reason::InvalidQuery).errors(vec![FieldError::new(name, reason)])
}

fn shown(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Filter {
        order_id: Option<String>,
        limit: Option<i64>,
    }

    #[test]
    fn parameters_are_read_and_mistakes_named() {
        let good = |query: &str| read::<Filter>(query).unwrap();
        assert_eq!(good(""), Filter { order_id: None, limit: None });
        assert_eq!(good("limit=20&orderId=%ED%95%9C+1"), Filter { order_id: Some("한 1".into()), limit: Some(20) });
        assert_eq!(good("limit=&orderId=71"), Filter { order_id: Some("71".into()), limit: None });

        let table = [
            ("limit=many", "limit", "must be a whole number"),
            ("limit=1&limit=2", "limit", "is there twice"),
            ("limit=&limit=2", "limit", "is there twice"),
            ("offset=2", "offset", "is not a parameter of this call"),
            ("offset=", "offset", "is not a parameter of this call"),
            ("orderId=%00", "orderId", "has characters that are not allowed"),
            ("orderId=%ff", "orderId", "has characters that are not allowed"),
        ];
        for (query, field, reason) in table {
            let problem = read::<Filter>(query).unwrap_err();
            assert_eq!(problem.reason(), Some(Reason::InvalidQuery));
            assert_eq!(problem.field_errors(), [FieldError::new(field, reason)], "{query}");
        }
    }

    proptest! {
        #[test]
        fn no_query_panics(query in "\\PC{0,40}") {
            let _ = read::<Filter>(&query);
        }
    }
}

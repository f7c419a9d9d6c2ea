//! Reading a request's body: bounded, strict about JSON, lenient where Toss is and money can't differ.
//!
//! bytes → `json` (one JSON object, or why not) → `typed` (fields by their types) → `check` (values by their
//! bounds). Errors name fields and never repeat values.

mod check;
mod json;
mod query;
mod receive;
mod typed;

use axum::extract::{FromRequest, Request};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

pub use check::Check;
pub use json::parse_object;
pub use query::{Params, TossParams};
pub use receive::{BODY_BYTES_MAX, BODY_TIME_MAX};
pub(crate) use receive::{arrive, is_json};

use crate::context::RequestContext;
use crate::fingerprint::Fingerprint;
use crate::problem::{FieldError, Problem, Reason};

/// The body of a call that Toss Payments also has: unknown fields are ignored, and named in `Naru-Ignored-Fields`.
pub struct TossBody<T> {
    /// What was understood.
    pub fields: T,
    understood: Map<String, Value>,
}

/// The body of a call of our own: unknown fields are refused by name.
pub struct OwnBody<T> {
    /// What was understood.
    pub fields: T,
    understood: Map<String, Value>,
}

impl<T> TossBody<T> {
    /// What tells this body from another one under the same idempotency key; `key` hides the values.
    #[must_use]
    pub fn fingerprint(&self, key: &[u8; 32]) -> Fingerprint {
        Fingerprint::of(&self.understood, key)
    }

    /// What was understood; nothing else of the body stays in memory.
    pub fn into_fields(self) -> T {
        self.fields
    }
}

impl<T> OwnBody<T> {
    /// What was understood; nothing else of the body stays in memory.
    pub fn into_fields(self) -> T {
        self.fields
    }

    /// What tells this body from another one under the same idempotency key; `key` hides the values.
    #[must_use]
    pub fn fingerprint(&self, key: &[u8; 32]) -> Fingerprint {
        Fingerprint::of(&self.understood, key)
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for TossBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let context = RequestContext::of(request.extensions());
        let mut understood = parse_object(&receive::receive(request).await?)?;
        let (fields, unknown) = typed::read(&understood)?;
        for path in &unknown {
            forget(&mut understood, path);
        }
        context.ignore_fields(unknown);
        Ok(Self { fields, understood })
    }
}

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for OwnBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let understood = parse_object(&receive::receive(request).await?)?;
        Ok(Self { fields: own_fields(&understood)?, understood })
    }
}

/// The fields of a call of our own.
///
/// # Errors
/// `INVALID_FIELDS` or `UNKNOWN_FIELDS`.
pub fn own_fields<T: DeserializeOwned>(object: &Map<String, Value>) -> Result<T, Problem> {
    let (fields, unknown) = typed::read(object)?;
    if unknown.is_empty() {
        return Ok(fields);
    }
    let errors = unknown.into_iter().map(|path| FieldError::new(path, "is not a field of this call"));
    Err(Problem::because(Reason::UnknownFields).errors(errors.collect()))
}

/// Takes out the member that `path` names, so that what was ignored makes no difference later.
fn forget(object: &mut Map<String, Value>, path: &str) {
    if object.remove(path).is_some() {
        return;
    }
    if let Some((parent, rest)) = path.split_once('.')
        && let Some(Value::Object(inner)) = object.get_mut(parent)
    {
        forget(inner, rest);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use naru_shared::telemetry::TraceContext;
    use serde::Deserialize;

    use super::*;
    use crate::headers::Language;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase")]
    struct Cancel {
        cancel_reason: String,
        cancel_amount: Option<i64>,
        refund_receive_account: Option<Account>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Account {
        bank: String,
    }

    fn request(body: &str) -> (Request, RequestContext) {
        let trace = TraceContext { trace_id: [1; 16], span_id: [1; 8], sampled: true };
        let context = RequestContext::new(trace, Language::Korean);
        let request = Request::post("/")
            .header("content-type", "application/json")
            .extension(context.clone())
            .body(Body::from(body.to_owned()))
            .unwrap();
        (request, context)
    }

    const BODY: &str = r#"{"cancelReason":"단순 변심","cancelAmount":"15000","extra":"4242","refundReceiveAccount":{"bank":"88","x":{"y":1}}}"#;

    #[tokio::test]
    async fn tosss_calls_ignore_and_name_what_they_do_not_know() {
        let (request, context) = request(BODY);
        let body = TossBody::<Cancel>::from_request(request, &()).await.ok().unwrap();
        assert_eq!(
            body.fields,
            Cancel {
                cancel_reason: "단순 변심".into(),
                cancel_amount: Some(15_000),
                refund_receive_account: Some(Account { bank: "88".into() }),
            }
        );
        assert_eq!(context.ignored_fields(), ["extra", "refundReceiveAccount.x"]);

        let plain = r#"{"refundReceiveAccount":{"bank":"88"},"cancelAmount":15000,"cancelReason":"단순 변심"}"#;
        let other = TossBody::<Cancel>::from_request(self::request(plain).0, &()).await.ok().unwrap();
        assert_eq!(body.fingerprint(&[1; 32]), other.fingerprint(&[1; 32]), "what is ignored makes no difference");
    }

    #[tokio::test]
    async fn our_calls_refuse_what_they_do_not_know_by_name() {
        let problem = OwnBody::<Cancel>::from_request(request(BODY).0, &()).await.err().unwrap();
        assert_eq!(problem.reason(), Some(Reason::UnknownFields));
        let named: Vec<&str> = problem.field_errors().iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, ["extra", "refundReceiveAccount.x"]);
    }
}

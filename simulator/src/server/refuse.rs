//! Requests that are refused before the company hears of them: always JSON, never an echo of what was sent.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;

use crate::company::{Code, Id, Misuse, NotAnId, Refusal, Unreadable};
use crate::journal::Lost;

/// A refusal: a status, and a body with code and message.
#[derive(Debug)]
pub(super) struct Refused {
    status: StatusCode,
    body: Refusal,
}

impl Refused {
    /// The request is wrong.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::with(StatusCode::BAD_REQUEST, message)
    }

    fn with(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, body: Refusal { response_code: Code::FORMAT_ERROR, message: message.into() } }
    }

    /// Something broke on our side.
    pub(super) fn broken(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request could not be served");
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body: Refusal::of(Code::MALFUNCTION) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

impl From<Misuse> for Refused {
    fn from(misuse: Misuse) -> Self {
        Self::bad(misuse.to_string())
    }
}

impl From<Unreadable> for Refused {
    fn from(unreadable: Unreadable) -> Self {
        Self::bad(unreadable.to_string())
    }
}

impl From<NotAnId> for Refused {
    fn from(not_an_id: NotAnId) -> Self {
        Self::bad(format!("the name in the path {not_an_id}"))
    }
}

impl From<Lost> for Refused {
    fn from(lost: Lost) -> Self {
        Self::broken(&lost)
    }
}

pub(super) async fn not_found() -> Refused {
    Refused::with(StatusCode::NOT_FOUND, "there is nothing at this path")
}

pub(super) async fn method_not_allowed() -> Refused {
    Refused::with(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods")
}

/// The one name in a path.
#[derive(Debug)]
pub(super) struct Named(pub(super) Id);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refused> {
        let text =
            Path::<String>::from_request_parts(parts, state).await.map_or_else(|_| String::new(), |Path(text)| text);
        Ok(Self(Id::try_from(text)?))
    }
}

/// A JSON body, whatever its content type says.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Refused;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refused> {
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|rejection| Refused::with(rejection.status(), "the body can't be read, or is too large"))?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let path = error.path().to_string();
            explain(&path, error.inner())
        })?;
        json.end().map_err(|error| explain(".", &error))?;
        Ok(Self(value))
    }
}

/// The words of the parser may quote what was sent, and that may be a card number: only the harmless ones are passed on.
fn explain(path: &str, error: &serde_json::Error) -> Refused {
    let words = error.to_string();
    let harmless = ["missing field", "duplicate field", "must be", "unknown field", "unknown variant"]
        .iter()
        .any(|start| words.starts_with(start));
    let what =
        if harmless { words } else { format!("not as expected at line {}, column {}", error.line(), error.column()) };
    Refused::bad(if path == "." { what } else { format!("{path}: {what}") })
}

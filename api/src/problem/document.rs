//! The document itself.

use std::borrow::Cow;

use naru_shared::telemetry::mask;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Problem;
use crate::headers::Language;

/// What happened to the payer's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MoneyState {
    /// None moved.
    NotMoved,
    /// Some is held now.
    Moved,
    /// Some was held, and all went back.
    Reversed,
    /// Nobody knows yet: inquire.
    Unknown,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where it stands: `amount`, `refundReceiveAccount.bank`, `items[2].name`, or a header's or parameter's name.
    pub field: String,
    /// What would be right. Never what was there.
    pub reason: Cow<'static, str>,
}

impl FieldError {
    /// `field` is wrong because of `reason`, which does not repeat the value. A name is the caller's text, too: what looks
    /// like a card or a key in it is not sent back.
    pub fn new(field: impl Into<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: mask(&field.into()).into_owned(), reason: reason.into() }
    }
}

/// A problem as `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemDocument {
    /// Address of the page that explains it.
    pub r#type: String,
    /// The code's meaning in a few words, always the same for a code.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The path that was asked for, without its query.
    pub instance: String,
    /// As Toss Payments calls it.
    pub code: &'static str,
    /// For a person; what Toss Payments has here.
    pub message: String,
    /// Our finer cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What this request did to the payer's money.
    pub money_state: MoneyState,
    /// Whether the same request, with the same key, can succeed and cannot act twice.
    pub retryable: bool,
    /// Seconds to wait before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Every field that is wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What to name when asking us about it.
    pub trace_id: String,
    /// Further members, which depend on the reason.
    #[serde(flatten)]
    #[schema(ignore)]
    pub members: Map<String, Value>,
}

impl ProblemDocument {
    /// Writes `problem` in `language`; `pages` is the address under which the pages are served.
    pub(super) fn write(problem: &Problem, language: Language, pages: &str, instance: &str, trace_id: &str) -> Self {
        let inner = &*problem.inner;
        let title = match (inner.foreign, language) {
            (None, Language::Korean) => inner.code.korean(),
            (None, Language::English) => inner.code.english(),
            (Some(foreign), Language::Korean) => foreign.korean,
            (Some(foreign), Language::English) => foreign.english,
        };
        let detail = inner.detail.as_ref().map_or(title, |text| match language {
            Language::Korean => &text.korean,
            Language::English => &text.english,
        });
        Self {
            // RFC 9457: what has no page says so.
            r#type: match inner.foreign {
                Some(_) => "about:blank".to_owned(),
                None => format!("{pages}/{}", inner.code.as_str()),
            },
            title,
            status: problem.status().as_u16(),
            detail: detail.to_owned(),
            instance: instance.to_owned(),
            code: problem.name(),
            message: detail.to_owned(),
            reason: inner.reason.map(super::Reason::as_str),
            money_state: inner.money,
            retryable: inner.retryable,
            retry_after: problem.retry_after_seconds(),
            errors: inner.errors.clone(),
            trace_id: inner.trace.as_deref().unwrap_or(trace_id).to_owned(),
            members: inner.members.clone(),
        }
    }
}

//! How a refusal looks: one document for every status, route and cause (RFC 9457 with Toss's members).
//!
//! Handlers say what happened ([`Problem::of`], [`Problem::because`]); `render` knows how it is written, in which
//! language and under which trace.

mod code;
mod document;
mod foreign;
mod pages;
mod reason;
mod render;

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value};

pub use code::Code;
pub use document::{FieldError, MoneyState, ProblemDocument};
pub use foreign::Foreign;
pub use pages::problem_pages;
pub use reason::Reason;
pub use render::{Audience, render_problems};

/// A request refused, or one whose outcome is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    inner: Box<Inner>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Inner {
    code: Code,
    /// What it is called instead, when somebody asked for that.
    foreign: Option<&'static Foreign>,
    reason: Option<Reason>,
    detail: Option<Text>,
    money: MoneyState,
    retryable: bool,
    retry_after: Option<Duration>,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    trace: Option<String>,
}

/// The same sentence in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Korean, what everybody gets who does not ask.
    pub korean: String,
    /// English, for those who ask.
    pub english: String,
}

impl Problem {
    /// A problem whose code says it all.
    #[must_use]
    pub fn of(code: Code) -> Self {
        Self::new(code, None)
    }

    /// A problem with a finer cause, which brings its code, status and default `moneyState`.
    #[must_use]
    pub fn because(reason: Reason) -> Self {
        Self::new(reason.code(), Some(reason))
    }

    /// A problem that somebody asked for and that we have no code for.
    #[must_use]
    pub fn of_foreign(code: &'static Foreign) -> Self {
        let mut problem = Self::new(Code::UnknownPaymentError, None);
        problem.inner.foreign = Some(code);
        problem
    }

    fn new(code: Code, reason: Option<Reason>) -> Self {
        Self {
            inner: Box::new(Inner {
                code,
                foreign: None,
                reason,
                detail: None,
                money: reason.map_or(code.money(), Reason::money),
                retryable: reason.is_some_and(Reason::retryable),
                retry_after: None,
                errors: Vec::new(),
                members: Map::new(),
                headers: Vec::new(),
                trace: None,
            }),
        }
    }

    /// Fields that are wrong, as `INVALID_FIELDS`.
    #[must_use]
    pub fn fields(errors: Vec<FieldError>) -> Self {
        Self::because(Reason::InvalidFields).errors(errors)
    }

    /// What happened this time, for a person. Without it the code's message stands there.
    #[must_use]
    pub fn detail(mut self, korean: impl Into<String>, english: impl Into<String>) -> Self {
        self.inner.detail = Some(Text { korean: korean.into(), english: english.into() });
        self
    }

    /// What this request did to the payer's money.
    #[must_use]
    pub fn money(mut self, money: MoneyState) -> Self {
        self.inner.money = money;
        self
    }

    /// Whether the same request, with the same key, can succeed and cannot act twice.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.inner.retryable = retryable;
        self
    }

    /// How long to wait before asking again; whole seconds, at least one.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.inner.retry_after = Some(wait);
        self
    }

    /// What is wrong with which fields.
    #[must_use]
    pub fn errors(mut self, errors: Vec<FieldError>) -> Self {
        self.inner.errors.extend(errors);
        self
    }

    /// A further member of the document.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.inner.members.insert(member.to_owned(), value.into());
        self
    }

    /// A header of the response. A value that no header can carry is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.inner.headers.push((name, value));
        }
        self
    }

    /// The trace of what is told of, when that is not this request: a replayed answer is the same to the byte.
    #[must_use]
    pub fn traced(mut self, trace_id: &str) -> Self {
        self.inner.trace = Some(trace_id.to_owned());
        self
    }

    /// Where to look instead: the payment, usually.
    #[must_use]
    pub fn location(self, url: &str) -> Self {
        self.header(header::LOCATION, url)
    }

    /// Toss's code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.inner.code
    }

    /// Its code as it is on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.inner.foreign.map_or(self.inner.code.as_str(), |foreign| foreign.code)
    }

    /// Our finer cause.
    #[must_use]
    pub fn reason(&self) -> Option<Reason> {
        self.inner.reason
    }

    /// The fields that are wrong.
    #[must_use]
    pub fn field_errors(&self) -> &[FieldError] {
        &self.inner.errors
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        let of_code = self.inner.foreign.map_or(self.inner.code.status(), |foreign| foreign.status);
        let status = self.inner.reason.map_or(of_code, Reason::status);
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn retry_after_seconds(&self) -> Option<u64> {
        let wait = self.inner.retry_after?;
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).map(|seconds| seconds.max(1))
    }
}

//! What every part of the edge knows about the request it looks at.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::Extensions;
use axum::http::request::Parts;
use naru_shared::telemetry::TraceContext;

use crate::headers::Language;

/// Made once per request by [`crate::limits::edge`] and carried in its extensions.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// The trace this request continues or begins, and the step in it that is this request.
    pub trace: TraceContext,
    /// What its texts are written in.
    pub language: Language,
    ignored_fields: Arc<Mutex<Vec<String>>>,
}

impl RequestContext {
    /// A fresh one.
    #[must_use]
    pub fn new(trace: TraceContext, language: Language) -> Self {
        Self { trace, language, ignored_fields: Arc::default() }
    }

    /// The request's own; outside [`crate::limits::edge`] one without a trace.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions.get().cloned().unwrap_or_else(|| {
            let nobody = TraceContext { trace_id: [0; 16], span_id: [0; 8], sampled: false };
            Self::new(nobody, Language::Korean)
        })
    }

    /// Remembers fields that were not understood and did no harm.
    pub fn ignore_fields(&self, names: Vec<String>) {
        self.ignored_fields.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
    }

    /// The fields that were ignored.
    #[must_use]
    pub fn ignored_fields(&self) -> Vec<String> {
        self.ignored_fields.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.extensions))
    }
}

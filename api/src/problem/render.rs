//! From a [`Problem`] to a response, whoever refused: a handler, a limit, or the router itself.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use naru_shared::telemetry::mask;

use super::{Problem, ProblemDocument, Reason};
use crate::context::RequestContext;
use crate::headers::Language;

/// Who reads the documents: what does not change between requests.
#[derive(Debug, Clone)]
pub struct Audience {
    /// The address under which [`super::problem_pages`] are served, without a slash at the end.
    pub pages: Arc<str>,
}

impl IntoResponse for Problem {
    /// The document without what only the request knows; [`render_problems`] writes it again with language and trace.
    fn into_response(self) -> Response {
        let document = ProblemDocument::write(&self, Language::Korean, "/problems", "", "");
        let mut response = respond(&self, &document);
        response.extensions_mut().insert(self);
        response
    }
}

/// The outermost of the layers that refuse: writes every problem in the request's language with its trace id, and
/// makes a problem of every refusal that isn't one yet (no such route, no such method).
pub async fn render_problems(State(audience): State<Audience>, request: Request, next: Next) -> Response {
    let context = RequestContext::of(request.extensions());
    // A path is the caller's text: what looks like a card or a key in it is not sent back.
    let instance = mask(request.uri().path()).into_owned();
    let response = next.run(request).await;
    let problem = response.extensions().get::<Problem>().cloned().or_else(|| unrendered(&response));
    let Some(problem) = problem else {
        return response;
    };
    let document =
        ProblemDocument::write(&problem, context.language, &audience.pages, &instance, &context.trace.trace_hex());
    let mut rendered = respond(&problem, &document);
    for (name, value) in response.headers() {
        let is_of_the_old_body = matches!(*name, header::CONTENT_TYPE | header::CONTENT_LENGTH);
        if !is_of_the_old_body && !rendered.headers().contains_key(name) {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    rendered.extensions_mut().insert(problem);
    rendered
}

/// What a refusal means that nobody wrote a problem for.
fn unrendered(response: &Response) -> Option<Problem> {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return None;
    }
    // Health answers 503 with a report of its own.
    let speaks_for_itself = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if speaks_for_itself {
        return None;
    }
    let reason = match status {
        StatusCode::NOT_FOUND => Reason::NoSuchRoute,
        StatusCode::METHOD_NOT_ALLOWED => Reason::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => Reason::BodyTooLarge,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Reason::UnsupportedMediaType,
        StatusCode::REQUEST_TIMEOUT => Reason::BodyTooSlow,
        StatusCode::TOO_MANY_REQUESTS => Reason::RateLimited,
        StatusCode::SERVICE_UNAVAILABLE => Reason::Overloaded,
        _ if status.is_client_error() => Reason::InvalidQuery,
        _ => Reason::InternalError,
    };
    Some(Problem::because(reason))
}

fn respond(problem: &Problem, document: &ProblemDocument) -> Response {
    // The document has only texts, numbers and maps with text keys: it can be written.
    let body = serde_json::to_vec(document).unwrap_or_default();
    let mut response = (problem.status(), body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    if let Some(seconds) = problem.retry_after_seconds() {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if problem.status() == StatusCode::UNAUTHORIZED {
        // `Basic` makes a browser ask its user for a name and a password: not where it is a cookie that is missing.
        let challenge = match problem.reason() {
            Some(Reason::SignInRequired | Reason::SignInFailed) => "Cookie realm=\"naru\"",
            _ => "Basic realm=\"naru\", charset=\"UTF-8\"",
        };
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    for (name, value) in &problem.inner.headers {
        headers.append(name.clone(), value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::to_bytes;
    use serde_json::{Value, json};

    use super::super::{Code, FieldError, MoneyState};
    use super::*;

    async fn body(response: Response) -> Value {
        serde_json::from_slice(&to_bytes(response.into_body(), usize::MAX).await.unwrap()).unwrap()
    }

    #[test]
    fn a_document_has_the_members_of_both_worlds_in_the_language_asked_for() {
        let problem = Problem::because(Reason::IdempotencyKeyReused)
            .errors(vec![FieldError::new("amount", "differs")])
            .retry_after(Duration::from_millis(1500))
            .with("payment", json!({"status": "DONE"}));
        let document = ProblemDocument::write(
            &problem,
            Language::English,
            "https://pay.example/problems",
            "/v1/payments/confirm",
            "0af7651916cd43dd8448eb211c80319c",
        );
        assert_eq!(
            serde_json::to_value(document).unwrap(),
            json!({
                "type": "https://pay.example/problems/INVALID_REQUEST",
                "title": "The request is not valid.",
                "status": 422,
                "detail": "The request is not valid.",
                "instance": "/v1/payments/confirm",
                "code": "INVALID_REQUEST",
                "message": "The request is not valid.",
                "reason": "IDEMPOTENCY_KEY_REUSED",
                "moneyState": "NOT_MOVED",
                "retryable": false,
                "retryAfter": 2,
                "errors": [{"field": "amount", "reason": "differs"}],
                "traceId": "0af7651916cd43dd8448eb211c80319c",
                "payment": {"status": "DONE"},
            })
        );
    }

    #[tokio::test]
    async fn a_problem_is_a_whole_response_by_itself() {
        let response = Problem::of(Code::AlreadyProcessedPayment)
            .detail("이미 끝났습니다.", "It is over.")
            .location("https://pay.example/v1/payments/abc")
            .header(header::LINK, "not a\nheader")
            .into_response();
        assert_eq!(response.status(), 400);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::LOCATION], "https://pay.example/v1/payments/abc");
        assert!(!response.headers().contains_key(header::LINK));
        let body = body(response).await;
        assert_eq!(body["message"], "이미 끝났습니다.");
        assert_eq!(body["moneyState"], "NOT_MOVED");
    }

    #[test]
    fn an_open_outcome_is_unknown_and_never_a_success() {
        let problem = Problem::because(Reason::OutcomeOpen);
        assert_eq!(problem.status(), 504);
        assert_eq!(problem.code(), Code::FailedPaymentInternalSystemProcessing);
        assert_eq!(problem.inner.money, MoneyState::Unknown);
        assert!(!problem.inner.retryable);
    }

    #[test]
    fn what_may_be_retried_has_moved_nothing_or_has_a_key_that_was_used() {
        for reason in Reason::ALL.iter().filter(|reason| reason.retryable()) {
            // The key keeps the same request from acting twice; what it did at first is not known.
            let expected =
                if *reason == Reason::OutcomeUnreadable { MoneyState::Unknown } else { MoneyState::NotMoved };
            assert_eq!(reason.money(), expected, "{reason:?}");
        }
    }
}

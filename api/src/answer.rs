//! How a call that queues work is answered: after waiting as long as the client likes, and never with a 2xx that a
//! client could mistake for paid.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use naru_shared::domain::id::{OperationId, PaymentKey};
use naru_shared::domain::operation::OperationResult;
use naru_shared::domain::payment::{MoneyState, Payment};
use naru_shared::store::{NewKey, Settled, Started, StoreError};

use crate::app::App;
use crate::context::RequestContext;
use crate::fingerprint::Fingerprint;
use crate::headers::{IdempotencyKey, Prefer};
use crate::hub::Watching;
use crate::problem::{FieldError, MoneyState as ProblemMoney, Problem, Reason};
use crate::unavailable::refuse;
use crate::view::{FailureView, PaymentView, problem_code};

/// Where the payment's events are.
const EVENTS: HeaderName = HeaderName::from_static("naru-events");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Says that an answer was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How long a client should wait whose key is still at work.
const STILL_AT_WORK: Duration = Duration::from_secs(1);
/// How long the last look at an outcome may take, when the time to wait is over.
const LAST_LOOK: Duration = Duration::from_millis(1_500);
/// Between two looks at a database that fails: at first, and at most.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// A payment as the whole answer, `200`.
#[must_use]
pub fn paid(app: &App, payment: &Payment, context: &RequestContext) -> Response {
    Json(PaymentView::of(app, payment, context.language)).into_response()
}

/// What a call has had accepted, or joined: from here on it is answered by its outcome, or by where to ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Accepted<'a> {
    /// The operation that is waited for.
    pub operation: OperationId,
    /// Its payment, as merchants call it.
    pub key: &'a PaymentKey,
    /// The merchant's name for the order.
    pub order_id: &'a str,
    /// The payment's version when the operation was accepted; 0 when that was by another request, which may have been
    /// answered by now.
    pub seen: i64,
}

/// Waits for an operation's outcome as long as the client likes, and answers with it. Holds no database connection
/// while it waits. A database that fails meanwhile is asked again until the wait is over.
///
/// # Errors
/// The decline; or `OUTCOME_OPEN` when it is still open and the client did not promise to understand `202`, or when
/// Postgres can't tell. Nothing here says that money did not move, unless the outcome does.
pub async fn outcome(
    app: &App,
    context: &RequestContext,
    prefer: Prefer,
    watching: Watching,
    accepted: Accepted<'_>,
) -> Result<Response, Problem> {
    let settled = tokio::select! {
        settled = until_settled(app, watching, accepted) => Some(settled),
        () = tokio::time::sleep(prefer.wait()) => None,
        // This instance stops; what was accepted goes on without it.
        () = app.shutdown.cancelled() => None,
    };
    let settled = match settled {
        Some(settled) => settled,
        // A database that does not answer must not keep the client beyond its wait.
        None => match tokio::time::timeout(LAST_LOOK, app.outcomes.ask(accepted.operation)).await {
            Ok(settled) => settled,
            Err(_) => return Err(still_open(app, accepted.key, accepted.order_id)),
        },
    };
    match settled {
        Ok(Some(settled)) if settled.result.is_some() => settle(app, context, settled),
        Ok(Some(settled)) => open(app, context, prefer, &settled.payment),
        Ok(None) => Err(lead(app, Problem::because(Reason::InternalError), accepted.key, accepted.order_id)),
        Err(error) if error.is_transient() => {
            tracing::warn!(error = format!("{error:?}"), "an accepted operation can't be looked up");
            Err(still_open(app, accepted.key, accepted.order_id))
        }
        Err(error) => Err(lead(app, refuse(error), accepted.key, accepted.order_id)),
    }
}

/// Waits until an operation is settled, or can't be looked up for a reason that does not pass by itself.
async fn until_settled(
    app: &App,
    mut watching: Watching,
    accepted: Accepted<'_>,
) -> Result<Option<Settled>, StoreError> {
    let mut seen = accepted.seen;
    let mut pause = PAUSE_MIN;
    loop {
        if seen > 0 {
            watching.newer_than(seen).await;
        }
        match app.outcomes.ask(accepted.operation).await {
            Ok(Some(settled)) if settled.result.is_none() => {
                seen = settled.payment.version.max(seen);
                pause = PAUSE_MIN;
            }
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "an outcome waits for Postgres");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            found => return found,
        }
    }
}

/// The operation that a key was used for. That it can't be read now says nothing about what it came to.
async fn read(app: &App, operation: OperationId) -> Result<Settled, Problem> {
    match app.outcomes.ask(operation).await {
        Ok(settled) => settled.ok_or_else(|| Problem::because(Reason::InternalError)),
        Err(error) if error.is_transient() => {
            tracing::warn!(error = format!("{error:?}"), "what a key was used for can't be looked up");
            Err(Problem::because(Reason::OutcomeUnreadable).retry_after(STILL_AT_WORK))
        }
        Err(error) => Err(refuse(error).money(ProblemMoney::Unknown)),
    }
}

/// The answer that a settled operation has for ever.
fn settle(app: &App, context: &RequestContext, settled: Settled) -> Result<Response, Problem> {
    match settled.result {
        Some(OperationResult::Failed { failure, money_state }) => {
            let view = FailureView::of(&failure, context.language);
            let mut problem = Problem::of(problem_code(failure.code))
                .money(money(money_state))
                .traced(&settled.trace_id)
                .location(&app.payment_url(&settled.payment.key))
                .with("reason", view.reason)
                .with("paymentKey", settled.payment.key.as_str())
                .with("orderId", settled.payment.order_id.as_str());
            if let Some(code) = failure.acquirer_code {
                problem = problem.with("acquirerCode", code);
            }
            Err(problem)
        }
        Some(OperationResult::Succeeded) | None => Ok(paid(app, &settled.payment, context)),
    }
}

/// The answer while the outcome is open.
fn open(app: &App, context: &RequestContext, prefer: Prefer, payment: &Payment) -> Result<Response, Problem> {
    if !prefer.understands_open() {
        return Err(still_open(app, &payment.key, &payment.order_id));
    }
    let mut response = (StatusCode::ACCEPTED, paid(app, payment, context)).into_response();
    let applied = prefer.applied().map(|applied| (PREFERENCE_APPLIED, applied));
    let led = [(header::LOCATION, app.payment_url(&payment.key)), (EVENTS, app.events_url(&payment.key))];
    for (name, value) in led.into_iter().chain(applied) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// The refusal of a call whose outcome is open for all that is known: it was accepted, and must not be sent again.
fn still_open(app: &App, key: &PaymentKey, order_id: &str) -> Problem {
    let problem = Problem::because(Reason::OutcomeOpen).detail(
        "결제 결과를 아직 확인하고 있습니다. 다시 결제하지 말고 결제를 조회해 주세요.",
        "The outcome is not known yet. Do not pay again: query the payment.",
    );
    lead(app, problem, key, order_id)
}

/// Leads from a problem to the payment that it is about, and to its events.
fn lead(app: &App, problem: Problem, key: &PaymentKey, order_id: &str) -> Problem {
    let events = app.events_url(key);
    problem
        .location(&app.payment_url(key))
        .header(EVENTS, &events)
        .with("paymentKey", key.as_str())
        .with("orderId", order_id)
        .with("eventsUrl", events)
}

/// The domain's word for where the money is, in a problem.
#[must_use]
pub const fn money(state: MoneyState) -> ProblemMoney {
    match state {
        MoneyState::NotMoved => ProblemMoney::NotMoved,
        MoneyState::Moved => ProblemMoney::Moved,
        MoneyState::Reversed => ProblemMoney::Reversed,
        MoneyState::Unknown => ProblemMoney::Unknown,
    }
}

/// A request's idempotency key, with what tells its body from another.
#[derive(Debug, Clone)]
pub struct Keyed {
    /// As it is written down with what the request starts.
    pub key: Arc<NewKey>,
    fingerprint: Fingerprint,
}

impl Keyed {
    /// The key of a request to `route` (method and path), if it brought one.
    #[must_use]
    pub fn of(app: &App, key: Option<IdempotencyKey>, route: String, fingerprint: &Fingerprint) -> Option<Self> {
        let key = key?;
        Some(Self {
            key: Arc::new(NewKey {
                route,
                key: key.as_str().to_owned(),
                fingerprint: fingerprint.whole(app.keys.fingerprints()),
                members: serde_json::to_value(fingerprint).unwrap_or_default(),
            }),
            fingerprint: fingerprint.clone(),
        })
    }

    /// Answers a request whose key was used before. Nothing when it wasn't.
    ///
    /// # Errors
    /// `422` when the bodies differ, `409` while what it started is still open, or the decline it came to.
    pub async fn replay(
        &self,
        app: &App,
        context: &RequestContext,
        tenant: naru_shared::domain::id::Tenant,
        render: impl FnOnce(&Payment) -> Response,
    ) -> Result<Option<Response>, Problem> {
        let used = app.store.find_key(tenant, &self.key.route, &self.key.key).await.map_err(refuse)?;
        let Some(used) = used else { return Ok(None) };
        if used.fingerprint != self.key.fingerprint {
            return Err(self.reused(used.members));
        }
        let answer = match used.started {
            Started::Operation(operation) => {
                let settled = read(app, operation).await?;
                if settled.result.is_none() && settled.payment.state.is_given_up(operation) {
                    return Err(still_open(app, &settled.payment.key, &settled.payment.order_id));
                }
                if settled.result.is_none() {
                    return Err(at_work(app, &settled.payment));
                }
                settle(app, context, settled)
            }
            Started::Version(version) => {
                let payments = app.store.payments(&[used.payment]).await.map_err(refuse)?;
                let event = app.store.event_at(used.payment, version).await.map_err(refuse)?;
                match (payments.into_iter().next(), event) {
                    (Some(payment), Some(event)) => Ok(render(&payment.at(version, event.state))),
                    _ => Err(Problem::because(Reason::InternalError)),
                }
            }
        };
        match answer {
            Ok(mut response) => {
                response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
                Ok(Some(response))
            }
            Err(problem) => Err(problem.header(REPLAYED, "true")),
        }
    }

    /// The refusal of a key that was used with a body of these members.
    #[must_use]
    pub fn reused(&self, members: serde_json::Value) -> Problem {
        let first: Option<Fingerprint> = serde_json::from_value(members).ok();
        let differing = first.map(|first| self.fingerprint.differing(&first)).unwrap_or_default();
        Problem::because(Reason::IdempotencyKeyReused).errors(
            differing
                .into_iter()
                .map(|field| FieldError::new(field, "is not what was sent first under this key"))
                .collect(),
        )
    }
}

fn at_work(app: &App, payment: &Payment) -> Problem {
    Problem::of(crate::problem::Code::IdempotentRequestProcessing)
        .money(ProblemMoney::Unknown)
        .retryable(true)
        .retry_after(STILL_AT_WORK)
        .location(&app.payment_url(&payment.key))
        .with("paymentKey", payment.key.as_str())
}

//! `GET /v1/payments/{paymentKey}/events`: the payment's log, as a stream or as a list.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use naru_shared::clock::Clock as _;
use naru_shared::domain::event::EventClass;
use naru_shared::domain::payment::{Payment, Stage};
use naru_shared::store::Place;
use naru_shared::system::System;
use serde::Serialize;
use time::Duration;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Watcher;
use crate::context::RequestContext;
use crate::headers::{Answer, LastEventId};
use crate::openapi::FindRefusals;
use crate::problem::{Code, Problem, Reason};
use crate::sse::{EventView, stream};
use crate::unavailable::refuse;

/// How long a checkout token outlives its payment, counted from when that first came to rest: what happens to it later, such as a
/// cancel, is no business of the payer's page.
const TOKEN_OUTLIVES: Duration = Duration::minutes(10);
/// Events of one payment in a list at most. A payment has a handful.
const EVENTS_MAX: i64 = 500;

/// The events of a payment.
#[derive(Serialize, ToSchema)]
pub(super) struct EventList {
    /// In order.
    data: Vec<EventView>,
}

/// A payment's events: a stream with `Accept: text/event-stream`, else a list.
#[utoipa::path(
    get,
    path = "/v1/payments/{paymentKey}/events",
    tag = "Payments",
    params(
        ("paymentKey" = String, Path, description = "Which payment"),
        ("Last-Event-ID" = Option<String>, Header, description = "The version after which the stream goes on; without it, it begins with a snapshot"),
    ),
    responses(
        (status = 200, description = "The events", content((EventList = "application/json"), (String = "text/event-stream"))),
        (status = 204, description = "The stream has ended and all of it was seen"),
        FindRefusals,
    ),
    security(("secretKey" = []), ("checkoutToken" = []))
)]
pub(super) async fn events(
    State(app): State<App>,
    watcher: Watcher,
    context: RequestContext,
    answer: Answer,
    LastEventId(last): LastEventId,
    Path(payment_key): Path<String>,
) -> Result<Response, Problem> {
    let payment = find(&app, &watcher, &payment_key).await?;
    match answer {
        Answer::Json => {
            let events = app.store.events_after(payment.id, 0, EVENTS_MAX).await.map_err(refuse)?;
            let data = events
                .into_iter()
                .filter(|event| event.class == EventClass::State)
                .map(|event| EventView::of(&app, &payment, event, context.language))
                .collect();
            Ok(Json(EventList { data }).into_response())
        }
        Answer::EventStream if payment.state.is_at_rest() && last.is_some_and(|last| last >= payment.version) => {
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Answer::EventStream => Ok(stream(app, payment, watcher, last, context.language)),
    }
}

async fn find(app: &App, watcher: &Watcher, payment_key: &str) -> Result<Payment, Problem> {
    let missing = || Problem::of(Code::NotFoundPayment);
    match watcher {
        Watcher::Merchant { tenant, .. } => {
            if payment_key.len() > 200 || payment_key.contains('\0') {
                return Err(missing());
            }
            let payment = app.store.find_payment(*tenant, Place::Key(payment_key)).await.map_err(refuse)?;
            payment.ok_or_else(missing)
        }
        Watcher::Browser(id) => {
            let invalid = || Problem::because(Reason::TokenInvalid);
            let payment = app.store.payments(&[*id]).await.map_err(refuse)?.into_iter().next().ok_or_else(invalid)?;
            if payment.key.as_str() != payment_key {
                return Err(invalid());
            }
            if is_over(app, &payment).await? {
                return Err(invalid());
            }
            Ok(payment)
        }
    }
}

/// Whether the payment came to rest so long ago that its checkout token is good no more.
async fn is_over(app: &App, payment: &Payment) -> Result<bool, Problem> {
    if matches!(payment.state.stage, Stage::Ready | Stage::InProgress { .. }) {
        return Ok(false);
    }
    let events = app.store.events_after(payment.id, 0, EVENTS_MAX).await.map_err(refuse)?;
    let rested = events.iter().find(|event| event.state.is_at_rest());
    Ok(rested.is_some_and(|rested| System.now() > rested.occurred_at + TOKEN_OUTLIVES))
}

//! `POST /payer/v1/sign-out` and `/sign-out-everywhere`: sessions end.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::session::{Payer, brought, without_session};
use crate::app::App;
use crate::body::OwnBody;
use crate::browser::OwnPage;
use crate::openapi::{LeaveRefusals, OwnRefusals};
use crate::problem::Problem;
use crate::unavailable::refuse_free;

/// Nothing has to be said.
#[derive(Deserialize, ToSchema)]
pub(super) struct Nothing {}

/// Signed out.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedOut {
    /// How many sessions ended with this.
    sessions: u64,
}

/// Ends this session, if it is one.
#[utoipa::path(
    post,
    path = "/payer/v1/sign-out",
    tag = "Payers",
    request_body = Nothing,
    responses(
        (status = 200, description = "Signed out, now or before", body = SignedOut),
        LeaveRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn sign_out(
    State(app): State<App>,
    _: OwnPage,
    headers: HeaderMap,
    _body: OwnBody<Nothing>,
) -> Result<Response, Problem> {
    let sessions = match brought(&app, &headers) {
        Some(session) => app.store.end_session(&session).await.map_err(refuse_free)?,
        None => 0,
    };
    Ok(without_session(&app, SignedOut { sessions }))
}

/// Ends every session of this payer, on every device.
#[utoipa::path(
    post,
    path = "/payer/v1/sign-out-everywhere",
    tag = "Payers",
    request_body = Nothing,
    responses(
        (status = 200, description = "Signed out everywhere", body = SignedOut),
        OwnRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn sign_out_everywhere(
    State(app): State<App>,
    _: OwnPage,
    payer: Payer,
    _body: OwnBody<Nothing>,
) -> Result<Response, Problem> {
    let sessions = app.store.end_sessions(payer.id).await.map_err(refuse_free)?;
    Ok(without_session(&app, SignedOut { sessions }))
}

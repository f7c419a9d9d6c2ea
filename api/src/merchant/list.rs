//! `GET /v1/payments`: a merchant's payments, the newest first.

use axum::Json;
use axum::extract::State;
use naru_shared::domain::payment::PaymentStatus;
use naru_shared::store::{Cursor, ListFilter};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::auth::Merchant;
use crate::body::{Check, Params};
use crate::context::RequestContext;
use crate::cursor;
use crate::openapi::ListRefusals;
use crate::problem::Problem;
use crate::unavailable::refuse;
use crate::view::PaymentView;

/// Payments on a page when nothing is said.
const PAGE: i64 = 20;

/// Which payments.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct ListParams {
    /// `READY`, `IN_PROGRESS`, `DONE`, `ABORTED` or `EXPIRED`.
    status: Option<String>,
    /// Created at or after this, ISO 8601 with offset.
    from: Option<String>,
    /// Created before this, ISO 8601 with offset.
    to: Option<String>,
    /// At most so many, 1 to 100; 20 when nothing is said.
    limit: Option<i64>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A page of payments.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    /// The newest first.
    data: Vec<PaymentView>,
    /// Whether there are more.
    has_more: bool,
    /// For the next page.
    next_cursor: Option<String>,
}

/// A merchant's payments, the newest first.
#[utoipa::path(
    get,
    path = "/v1/payments",
    tag = "Payments",
    params(ListParams),
    responses(
        (status = 200, description = "A page", body = Page),
        ListRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn list(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    Params(params): Params<ListParams>,
) -> Result<Json<Page>, Problem> {
    let mut check = Check::new();
    let status = check.optional(params.status.as_deref(), |check, word| {
        let status = PaymentStatus::parse(word);
        if status.is_none() {
            check.wrong("status", "must be READY, IN_PROGRESS, DONE, ABORTED or EXPIRED");
        }
        status
    });
    let from = check.optional(params.from.as_deref(), |check, text| check.moment("from", text));
    let to = check.optional(params.to.as_deref(), |check, text| check.moment("to", text));
    let limit = check.limit("limit", params.limit.unwrap_or(PAGE));
    let after = check.optional(params.cursor.as_deref(), |check, text| {
        let cursor = cursor::decode(text);
        if cursor.is_none() {
            check.wrong("cursor", "must be the nextCursor of a page");
        }
        cursor
    });
    let (filter, limit) = check.finish(|| {
        let limit = limit?;
        // One more than asked for tells whether there are more.
        Some((ListFilter { status: status?, from: from?, to: to?, after: after?, limit: limit + 1 }, limit))
    })?;
    let mut payments = app.store.list_payments(merchant.tenant(), &filter).await.map_err(refuse)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = payments.len() > limit;
    payments.truncate(limit);
    let next_cursor =
        payments.last().filter(|_| has_more).map(|last| cursor::encode(Cursor { at: last.created_at, id: last.id.0 }));
    let data = payments.iter().map(|payment| PaymentView::of(&app, payment, context.language)).collect();
    Ok(Json(Page { data, has_more, next_cursor }))
}

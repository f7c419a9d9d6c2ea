//! `GET /payer/v1/payments` and `/{checkoutId}`: what a payer has paid for, or meant to.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::id::{PayerId, PaymentId};
use naru_shared::domain::payment::Payment;
use naru_shared::store::Cursor;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::session::Payer;
use crate::app::App;
use crate::body::{Check, Params};
use crate::checkout::CheckoutPayment;
use crate::context::RequestContext;
use crate::cursor;
use crate::headers::Language;
use crate::openapi::{LookRefusals, OwnFindRefusals, OwnListRefusals};
use crate::problem::{Code, Problem};
use crate::unavailable::refuse;
use crate::view::seoul;

/// Payments on a page when nothing is said.
const PAGE: i64 = 20;

/// Which payments.
#[derive(Deserialize, IntoParams)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryParams {
    /// At most so many, 1 to 100; 20 when nothing is said.
    limit: Option<i64>,
    /// `nextCursor` of the page before.
    cursor: Option<String>,
}

/// A payment that was authenticated with a stored card, as its payer sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnPayment {
    /// What its payer calls it.
    checkout_id: String,
    /// Whose shop it is.
    m_id: String,
    /// When it was created, at +09:00.
    requested_at: String,
    /// When it was approved, at +09:00.
    approved_at: Option<String>,
    /// 0 for a single payment.
    installment_plan_months: u8,
    #[serde(flatten)]
    payment: CheckoutPayment,
}

/// A page of payments.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct History {
    /// The newest first.
    data: Vec<OwnPayment>,
    /// Whether there are more.
    has_more: bool,
    /// For the next page.
    next_cursor: Option<String>,
}

impl OwnPayment {
    fn of(app: &App, payment: &Payment, language: Language) -> Self {
        let months = payment.state.instrument().map(|instrument| instrument.installment_months());
        Self {
            checkout_id: payment.checkout_id.to_string(),
            m_id: payment.mid.clone(),
            requested_at: seoul(payment.created_at),
            approved_at: payment.state.approval().map(|approval| seoul(approval.approved_at)),
            installment_plan_months: months.unwrap_or(0),
            payment: CheckoutPayment::of(app, payment, language),
        }
    }
}

/// What this payer authenticated with stored cards, the newest first.
#[utoipa::path(
    get,
    path = "/payer/v1/payments",
    tag = "Payers",
    params(HistoryParams),
    responses(
        (status = 200, description = "A page", body = History),
        OwnListRefusals,
        LookRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn history(
    State(app): State<App>,
    payer: Payer,
    context: RequestContext,
    Params(params): Params<HistoryParams>,
) -> Result<Json<History>, Problem> {
    let mut check = Check::new();
    let limit = check.limit("limit", params.limit.unwrap_or(PAGE));
    let after = check.optional(params.cursor.as_deref(), |check, text| {
        let cursor = cursor::decode(text);
        if cursor.is_none() {
            check.wrong("cursor", "must be the nextCursor of a page");
        }
        cursor
    });
    let (limit, after) = check.finish(|| Some((limit?, after?)))?;
    let after = after.map(|cursor| PaymentId(cursor.id));
    // One more than asked for tells whether there are more.
    let mut payments = app.store.payments_of(payer.id, after, limit + 1).await.map_err(refuse)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = payments.len() > limit;
    payments.truncate(limit);
    let next_cursor =
        payments.last().filter(|_| has_more).map(|last| cursor::encode(Cursor { at: last.created_at, id: last.id.0 }));
    let data = payments.iter().map(|payment| OwnPayment::of(&app, payment, context.language)).collect();
    Ok(Json(History { data, has_more, next_cursor }))
}

/// One of them.
#[utoipa::path(
    get,
    path = "/payer/v1/payments/{checkoutId}",
    tag = "Payers",
    params(("checkoutId" = String, Path, description = "Of a payment of one's own")),
    responses(
        (status = 200, description = "As it stands", body = OwnPayment),
        OwnFindRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn find(
    State(app): State<App>,
    payer: Payer,
    context: RequestContext,
    Path(checkout_id): Path<String>,
) -> Result<Json<OwnPayment>, Problem> {
    let payment = find_own(&app, payer.id, &checkout_id).await?;
    Ok(Json(OwnPayment::of(&app, &payment, context.language)))
}

/// A payment that this payer authenticated. Any other is not there.
pub(crate) async fn find_own(app: &App, payer: PayerId, checkout_id: &str) -> Result<Payment, Problem> {
    let missing = || Problem::of(Code::NotFoundPayment);
    if checkout_id.len() > 100 || checkout_id.contains('\0') {
        return Err(missing());
    }
    app.store.find_payment_of(payer, checkout_id).await.map_err(refuse)?.ok_or_else(missing)
}

//! `GET /v1/payments/{paymentKey}` and `GET /v1/payments/orders/{orderId}`.

use axum::extract::{Path, State};
use axum::response::Response;
use naru_shared::store::Place;

use crate::answer::paid;
use crate::app::App;
use crate::auth::Merchant;
use crate::context::RequestContext;
use crate::openapi::FindRefusals;
use crate::problem::{Code, Problem};
use crate::unavailable::refuse;
use crate::view::PaymentView;

/// One payment.
#[utoipa::path(
    get,
    path = "/v1/payments/{paymentKey}",
    tag = "Payments",
    params(("paymentKey" = String, Path, description = "Which payment")),
    responses(
        (status = 200, description = "As it stands", body = PaymentView),
        FindRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn find(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    Path(payment_key): Path<String>,
) -> Result<Response, Problem> {
    read(&app, &merchant, &context, Place::Key(&payment_key)).await
}

/// The newest payment of an order.
#[utoipa::path(
    get,
    path = "/v1/payments/orders/{orderId}",
    tag = "Payments",
    params(("orderId" = String, Path, description = "The merchant's name for the order")),
    responses(
        (status = 200, description = "As it stands", body = PaymentView),
        FindRefusals,
    ),
    security(("secretKey" = []))
)]
pub(super) async fn find_by_order(
    State(app): State<App>,
    merchant: Merchant,
    context: RequestContext,
    Path(order_id): Path<String>,
) -> Result<Response, Problem> {
    read(&app, &merchant, &context, Place::Order(&order_id)).await
}

async fn read(app: &App, merchant: &Merchant, context: &RequestContext, place: Place<'_>) -> Result<Response, Problem> {
    let (Place::Key(name) | Place::Order(name)) = place;
    // Postgres has no text with NUL in it; nothing of ours is longer.
    if name.len() > 200 || name.contains('\0') {
        return Err(Problem::of(Code::NotFoundPayment));
    }
    let payment = app.store.find_payment(merchant.tenant(), place).await.map_err(refuse)?;
    let payment = payment.ok_or_else(|| Problem::of(Code::NotFoundPayment))?;
    Ok(paid(app, &payment, context))
}

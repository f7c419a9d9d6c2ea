//! The payer's side of one payment, `/checkout/v1`: by an opaque id that is good for that payment only. Cards are typed here, so
//! whatever changes something takes a `NoOtherPage`: visitors of somebody's page must not try numbers for its owner.

mod authenticate;
mod billing;
mod cancel;
mod means;
mod phone;
mod scanned;
mod show;
mod tries;

use axum::extract::DefaultBodyLimit;
use naru_shared::domain::payment::Payment;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::headers::Language;
use crate::problem::{Code, Problem};
use crate::unavailable::refuse;
use crate::view::{FailureView, PaymentView};

pub(crate) use authenticate::{in_months, moved_on, no_installments, refuse_unless_ready};
pub(crate) use cancel::cancel_before_paying;
pub(crate) use means::refuse_method;
pub use tries::Tries;

/// Every call of the payer's side.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(show::show))
        .routes(routes!(scanned::scanned))
        .routes(routes!(authenticate::authenticate))
        .routes(routes!(phone::verify))
        .routes(routes!(cancel::cancel))
        .routes(routes!(billing::authenticate_billing))
        .layer(DefaultBodyLimit::disable())
}

/// The one that merchants' pages make.
pub fn merchant_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(billing::request_billing)).layer(DefaultBodyLimit::disable())
}

/// A payment as its payer sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CheckoutPayment {
    /// What is bought.
    order_name: String,
    /// The merchant's name for the order.
    order_id: String,
    /// What it costs, in minor units.
    amount: i64,
    /// ISO 4217.
    currency: &'static str,
    /// Where it stands.
    status: &'static str,
    /// Where the payer's money is.
    money_state: &'static str,
    /// Raised by one with every change.
    sequence: i64,
    /// By which method it is paid; null until the payer has chosen.
    method: Option<&'static str>,
    /// The card it is paid with, masked.
    card_number: Option<String>,
    /// Where the payer goes next: to the merchant, when authenticated or failed.
    next_url: Option<String>,
    /// Why it came to nothing, if it did.
    failure: Option<FailureView>,
}

impl CheckoutPayment {
    pub(crate) fn of(app: &App, payment: &Payment, language: Language) -> Self {
        let view = PaymentView::of(app, payment, language);
        let next_url = next_url(payment, view.failure.as_ref());
        Self {
            order_name: view.order_name,
            order_id: view.order_id,
            amount: view.total_amount,
            currency: view.currency,
            status: view.status,
            money_state: view.money_state,
            sequence: view.sequence,
            method: view.method,
            card_number: view.card.map(|card| card.number),
            next_url,
            failure: view.failure,
        }
    }
}

/// The merchant's address with what Toss Payments' SDK adds to it.
fn next_url(payment: &Payment, failure: Option<&FailureView>) -> Option<String> {
    let details = &payment.details;
    let amount = payment.total.amount().to_string();
    let (base, pairs) = match failure {
        Some(failure) => (
            details.fail_url.as_ref()?,
            vec![("code", failure.code), ("message", failure.message), ("orderId", &payment.order_id)],
        ),
        None if payment.state.instrument().is_some() => (
            details.success_url.as_ref()?,
            vec![("paymentKey", payment.key.as_str()), ("orderId", &payment.order_id), ("amount", &amount)],
        ),
        None => return None,
    };
    let mut url = url::Url::parse(base).ok()?;
    url.query_pairs_mut().extend_pairs(pairs);
    Some(url.into())
}

pub(crate) async fn find(app: &App, checkout_id: &str) -> Result<Payment, Problem> {
    let missing = || Problem::of(Code::NotFoundPaymentSession);
    if checkout_id.len() > 100 || checkout_id.contains('\0') {
        return Err(missing());
    }
    app.store.find_checkout(checkout_id).await.map_err(refuse)?.ok_or_else(missing)
}

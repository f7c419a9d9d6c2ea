//! The merchant API, `/v1`: wire-compatible with Toss Payments v1 where it has the call. One file per verb.

mod billing;
mod cancel;
mod capture;
mod card;
mod clock;
mod confirm;
mod create;
mod events;
mod find;
mod key_in;
mod list;
mod queued;
mod refund_account;
mod timeline;
mod transactions;
mod virtual_account;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) use billing::AUTH_KEY_PREFIX;
pub(crate) use card::{CardFields, exchange, register};

/// Every call of the merchant API.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create::create, list::list))
        .routes(routes!(key_in::key_in))
        .routes(routes!(confirm::confirm))
        .routes(routes!(find::find, confirm::confirm_by_path))
        .routes(routes!(find::find_by_order))
        .routes(routes!(cancel::cancel))
        .routes(routes!(capture::capture))
        .routes(routes!(virtual_account::virtual_account))
        .routes(routes!(refund_account::refund_account))
        .routes(routes!(events::events))
        .merge(billing::routes())
        .routes(routes!(transactions::list_transactions))
        .routes(routes!(timeline::timeline))
        .routes(routes!(clock::show, clock::advance))
        // The body readers have their own bound, and their own words for it.
        .layer(DefaultBodyLimit::disable())
}

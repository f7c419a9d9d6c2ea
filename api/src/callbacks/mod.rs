//! What banks tell of their own accord: `/callbacks`, for no merchant and no payer, and in no description for them.
//!
//! A callback is a hint. It is signed, fresh, and taken once; then a worker asks the bank itself, and nothing changes but by
//! what the bank answers.

mod virtual_account;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::post;

use crate::app::App;

/// Every callback.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/callbacks/virtual-account", post(virtual_account::virtual_account))
        .layer(DefaultBodyLimit::max(virtual_account::BODY_BYTES_MAX))
}

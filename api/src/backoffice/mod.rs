//! The merchants' people, `/backoffice/v1`: who they are, and the merchant's origins and API keys.
//!
//! Whoever changes something says who they are (`Desk`), comes from a page of ours, and has a role that may
//! do it; the statement that changes it writes the audit log. What gives the merchant away wants the password as well, proved not
//! long ago. Origins and keys are of one world, which each call names in
//! its path: nothing of the other is found from there.

mod desk;
mod invitations;
mod keys;
mod merchant;
mod origins;
mod password;
mod proof;
mod refusals;
mod session;
mod staff;

use axum::extract::DefaultBodyLimit;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) use desk::refuse_change;

/// Nothing has to be said.
#[derive(Deserialize, ToSchema)]
pub(crate) struct NothingToSay {}

/// Every call of the backoffice.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(session::show))
        .routes(routes!(session::sign_in))
        .routes(routes!(session::sign_out))
        .routes(routes!(password::change))
        .routes(routes!(proof::prove))
        .routes(routes!(merchant::show, merchant::rename))
        .routes(routes!(staff::list))
        .routes(routes!(staff::change_role))
        .routes(routes!(staff::remove))
        .routes(routes!(invitations::list, invitations::invite))
        .routes(routes!(invitations::accept))
        .routes(routes!(invitations::withdraw))
        .routes(routes!(origins::list, origins::add))
        .routes(routes!(origins::remove))
        .routes(routes!(keys::list, keys::issue))
        .routes(routes!(keys::roll))
        .routes(routes!(keys::revoke))
        .layer(DefaultBodyLimit::disable())
}

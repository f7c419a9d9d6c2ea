//! Payers who have an account, `/payer/v1`: their sessions, the cards they keep, and what they pay for with them. One file per
//! verb.
//!
//! A payer is who a session cookie says, in the world its account is of. What is another payer's, or of the other world, looks
//! like what there is not.

mod authenticate;
mod cancel;
mod card;
mod default_card;
mod delete_card;
mod history;
mod list_cards;
mod me;
mod password;
mod register_card;
mod session;
mod sign_in;
mod sign_out;
mod sign_up;

use axum::extract::DefaultBodyLimit;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use history::find_own;

use crate::app::App;

/// Every call of payers.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(sign_up::sign_up))
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(sign_out::sign_out))
        .routes(routes!(sign_out::sign_out_everywhere))
        .routes(routes!(me::me))
        .routes(routes!(password::change_password))
        .routes(routes!(register_card::register_card, list_cards::list_cards))
        .routes(routes!(delete_card::delete_card))
        .routes(routes!(default_card::prefer_card))
        .routes(routes!(history::history))
        .routes(routes!(history::find))
        .routes(routes!(authenticate::authenticate))
        .routes(routes!(cancel::cancel))
        .layer(DefaultBodyLimit::disable())
}

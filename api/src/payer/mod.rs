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
use naru_shared::store::{StoreError, Written};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use history::find_own;

use crate::app::App;
use crate::problem::{MoneyState, Problem, Reason};
use crate::unavailable::refuse;

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

/// The problem of a failed statement about an account, a session or a card: no money moves, and the same again does no harm.
fn refuse_own(error: StoreError) -> Problem {
    match &error {
        StoreError::Unavailable { written: Written::Perhaps, .. } => {
            tracing::warn!(error = format!("{error:?}"), "not known: the answer to a commit was lost");
            Problem::because(Reason::CommitUnknown)
                .money(MoneyState::NotMoved)
                .retryable(true)
                .retry_after(std::time::Duration::from_secs(1))
                .detail(
                    "요청이 처리되었는지 아직 알 수 없습니다. 같은 요청을 다시 보내도 됩니다.",
                    "Whether this was done is not known yet. The same request may be sent again.",
                )
        }
        StoreError::Unavailable { .. }
        | StoreError::Constraint { .. }
        | StoreError::BatchDisagrees
        | StoreError::Inconsistent { .. }
        | StoreError::Refused(_) => refuse(error).money(MoneyState::NotMoved),
    }
}

//! `POST /backoffice/v1/prove`: the password once more, for what gives the merchant away.

use axum::extract::State;
use axum::response::Response;
use naru_shared::clock::Random as _;
use naru_shared::secret::{OpaqueToken, Secret};
use naru_shared::system::System;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::desk::{Desk, refuse_change};
use super::session::{prove_again, with_session};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::StaffSignInRefusals;
use crate::passwords::wrong_current_password;
use crate::problem::Problem;
use crate::view::seoul;

/// The password.
#[derive(Deserialize, ToSchema)]
pub(super) struct ProofFields {
    /// The password as it is.
    #[schema(value_type = String, format = Password)]
    password: Secret<String>,
}

/// For how long that is good.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Proved {
    /// Until when what gives the merchant away may be done, at +09:00: for five minutes.
    proved_until: String,
}

/// Proves that whoever is signed in still is whoever signed in: live keys are issued and rolled, and owners made, within five
/// minutes of that, or of signing in. The cookie is a new one; the old one opens nothing any more.
#[utoipa::path(
    post,
    path = "/backoffice/v1/prove",
    tag = "Backoffice",
    security(("staffSession" = [])),
    request_body = ProofFields,
    responses(
        (status = 200, description = "Proved: `Set-Cookie` has the session from now on", body = Proved),
        StaffSignInRefusals,
    )
)]
pub(super) async fn prove(State(app): State<App>, desk: Desk, body: OwnBody<ProofFields>) -> Result<Response, Problem> {
    let mut check = Check::new();
    let given = check.given_password("password", body.fields.password);
    let given = check.finish(|| given)?;
    let compared = prove_again(&app, &desk, given).await?;
    let token = OpaqueToken::generate("", &System.bytes());
    let proved = app.store.prove_staff_session(&compared, &desk.token_hash, &token.hash(), &desk.actor()).await;
    match proved.map_err(refuse_change)? {
        Some(until) => Ok(with_session(&app, &token, Proved { proved_until: seoul(until) })),
        // Somebody changed it in between, and ended this session by that.
        None => Err(wrong_current_password()),
    }
}

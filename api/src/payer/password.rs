//! `POST /payer/v1/password`: another password, and every session of the old one ends.

use axum::extract::State;
use axum::response::Response;
use naru_shared::secret::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::session::{Account, NewSession, Payer};
use super::sign_in::{check_given_password, prove};
use super::sign_up::check_new_password;
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::{Address, OwnPage};
use crate::openapi::PasswordRefusals;
use crate::passwords::wrong_current_password;
use crate::problem::{Problem, Reason};
use crate::unavailable::refuse_free;

/// The old and the new one.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordFields {
    /// The one that is to go.
    #[schema(value_type = String)]
    current_password: Secret<String>,
    /// 12 to 128 characters of any kind.
    #[schema(value_type = String)]
    new_password: Secret<String>,
}

/// Changes the password. All sessions end; the cookie is a new one.
#[utoipa::path(
    post,
    path = "/payer/v1/password",
    tag = "Payers",
    request_body = PasswordFields,
    responses(
        (status = 200, description = "Changed; signed in anew, here only", body = Account),
        PasswordRefusals,
    ),
    security(("payerSession" = []))
)]
pub(super) async fn change_password(
    State(app): State<App>,
    _: OwnPage,
    payer: Payer,
    address: Address,
    body: OwnBody<PasswordFields>,
) -> Result<Response, Problem> {
    let mut check = Check::new();
    let current = check_given_password(&mut check, "currentPassword", &body.fields.current_password);
    let new = check_new_password(&mut check, "newPassword", &body.fields.new_password);
    let (current, new) = check.finish(|| Some((current?, new?)))?;
    drop(body);
    // Counted as signing in is: a session left open is no place to find out a password.
    let wrong = wrong_current_password;
    let account = prove(&app, address, payer.mode, &payer.email, current).await;
    let account = account.map_err(|problem| match problem.reason() {
        Some(Reason::SignInFailed) => wrong(),
        _ => problem,
    })?;
    let hash = app.passwords.hash(new).await?;
    let session = NewSession::new();
    // Somebody who was faster has changed it: what was current is not any more.
    match app.store.change_password(&account, &hash, Some(&session.hash())).await.map_err(refuse_free)? {
        true => Ok(session.answer(&app, Account::of(payer.mode, &payer.email))),
        false => Err(wrong()),
    }
}

//! `POST /backoffice/v1/password`: another password.

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

/// The old password and the new.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordFields {
    /// The password as it is.
    #[schema(value_type = String, format = Password)]
    current_password: Secret<String>,
    /// 12 to 128 characters of any kind.
    #[schema(value_type = String, format = Password)]
    new_password: Secret<String>,
}

/// That it was changed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PasswordChanged {
    /// Yes.
    changed: bool,
}

/// Changes the password of whoever is signed in. All their sessions end; the cookie is a new one, good here only.
#[utoipa::path(
    post,
    path = "/backoffice/v1/password",
    tag = "Backoffice",
    security(("staffSession" = [])),
    request_body = PasswordFields,
    responses(
        (status = 200, description = "Changed: `Set-Cookie` has the new session", body = PasswordChanged),
        StaffSignInRefusals,
    )
)]
pub(super) async fn change(
    State(app): State<App>,
    desk: Desk,
    body: OwnBody<PasswordFields>,
) -> Result<Response, Problem> {
    let fields = body.fields;
    let mut check = Check::new();
    let current = check.given_password("currentPassword", fields.current_password);
    let new = check.new_password("newPassword", &fields.new_password);
    let (current, new) = check.finish(|| Some((current?, new?)))?;

    let compared = prove_again(&app, &desk, current).await?;
    let kept = app.staff_passwords.hash(new).await?;
    let token = OpaqueToken::generate("", &System.bytes());
    match app
        .store
        .change_staff_password(&compared, &kept, &token.hash(), &desk.actor())
        .await
        .map_err(refuse_change)?
    {
        true => Ok(with_session(&app, &token, PasswordChanged { changed: true })),
        // Somebody else changed it in between, and ended this session by that.
        false => Err(wrong_current_password()),
    }
}

//! `POST /backoffice/v1/password`: another password.

use axum::Json;
use axum::extract::State;
use naru_shared::secret::{Secret, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::desk::{Desk, refuse_change};
use super::session::Tries;
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::StaffSignInRefusals;
use crate::passwords::wrong_current_password;
use crate::problem::Problem;
use crate::unavailable::refuse;

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

/// Changes the password of whoever is signed in. Every other session of theirs ends; this one goes on.
#[utoipa::path(
    post,
    path = "/backoffice/v1/password",
    tag = "Backoffice",
    security(("staffSession" = [])),
    request_body = PasswordFields,
    responses((status = 200, description = "Changed", body = PasswordChanged), StaffSignInRefusals)
)]
pub(super) async fn change(
    State(app): State<App>,
    desk: Desk,
    body: OwnBody<PasswordFields>,
) -> Result<Json<PasswordChanged>, Problem> {
    let fields = body.fields;
    let mut check = Check::new();
    let current = check.given_password("currentPassword", fields.current_password);
    let new = check.new_password("newPassword", &fields.new_password);
    let (current, new) = check.finish(|| Some((current?, new?)))?;

    let tries = Tries::count(&app, desk.visitor(), &desk.session.email).await?;
    let staff = desk.session.staff;
    let was = app.store.kept_password(staff).await.map_err(refuse)?.map(Secret::new);
    let verdict = app.passwords.check(current, was.as_ref()).await?;
    let wrong = wrong_current_password;
    let (Some(was), Verdict::Right | Verdict::RightButOld) = (was, verdict) else {
        return Err(wrong());
    };
    let kept = app.passwords.hash(new).await?;
    let (this, by) = (&desk.token_hash, desk.actor());
    let changed = app.store.change_staff_password(staff, was.expose(), kept.expose(), this, &by).await;
    if !changed.map_err(refuse_change)? {
        // Somebody else changed it in between, and ended this session by that.
        return Err(wrong());
    }
    tries.were_right(&app).await;
    Ok(Json(PasswordChanged { changed: true }))
}

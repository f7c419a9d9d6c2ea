//! `/backoffice/v1/invitations`: how somebody comes to work for the merchant.
//!
//! No mail goes out: whoever invites is shown a token once and hands it on.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::{InvitationId, StaffId};
use naru_shared::domain::staff::{Act, Role};
use naru_shared::keys::INVITATION_PREFIX;
use naru_shared::secret::{OpaqueToken, Secret};
use naru_shared::store::{Invitation, Invited, NewInvitation};
use naru_shared::system::System;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::NothingToSay;
use super::desk::{Desk, Visitor, refuse_change};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::{ChangeRefusals, StaffLookRefusals};
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse;
use crate::view::seoul;

/// An invitation that waits to be accepted.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InvitationView {
    /// Its id.
    id: String,
    /// Who is invited.
    email: String,
    /// As what: `owner`, `staff` or `read-only`.
    role: &'static str,
    /// Since when, at +09:00.
    created_at: String,
    /// Until when, at +09:00.
    expires_at: String,
}

impl InvitationView {
    fn of(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.expose().to_owned(),
            role: invitation.role.as_str(),
            created_at: seoul(invitation.created_at),
            expires_at: seoul(invitation.expires_at),
        }
    }
}

/// Those that wait.
#[derive(Serialize, ToSchema)]
pub(super) struct Invitations {
    /// The newest first.
    data: Vec<InvitationView>,
}

impl Invitations {
    async fn of(app: &App, desk: &Desk) -> Result<Json<Self>, Problem> {
        let invitations = app.store.invitations(desk.merchant()).await.map_err(refuse)?;
        Ok(Json(Self { data: invitations.iter().map(InvitationView::of).collect() }))
    }
}

/// Who is invited.
#[derive(Deserialize, ToSchema)]
pub(super) struct InviteFields {
    /// Their address.
    #[schema(example = "kim@shop.example")]
    email: String,
    /// `owner`, `staff` or `read-only`.
    #[schema(example = "staff")]
    role: String,
}

/// A fresh invitation.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct InvitationMade {
    /// Its id.
    id: String,
    /// What accepts it, once. Shown this once: hand it to whom it is for.
    token: String,
    /// Until when it is good, at +09:00.
    expires_at: String,
}

/// Who accepts.
#[derive(Deserialize, ToSchema)]
pub(super) struct AcceptFields {
    /// The invitation's token.
    #[schema(value_type = String)]
    token: Secret<String>,
    /// What others are to call you: one line of 1 to 100 characters.
    #[schema(example = "김나루")]
    name: String,
    /// 12 to 128 characters of any kind.
    #[schema(value_type = String, format = Password)]
    password: Secret<String>,
}

/// Somebody who works for the merchant from now on, and may sign in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Joined {
    /// What to sign in with.
    email: String,
    /// As what: `owner`, `staff` or `read-only`.
    role: &'static str,
    /// The merchant's id, which signing in asks for.
    mid: String,
}

/// The invitations that wait to be accepted.
#[utoipa::path(
    get,
    path = "/backoffice/v1/invitations",
    tag = "Backoffice",
    security(("staffSession" = [])),
    responses((status = 200, description = "Those that wait", body = Invitations), StaffLookRefusals)
)]
pub(super) async fn list(State(app): State<App>, desk: Desk) -> Result<Json<Invitations>, Problem> {
    desk.insist(&app, Act::ChangeStaff).await?;
    Invitations::of(&app, &desk).await
}

/// Invites somebody for 72 hours. For owners. An earlier invitation of the address is good no more. To invite an owner takes
/// the password, proved not long ago.
#[utoipa::path(
    post,
    path = "/backoffice/v1/invitations",
    tag = "Backoffice",
    security(("staffSession" = [])),
    request_body = InviteFields,
    responses((status = 200, description = "The token, this once", body = InvitationMade), ChangeRefusals)
)]
pub(super) async fn invite(
    State(app): State<App>,
    desk: Desk,
    body: OwnBody<InviteFields>,
) -> Result<Json<InvitationMade>, Problem> {
    desk.insist(&app, Act::ChangeStaff).await?;
    let mut check = Check::new();
    let email = check.staff_email("email", &body.fields.email);
    let role = check.role("role", &body.fields.role);
    let (email, role) = check.finish(|| Some((email?, role?)))?;
    if role == Role::Owner {
        desk.insist_on_proof(&app, Act::ChangeStaff).await?;
    }
    let token = OpaqueToken::generate(INVITATION_PREFIX, &System.bytes());
    let id = InvitationId(System.ordered());
    let new = NewInvitation { id, merchant: desk.merchant(), email: &email, role, token_hash: token.hash() };
    match app.store.invite(&new, &desk.actor()).await.map_err(refuse_change)? {
        Invited::Until(expires_at) => Ok(Json(InvitationMade {
            id: id.to_string(),
            token: token.expose().to_owned(),
            expires_at: seoul(expires_at),
        })),
        Invited::IsThere => Err(Problem::because(Reason::EmailTaken)),
        Invited::TooMany => Err(Problem::because(Reason::TooManyObjects)),
    }
}

/// Accepts an invitation, once: whoever holds the token chooses a name and a password, and may then sign in.
#[utoipa::path(
    post,
    path = "/backoffice/v1/invitations/accept",
    tag = "Backoffice",
    request_body = AcceptFields,
    responses((status = 200, description = "You may sign in", body = Joined), ChangeRefusals)
)]
pub(super) async fn accept(
    State(app): State<App>,
    visitor: Visitor,
    body: OwnBody<AcceptFields>,
) -> Result<Json<Joined>, Problem> {
    let fields = body.fields;
    let mut check = Check::new();
    let name = check.name_of("name", &fields.name);
    let password = check.new_password("password", &fields.password);
    let (name, password) = check.finish(|| Some((name?, password?)))?;
    let invalid = || Problem::because(Reason::InvitationInvalid);
    let token = OpaqueToken::parse(INVITATION_PREFIX, fields.token.expose()).ok_or_else(invalid)?;
    // Only who was invited may make us work.
    if !app.store.is_invited(&token.hash()).await.map_err(refuse)? {
        return Err(invalid());
    }
    let kept = app.staff_passwords.hash(password).await?;
    let staff = StaffId(System.ordered());
    let joined = app.store.accept_invitation(&token.hash(), staff, name, &kept, &visitor.actor()).await;
    let (mid, email, role) = joined
        .map_err(|error| match error.is_constraint("staff_one_per_address") {
            true => Problem::because(Reason::EmailTaken),
            false => refuse_change(error),
        })?
        .ok_or_else(invalid)?;
    Ok(Json(Joined { email: email.expose().to_owned(), role: role.as_str(), mid }))
}

/// Withdraws an invitation. For owners.
#[utoipa::path(
    post,
    path = "/backoffice/v1/invitations/{invitationId}/withdraw",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("invitationId" = String, Path, description = "From the list")),
    request_body = NothingToSay,
    responses((status = 200, description = "Those that still wait", body = Invitations), ChangeRefusals)
)]
pub(super) async fn withdraw(
    State(app): State<App>,
    desk: Desk,
    Path(id): Path<String>,
    _body: OwnBody<NothingToSay>,
) -> Result<Json<Invitations>, Problem> {
    desk.insist(&app, Act::ChangeStaff).await?;
    let missing = || Problem::of(Code::NotFound);
    let id = InvitationId(Uuid::try_parse(&id).map_err(|_| missing())?);
    let withdrawn = app.store.withdraw_invitation(desk.merchant(), id, &desk.actor()).await.map_err(refuse_change)?;
    if !withdrawn {
        return Err(missing());
    }
    Invitations::of(&app, &desk).await
}

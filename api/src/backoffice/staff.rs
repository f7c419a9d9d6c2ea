//! `/backoffice/v1/staff`: who works for the merchant.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::id::StaffId;
use naru_shared::domain::staff::{Act, Role, TeamRefusal};
use naru_shared::store::Member;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::NothingToSay;
use super::desk::{Desk, refuse_change};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::{ChangeRefusals, StaffLookRefusals};
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse;
use crate::view::seoul;

/// Somebody who works for the merchant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberView {
    /// Their id.
    id: String,
    /// What they sign in with.
    email: String,
    /// What others call them.
    name: String,
    /// `owner`, `staff` or `read-only`.
    role: &'static str,
    /// Since when, at +09:00.
    created_at: String,
    /// When they last signed in, at +09:00.
    last_signed_in_at: Option<String>,
}

impl MemberView {
    fn of(member: &Member) -> Self {
        Self {
            id: member.id.to_string(),
            email: member.email.expose().to_owned(),
            name: member.name.clone(),
            role: member.role.as_str(),
            created_at: seoul(member.created_at),
            last_signed_in_at: member.last_signed_in_at.map(seoul),
        }
    }
}

/// Everybody.
#[derive(Serialize, ToSchema)]
pub(super) struct Team {
    /// Who has been there longest first.
    data: Vec<MemberView>,
}

impl Team {
    async fn of(app: &App, desk: &Desk) -> Result<Json<Self>, Problem> {
        let members = app.store.staff_of(desk.merchant()).await.map_err(refuse)?;
        Ok(Json(Self { data: members.iter().map(MemberView::of).collect() }))
    }
}

/// Another role.
#[derive(Deserialize, ToSchema)]
pub(super) struct RoleFields {
    /// `owner`, `staff` or `read-only`.
    #[schema(example = "staff")]
    role: String,
}

impl Check {
    /// A role.
    pub(super) fn role(&mut self, field: &str, text: &str) -> Option<Role> {
        let role = Role::parse(text);
        self.require(field, (), role.is_some(), "must be owner, staff or read-only")?;
        role
    }
}

/// Everybody who works for the merchant.
#[utoipa::path(
    get,
    path = "/backoffice/v1/staff",
    tag = "Backoffice",
    security(("staffSession" = [])),
    responses((status = 200, description = "Everybody", body = Team), StaffLookRefusals)
)]
pub(super) async fn list(State(app): State<App>, desk: Desk) -> Result<Json<Team>, Problem> {
    Team::of(&app, &desk).await
}

/// Gives somebody another role, from their next request on. For owners; the last one stays one. To make an owner takes the
/// password, proved not long ago.
#[utoipa::path(
    post,
    path = "/backoffice/v1/staff/{staffId}/role",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("staffId" = String, Path, description = "From the list")),
    request_body = RoleFields,
    responses((status = 200, description = "Everybody, as it is now", body = Team), ChangeRefusals)
)]
pub(super) async fn change_role(
    State(app): State<App>,
    desk: Desk,
    Path(id): Path<String>,
    body: OwnBody<RoleFields>,
) -> Result<Json<Team>, Problem> {
    let mut check = Check::new();
    let role = check.role("role", &body.fields.role);
    let role = check.finish(|| role)?;
    change(&app, &desk, &id, Some(role)).await
}

/// Removes somebody: their sessions end at once. For owners, who may leave themselves unless they are the last.
#[utoipa::path(
    post,
    path = "/backoffice/v1/staff/{staffId}/remove",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("staffId" = String, Path, description = "From the list")),
    request_body = NothingToSay,
    responses((status = 200, description = "Everybody else", body = Team), ChangeRefusals)
)]
pub(super) async fn remove(
    State(app): State<App>,
    desk: Desk,
    Path(id): Path<String>,
    _body: OwnBody<NothingToSay>,
) -> Result<Json<Team>, Problem> {
    change(&app, &desk, &id, None).await
}

async fn change(app: &App, desk: &Desk, id: &str, next: Option<Role>) -> Result<Json<Team>, Problem> {
    desk.insist(app, Act::ChangeStaff).await?;
    if next == Some(Role::Owner) {
        desk.insist_on_proof(app, Act::ChangeStaff).await?;
    }
    let missing = || Problem::of(Code::NotFound);
    let who = StaffId(Uuid::try_parse(id).map_err(|_| missing())?);
    let changed = app.store.change_member(desk.merchant(), who, next, &desk.actor()).await.map_err(refuse_change)?;
    changed.map_err(|refusal| match refusal {
        TeamRefusal::NobodyThere => missing(),
        TeamRefusal::LastOwner => Problem::because(Reason::LastOwner),
        // They were an owner when the call began.
        TeamRefusal::NotTheirs => Problem::because(Reason::RoleNotAllowed).with("act", Act::ChangeStaff.as_str()),
    })?;
    Team::of(app, desk).await
}

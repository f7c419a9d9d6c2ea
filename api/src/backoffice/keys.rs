//! `/backoffice/v1/{mode}/keys`: the merchant's API keys of one world.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::api_key::{ApiKey, KeyKind};
use naru_shared::clock::{Ids as _, Random as _};
use naru_shared::domain::id::{ApiKeyId, Mode, Tenant};
use naru_shared::domain::staff::Act;
use naru_shared::store::{ApiKeyRow, FreshKey, NewApiKey};
use naru_shared::system::System;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::NothingToSay;
use super::desk::{Desk, refuse_change};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::{ChangeRefusals, StaffLookRefusals};
use crate::problem::{Code, Problem, Reason};
use crate::rates::KEYS_OF_MERCHANT;
use crate::unavailable::refuse;
use crate::view::seoul;

/// Longest time for which a key that was rolled still works, in hours: seven days.
const OVERLAP_HOURS_MAX: i64 = 7 * 24;

/// A key, as far as anybody sees it again.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyView {
    /// Its id.
    id: String,
    /// `secret` or `client`.
    kind: &'static str,
    /// `test` or `live`.
    mode: &'static str,
    /// How it begins.
    hint: String,
    /// `ACTIVE`; `ENDING` when it was rolled and still works; `ENDED`.
    status: &'static str,
    /// When it was issued, at +09:00.
    created_at: String,
    /// From when on it no longer works, when it was rolled, at +09:00.
    expires_at: Option<String>,
    /// When it was revoked, at +09:00.
    revoked_at: Option<String>,
    /// When it was used last, to the minute, at +09:00.
    last_used_at: Option<String>,
    /// From which network.
    last_used_from: Option<String>,
}

impl KeyView {
    fn of(key: &ApiKeyRow, tenant: Tenant) -> Self {
        Self {
            id: key.id.to_string(),
            kind: key.kind.stored(),
            mode: tenant.mode.as_str(),
            hint: key.hint.clone(),
            status: match (key.works, key.expires_at) {
                (false, _) => "ENDED",
                (true, Some(_)) => "ENDING",
                (true, None) => "ACTIVE",
            },
            created_at: seoul(key.created_at),
            expires_at: key.expires_at.map(seoul),
            revoked_at: key.revoked_at.map(seoul),
            last_used_at: key.last_used_at.map(seoul),
            last_used_from: key.last_used_from.clone(),
        }
    }
}

/// The keys of one world.
#[derive(Serialize, ToSchema)]
pub(super) struct Keys {
    /// Those that work first, then the newest.
    data: Vec<KeyView>,
}

/// A fresh key.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyIssued {
    /// The key itself. Shown this once: we keep only its keyed hash.
    api_key: String,
    /// What is shown of it from now on.
    key: KeyView,
}

/// Which kind.
#[derive(Deserialize, ToSchema)]
pub(super) struct IssueFields {
    /// `secret` or `client`.
    #[schema(example = "secret")]
    kind: String,
}

/// How long both work.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RollFields {
    /// For how many hours the old key works beside the new one: 0 to 168.
    #[schema(example = 24)]
    overlap_hours: i64,
}

/// The keys of one world, without the keys themselves.
#[utoipa::path(
    get,
    path = "/backoffice/v1/{mode}/keys",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("mode" = String, Path, description = "`test` or `live`")),
    responses((status = 200, description = "Those that work, and the newest that don't", body = Keys), StaffLookRefusals)
)]
pub(super) async fn list(State(app): State<App>, desk: Desk, Path(mode): Path<String>) -> Result<Json<Keys>, Problem> {
    let tenant = desk.tenant(&mode)?;
    let keys = app.store.api_keys(tenant).await.map_err(refuse)?;
    Ok(Json(Keys { data: keys.iter().map(|key| KeyView::of(key, tenant)).collect() }))
}

/// Issues a key. In the sandbox for staff, too; a live one takes the password, proved not long ago.
#[utoipa::path(
    post,
    path = "/backoffice/v1/{mode}/keys",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("mode" = String, Path, description = "`test` or `live`")),
    request_body = IssueFields,
    responses((status = 200, description = "The key, this once", body = KeyIssued), ChangeRefusals)
)]
pub(super) async fn issue(
    State(app): State<App>,
    desk: Desk,
    Path(mode): Path<String>,
    body: OwnBody<IssueFields>,
) -> Result<Json<KeyIssued>, Problem> {
    let tenant = desk.tenant(&mode)?;
    desk.insist(&app, Act::ChangeKeys(tenant.mode)).await?;
    let mut check = Check::new();
    let kind = KeyKind::from_stored(&body.fields.kind);
    check.require("kind", (), kind.is_some(), "must be secret or client");
    let kind = check.finish(|| kind)?;
    insist_on_more(&app, &desk, tenant).await?;
    let fresh = Fresh::make(&app, tenant, kind);
    fresh.shown(app.store.issue_api_key(&fresh.row(), &desk.actor()).await.map_err(refuse_change)?)
}

/// Issues a key of the same kind in the place of one that works, which goes on for so long. In the sandbox for staff, too; a
/// live one takes the password, proved not long ago.
#[utoipa::path(
    post,
    path = "/backoffice/v1/{mode}/keys/{keyId}/roll",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(
        ("mode" = String, Path, description = "`test` or `live`"),
        ("keyId" = String, Path, description = "From the list"),
    ),
    request_body = RollFields,
    responses((status = 200, description = "The new key, this once", body = KeyIssued), ChangeRefusals)
)]
pub(super) async fn roll(
    State(app): State<App>,
    desk: Desk,
    Path((mode, id)): Path<(String, String)>,
    body: OwnBody<RollFields>,
) -> Result<Json<KeyIssued>, Problem> {
    let tenant = desk.tenant(&mode)?;
    desk.insist(&app, Act::ChangeKeys(tenant.mode)).await?;
    let mut check = Check::new();
    let hours = i32::try_from(body.fields.overlap_hours).ok();
    let hours = hours.filter(|hours| (0..=OVERLAP_HOURS_MAX).contains(&i64::from(*hours)));
    check.require("overlapHours", (), hours.is_some(), "must be from 0 to 168");
    let hours = check.finish(|| hours)?;
    let old = known(&id)?;
    let missing = || Problem::of(Code::NotFound);
    let kind = app.store.api_key(tenant, old).await.map_err(refuse)?.ok_or_else(missing)?.kind;
    insist_on_more(&app, &desk, tenant).await?;
    let fresh = Fresh::make(&app, tenant, kind);
    fresh.shown(app.store.roll_api_key(old, hours, &fresh.row(), &desk.actor()).await.map_err(refuse_change)?)
}

/// Revokes a key for ever; instances know it within 2 seconds. In the sandbox for staff, too.
#[utoipa::path(
    post,
    path = "/backoffice/v1/{mode}/keys/{keyId}/revoke",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(
        ("mode" = String, Path, description = "`test` or `live`"),
        ("keyId" = String, Path, description = "From the list"),
    ),
    request_body = NothingToSay,
    responses((status = 200, description = "Revoked, now or before", body = KeyView), ChangeRefusals)
)]
pub(super) async fn revoke(
    State(app): State<App>,
    desk: Desk,
    Path((mode, id)): Path<(String, String)>,
    _body: OwnBody<NothingToSay>,
) -> Result<Json<KeyView>, Problem> {
    let tenant = desk.tenant(&mode)?;
    desk.insist(&app, Act::ChangeKeys(tenant.mode)).await?;
    let ended = app.store.end_api_key(tenant, known(&id)?, &desk.actor()).await.map_err(refuse_change)?;
    let ended = ended.ok_or_else(|| Problem::of(Code::NotFound))?;
    Ok(Json(KeyView::of(&ended, tenant)))
}

/// What a new key takes beside a role: of a live one, the password, proved not long ago; and that there were not too many of
/// late. Revoking one never takes more: there are no more to be revoked than were issued.
async fn insist_on_more(app: &App, desk: &Desk, tenant: Tenant) -> Result<(), Problem> {
    if tenant.mode == Mode::Live {
        desk.insist_on_proof(app, Act::ChangeKeys(tenant.mode)).await?;
    }
    app.rates.count(KEYS_OF_MERCHANT, &app.rates.who_of(tenant)).await
}

fn known(id: &str) -> Result<ApiKeyId, Problem> {
    Uuid::try_parse(id).map(ApiKeyId).map_err(|_| Problem::of(Code::NotFound))
}

/// A key that was just made, from the machine's own random bits.
struct Fresh {
    id: Uuid,
    tenant: Tenant,
    key: ApiKey,
    hash: [u8; 32],
    hint: String,
}

impl Fresh {
    fn make(app: &App, tenant: Tenant, kind: KeyKind) -> Self {
        let key = ApiKey::generate(tenant.mode, kind, &System.bytes());
        Self { id: System.ordered(), tenant, hash: app.keys.hash(&key), hint: key.hint(), key }
    }

    fn row(&self) -> NewApiKey<'_> {
        NewApiKey { id: self.id, tenant: self.tenant, kind: self.key.kind(), hash: self.hash, hint: &self.hint }
    }

    fn shown(&self, written: FreshKey) -> Result<Json<KeyIssued>, Problem> {
        match written {
            FreshKey::Made(row) => {
                Ok(Json(KeyIssued { api_key: self.key.expose().to_owned(), key: KeyView::of(&row, self.tenant) }))
            }
            FreshKey::NoneToRoll => Err(Problem::because(Reason::KeyEnded)),
            FreshKey::TooMany => Err(Problem::because(Reason::TooManyObjects)),
        }
    }
}

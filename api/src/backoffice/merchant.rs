//! `/backoffice/v1/merchant`: the merchant itself.

use axum::Json;
use axum::extract::State;
use naru_shared::domain::staff::Act;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::desk::{Desk, refuse_change};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::{ChangeRefusals, StaffLookRefusals};
use crate::problem::Problem;

/// A merchant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MerchantView {
    /// Its public id, `mId` on payments. Never changes.
    mid: String,
    /// What people call it.
    name: String,
}

impl MerchantView {
    pub(super) fn of(desk: &Desk) -> Self {
        Self { mid: desk.session.mid.clone(), name: desk.session.merchant_name.clone() }
    }
}

/// What it is to be called.
#[derive(Deserialize, ToSchema)]
pub(super) struct RenameFields {
    /// One line of 1 to 100 characters.
    #[schema(example = "나루 커피")]
    name: String,
}

/// The merchant of whoever is signed in.
#[utoipa::path(
    get,
    path = "/backoffice/v1/merchant",
    tag = "Backoffice",
    security(("staffSession" = [])),
    responses((status = 200, description = "The merchant", body = MerchantView), StaffLookRefusals)
)]
pub(super) async fn show(desk: Desk) -> Json<MerchantView> {
    Json(MerchantView::of(&desk))
}

/// Gives the merchant another name. For owners.
#[utoipa::path(
    post,
    path = "/backoffice/v1/merchant",
    tag = "Backoffice",
    security(("staffSession" = [])),
    request_body = RenameFields,
    responses((status = 200, description = "As it is now", body = MerchantView), ChangeRefusals)
)]
pub(super) async fn rename(
    State(app): State<App>,
    desk: Desk,
    body: OwnBody<RenameFields>,
) -> Result<Json<MerchantView>, Problem> {
    desk.insist(&app, Act::RenameMerchant).await?;
    let mut check = Check::new();
    let name = check.name_of("name", &body.fields.name);
    let name = check.finish(|| name)?;
    app.store.rename_merchant(desk.merchant(), name, &desk.actor()).await.map_err(refuse_change)?;
    Ok(Json(MerchantView { mid: desk.session.mid.clone(), name: name.to_owned() }))
}

//! `/v1/clock`: a sandbox merchant's own time, so that a week passes in a second.

use axum::Json;
use axum::extract::State;
use naru_shared::domain::id::{Mode, Tenant};
use naru_shared::store::{MerchantTime, StoreError};
use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::Merchant;
use crate::backoffice::refuse_change;
use crate::body::{Check, OwnBody};
use crate::openapi::{ClockRefusals, FindRefusals};
use crate::problem::{Problem, Reason};
use crate::unavailable::refuse;
use crate::view::seoul_millis;

/// How far a clock may be ahead, in seconds: ten years.
const AHEAD_MAX: i64 = 87_600 * 3_600;

/// What the merchant's clock shows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClockView {
    /// The merchant's now, at +09:00.
    now: String,
    /// How far that is ahead of the world's, in whole seconds.
    ahead_seconds: i64,
}

impl ClockView {
    fn of(time: MerchantTime) -> Json<Self> {
        Json(Self { now: seoul_millis(time.now), ahead_seconds: time.ahead.whole_seconds() })
    }
}

/// How the clock is set. With both it is set to `now` first; with neither it stays as it is.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClockFields {
    /// What it is to show, ISO 8601 with offset; never earlier than what it shows.
    now: Option<String>,
    /// How far it is set forward, in seconds.
    #[schema(example = 86_400)]
    advance_seconds: Option<i64>,
}

/// What the merchant's clock shows. In the sandbox only.
#[utoipa::path(
    get,
    path = "/v1/clock",
    tag = "Sandbox",
    responses((status = 200, description = "The time", body = ClockView), FindRefusals),
    security(("secretKey" = []))
)]
pub(super) async fn show(State(app): State<App>, merchant: Merchant) -> Result<Json<ClockView>, Problem> {
    let time = app.store.merchant_time(sandbox(&merchant)?).await.map_err(refuse)?;
    Ok(ClockView::of(time))
}

/// Sets the merchant's clock forward. What is due by then is done within about a second.
#[utoipa::path(
    post,
    path = "/v1/clock",
    tag = "Sandbox",
    request_body = ClockFields,
    responses((status = 200, description = "The time from now on", body = ClockView), ClockRefusals),
    security(("secretKey" = []))
)]
pub(super) async fn advance(
    State(app): State<App>,
    merchant: Merchant,
    body: OwnBody<ClockFields>,
) -> Result<Json<ClockView>, Problem> {
    let tenant = sandbox(&merchant)?;
    let mut check = Check::new();
    let to = check.optional(body.fields.now.as_deref(), |check, text| check.moment("now", text));
    let seconds = body.fields.advance_seconds.unwrap_or(0);
    let fits = (0..=AHEAD_MAX).contains(&seconds);
    let seconds = check.require("advanceSeconds", seconds, fits, "must be from 0 to 315360000");
    let (to, seconds) = check.finish(|| Some((to?, seconds?)))?;
    match app.store.advance_clock(tenant, to, Duration::seconds(seconds)).await {
        Ok(Some(time)) => {
            tracing::info!(
                mid = merchant.0.mid,
                ahead_seconds = time.ahead.whole_seconds(),
                "a sandbox's clock is set"
            );
            Ok(ClockView::of(time))
        }
        Ok(None) => {
            let now = app.store.merchant_time(tenant).await.map_err(refuse)?.now;
            Err(Problem::because(Reason::ClockGoesForward).with("merchantNow", seoul_millis(now)))
        }
        Err(StoreError::Constraint { constraint }) if constraint == "merchant_clocks_bounds" => {
            Err(Problem::because(Reason::ClockTooFarAhead))
        }
        Err(error) => Err(refuse_change(error)),
    }
}

fn sandbox(merchant: &Merchant) -> Result<Tenant, Problem> {
    let tenant = merchant.tenant();
    match tenant.mode {
        Mode::Test => Ok(tenant),
        Mode::Live => Err(Problem::because(Reason::SandboxOnly)),
    }
}

//! Payments that are taking long.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::app::App;
use crate::body::{Check, Params};
use crate::problem::Problem;
use crate::unavailable::refuse;

/// From when on an unsettled operation is stuck, in seconds, when nothing is said.
const LONG: i64 = 60;
/// Rows when nothing is said.
const PAGE: i64 = 50;

/// Which.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StuckParams {
    older_than_seconds: Option<i64>,
    limit: Option<i64>,
}

pub(super) async fn list(State(app): State<App>, Params(params): Params<StuckParams>) -> Result<Json<Value>, Problem> {
    let mut check = Check::new();
    let seconds = i32::try_from(params.older_than_seconds.unwrap_or(LONG)).ok().filter(|seconds| *seconds >= 0);
    if seconds.is_none() {
        check.wrong("olderThanSeconds", "must be a number of seconds");
    }
    let limit = check.limit("limit", params.limit.unwrap_or(PAGE));
    let (seconds, limit) = check.finish(|| Some((seconds?, limit?)))?;
    let mut stuck = app.store.stuck_operations(seconds, limit + 1).await.map_err(refuse)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = stuck.len() > limit;
    stuck.truncate(limit);
    Ok(Json(json!({ "data": stuck, "hasMore": has_more })))
}

//! The tests' levers: settings, scripts, holds.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::desk::{Desk, Settings};
use super::refuse::{Body, Named, Refused, not_found};
use crate::behaviour::{Added, Held, Script};
use crate::company::Mode;

type At = State<Arc<Desk>>;

/// How long `GET /admin/holds/{id}` waits for something to be parked.
const HOLD_PATIENCE: Duration = Duration::from_secs(30);

/// Settings to change; the others stay.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Change {
    mode: Option<Mode>,
    inquiry_lag_ms: Option<u64>,
    latency_ms: Option<u64>,
    callback_backoff_ms: Option<u64>,
}

/// `GET /admin/settings`
pub(super) async fn settings(State(desk): At) -> Json<Settings> {
    Json(desk.state().settings)
}

/// `PUT /admin/settings`
pub(super) async fn set(State(desk): At, Body(change): Body<Change>) -> Json<Settings> {
    let settings = &mut desk.state().settings;
    settings.mode = change.mode.unwrap_or(settings.mode);
    settings.inquiry_lag_ms = change.inquiry_lag_ms.unwrap_or(settings.inquiry_lag_ms);
    settings.latency_ms = change.latency_ms.unwrap_or(settings.latency_ms);
    settings.callback_backoff_ms = change.callback_backoff_ms.unwrap_or(settings.callback_backoff_ms).min(600_000);
    tracing::info!(?settings, "settings changed");
    Json(*settings)
}

#[derive(Debug, Serialize)]
pub(super) struct NewScript {
    id: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct InForce {
    scripts: Vec<Added>,
}

/// `POST /admin/scripts`
pub(super) async fn add_script(State(desk): At, Body(script): Body<Script>) -> Result<Json<NewScript>, Refused> {
    let id = desk.state().scripts.add(script).map_err(Refused::bad)?;
    Ok(Json(NewScript { id }))
}

/// `GET /admin/scripts`
pub(super) async fn scripts(State(desk): At) -> Json<InForce> {
    Json(InForce { scripts: desk.state().scripts.all().to_vec() })
}

/// `DELETE /admin/scripts`: all of them, other tests' too.
pub(super) async fn clear_scripts(State(desk): At) -> Json<InForce> {
    desk.state().scripts.clear();
    Json(InForce { scripts: Vec::new() })
}

/// `DELETE /admin/scripts/{id}`
pub(super) async fn remove_script(State(desk): At, Named(id): Named) -> Result<Json<NewScript>, Refused> {
    match id.as_str().parse() {
        Ok(id) if desk.state().scripts.remove(id) => Ok(Json(NewScript { id })),
        Ok(_) | Err(_) => Err(not_found().await),
    }
}

/// `GET /admin/holds/{id}`: waits until something is parked there, 30 s at most.
pub(super) async fn watch_hold(State(desk): At, Named(id): Named) -> Json<Held> {
    Json(desk.holds.watch(id.as_str(), HOLD_PATIENCE).await)
}

/// `POST /admin/holds/{id}/release`
pub(super) async fn release_hold(State(desk): At, Named(id): Named) -> Json<Held> {
    Json(desk.holds.release(id.as_str()))
}

//! Reading the journal: the statement for merchants, the whole of it and its sums for tests and checkers.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::refuse::Refused;
use crate::company::{EffectsOf, Entry, Method, Timestamp};
use crate::journal::{self, Found, Wanted};

/// Entries in one answer, at most.
const LIMIT_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Filter {
    after: Option<u64>,
    limit: Option<usize>,
    order_id: Option<String>,
    reference: Option<String>,
    merchant_id: Option<String>,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    entries: Vec<Entry>,
    /// The next page's `after`; null on the last page.
    next_after: Option<u64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Statement {
    lines: Vec<Entry>,
    next_after: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Which {
    order_id: Option<String>,
    reference: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Effects {
    effects: Vec<EffectsOf>,
}

/// `GET …/statement?from&to&merchantId&after&limit`: what moved money of one method.
pub(super) async fn statement(
    method: Method,
    State(desk): State<Arc<Desk>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Statement>, Refused> {
    let Found { entries, next_after } = find(&desk, known(filter)?, Some(method)).await?;
    Ok(Json(Statement { lines: entries, next_after }))
}

/// `GET /admin/journal?after&limit&orderId&reference&merchantId&from&to`: everything.
pub(super) async fn journal(
    State(desk): State<Arc<Desk>>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Json<Page>, Refused> {
    let Found { entries, next_after } = find(&desk, known(filter)?, None).await?;
    Ok(Json(Page { entries, next_after }))
}

/// `GET /admin/effects?orderId=` or `?reference=`: what became of the money.
pub(super) async fn effects(
    State(desk): State<Arc<Desk>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Json<Effects>, Refused> {
    let effects = match known(which)? {
        Which { order_id: Some(order_id), reference: None } => desk.state().company.effects_of_order(&order_id),
        Which { order_id: None, reference: Some(reference) } => {
            desk.state().company.effects_of(&reference).into_iter().collect()
        }
        Which { .. } => return Err(Refused::bad("name either orderId or reference")),
    };
    // What is said here must survive a crash, like every other answer.
    desk.journal.settled().await?;
    Ok(Json(Effects { effects }))
}

fn known<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Refused> {
    query.map(|Query(value)| value).map_err(|rejection| Refused::bad(rejection.body_text()))
}

/// `moved` restricts it to what moved money of this method.
async fn find(desk: &Desk, filter: Filter, moved: Option<Method>) -> Result<Found, Refused> {
    desk.journal.settled().await?;
    let wanted = Wanted {
        after: filter.after.unwrap_or(0),
        limit: filter.limit.unwrap_or(LIMIT_MAX).clamp(1, LIMIT_MAX),
        order_id: filter.order_id,
        reference: filter.reference,
        merchant_id: filter.merchant_id,
        from: filter.from,
        to: filter.to,
        moved,
    };
    let path = desk.journal.path().to_owned();
    let offset = desk.journal.offset_after(wanted.after);
    let scan = tokio::task::spawn_blocking(move || journal::scan(&path, offset, &wanted));
    scan.await.map_err(|error| Refused::broken(&error))?.map_err(|error| Refused::broken(&error))
}

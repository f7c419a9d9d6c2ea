//! Slow chores: letters whose message was lost, letters that settled themselves, and what is old enough to be forgotten:
//! idempotency keys, sessions, invitations, requests for billing keys, counts, callbacks, accounts that money went back
//! to, and after a year the audit log and keys that ended.

use std::time::Duration;

use naru_shared::clock::Ids as _;
use naru_shared::store::StoreError;
use naru_shared::system::System;
use serde_json::json;

use super::{every, next};
use crate::Worker;

const EVERY: Duration = Duration::from_secs(5);
const BATCH_MAX: i64 = 500;

pub(super) async fn run(worker: Worker) {
    let mut tick = every(EVERY);
    while next(&worker, &mut tick).await {
        if let Err(error) = chores(&worker).await {
            tracing::warn!(%error, "chores wait for Postgres");
        }
    }
}

async fn chores(worker: &Worker) -> Result<(), StoreError> {
    for operation in worker.store.operations_owing_a_letter(BATCH_MAX).await? {
        if let Some(row) = worker.store.operation(operation).await? {
            let headers = json!({ "naru": "the message was lost; the row tells" });
            let reason = row.letter_reason();
            let new = worker.store.archive_letter(System.ordered(), operation, reason, None, None, &headers).await?;
            if new == Some(true) {
                metrics::counter!("naru_dead_letters_total", "reason" => reason).increment(1);
            }
        }
    }
    worker.store.resolve_settled_letters(BATCH_MAX).await?;
    let store = &worker.store;
    let keys = all(worker, || store.forget_old_keys(BATCH_MAX)).await?;
    if keys > 0 {
        tracing::info!(forgotten = keys, "old idempotency keys are forgotten");
    }
    all(worker, || store.forget_old_staff_sessions(BATCH_MAX)).await?;
    all(worker, || store.forget_old_invitations(BATCH_MAX)).await?;
    all(worker, || store.forget_old_sessions(BATCH_MAX)).await?;
    all(worker, || store.forget_old_billing_requests(BATCH_MAX)).await?;
    all(worker, || store.forget_old_counts(BATCH_MAX)).await?;
    all(worker, || store.forget_old_callbacks(BATCH_MAX)).await?;
    all(worker, || store.forget_sealed_payees(BATCH_MAX)).await?;
    all(worker, || store.forget_old_audit_log(BATCH_MAX)).await?;
    all(worker, || store.forget_ended_keys(BATCH_MAX)).await?;
    Ok(())
}

/// Forgets batch by batch. A full one says that there are more: what a busy day brought, or a busy guesser, must not take
/// days to forget. Returns how many that were.
async fn all<F>(worker: &Worker, forget: impl Fn() -> F) -> Result<u64, StoreError>
where
    F: Future<Output = Result<u64, StoreError>>,
{
    let mut forgotten = 0;
    loop {
        let batch = forget().await?;
        forgotten += batch;
        if batch < BATCH_MAX.unsigned_abs() || worker.shutdown.is_cancelled() {
            return Ok(forgotten);
        }
    }
}

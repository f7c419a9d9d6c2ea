//! Records what conversations came to. Batches form by themselves: whatever has finished goes into one commit.

use std::collections::HashSet;
use std::time::Duration;

use naru_shared::broker::{Hint, Outgoing, WorkQueue};
use naru_shared::bus::Notice;
use naru_shared::clock::Clock as _;
use naru_shared::crash::hold_point;
use naru_shared::store::{HintOwed, Late, Outcome, Recorded, StoreError};
use naru_shared::system::System;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use crate::Worker;
use crate::job::{End, Finished};

/// Outcomes in one commit at most.
const BATCH_MAX: usize = 64;

/// Takes what has finished until every sender is gone. An answer in hand is written again until it is recorded or refused.
pub(crate) async fn run(worker: Worker, mut finished: mpsc::Receiver<Finished>) {
    let mut arrived = Vec::with_capacity(BATCH_MAX);
    let mut later: Vec<Finished> = Vec::new();
    loop {
        if later.is_empty() && finished.recv_many(&mut arrived, BATCH_MAX).await == 0 {
            return;
        }
        later.append(&mut arrived);
        // At most one outcome per payment in a batch: `UPDATE … FROM` changes a row once and does not say so.
        let mut payments = HashSet::with_capacity(later.len());
        let (mut batch, rest): (Vec<_>, Vec<_>) = later
            .drain(..)
            .partition(|finished| finished.outcome.as_ref().is_none_or(|outcome| payments.insert(outcome.payment)));
        later = rest;
        // Rows are locked in the order of their ids, here as everywhere.
        batch.sort_by_key(|finished| finished.outcome.as_ref().map(|outcome| outcome.payment));
        commit(&worker, batch).await;
    }
}

async fn commit(worker: &Worker, batch: Vec<Finished>) {
    let (batch, lost): (Vec<_>, Vec<_>) = batch.into_iter().partition(|finished| finished.outcome.is_some());
    for finished in lost {
        finished.receipt.done();
    }
    // What needs more than the common statement must not hold up what doesn't.
    let is_plain = |finished: &Finished| finished.outcome.as_ref().is_some_and(Outcome::is_plain);
    let (batch, special): (Vec<_>, Vec<_>) = batch.into_iter().partition(is_plain);
    commit_plain(worker, batch).await;
    one_by_one(worker, special).await;
}

async fn commit_plain(worker: &Worker, batch: Vec<Finished>) {
    let outcomes: Vec<Outcome> = batch.iter().filter_map(|finished| finished.outcome.clone()).collect();
    if outcomes.is_empty() {
        return;
    }
    metrics::histogram!("naru_worker_commit_batch").record(u32::try_from(outcomes.len()).unwrap_or(u32::MAX));
    let next = match until_answered(|| worker.store.record_batch(&outcomes)).await {
        Ok(next) => next,
        Err(StoreError::BatchDisagrees) => return one_by_one(worker, batch).await,
        Err(error) => {
            tracing::error!(error = format!("{error:?}"), "a batch can't be recorded; it is tried item by item");
            return one_by_one(worker, batch).await;
        }
    };
    hold_point("recorded").await;
    let now = System.now();
    let notices = outcomes.iter().filter_map(notice_of).collect();
    for finished in &batch {
        if let Some(outcome) = &finished.outcome {
            hint_again(worker, finished, outcome, now);
        }
    }
    hint_next(worker, next);
    wake(worker, notices).await;
    hold_point("published").await;
    for finished in batch {
        settle(finished);
    }
}

async fn one_by_one(worker: &Worker, batch: Vec<Finished>) {
    for finished in batch {
        let Some(outcome) = finished.outcome.clone() else { continue };
        match until_answered(|| worker.store.record_one(&outcome)).await {
            Ok(Recorded::Stands { version, state, next, late }) => {
                hold_point("recorded").await;
                if let Late::Reversing(_) | Late::Case = late {
                    let late = told(late);
                    tracing::warn!(operation = %outcome.operation, late, "somebody has heard otherwise");
                }
                let notice = state.map(|state| Notice {
                    payment: outcome.payment.0,
                    version,
                    status: state.status().as_str().to_owned(),
                });
                hint_again(worker, &finished, &outcome, System.now());
                hint_next(worker, next);
                wake(worker, notice.into_iter().collect()).await;
                hold_point("published").await;
                settle(finished);
            }
            Ok(Recorded::Refused { late }) => {
                metrics::counter!("naru_worker_refused_decisions_total").increment(1);
                let late = told(late);
                tracing::warn!(operation = %outcome.operation, fence = outcome.fence, late, "a late decision is refused");
                finished.receipt.done();
            }
            Ok(Recorded::Doubted) => {
                metrics::counter!("naru_worker_late_changes_total").increment(1);
                tracing::warn!(operation = %outcome.operation, "somebody has heard that it was made: it is asked after again");
                finished.receipt.done();
            }
            Ok(Recorded::Unfit { late }) => {
                metrics::counter!("naru_worker_illegal_decisions_total").increment(1);
                let late = told(late);
                tracing::error!(operation = %outcome.operation, late, "a payment does not take what happened to it");
                finished.receipt.reject();
            }
            Err(error) => {
                // The statement itself is wrong: no repetition helps, and the row must not be lost with it. It stays
                // claimed, is taken over in a minute, and begins with an inquiry.
                tracing::error!(error = format!("{error:?}"), operation = %outcome.operation, "an outcome can't be recorded");
                metrics::counter!("naru_worker_unrecordable_total").increment(1);
                finished.receipt.done();
            }
        }
    }
}

/// What was done about an answer, in words; an approval that nobody wants is counted.
fn told(late: Late) -> &'static str {
    match late {
        Late::Nothing => "nothing new",
        Late::Kept => "kept",
        Late::Looked => "of an account that was done with: it is looked at",
        Late::Reversing(_) => {
            metrics::counter!("naru_worker_late_approvals_total").increment(1);
            "an approval that nobody wants: it is reversed"
        }
        Late::Case => {
            metrics::counter!("naru_worker_late_changes_total").increment(1);
            "a change that was given up: a person has to look"
        }
    }
}

/// Repeats a statement for as long as Postgres can't be reached.
async fn until_answered<T, F>(statement: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut delay = Duration::from_millis(50);
    loop {
        match statement().await {
            Err(error) if error.is_transient() => {
                tracing::warn!(%error, "an answer waits to be recorded");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(1));
            }
            answered => return answered,
        }
    }
}

fn notice_of(outcome: &Outcome) -> Option<Notice> {
    let state = outcome.state.as_ref()?;
    Some(Notice {
        payment: outcome.payment.0,
        version: outcome.version + 1,
        status: state.status().as_str().to_owned(),
    })
}

/// The hint that brings this operation back, if it is to come back soon. A lost one costs seconds: the sweeper knows.
fn hint_again(worker: &Worker, finished: &Finished, outcome: &Outcome, now: OffsetDateTime) {
    let due_at = match End::of(outcome) {
        End::RetryAfter(due_at) | End::Reject(_, Some(due_at)) => due_at,
        End::Done | End::Reject(_, None) => return,
    };
    let status = outcome.decision.next.status();
    let kind = outcome.kind;
    let queue = WorkQueue::new(finished.queue.connector, naru_shared::domain::operation::urgency(kind, status));
    let hint = Hint {
        operation: outcome.operation.0,
        attempt: u32::try_from(finished.attempt).unwrap_or(0),
        due_at,
        waited: 0,
    };
    if let Some(message) = Outgoing::due(queue, &hint, now) {
        worker.relay.offer(message.with_traceparent(&finished.traceparent));
    }
}

/// The hints of the operations whose turn it is now.
fn hint_next(worker: &Worker, next: Vec<HintOwed>) {
    let now = System.now();
    for owed in next {
        if let Some(message) = outgoing(&owed, now) {
            worker.relay.offer(message);
        }
    }
}

/// What a message says that is owed.
pub(crate) fn hint(owed: &HintOwed) -> Hint {
    let attempt = u32::try_from(owed.attempt).unwrap_or(0);
    Hint { operation: owed.operation.0, attempt, due_at: owed.due_at, waited: 0 }
}

/// The message of a hint that is owed, on the way its due time asks for; nothing when it stays in Postgres for now.
pub(crate) fn outgoing(owed: &HintOwed, now: OffsetDateTime) -> Option<Outgoing> {
    let queue = WorkQueue::new(owed.connector.as_str(), owed.urgency);
    Some(Outgoing::due(queue, &hint(owed), now)?.with_traceparent(&owed.trace_parent))
}

/// Wakes streams and waiting requests. Bounded by the bus at 100 ms; they look for themselves every 1.5 s.
async fn wake(worker: &Worker, notices: Vec<Notice>) {
    if !notices.is_empty() {
        worker.bus.publish(&notices).await;
    }
}

fn settle(finished: Finished) {
    match finished.outcome.as_ref().map(End::of) {
        Some(End::Reject(letter, _)) => {
            tracing::warn!(letter = letter.as_str(), "a message goes to the dead letters");
            finished.receipt.reject();
        }
        Some(End::Done | End::RetryAfter(_)) | None => finished.receipt.done(),
    }
}

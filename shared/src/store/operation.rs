//! Operations as messages and operators see them.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::row::{json, known, mode};
use super::{Conn, Store, StoreError, account_look, read};
use crate::domain::event::PaymentEvent;
use crate::domain::id::{Mode, OperationId, PaymentId};
use crate::domain::operation::{Connector, OperationKind, OperationStatus, Urgency, urgency};
use crate::domain::payment::{PaymentState, Work};

/// A hint that should be published: what a message says, and the queue it goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HintOwed {
    /// Which operation.
    pub operation: OperationId,
    /// Whose queues.
    pub connector: Connector,
    /// Which of them.
    pub urgency: Urgency,
    /// Tries so far.
    pub attempt: i32,
    /// When it is due.
    pub due_at: OffsetDateTime,
    /// W3C `traceparent` of the request that accepted it.
    pub trace_parent: String,
}

/// The columns a hint is made of.
#[derive(Deserialize)]
pub(super) struct HintRow {
    pub(super) operation: Uuid,
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) connector: String,
    pub(super) attempt_count: i32,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) due_at: OffsetDateTime,
    pub(super) trace_parent: String,
}

impl HintRow {
    pub(super) fn into_hint(self) -> Result<HintOwed, StoreError> {
        const TABLE: &str = "operations";
        let id = self.operation;
        let kind = known(OperationKind::parse(&self.kind), TABLE, "kind", id)?;
        let status = known(OperationStatus::parse(&self.status), TABLE, "status", id)?;
        Ok(HintOwed {
            operation: OperationId(id),
            connector: known(Connector::parse(&self.connector), TABLE, "connector", id)?,
            urgency: urgency(kind, status),
            attempt: self.attempt_count,
            due_at: self.due_at,
            trace_parent: self.trace_parent,
        })
    }
}

impl HintOwed {
    pub(super) fn from_json(rows: Value) -> Result<Vec<Self>, StoreError> {
        let rows: Vec<HintRow> = json(rows, "operations", "next", "batch")?;
        rows.into_iter().map(HintRow::into_hint).collect()
    }

    /// The next operations of a payment whose turn it is: one, and one net-cancel beside it.
    pub(super) async fn of_payment(conn: Conn<'_>, payment: PaymentId) -> Result<Vec<Self>, StoreError> {
        let rows = sqlx::query_as!(
            HintRow,
            r#"select distinct on (kind = 'net_cancel') id as operation, kind, status, connector, attempt_count, due_at,
                trace_parent
            from operations where payment_id = $1 and status in ('queued', 'waiting', 'unknown')
            order by kind = 'net_cancel', number"#,
            payment.0,
        )
        .fetch_all(&mut *conn)
        .await
        .map_err(StoreError::read)?;
        rows.into_iter().map(HintRow::into_hint).collect()
    }
}

/// An operation that has been unsettled for long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StuckOperation {
    /// Which operation.
    pub operation: Uuid,
    /// Of which payment.
    pub payment_key: String,
    /// Of which merchant.
    pub mid: String,
    /// What is to be done.
    pub kind: String,
    /// How far it is.
    pub status: String,
    /// In minor units.
    pub amount: i64,
    /// Tries so far.
    pub attempt_count: i32,
    /// Inquiries so far.
    pub inquiry_count: i32,
    /// When it is tried next.
    #[serde(with = "time::serde::rfc3339")]
    pub due_at: OffsetDateTime,
    /// When it was accepted.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// How much of what payers wait for there is at an acquirer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Whose acquirer.
    pub connector: Connector,
    /// In which world.
    pub mode: Mode,
    /// Operations.
    pub rows: i64,
}

/// Why a letter's operation was not sent back to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rearmed {
    /// It was: it is due now, or its account is looked at.
    Yes,
    /// It is settled or under way, or the payment takes no more of it.
    NothingToDo,
}

impl Store {
    /// Operations unsettled for longer than `seconds`, or unknown, the oldest first.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn stuck_operations(&self, seconds: i32, limit: i64) -> Result<Vec<StuckOperation>, StoreError> {
        read!(
            self,
            sqlx::query_as!(
                StuckOperation,
                r#"select o.id as operation, p.payment_key, m.mid, o.kind, o.status, o.amount, o.attempt_count,
                    o.inquiry_count, o.due_at, o.created_at
                from operations o join payments p on p.id = o.payment_id join merchants m on m.id = p.merchant_id
                where o.status in ('queued', 'processing', 'waiting', 'unknown')
                    and (o.status = 'unknown' or o.created_at < now() - make_interval(secs => $1::integer))
                order by o.created_at limit $2"#,
                f64::from(seconds) as _,
                limit,
            ),
            fetch_all
        )
    }

    /// What payers wait for at each acquirer, by mode: approvals and accounts that are not settled and not being asked after.
    /// Counted no further than `limit` in all.
    ///
    /// # Errors
    /// When Postgres can't be asked, or has a word that there is not.
    pub async fn backlog(&self, limit: i64) -> Result<Vec<Waiting>, StoreError> {
        let rows = read!(
            self,
            sqlx::query!(
                r#"select o.connector, p.mode, count(*) as "rows!" from (
                        select connector, payment_id from operations
                        where nudge_at is not null and status in ('queued', 'processing', 'waiting')
                            and kind in ('approve', 'issue_account') limit $1) o
                    join payments p on p.id = o.payment_id group by 1, 2"#,
                limit,
            ),
            fetch_all
        )?;
        let waiting = rows.into_iter().map(|row| {
            let connector = known(Connector::parse(&row.connector), "operations", "connector", "backlog")?;
            Ok(Waiting { connector, mode: mode(&row.mode, "payments", "backlog")?, rows: row.rows })
        });
        waiting.collect()
    }

    /// Sends an operation back to work, in one transaction of a few round trips: a dead one is queued again, with a fresh
    /// crash budget; an unknown one is inquired after at once. Either begins with inquiries about all that was ever sent for it.
    /// Of one that had an account opened, and is done, the account is looked at at once if a case of it is open.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn rearm(&self, operation: OperationId, trace_id: &str) -> Result<Rearmed, StoreError> {
        use sqlx::Connection as _;
        let mut conn = self.conn().await?;
        let transaction = async {
            let mut tx = conn.begin().await.map_err(StoreError::not_written)?;
            let rearmed = rearm_in(&mut tx, operation, trace_id).await?;
            tx.commit().await.map_err(StoreError::write)?;
            Ok(rearmed)
        };
        match tokio::time::timeout(super::ANSWER_WITHIN, transaction).await {
            Ok(done) => done,
            Err(_) => {
                conn.forget();
                Err(StoreError::write(super::error::no_answer()))
            }
        }
    }
}

async fn rearm_in(conn: Conn<'_>, operation: OperationId, trace_id: &str) -> Result<Rearmed, StoreError> {
    let Some(payment) = sqlx::query!(
        "select id, state from payments where id = (select payment_id from operations where id = $1) for update",
        operation.0
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(StoreError::write)?
    else {
        return Ok(Rearmed::NothingToDo);
    };
    let row = sqlx::query!("select status, kind, attempt_count from operations where id = $1 for update", operation.0)
        .fetch_one(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    let status = known(OperationStatus::parse(&row.status), "operations", "status", operation)?;
    let kind = known(OperationKind::parse(&row.kind), "operations", "kind", operation)?;
    let standing: PaymentState = json(payment.state, "payments", "state", payment.id)?;
    let next_status = match status {
        OperationStatus::Succeeded | OperationStatus::Failed if kind == OperationKind::IssueAccount => {
            let looked_at = account_look::of_cases(conn, operation).await?;
            return Ok(if looked_at > 0 { Rearmed::Yes } else { Rearmed::NothingToDo });
        }
        OperationStatus::Dead => OperationStatus::Queued,
        OperationStatus::Unknown => OperationStatus::Unknown,
        OperationStatus::Queued
        | OperationStatus::Waiting
        | OperationStatus::Processing
        | OperationStatus::Succeeded
        | OperationStatus::Failed => return Ok(Rearmed::NothingToDo),
    };
    if status == OperationStatus::Dead {
        let work = Work { id: operation, kind, status: next_status, attempt: row.attempt_count, next_attempt_at: None };
        let event = PaymentEvent::WorkRearmed { work };
        // A payment that has ended meanwhile, or on which something else is at work, takes it no more.
        let Ok(next) = standing.on(&event) else { return Ok(Rearmed::NothingToDo) };
        super::record::move_payment(&mut *conn, PaymentId(payment.id), &next, &event, trace_id).await?;
    }
    sqlx::query!(
        r#"update operations set status = $2, due_at = now(), nudge_at = now(), nudge_count = 0, claim_count = 0,
            look_count = 0, letter = null, letter_reason = null, letter_fence = null, unknown_since = null,
            rearmed = rearmed or status = 'dead',
            -- Nobody waits for a payer here: who sends it back wants it done from now on.
            deadline_at = case when kind not in ('approve', 'net_cancel')
                then greatest(deadline_at, now() + make_interval(secs => $3)) else deadline_at end
        where id = $1"#,
        operation.0,
        next_status.as_str(),
        kind.within().as_seconds_f64(),
    )
    .execute(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    Ok(Rearmed::Yes)
}

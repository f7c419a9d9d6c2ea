//! Calls to acquirers: written down before they are sent, answered whenever an answer comes.

use time::OffsetDateTime;

use super::{Answered, Store, StoreError, read, write};
use crate::domain::attempt::Call;
use crate::domain::id::{AttemptId, OperationId, Reference, WorkerId};

/// A call that is about to be made, beside the one that its claim wrote down.
#[derive(Debug)]
pub struct NewAttempt<'a> {
    /// Its id.
    pub id: AttemptId,
    /// For which operation.
    pub operation: OperationId,
    /// Under which claim.
    pub fence: i64,
    /// By whom.
    pub worker: WorkerId,
    /// What is asked.
    pub call: Call,
    /// About, or under, which reference.
    pub reference: &'a Reference,
}

/// A call as the timeline tells it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRow {
    /// Its id.
    pub id: uuid::Uuid,
    /// What was asked.
    pub call: String,
    /// Under which reference.
    pub reference: String,
    /// Under which claim.
    pub fence: i64,
    /// By which worker.
    pub worker: uuid::Uuid,
    /// When it was written down.
    #[serde(with = "time::serde::rfc3339")]
    pub sent_at: OffsetDateTime,
    /// When an answer was written to it.
    #[serde(with = "time::serde::rfc3339::option")]
    pub answered_at: Option<OffsetDateTime>,
    /// The answer, in a word.
    pub answer: Option<String>,
    /// The acquirer's code, or the fault.
    pub code: Option<String>,
    /// How long the answer took.
    pub latency_ms: Option<i32>,
    /// What became of the money it may have moved.
    pub resolution: Option<String>,
}

impl Store {
    /// Writes down a call before it is made. False when the claim no longer holds: then it must not be made.
    ///
    /// # Errors
    /// When Postgres can't be reached; then it must not be made either.
    pub async fn begin_attempt(&self, attempt: &NewAttempt<'_>) -> Result<bool, StoreError> {
        let written = write!(
            self,
            sqlx::query!(
                r#"insert into attempts (id, operation_id, call, reference, fence, worker)
                select $1, o.id, $4, $5, $3, $6 from operations o
                where o.id = $2 and o.fence = $3 and o.status = 'processing'"#,
                attempt.id.0,
                attempt.operation.0,
                attempt.fence,
                attempt.call.as_str(),
                attempt.reference.as_str(),
                attempt.worker.0,
            ),
            execute
        )?;
        Ok(written.rows_affected() == 1)
    }

    /// Adds to a call what was heard, whoever holds the claim by now: evidence is not fenced.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn answer_attempt(&self, answered: &Answered) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"update attempts set answered_at = now(), answer = $2, code = $3, latency_ms = $4
                where id = $1 and answered_at is null"#,
                answered.attempt.0,
                answered.word.as_str(),
                answered.code,
                answered.latency_ms,
            ),
            execute
        )?;
        Ok(())
    }

    /// The calls made for an operation, in order.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn attempts_of(&self, operation: OperationId) -> Result<Vec<AttemptRow>, StoreError> {
        read!(
            self,
            sqlx::query_as!(
                AttemptRow,
                r#"select id, call, reference, fence, worker, sent_at, answered_at, answer, code, latency_ms, resolution
                from attempts where operation_id = $1 order by sent_at, id"#,
                operation.0,
            ),
            fetch_all
        )
    }
}

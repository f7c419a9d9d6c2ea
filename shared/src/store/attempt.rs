//! Calls to acquirers: written down before they are sent, answered whenever an answer comes.

use time::OffsetDateTime;

use super::row::known;
use super::{Answered, Late, Store, StoreError, evidence, read, write};
use crate::domain::attempt::{Because, Call, Resolution};
use crate::domain::evidence::{Verdict, judge};
use crate::domain::id::{AttemptId, OperationId, PayeeId, Reference, WorkerId};

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
    /// Why, for a net-cancel and for nothing else.
    pub because: Option<Because>,
}

/// What was known of a reference when a call about it was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Why its reversal was first asked for, if it ever was before.
    pub condemned: Option<Because>,
    /// When it was last written down that it would be sent, if it was before.
    pub sent_at: Option<OffsetDateTime>,
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
    /// Writes down a call before it is made. Nothing when the claim no longer holds, or when it is a change under a new
    /// reference while another one of this operation is open, of which this claim can't have known: then it must not be made.
    ///
    /// What it returns is newer than what the claim knew. A claim may take a row although a call of an earlier claim was
    /// written down after it began to look; this statement begins after the claim, and so after every such call.
    ///
    /// # Errors
    /// When Postgres can't be reached; then it must not be made either. [`StoreError::Constraint`] `attempts_pkey` when
    /// it is written down already.
    pub async fn begin_attempt(&self, attempt: &NewAttempt<'_>) -> Result<Option<Begun>, StoreError> {
        self.begin(attempt, None).await
    }

    /// The same of a pay-out, with where it goes to.
    ///
    /// # Errors
    /// As [`Store::begin_attempt`].
    pub async fn begin_pay_out(&self, attempt: &NewAttempt<'_>, to: PayeeId) -> Result<Option<Begun>, StoreError> {
        self.begin(attempt, Some(to)).await
    }

    async fn begin(&self, attempt: &NewAttempt<'_>, to: Option<PayeeId>) -> Result<Option<Begun>, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                // The row is locked: nobody claims it before this is committed, or this one is not written.
                r#"
                insert into attempts (id, operation_id, call, reference, fence, worker, because, payee)
                select $1, o.id, $4, $5, $3, $6, $7, $8 from operations o
                where o.id = $2 and o.fence = $3 and o.status = 'processing'
                    and not ($4 in ('capture', 'cancel', 'refund', 'return') and exists (
                        select 1 from attempts n where n.operation_id = o.id and n.reference <> $5
                            and n.call in ('capture', 'cancel', 'refund', 'return') and n.resolution is null))
                for share of o
                returning
                    (select n.because from attempts n where n.reference = $5 and n.call = 'net_cancel'
                        order by n.sent_at limit 1) as condemned,
                    (select max(n.sent_at) from attempts n where n.reference = $5
                        and n.call not in ('inquire', 'net_cancel')) as sent_at
                "#,
                attempt.id.0,
                attempt.operation.0,
                attempt.fence,
                attempt.call.as_str(),
                attempt.reference.as_str(),
                attempt.worker.0,
                attempt.because.map(Because::as_str) as _,
                to.map(|to| to.0) as _,
            ),
            fetch_optional
        )?;
        let Some(row) = row else { return Ok(None) };
        let condemned = row.condemned.as_deref();
        let condemned = condemned.map(|word| known(Because::parse(word), "attempts", "because", attempt.reference));
        Ok(Some(Begun { condemned: condemned.transpose()?, sent_at: row.sent_at }))
    }

    /// Adds to a call what was heard, whoever holds the claim by now: evidence is not fenced. If it says that money may
    /// be out under a reference that was done with meanwhile, nothing is written by the first statement; a transaction
    /// that holds the payment then writes the answer and queues its reversal in one commit.
    ///
    /// # Errors
    /// When Postgres can't be reached: then write it again.
    pub async fn answer_attempt(&self, answered: &Answered, trace_id: &str) -> Result<Late, StoreError> {
        let contradicted = Resolution::ALL
            .iter()
            .filter(|decided| {
                let verdict = judge(answered.call, answered.word, Call::Approve, Some(**decided));
                matches!(verdict, Verdict::Reverse | Verdict::Case | Verdict::Look)
            })
            .map(|decided| decided.as_str().to_owned());
        let row = write!(
            self,
            sqlx::query!(
                // The attempts of that reference are held meanwhile: what is decided about them is seen here, or
                // whoever decides it sees this.
                r#"
                with known as (
                    select a.call,
                        -- What is open though its operation has ended: nobody will ask about it any more.
                        case when a.resolution is null and o.status in ('succeeded', 'failed', 'dead') then 'not_moved'
                            else a.resolution end as resolution
                    from attempts a join operations o on o.id = a.operation_id
                    where a.reference = (select reference from attempts where id = $1)
                        and a.call not in ('inquire', 'net_cancel')
                    order by a.id for update of a
                ), kept as (
                    update attempts set answered_at = coalesce(answered_at, now()), answer = $2, code = $3,
                        latency_ms = $4
                    where id = $1 and (answered_at is null or answer = $2)
                        and not exists (select from known where resolution = any($5))
                    returning id
                )
                select exists (select from kept) as "kept!", (select call from known limit 1) as asked,
                    (select resolution from known where resolution is not null limit 1) as resolution
                "#,
                answered.attempt.0,
                answered.word.as_str(),
                answered.code,
                answered.latency_ms,
                &contradicted.collect::<Vec<String>>(),
            ),
            fetch_one
        )?;
        let decided = row.resolution.as_deref();
        let decided = decided.map(|word| known(Resolution::parse(word), "attempts", "resolution", answered.attempt));
        let asked = row.asked.as_deref();
        let asked = asked.map(|word| known(Call::parse(word), "attempts", "call", answered.attempt)).transpose()?;
        match judge(answered.call, answered.word, asked.unwrap_or(Call::Approve), decided.transpose()?) {
            Verdict::Reverse | Verdict::Case | Verdict::Look => self.keep_and_weigh(answered, trace_id).await,
            Verdict::Kept if row.kept => Ok(Late::Kept),
            Verdict::Kept | Verdict::Nothing => Ok(Late::Nothing),
        }
    }

    /// Writes an answer and what follows from it in one commit, with the payment held.
    async fn keep_and_weigh(&self, answered: &Answered, trace_id: &str) -> Result<Late, StoreError> {
        use sqlx::Connection as _;
        let mut conn = self.conn().await?;
        let transaction = async {
            let mut tx = conn.begin().await.map_err(StoreError::not_written)?;
            sqlx::query!(
                r#"select p.id from payments p join operations o on o.payment_id = p.id
                join attempts a on a.operation_id = o.id where a.id = $1 for update of p"#,
                answered.attempt.0,
            )
            .fetch_one(&mut *tx)
            .await
            .map_err(StoreError::write)?;
            super::record::keep_answer(&mut tx, answered).await?;
            let late = evidence::weigh_answer(&mut tx, answered, trace_id).await?;
            tx.commit().await.map_err(StoreError::write)?;
            Ok(late)
        };
        match tokio::time::timeout(super::ANSWER_WITHIN, transaction).await {
            Ok(done) => done,
            Err(_) => {
                conn.forget();
                Err(StoreError::write(super::error::no_answer()))
            }
        }
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

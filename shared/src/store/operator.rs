//! What operators say of changes that were given up, and of cases about accounts to pay into.

use serde::Serialize;
use time::OffsetDateTime;

use super::record::{move_payment, post};
use super::row::to_json;
use super::{Conn, Store, StoreError, account_look, deposit, read};
use crate::domain::attempt::Resolution;
use crate::domain::id::OperationId;
use crate::domain::ledger::posting;
use crate::domain::operation::{Connector, Operation, OperationKind, OperationResult, OperationStatus};
use crate::domain::operator::{OperatorWord, Spoken, is_of_another_amount, spoken};
use crate::domain::payment::{Payment, PaymentState};

/// How often a word is weighed anew when the payment has moved on while it was.
const TRIES_MAX: usize = 5;

/// An operator's word about a change that was given up, or about the cases of an account to pay into.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// About which operation.
    pub operation: OperationId,
    /// What.
    pub word: OperatorWord,
    /// Who says so, 1 to 100 characters.
    pub operator: &'a str,
    /// Why, 1 to 500 characters.
    pub reason: &'a str,
    /// Under which transaction the acquirer did it, if it did: 1 to 200 characters, and nothing of what is released.
    pub transaction_key: Option<&'a str>,
    /// The client's address, as far as it is known.
    pub address: Option<&'a str>,
    /// The request's trace, 32 hex digits.
    pub trace_id: &'a str,
    /// That and the request, for the audit log.
    pub request: &'a str,
}

/// What came of an operator's word.
#[derive(Debug, Clone, PartialEq)]
pub enum Heeded {
    /// It is booked. The payment's version that says so, and how the payment stands; as before, when it is about cases only.
    Booked {
        /// Of the payment.
        version: i64,
        /// At that version.
        state: Box<PaymentState>,
    },
    /// A call of it is open: what came of that can still be asked.
    StillOpen,
    /// Other work of its payment is under way, and what comes of that is decided on the payment as it stands.
    Busy,
    /// It is no change that was given up and has no such case, or the payment does not take it.
    NothingToDo,
}

/// An operator's word as it was booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BookedWord {
    /// `settled` or `released`.
    pub word: String,
    /// Who said so.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Under which transaction the acquirer did it.
    pub transaction_key: Option<String>,
    /// The payment's version that says so.
    pub version: i64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub said_at: OffsetDateTime,
}

impl Store {
    /// Books an operator's word about a change that was given up, in one transaction of several round trips: the payment's next
    /// version with its event and posting, how the operation ended, who said so and why, and what its letters and cases are done
    /// with. Accounts of the payment are looked at at once.
    ///
    /// Of the operation that had an account opened, settled means that somebody has dealt with its cases: they are closed, and
    /// nothing else changes. What the next look still finds opens its case again.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `operator_words_transaction` when that transaction stands for another operation already. When
    /// Postgres can't be reached; [`StoreError::Unavailable`] says whether it may have been booked.
    pub async fn heed(&self, said: &Said<'_>) -> Result<Heeded, StoreError> {
        for _ in 0..TRIES_MAX {
            let Some(operation) = self.operation(said.operation).await? else { break };
            let Some(payment) = self.payments(&[operation.payment]).await?.pop() else { break };
            if let Some(heeded) = self.heed_on(said, &operation, &payment).await? {
                return Ok(heeded);
            }
        }
        Ok(Heeded::NothingToDo)
    }

    /// Nothing when the payment does not stand as it was read any more.
    async fn heed_on(
        &self,
        said: &Said<'_>,
        operation: &Operation,
        payment: &Payment,
    ) -> Result<Option<Heeded>, StoreError> {
        use sqlx::Connection as _;
        let mut conn = self.conn().await?;
        let transaction = async {
            let mut tx = conn.begin().await.map_err(StoreError::not_written)?;
            let heeded = heed_in(&mut tx, said, operation, payment).await?;
            tx.commit().await.map_err(StoreError::write)?;
            Ok(heeded)
        };
        match tokio::time::timeout(super::ANSWER_WITHIN, transaction).await {
            Ok(done) => done,
            Err(_) => {
                conn.forget();
                Err(StoreError::write(super::error::no_answer()))
            }
        }
    }

    /// What an operator said of an operation last, if one ever did.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn word_about(&self, operation: OperationId) -> Result<Option<BookedWord>, StoreError> {
        read!(
            self,
            sqlx::query_as!(
                BookedWord,
                r#"select word, operator, reason, transaction_key, version, said_at from operator_words
                where operation_id = $1 order by said_at desc limit 1"#,
                operation.0,
            ),
            fetch_optional
        )
    }
}

async fn heed_in(
    conn: Conn<'_>,
    said: &Said<'_>,
    operation: &Operation,
    payment: &Payment,
) -> Result<Option<Heeded>, StoreError> {
    // Payments before operations, as every writer takes them.
    let row = sqlx::query!(r#"select version, now() as "now!" from payments where id = $1 for update"#, payment.id.0)
        .fetch_one(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    let state = sqlx::query!(
        r#"select status, exists (
            select 1 from attempts a where a.operation_id = o.id and a.call not in ('inquire', 'net_cancel')
                and a.resolution is null) as "open!",
            coalesce((select a.call = 'refund' from attempts a
                where a.operation_id = o.id and a.call not in ('inquire', 'net_cancel')
                order by a.sent_at desc limit 1), false) as "refund_sent!"
        from operations o where id = $1 for update"#,
        operation.id.0,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    if row.version != payment.version || state.status != operation.status.as_str() {
        return Ok(None);
    }
    if operation.kind == OperationKind::IssueAccount {
        return deal_with(conn, said, operation, payment).await.map(Some);
    }
    let Some(Spoken { event, result }) = spoken(operation, payment, said.word, state.refund_sent, row.now) else {
        return Ok(Some(Heeded::NothingToDo));
    };
    let of_another_amount = is_of_another_amount(operation);
    if !of_another_amount && state.open {
        return Ok(Some(Heeded::StillOpen));
    }
    if !of_another_amount && payment.state.is_busy() {
        return Ok(Some(Heeded::Busy));
    }
    let Ok(next) = payment.state.on(&event) else { return Ok(Some(Heeded::NothingToDo)) };
    let version = move_payment(&mut *conn, payment.id, &next, &event, said.trace_id).await?;
    if let Some(posting) = posting(payment, &event) {
        post(&mut *conn, (payment.id, version), operation.id, posting).await?;
    }
    deposit::went_twice(&mut *conn, &payment.state, &event).await?;
    let (status, resolution) = match result {
        OperationResult::Succeeded => (OperationStatus::Succeeded, Resolution::Approved),
        OperationResult::Failed { .. } => (OperationStatus::Failed, Resolution::Declined),
    };
    if of_another_amount {
        // Nobody asks about it any more, and what waited behind it has its turn.
        sqlx::query!(
            r#"with told as (
                update attempts set resolution = $2 where operation_id = $1 and resolution is null
                    and call not in ('inquire', 'net_cancel')
            )
            update operations set nudge_at = now()
            where payment_id = $3 and id <> $1 and status in ('queued', 'waiting') and nudge_at is not null"#,
            operation.id.0,
            resolution.as_str(),
            payment.id.0,
        )
        .execute(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    }
    sqlx::query!(
        r#"update operations set status = $2, result = $3, result_version = $4, settled_at = now(), nudge_at = null,
            unknown_since = null
        where id = $1"#,
        operation.id.0,
        status.as_str(),
        to_json(&result),
        version,
    )
    .execute(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    write_down(&mut *conn, said, payment, version).await?;
    if operation.connector == Connector::VirtualAccount {
        account_look::at_once(&mut *conn, payment.id).await?;
    }
    Ok(Some(Heeded::Booked { version, state: Box::new(next) }))
}

/// Closes the cases about an account that was opened, or was not: somebody has dealt with them. What a look finds out is looked at.
async fn deal_with(
    conn: Conn<'_>,
    said: &Said<'_>,
    operation: &Operation,
    payment: &Payment,
) -> Result<Heeded, StoreError> {
    let has_case = sqlx::query_scalar!(
        r#"select exists (select from cases where operation_id = $1 and closed_at is null) as "exists!""#,
        operation.id.0
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    let is_heeded = match (operation.status, said.word) {
        (OperationStatus::Succeeded | OperationStatus::Failed, OperatorWord::Settled) => has_case,
        (OperationStatus::Succeeded | OperationStatus::Failed, OperatorWord::Released)
        | (
            OperationStatus::Queued
            | OperationStatus::Processing
            | OperationStatus::Waiting
            | OperationStatus::Unknown
            | OperationStatus::Dead,
            OperatorWord::Settled | OperatorWord::Released,
        ) => false,
    };
    if !is_heeded {
        return Ok(Heeded::NothingToDo);
    }
    account_look::of_cases(&mut *conn, operation.id).await?;
    write_down(conn, said, payment, payment.version).await?;
    Ok(Heeded::Booked { version: payment.version, state: Box::new(payment.state.clone()) })
}

/// Who said what, and that nobody has to look into it any more.
async fn write_down(conn: Conn<'_>, said: &Said<'_>, payment: &Payment, version: i64) -> Result<(), StoreError> {
    sqlx::query!(
        r#"with word as (
            insert into operator_words (operation_id, word, operator, reason, transaction_key, version, trace_id)
            values ($1, $2, $3, $4, $5, $6, $7)
        ), letter as (
            update dead_letters set resolved_at = now(), resolution = $2 where operation_id = $1 and resolved_at is null
        ), disputed as (
            update cases c set closed_at = now() from operations o
            where o.id = $1 and c.operation_id = o.id and c.closed_at is null
                and (c.kind in ('books_disagree', 'amount_mismatch') or o.kind = 'issue_account')
        )
        insert into audit_log (merchant_id, mode, action, subject, address, trace_id)
        values ($8, $9, 'operation.' || $2, $1::text, $10, $11)"#,
        said.operation.0,
        said.word.as_str(),
        said.operator,
        said.reason,
        said.transaction_key as _,
        version,
        said.trace_id,
        payment.tenant.merchant.0,
        payment.tenant.mode.as_str(),
        said.address as _,
        said.request,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

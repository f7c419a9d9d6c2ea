//! Dead letters: the archive that operators work on.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Cursor, Store, StoreError, read, write};
use crate::domain::id::OperationId;
use crate::domain::operation::LetterKind;

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Its id.
    pub id: Uuid,
    /// The operation it is about; nothing for poison.
    pub operation: Option<Uuid>,
    /// The payment it is about, as merchants call it.
    pub payment_key: Option<String>,
    /// Of which merchant.
    pub mid: Option<String>,
    /// What the operation was to do.
    pub operation_kind: Option<String>,
    /// How far it is now.
    pub operation_status: Option<String>,
    /// What it asks of its reader: `information`, `replayable`, `needs_person` or `poison`.
    pub kind: String,
    /// Why it died.
    pub reason: String,
    /// Where the message died.
    pub queue: Option<String>,
    /// How long the message was, in bytes.
    pub body_length: Option<i32>,
    /// When it died.
    #[serde(with = "time::serde::rfc3339")]
    pub died_at: OffsetDateTime,
    /// How often it was replayed.
    pub replay_count: i32,
    /// When it was resolved.
    #[serde(with = "time::serde::rfc3339::option")]
    pub resolved_at: Option<OffsetDateTime>,
}

/// Which letters an operator wants to see.
#[derive(Debug, Clone, Default)]
pub struct LetterFilter {
    /// Only those of this kind. Without one, those for information are left out: they ask nothing of anybody.
    pub kind: Option<String>,
    /// Resolved ones too, and those for information.
    pub resolved: bool,
    /// Only those after this one, the newest first.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: i64,
}

impl Store {
    /// Archives a dead message that names an operation: one letter per operation and claim, of the kind that the row
    /// owes, or for information when it owes none. A message that comes after its letter was written without it is
    /// added to that letter. Returns whether it is a new one; `None` when there is no such operation.
    ///
    /// # Errors
    /// When Postgres can't be reached: then the message stays queued.
    pub async fn archive_letter(
        &self,
        id: Uuid,
        operation: OperationId,
        reason: &str,
        queue: Option<&str>,
        body: Option<&[u8]>,
        headers: &serde_json::Value,
    ) -> Result<Option<bool>, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with operation as (
                    select id, coalesce(letter_fence, fence) as fence, coalesce(letter, 'information') as kind
                    from operations where id = $2
                ), letter as (
                    insert into dead_letters (id, operation_id, fence, kind, reason, queue, body, headers)
                    select $1, id, fence, kind, $3, $4, $5, $6 from operation
                    on conflict on constraint dead_letters_once do update
                        set queue = excluded.queue, body = excluded.body, headers = excluded.headers
                        where dead_letters.body is null and excluded.body is not null
                    returning xmax = 0 as new
                )
                select exists (select 1 from operation) as "known!",
                    coalesce((select new from letter), false) as "new!"
                "#,
                id,
                operation.0,
                reason,
                queue,
                body,
                headers,
            ),
            fetch_one
        )?;
        Ok(row.known.then_some(row.new))
    }

    /// Archives a message that names no operation of ours, to the byte.
    ///
    /// # Errors
    /// When Postgres can't be reached: then the message stays queued.
    pub async fn archive_poison(
        &self,
        id: Uuid,
        reason: &str,
        queue: Option<&str>,
        body: &[u8],
        headers: &serde_json::Value,
    ) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"insert into dead_letters (id, kind, reason, queue, body, headers) values ($1, 'poison', $2, $3, $4, $5)
                on conflict do nothing"#,
                id,
                reason,
                queue,
                body,
                headers,
            ),
            execute
        )?;
        Ok(())
    }

    /// Operations that owe a letter which no message has brought yet, at most `limit`.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn operations_owing_a_letter(&self, limit: i64) -> Result<Vec<OperationId>, StoreError> {
        let ids = read!(
            self,
            sqlx::query_scalar!(
                r#"select o.id from operations o
                where o.letter is not null
                    and not exists (select 1 from dead_letters d where d.operation_id = o.id and d.fence = o.letter_fence)
                limit $1"#,
                limit,
            ),
            fetch_all
        )?;
        Ok(ids.into_iter().map(OperationId).collect())
    }

    /// Resolves the letters that asked for somebody and whose operation has settled meanwhile, unless they are about an account
    /// to pay into of which a case is open, and closes the cases of books that disagreed about what has settled. At most `limit`;
    /// returns how many letters.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn resolve_settled_letters(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"with settled as (
                    select d.id, d.operation_id, o.kind from dead_letters d join operations o on o.id = d.operation_id
                    where d.resolved_at is null and d.kind in ('replayable', 'needs_person')
                        and o.status in ('succeeded', 'failed')
                        and not (o.kind = 'issue_account' and exists (select from cases c
                            where c.operation_id = o.id and c.closed_at is null))
                    limit $1
                ), agreed as (
                    update cases c set closed_at = now() from settled s
                    where c.operation_id = s.operation_id and c.closed_at is null
                        and (c.kind = 'books_disagree' or (c.kind = 'amount_mismatch' and s.kind <> 'approve'))
                )
                update dead_letters set resolved_at = now(), resolution = 'settled' where id in (select id from settled)"#,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }

    /// Letters, the newest first.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn letters(&self, filter: &LetterFilter) -> Result<Vec<Letter>, StoreError> {
        read!(
            self,
            sqlx::query_as!(
                Letter,
                r#"select d.id, d.operation_id as operation, p.payment_key as "payment_key?", m.mid as "mid?",
                    o.kind as "operation_kind?", o.status as "operation_status?", d.kind, d.reason, d.queue,
                    length(d.body) as body_length, d.died_at, d.replay_count, d.resolved_at
                from dead_letters d
                left join operations o on o.id = d.operation_id
                left join payments p on p.id = o.payment_id
                left join merchants m on m.id = p.merchant_id
                where case when $1::text is not null then d.kind = $1 else $2 or d.kind <> 'information' end
                    and ($2 or d.resolved_at is null)
                    and ($3::timestamptz is null or (d.died_at, d.id) < ($3, $4))
                order by d.died_at desc, d.id desc limit $5"#,
                filter.kind.as_deref() as _,
                filter.resolved,
                filter.after.map(|c| c.at) as _,
                filter.after.map(|c| c.id) as _,
                filter.limit,
            ),
            fetch_all
        )
    }

    /// One letter, with its message's bytes and headers.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn letter(&self, id: Uuid) -> Result<Option<(Letter, Option<Vec<u8>>, serde_json::Value)>, StoreError> {
        let letter = read!(
            self,
            sqlx::query_as!(
                Letter,
                r#"select d.id, d.operation_id as operation, p.payment_key as "payment_key?", m.mid as "mid?",
                    o.kind as "operation_kind?", o.status as "operation_status?", d.kind, d.reason, d.queue,
                    length(d.body) as body_length, d.died_at, d.replay_count, d.resolved_at
                from dead_letters d
                left join operations o on o.id = d.operation_id
                left join payments p on p.id = o.payment_id
                left join merchants m on m.id = p.merchant_id
                where d.id = $1"#,
                id,
            ),
            fetch_optional
        )?;
        let Some(letter) = letter else { return Ok(None) };
        let message = read!(self, sqlx::query!("select body, headers from dead_letters where id = $1", id), fetch_one)?;
        Ok(Some((letter, message.body, message.headers)))
    }

    /// Notes that a person sent a letter's operation back to work.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn note_replay(&self, id: Uuid) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                "update dead_letters set replay_count = replay_count + 1, replayed_at = now() where id = $1",
                id
            ),
            execute
        )?;
        Ok(())
    }
}

impl LetterKind {
    /// Whether an operator may send its operation back to work.
    #[must_use]
    pub const fn is_replayable(self) -> bool {
        match self {
            Self::Replayable | Self::NeedsPerson => true,
            Self::Information => false,
        }
    }
}

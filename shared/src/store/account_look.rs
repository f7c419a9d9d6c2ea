//! Which accounts the bank is asked about, and when. What is here is no truth: a row that is lost costs a look that comes
//! later, or never where the account has been forgotten on purpose.

use time::OffsetDateTime;

use super::{Conn, Store, StoreError, read, write};
use crate::domain::id::{OperationId, PaymentId, Reference};

/// How long whoever took a look has for it, before another does.
const TAKEN_FOR: f64 = 30.0;
/// When an account that was just opened is looked at first, in seconds.
const FIRST_AFTER: f64 = 15.0;

/// A look that was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Our name for the account.
    pub reference: Reference,
    /// Whose account.
    pub payment: PaymentId,
    /// How often it was looked at since something changed, before this.
    pub looks: i32,
    /// How often in a row that came to nothing, before this.
    pub failures: i32,
    /// Until when it is ours.
    pub until: OffsetDateTime,
    /// The database's time.
    pub now: OffsetDateTime,
    /// When the bank called back, if nothing was found since.
    pub called_back_at: Option<OffsetDateTime>,
    /// W3C `traceparent` of the request that had the account opened.
    pub trace_parent: Option<String>,
}

/// What became of a bank's callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CalledBack {
    /// The account is looked at at once.
    Taken,
    /// It was taken before.
    Known,
    /// There is no such account of ours.
    Unknown,
}

impl Store {
    /// Takes looks whose time has come: nobody else does for half a minute, and somebody does again after it.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn take_looks(&self, limit: i64) -> Result<Vec<Look>, StoreError> {
        let rows = write!(
            self,
            sqlx::query!(
                r#"
                with due as (
                    select reference from account_looks where look_at <= now()
                    order by is_called desc, look_at limit $1 for update skip locked
                )
                update account_looks l set look_at = now() + make_interval(secs => $2), is_called = false from due
                where l.reference = due.reference
                returning l.reference, l.payment_id, l.looks, l.failures, l.look_at, now() as "now!", l.called_back_at,
                    (select o.trace_parent from attempts a join operations o on o.id = a.operation_id
                        where a.reference = l.reference and a.call = 'issue' limit 1) as trace_parent
                "#,
                limit,
                TAKEN_FOR,
            ),
            fetch_all
        )?;
        let looks = rows.into_iter().map(|row| Look {
            reference: Reference(row.reference),
            payment: PaymentId(row.payment_id),
            looks: row.looks,
            failures: row.failures,
            until: row.look_at,
            now: row.now,
            called_back_at: row.called_back_at,
            trace_parent: row.trace_parent,
        });
        Ok(looks.collect())
    }

    /// Says when an account is looked at again, and how often it was since something was found (0: something was), unless somebody
    /// wants it looked at sooner since the look was taken.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn look_again(&self, look: &Look, at: OffsetDateTime, looks: i32) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"update account_looks set look_at = case when look_at = $4 then $2 else look_at end,
                    looks = case when look_at = $4 then $3 else looks end, failures = 0, failing_since = null,
                    called_back_at = case when $3 > 0 or look_at <> $4 then called_back_at end
                where reference = $1 and (look_at = $4 or failures > 0)"#,
                look.reference.as_str(),
                at,
                looks,
                look.until,
            ),
            execute
        )?;
        Ok(())
    }

    /// Says that the bank said nothing that can be used, and when it is asked again, unless somebody wants that sooner. Returns
    /// for how many seconds it has been so.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn look_failed(&self, look: &Look, at: OffsetDateTime) -> Result<f64, StoreError> {
        let since = write!(
            self,
            sqlx::query_scalar!(
                r#"update account_looks set look_at = case when look_at = $3 then $2 else look_at end,
                    failures = failures + 1, failing_since = coalesce(failing_since, now())
                where reference = $1
                returning extract(epoch from now() - failing_since)::float8 as "seconds!""#,
                look.reference.as_str(),
                at,
                look.until,
            ),
            fetch_optional
        )?;
        Ok(since.unwrap_or_default())
    }

    /// When an account was asked for last; nothing when it never was.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn asked_for_account(&self, reference: &Reference) -> Result<Option<OffsetDateTime>, StoreError> {
        read!(
            self,
            sqlx::query_scalar!(
                "select max(sent_at) from attempts where reference = $1 and call = 'issue'",
                reference.as_str()
            ),
            fetch_one
        )
    }

    /// Looks at an account no more, unless somebody wants it looked at since the look was taken.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn look_no_more(&self, look: &Look) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                "delete from account_looks where reference = $1 and look_at = $2",
                look.reference.as_str(),
                look.until,
            ),
            execute
        )?;
        Ok(())
    }

    /// Takes a bank's callback, once: the account that it names is looked at at once, even if its issue is not answered yet.
    ///
    /// # Errors
    /// When Postgres can't be reached; then the bank may call again.
    pub async fn called_back(&self, event_id: &str, reference: &str) -> Result<CalledBack, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with account as (
                    select o.payment_id from attempts a join operations o on o.id = a.operation_id
                    where a.reference = $2 and a.call = 'issue' limit 1
                ), callback as (
                    insert into bank_callbacks (event_id, reference) select $1, $2 from account
                    on conflict (event_id) do nothing returning 1
                ), look as (
                    insert into account_looks (reference, payment_id, look_at, is_called, called_back_at)
                    select $2, payment_id, now(), true, now() from account where exists (select from callback)
                    on conflict (reference) do update set look_at = now(), looks = 0, is_called = true,
                        called_back_at = now()
                )
                select exists (select from account) as "known!", exists (select from callback) as "new!"
                "#,
                event_id,
                reference,
            ),
            fetch_one
        )?;
        Ok(match (row.known, row.new) {
            (false, _) => CalledBack::Unknown,
            (true, true) => CalledBack::Taken,
            (true, false) => CalledBack::Known,
        })
    }

    /// Forgets callbacks so old that none like them would be taken. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_callbacks(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from bank_callbacks where event_id in (
                    select event_id from bank_callbacks where received_at < now() - interval '1 day' limit $1)"#,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

/// An account was opened: it is looked at soon, at its due time (by its merchant's clock) at the latest, and at once if the bank
/// called back before its answer was heard.
pub(super) async fn begin(
    conn: Conn<'_>,
    payment: PaymentId,
    reference: &Reference,
    due_at: Option<OffsetDateTime>,
) -> Result<(), StoreError> {
    sqlx::query!(
        r#"insert into account_looks (reference, payment_id, look_at)
        select $1, p.id, least($4::timestamptz - coalesce(k.ahead, '0'), now() + make_interval(secs => $3))
        from payments p left join merchant_clocks k on k.merchant_id = p.merchant_id and k.mode = p.mode
        where p.id = $2
        on conflict (reference) do update set look_at = now(), looks = 0"#,
        reference.as_str(),
        payment.0,
        FIRST_AFTER,
        due_at as _,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

/// Every account of a payment is looked at at once.
pub(super) async fn at_once(conn: Conn<'_>, payment: PaymentId) -> Result<(), StoreError> {
    sqlx::query!("update account_looks set look_at = now(), looks = 0 where payment_id = $1", payment.0)
        .execute(conn)
        .await
        .map_err(StoreError::write)?;
    Ok(())
}

/// The accounts of which this operation, which had them opened, has an open case are looked at at once. Returns how many.
pub(super) async fn of_cases(conn: Conn<'_>, operation: OperationId) -> Result<u64, StoreError> {
    let looks = sqlx::query!(
        r#"insert into account_looks (reference, payment_id, look_at)
        select distinct a.reference, c.payment_id, now() from cases c
        join attempts a on a.operation_id = c.operation_id and a.call = 'issue' and a.reference = c.reference
        where c.operation_id = $1 and c.closed_at is null
        on conflict (reference) do update set look_at = now(), looks = 0"#,
        operation.0,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(looks.rows_affected())
}

/// Whatever account was asked for, or is to be closed, by the attempts of this reference is looked at at once.
pub(super) async fn of_attempt(conn: Conn<'_>, reference: &str) -> Result<(), StoreError> {
    sqlx::query!(
        r#"insert into account_looks (reference, payment_id, look_at)
        select case a.call when 'issue' then a.reference else o.target_reference end, o.payment_id, now()
        from attempts a join operations o on o.id = a.operation_id
        where a.reference = $1 and (a.call = 'issue' or o.kind = 'close_account') limit 1
        on conflict (reference) do update set look_at = now(), looks = 0"#,
        reference,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

//! Payments: accepting them, moving them, reading them.

use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::row::{OperationRow, PaymentRow, to_json};
use super::{NewKey, Store, StoreError, read, write};
use crate::domain::event::PaymentEvent;
use crate::domain::id::{OperationId, PaymentId, Tenant};
use crate::domain::money::Money;
use crate::domain::operation::{Connector, Operation, OperationKind};
use crate::domain::payment::{IN_PROGRESS_FOR, Payment, PaymentState, PaymentStatus, READY_FOR};

/// An operation to be written down with the payment's change that owes it.
#[derive(Debug)]
pub struct NewOperation<'a> {
    /// Its id.
    pub id: OperationId,
    /// What is to be done.
    pub kind: OperationKind,
    /// By whom.
    pub connector: Connector,
    /// For how much.
    pub amount: Money,
    /// The merchant's own deadline, if sooner than ours.
    pub before: Option<OffsetDateTime>,
    /// W3C `traceparent` of the request.
    pub trace_parent: &'a str,
}

/// A change of a payment, as the domain decided it.
#[derive(Debug)]
pub struct Advance<'a> {
    /// The payment as it was read: the change holds only if it still stands at that version.
    pub payment: &'a Payment,
    /// How it stands afterwards.
    pub next: &'a PaymentState,
    /// What happened.
    pub event: &'a PaymentEvent,
    /// Whether its time limit is looked at.
    pub clock: Clock,
    /// The work it owes from now on.
    pub operation: Option<NewOperation<'a>>,
    /// The key of the request, if it brought one.
    pub key: Option<&'a NewKey>,
    /// The trace it happened in.
    pub trace_id: &'a str,
}

/// What a change has to do with the payment's time limit, by its merchant's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Only before it.
    InTime,
    /// Only after it.
    Over,
    /// Before it and after it: nothing about the payment changes but what was told of it.
    Regardless,
}

/// A change that was made.
#[derive(Debug, Clone, Copy)]
pub struct Advanced {
    /// The version it made.
    pub version: i64,
    /// When.
    pub at: OffsetDateTime,
}

/// Where a payment is found.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// By its key.
    Key(&'a str),
    /// By the merchant's order: the newest payment of it.
    Order(&'a str),
}

/// A place in a list, the newest first: the last row seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its time.
    pub at: OffsetDateTime,
    /// Its id, for rows of the same instant.
    pub id: Uuid,
}

/// What a merchant wants to see of its payments.
#[derive(Debug, Clone, Default)]
pub struct ListFilter {
    /// Only those that stand so.
    pub status: Option<PaymentStatus>,
    /// Only those created at or after this.
    pub from: Option<OffsetDateTime>,
    /// Only those created before this.
    pub to: Option<OffsetDateTime>,
    /// Only those after this one, the newest first.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: i64,
}

/// Where a payment stands, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions {
    /// Which payment.
    pub id: PaymentId,
    /// Its version now.
    pub version: i64,
}

/// How long a payment of this status may stay so, if it may not for ever.
pub(super) const fn lasts(status: PaymentStatus) -> Option<Duration> {
    match status {
        PaymentStatus::Ready => Some(READY_FOR),
        PaymentStatus::InProgress => Some(IN_PROGRESS_FOR),
        PaymentStatus::WaitingForDeposit
        | PaymentStatus::Done
        | PaymentStatus::PartialCanceled
        | PaymentStatus::Canceled
        | PaymentStatus::Aborted
        | PaymentStatus::Expired => None,
    }
}

/// Reads payments with their merchants' public ids; the tail of the statement says which.
macro_rules! select_payments {
    ($store:expr, $fetch:ident, $tail:tt, $($argument:expr),+) => {
        read!(
            $store,
            sqlx::query_as!(
                PaymentRow,
                r#"select p.id, p.payment_key, p.checkout_id, p.merchant_id, m.mid, p.mode, p.source, p.order_id,
                    p.order_name, p.currency, p.total_amount, p.tax_free_amount, p.details, p.operation_count,
                    p.version, p.state, p.created_at,
                    coalesce((select (extract(epoch from k.ahead) * 1000000)::bigint from merchant_clocks k
                        where k.merchant_id = p.merchant_id and k.mode = p.mode), 0) as "ahead_us!"
                from payments p join merchants m on m.id = p.merchant_id "#
                    + $tail,
                $($argument),+
            ),
            $fetch
        )
    };
}
pub(super) use select_payments;

pub(super) fn seconds(duration: Duration) -> f64 {
    duration.as_seconds_f64()
}

impl Store {
    /// Moves a payment one version on: the change, its event, the operation it owes from now on and the request's
    /// key, in one statement. Nothing when the payment no longer stands as it was read, or its time limit is
    /// on the other side: read again, decide again.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `idempotency_keys_unique` when the key was used; [`StoreError::Unavailable`] says
    /// whether it may have been written.
    pub async fn advance_payment(&self, change: &Advance<'_>) -> Result<Option<Advanced>, StoreError> {
        let operation = change.operation.as_ref();
        let status = change.next.status();
        // A status keeps the limit it came with; a new one brings its own.
        let renewed = if status == change.payment.state.status() { None } else { lasts(status) };
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with clock as (
                    -- One row, whether the merchant has a clock or not.
                    select max(ahead) as ahead from merchant_clocks where merchant_id = $25 and mode = $26
                ), payment as (
                    update payments set version = version + 1, status = $3, money_state = $4, state = $5,
                        operation_count = operation_count + case when $10::uuid is null then 0 else 1 end,
                        expires_at = case when $3 in ('READY', 'IN_PROGRESS')
                            then coalesce(now() + coalesce(clock.ahead, '0') + make_interval(secs => $6), expires_at) end,
                        canceled_amount = $22, reserved_amount = $23,
                        capture_at = $24,
                        updated_at = now()
                    from clock
                    where id = $1 and version = $2
                        and coalesce((expires_at > now() + coalesce(clock.ahead, '0')) = $7::boolean, true)
                    returning id, version, operation_count, updated_at, merchant_id, mode, clock.ahead
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select id, version, $8, $9, $5, $18, ahead from payment
                ), operation as (
                    insert into operations (id, payment_id, number, kind, connector, amount, deadline_at, trace_parent)
                    select $10, id, operation_count, $11, $12, $13,
                        least($14::timestamptz, now() + make_interval(secs => $15)), $16
                    from payment where $10::uuid is not null
                ), key as (
                    insert into idempotency_keys
                        (merchant_id, mode, route, key, fingerprint, members, payment_id, operation_id, version)
                    select merchant_id, mode, $17, $19, $20, $21, id, $10, case when $10::uuid is null then version end
                    from payment where $19::text is not null
                )
                select version, updated_at from payment
                "#,
                change.payment.id.0,
                change.payment.version,
                status.as_str(),
                change.next.money_state.as_str(),
                to_json(change.next),
                renewed.map(seconds) as _,
                match change.clock {
                    Clock::InTime => Some(true),
                    Clock::Over => Some(false),
                    Clock::Regardless => None,
                } as Option<bool>,
                change.event.class().as_str(),
                change.event.name(),
                operation.map(|o| o.id.0) as _,
                operation.map(|o| o.kind.as_str()) as _,
                operation.map(|o| o.connector.as_str()) as _,
                operation.map(|o| o.amount.amount()) as _,
                operation.and_then(|o| o.before) as _,
                seconds(operation.map_or(Duration::ZERO, |o| o.kind.within())),
                operation.map(|o| o.trace_parent) as _,
                change.key.map(|k| k.route.as_str()) as _,
                change.trace_id,
                change.key.map(|k| k.key.as_str()) as _,
                change.key.map(|k| k.fingerprint.as_slice()) as _,
                change.key.map(|k| &k.members) as _,
                change.next.canceled,
                change.next.reserved,
                change.next.capture_at() as _,
                change.payment.tenant.merchant.0,
                change.payment.tenant.mode.as_str(),
            ),
            fetch_optional
        )?;
        Ok(row.map(|row| Advanced { version: row.version, at: row.updated_at }))
    }

    /// A merchant's payment. Another merchant's is not found.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_payment(&self, tenant: Tenant, place: Place<'_>) -> Result<Option<Payment>, StoreError> {
        let row = match place {
            Place::Key(key) => select_payments!(
                self,
                fetch_optional,
                "where p.payment_key = $1 and p.merchant_id = $2 and p.mode = $3",
                key,
                tenant.merchant.0,
                tenant.mode.as_str()
            )?,
            Place::Order(order_id) => select_payments!(
                self,
                fetch_optional,
                r#"where p.merchant_id = $2 and p.mode = $3 and p.order_id = $1
                order by p.created_at desc, p.id desc limit 1"#,
                order_id,
                tenant.merchant.0,
                tenant.mode.as_str()
            )?,
        };
        row.map(PaymentRow::into_payment).transpose()
    }

    /// The payment of a payer's page.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_checkout(&self, checkout_id: &str) -> Result<Option<Payment>, StoreError> {
        let row = select_payments!(self, fetch_optional, "where p.checkout_id = $1", checkout_id)?;
        row.map(PaymentRow::into_payment).transpose()
    }

    /// A payment, whoever's it is: for operators.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn payment_by_key(&self, key: &str) -> Result<Option<Payment>, StoreError> {
        let row = select_payments!(self, fetch_optional, "where p.payment_key = $1", key)?;
        row.map(PaymentRow::into_payment).transpose()
    }

    /// Payments by id, in any order; those that don't exist are left out.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn payments(&self, ids: &[PaymentId]) -> Result<Vec<Payment>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = select_payments!(self, fetch_all, "where p.id = any($1)", &ids)?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }

    /// A merchant's payments, the newest first.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn list_payments(&self, tenant: Tenant, filter: &ListFilter) -> Result<Vec<Payment>, StoreError> {
        let rows = select_payments!(
            self,
            fetch_all,
            r#"where p.merchant_id = $1 and p.mode = $2
                and ($3::text is null or p.status = $3)
                and ($4::timestamptz is null or p.created_at >= $4)
                and ($5::timestamptz is null or p.created_at < $5)
                and ($6::timestamptz is null or (p.created_at, p.id) < ($6, $7))
            order by p.created_at desc, p.id desc limit $8"#,
            tenant.merchant.0,
            tenant.mode.as_str(),
            filter.status.map(PaymentStatus::as_str) as _,
            filter.from as _,
            filter.to as _,
            filter.after.map(|c| c.at) as _,
            filter.after.map(|c| c.id) as _,
            filter.limit
        )?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }

    /// The versions of these payments now: what a process asks for all its streams and waiting requests together.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn versions(&self, ids: &[PaymentId]) -> Result<Vec<Versions>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let rows = read!(self, sqlx::query!("select id, version from payments where id = any($1)", &ids), fetch_all)?;
        Ok(rows.into_iter().map(|row| Versions { id: PaymentId(row.id), version: row.version }).collect())
    }

    /// An operation.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn operation(&self, id: OperationId) -> Result<Option<Operation>, StoreError> {
        let row = read!(
            self,
            sqlx::query_as!(
                OperationRow,
                r#"select o.id, payment_id, number, kind, connector, amount, currency, target_reference, o.status, fence,
                    claim_count, attempt_count, inquiry_count, look_count, due_at, deadline_at, result, result_version,
                    letter, letter_reason, unknown_since, rearmed, trace_parent, o.created_at
                from operations o join payments p on p.id = o.payment_id where o.id = $1"#,
                id.0,
            ),
            fetch_optional
        )?;
        row.map(OperationRow::into_operation).transpose()
    }

    /// Every operation of a payment, in order.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn operations_of(&self, payment: PaymentId) -> Result<Vec<Operation>, StoreError> {
        let rows = read!(
            self,
            sqlx::query_as!(
                OperationRow,
                r#"select o.id, payment_id, number, kind, connector, amount, currency, target_reference, o.status, fence,
                    claim_count, attempt_count, inquiry_count, look_count, due_at, deadline_at, result, result_version,
                    letter, letter_reason, unknown_since, rearmed, trace_parent, o.created_at
                from operations o join payments p on p.id = o.payment_id where o.payment_id = $1 order by number"#,
                payment.0,
            ),
            fetch_all
        )?;
        rows.into_iter().map(OperationRow::into_operation).collect()
    }

    /// Those of these operations that exist.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn known_operations(&self, ids: &[OperationId]) -> Result<Vec<OperationId>, StoreError> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let known = read!(self, sqlx::query_scalar!("select id from operations where id = any($1)", &ids), fetch_all)?;
        Ok(known.into_iter().map(OperationId).collect())
    }

    /// Payments whose time has run out, by their merchants' clocks, and on which no work is owed; about `limit`.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn payments_to_expire(&self, limit: i64) -> Result<Vec<Payment>, StoreError> {
        // No clock is behind the database's; those that are ahead are few, and each is looked at by itself.
        let rows = select_payments!(
            self,
            fetch_all,
            r#"where p.id = any(array(
                (select q.id from payments q where q.expires_at <= now() and not exists (
                    select 1 from operations o
                    where o.payment_id = q.id and o.status in ('queued', 'processing', 'waiting', 'unknown'))
                order by q.expires_at limit $1)
                union all
                (select q.id from merchant_clocks k
                join payments q on q.merchant_id = k.merchant_id and q.mode = 'test' and q.expires_at > now()
                    and q.expires_at <= now() + k.ahead
                where not exists (
                    select 1 from operations o
                    where o.payment_id = q.id and o.status in ('queued', 'processing', 'waiting', 'unknown'))
                limit $1)))"#,
            limit
        )?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }

    /// Payments whose sales slips are to be bought by now, by their merchants' clocks; about `limit`.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn payments_to_capture(&self, limit: i64) -> Result<Vec<Payment>, StoreError> {
        let rows = select_payments!(
            self,
            fetch_all,
            r#"where p.id = any(array(
                (select q.id from payments q where q.capture_at <= now() order by q.capture_at limit $1)
                union all
                (select q.id from merchant_clocks k
                join payments q on q.merchant_id = k.merchant_id and q.mode = 'test' and q.capture_at > now()
                    and q.capture_at <= now() + k.ahead
                limit $1)))"#,
            limit
        )?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }
}

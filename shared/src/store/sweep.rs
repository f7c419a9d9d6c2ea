//! Finding work that nobody came for.

use time::Duration;

use super::operation::{HintOwed, HintRow};
use super::payment::{seconds, select_payments};
use super::row::PaymentRow;
use super::{Store, StoreError, read, write};
use crate::domain::operation::{Connector, OperationKind, Urgency};
use crate::domain::payment::Payment;

impl Store {
    /// How many rows wait for a hint, by the queue it would go to. A row whose owner is dead waits too.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn overdue(&self, connector: Connector, urgency: Urgency) -> Result<i64, StoreError> {
        read!(
            self,
            sqlx::query_scalar!(
                r#"select count(*) as "rows!" from operations o
                where o.nudge_at <= now() and o.connector = $1
                    and case
                        when o.kind = 'net_cancel' or o.status in ('unknown', 'processing') then 'recover'
                        when o.kind in ('approve', 'issue_account') then 'pay'
                        else 'back' end = $2"#,
                connector.as_str(),
                urgency.as_str(),
            ),
            fetch_one
        )
    }

    /// Takes up to `limit` rows that wait for a hint to one queue, the longest waiting first, and pushes when they will
    /// wait for the next: 5 s, doubling to 5 min per row. Their hints are published after this has committed.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn sweep(&self, connector: Connector, urgency: Urgency, limit: i64) -> Result<Vec<HintOwed>, StoreError> {
        let rows = write!(
            self,
            sqlx::query_as!(
                HintRow,
                r#"
                with due as (
                    select o.id from operations o
                    where o.nudge_at <= now() and o.connector = $1
                        and case
                        when o.kind = 'net_cancel' or o.status in ('unknown', 'processing') then 'recover'
                        when o.kind in ('approve', 'issue_account') then 'pay'
                        else 'back' end = $2
                    order by o.nudge_at limit $3
                    for update skip locked
                )
                update operations o set nudge_count = o.nudge_count + 1,
                    nudge_at = now() + least(interval '5 seconds' * (2 ^ least(o.nudge_count, 10)), interval '5 minutes')
                from due where o.id = due.id
                returning o.id as operation, o.kind, o.status, o.connector, o.attempt_count, o.due_at, o.trace_parent
                "#,
                connector.as_str(),
                urgency.as_str(),
                limit,
            ),
            fetch_all
        )?;
        rows.into_iter().map(HintRow::into_hint).collect()
    }

    /// Payments whose work, of a kind that somebody waits for, was accepted this long ago and is not settled, which has not
    /// been told yet; up to `limit`.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn payments_delayed(&self, after: Duration, limit: i64) -> Result<Vec<Payment>, StoreError> {
        let waited_for = OperationKind::ALL.iter().filter(|kind| kind.is_waited_for());
        let kinds: Vec<&str> = waited_for.map(|kind| kind.as_str()).collect();
        let rows = select_payments!(
            self,
            fetch_all,
            r#"where p.id = any(array(
                select o.payment_id from operations o join payments q on q.id = o.payment_id
                where o.status in ('queued', 'processing') and o.kind = any($1)
                    and o.created_at < now() - make_interval(secs => $2)
                    and q.state ->> 'delayed' is distinct from o.id::text
                    and not exists (
                        select 1 from operations e
                        where e.payment_id = o.payment_id and e.number < o.number
                            and e.status in ('queued', 'processing', 'waiting', 'unknown'))
                limit $3))"#,
            &kinds as _,
            seconds(after),
            limit
        )?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }

    /// Takes up to `limit` rows whose owner's lease is out, so that somebody else can be told of them at once.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn orphans(&self, limit: i64) -> Result<Vec<HintOwed>, StoreError> {
        let rows = write!(
            self,
            sqlx::query_as!(
                HintRow,
                r#"
                with due as (
                    select o.id from workers k join operations o on o.owner = k.id
                    where k.alive_until < now() and o.status = 'processing'
                        -- Claimed by the dead means nudged in a minute; told already means nudged in seconds.
                        and o.nudge_count = 0
                    limit $1
                    for update of o skip locked
                )
                update operations o set nudge_count = 1, nudge_at = now() + interval '5 seconds'
                from due where o.id = due.id
                returning o.id as operation, o.kind, o.status, o.connector, o.attempt_count, o.due_at, o.trace_parent
                "#,
                limit,
            ),
            fetch_all
        )?;
        rows.into_iter().map(HintRow::into_hint).collect()
    }
}

//! Where money goes back to, sealed. Nobody reads it here: whoever has the key does.

use uuid::Uuid;

use super::payment::seconds;
use super::row::to_json;
use super::{Advanced, NewKey, Store, StoreError, read, write};
use crate::domain::event::PaymentEvent;
use crate::domain::id::{OperationId, PayeeId, PaymentId, Reference};
use crate::domain::operation::OperationKind;
use crate::domain::payment::{Payment, PaymentState};

/// Where the deposits of a payment go back to, as somebody says it.
#[derive(Debug)]
pub struct PayeeGiven<'a> {
    /// The payment as it was read: it is taken only if it still stands at that version.
    pub payment: &'a Payment,
    /// How it stands afterwards.
    pub next: &'a PaymentState,
    /// What happened.
    pub event: &'a PaymentEvent,
    /// Under which the account rests.
    pub id: PayeeId,
    /// The account, sealed.
    pub sealed: &'a [u8],
    /// The returns that waited for it, in their order.
    pub returns: &'a [OperationId],
    /// The key of the request, if it brought one.
    pub key: Option<&'a NewKey>,
    /// The trace it happened in.
    pub trace_id: &'a str,
}

impl Store {
    /// Keeps a sealed account for what is about to be accepted.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn keep_sealed_payee(&self, id: PayeeId, payment: PaymentId, sealed: &[u8]) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                "insert into sealed_payees (id, payment_id, sealed) values ($1, $2, $3) on conflict do nothing",
                id.0,
                payment.0,
                sealed,
            ),
            execute
        )?;
        Ok(())
    }

    /// Says where the deposits of a payment go back to: the sealed account, the event, the returns that waited for it and go
    /// back to work, behind what is at work, and the request's key, in one statement. Nothing when the payment no longer
    /// stands as it was read: read again, decide again.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `idempotency_keys_unique` when the key was used; [`StoreError::Unavailable`] says whether it
    /// may have been written.
    pub async fn give_payee(&self, given: &PayeeGiven<'_>) -> Result<Option<Advanced>, StoreError> {
        let returns: Vec<Uuid> = given.returns.iter().map(|operation| operation.0).collect();
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with payment as (
                    update payments p set version = version + 1, money_state = $3, state = $4, updated_at = now(),
                        operation_count = operation_count + cardinality($8::uuid[])
                    where id = $1 and version = $2
                    returning id, version, operation_count, updated_at, merchant_id, mode,
                        (select k.ahead from merchant_clocks k where k.merchant_id = p.merchant_id and k.mode = p.mode) as ahead
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select id, version, $5, $6, $4, $7, ahead from payment
                ), sealed as (
                    insert into sealed_payees (id, payment_id, sealed) select $9, id, $10 from payment
                ), returns as (
                    update operations o set status = 'queued', due_at = now(), nudge_at = now(), nudge_count = 0,
                        claim_count = 0, look_count = 0, letter = null, letter_reason = null, letter_fence = null,
                        unknown_since = null, rearmed = true,
                        number = p.operation_count - cardinality($8::uuid[]) + r.place::integer,
                        deadline_at = greatest(o.deadline_at, now() + make_interval(secs => $11))
                    from payment p, unnest($8::uuid[]) with ordinality r(id, place)
                    where o.id = r.id and o.payment_id = p.id and o.status = 'dead'
                ), key as (
                    insert into idempotency_keys
                        (merchant_id, mode, route, key, fingerprint, members, payment_id, operation_id, version)
                    select merchant_id, mode, $12, $13, $14, $15, id, null, version
                    from payment where $13::text is not null
                )
                select version, updated_at from payment
                "#,
                given.payment.id.0,
                given.payment.version,
                given.next.money_state.as_str(),
                to_json(given.next),
                given.event.class().as_str(),
                given.event.name(),
                given.trace_id,
                &returns,
                given.id.0,
                given.sealed,
                seconds(OperationKind::ReturnDeposit.within()),
                given.key.map(|k| k.route.as_str()) as _,
                given.key.map(|k| k.key.as_str()) as _,
                given.key.map(|k| k.fingerprint.as_slice()) as _,
                given.key.map(|k| &k.members) as _,
            ),
            fetch_optional
        )?;
        Ok(row.map(|row| Advanced { version: row.version, at: row.updated_at }))
    }

    /// A sealed account, if it is still kept.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn sealed_payee(&self, id: PayeeId) -> Result<Option<Vec<u8>>, StoreError> {
        read!(self, sqlx::query_scalar!("select sealed from sealed_payees where id = $1", id.0), fetch_optional)
    }

    /// Under which the account rests that a pay-out was written down for; nothing when none was.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn payee_of(&self, reference: &Reference) -> Result<Option<PayeeId>, StoreError> {
        let payee = read!(
            self,
            sqlx::query_scalar!(
                r#"select payee as "payee!" from attempts where reference = $1 and payee is not null
                order by sent_at limit 1"#,
                reference.as_str(),
            ),
            fetch_optional
        )?;
        Ok(payee.map(PayeeId))
    }

    /// Forgets what is needed no more: what was never accepted; a payment's own when it is over, nobody looks at its accounts
    /// and no work of it is open; one that was given for a cancel when that has ended; one that others took the place of
    /// when nothing that was sent to it is open. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_sealed_payees(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from sealed_payees where id in (
                    select s.id from sealed_payees s
                    -- Kept first, accepted then: what is young may be about to be.
                    where s.created_at < now() - interval '1 minute'
                        -- As long as a cancel can be accepted it may rely on it.
                        and not exists (select from payments p
                            where p.id = s.payment_id and p.state #>> '{payee,id}' = s.id::text
                                and (p.status not in ('CANCELED', 'ABORTED', 'EXPIRED')
                                    or exists (select from account_looks l where l.payment_id = p.id)
                                    or exists (select from operations o
                                        where o.payment_id = p.id and o.status not in ('succeeded', 'failed'))))
                        and not exists (select from payments p, jsonb_array_elements(p.state -> 'cancels') c
                            where p.id = s.payment_id and c #>> '{payee,id}' = s.id::text and c -> 'end' is null)
                        and not exists (select from attempts a join operations o on o.id = a.operation_id
                            where o.payment_id = s.payment_id and a.payee = s.id and a.resolution is null
                                and o.status not in ('succeeded', 'failed'))
                    order by s.created_at limit $1)"#,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

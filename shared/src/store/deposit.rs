//! What a look at an account brought to light.

use std::collections::HashSet;

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::row::to_json;
use super::{Conn, Store, StoreError, answered, read, write};
use crate::domain::course::CaseKind;
use crate::domain::event::PaymentEvent;
use crate::domain::id::{OperationId, PaymentId, Reference};
use crate::domain::ledger::posting;
use crate::domain::operation::{LetterReason, OperationKind};
use crate::domain::payment::{Payment, PaymentState};

/// Something found in an account, for the list that is only ever added to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact<'a> {
    /// The bank's name for the deposit.
    pub key: &'a str,
    /// `deposited` or `taken_back`.
    pub what: &'static str,
    /// In minor units.
    pub amount: i64,
    /// When, by the bank's clock, as its merchant's shows it.
    pub at: OffsetDateTime,
    /// By what it was found.
    pub found: Found,
}

/// How a fact came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// When the bank had called back, if it had.
    pub called_back_at: Option<OffsetDateTime>,
    /// When the bank was asked, by the database's clock.
    pub looked_at: OffsetDateTime,
    /// How long its answer took, in milliseconds.
    pub latency_ms: i32,
}

/// A change of a payment that a look at one of its accounts brought about, as the domain decided it.
#[derive(Debug)]
pub struct FoundOut<'a> {
    /// The payment as it was read: the change holds only if it still stands at that version.
    pub payment: &'a Payment,
    /// How it stands afterwards.
    pub next: &'a PaymentState,
    /// What happened.
    pub event: &'a PaymentEvent,
    /// The account that was looked at.
    pub reference: &'a Reference,
    /// What was found in it.
    pub fact: Option<Fact<'a>>,
    /// What the transaction is called, if it is one.
    pub transaction: OperationId,
    /// The work it owes from now on: its id, kind, amount, and what it is about.
    pub owes: Option<(OperationId, OperationKind, i64, &'a Reference)>,
    /// W3C `traceparent` of the look.
    pub trace_parent: &'a str,
    /// The trace it happened in.
    pub trace_id: &'a str,
}

impl Store {
    /// Moves a payment one version on by what was found in an account: the change, its event, the deposit, its posting, the
    /// operation it owes and a person's case should a deposit have gone twice, in one statement. Returns the version;
    /// nothing when the payment no longer stands as it was read: read again, look again.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `deposits_pkey` when that was recorded before; [`StoreError::Unavailable`] says whether it may
    /// have been written.
    pub async fn record_finding(&self, found: &FoundOut<'_>) -> Result<Option<i64>, StoreError> {
        let posting = posting(found.payment, found.event);
        let twice = found.payment.state.went_twice(found.event);
        let (operation, kind, amount, target) = match found.owes {
            Some((operation, kind, amount, target)) => (Some(operation), Some(kind), Some(amount), Some(target)),
            None => (None, None, None, None),
        };
        let within = kind.map_or(0.0, |kind| kind.within().as_seconds_f64());
        write!(
            self,
            sqlx::query_scalar!(
                r#"
                with payment as (
                    update payments set version = version + 1, status = $3, money_state = $4, state = $5,
                        operation_count = operation_count + ($9::uuid is not null)::integer,
                        canceled_amount = $6, reserved_amount = $7, updated_at = now(),
                        expires_at = case when $3 in ('READY', 'IN_PROGRESS') then expires_at end
                    where id = $1 and version = $2
                    returning id, version, operation_count, merchant_id, mode, currency,
                        (select k.ahead from merchant_clocks k
                            where k.merchant_id = payments.merchant_id and k.mode = payments.mode) as ahead
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select id, version, $14, $15, $5, $16, ahead from payment
                ), fact as (
                    insert into deposits (transaction_key, fact, payment_id, version, reference, amount, happened_at,
                        called_back_at, looked_at, latency_ms)
                    select $17, $18, id, version, $8, $19, $20, $29, $30, $31 from payment where $17::text is not null
                ), operation as (
                    insert into operations (id, payment_id, number, kind, connector, amount, target_reference, deadline_at,
                        trace_parent)
                    select $9, id, operation_count, $10, 'virtual_account', $11, $12, now() + make_interval(secs => $13), $21
                    from payment where $9::uuid is not null
                ), posting as (
                    insert into postings (payment_id, version, operation_id, merchant_id, mode, connector, kind, debit,
                        credit, currency, amount, posted_at)
                    select p.id, p.version, $26, p.merchant_id, p.mode, 'virtual_account', $22, $23, $24, p.currency, $25, now() + coalesce(p.ahead, '0')
                    from payment p where $22::text is not null
                ), opened as (
                    insert into cases (id, payment_id, operation_id, reference, kind, detail)
                    select gen_random_uuid(), p.id, a.operation_id, $27, $28, jsonb_build_object('found', $15::text)
                    from payment p, (select operation_id from attempts
                        where reference = $8 and call = 'issue' order by sent_at limit 1) a
                    where $27::text is not null
                    -- One that was closed is open again.
                    on conflict on constraint cases_once do update set closed_at = null
                        where cases.closed_at is not null returning operation_id
                ), letter as (
                    update operations o set fence = o.fence + 1, letter = 'needs_person', letter_reason = $32,
                        letter_fence = o.fence + 1
                    from opened where o.id = opened.operation_id and o.nudge_at is null
                )
                select version from payment
                "#,
                found.payment.id.0,
                found.payment.version,
                found.next.status().as_str(),
                found.next.money_state.as_str(),
                to_json(found.next),
                found.next.canceled,
                found.next.reserved,
                found.reference.as_str(),
                operation.map(|operation| operation.0) as _,
                kind.map(OperationKind::as_str) as _,
                amount as _,
                target.map(Reference::as_str) as _,
                within,
                found.event.class().as_str(),
                found.event.name(),
                found.trace_id,
                found.fact.as_ref().map(|fact| fact.key) as _,
                found.fact.as_ref().map(|fact| fact.what) as _,
                found.fact.as_ref().map(|fact| fact.amount) as _,
                found.fact.as_ref().map(|fact| fact.at) as _,
                found.trace_parent,
                posting.map(|posting| posting.kind.as_str()) as _,
                posting.map(|posting| posting.debit.as_str()) as _,
                posting.map(|posting| posting.credit.as_str()) as _,
                posting.map(|posting| posting.amount) as _,
                found.transaction.0,
                twice.map(|deposit| deposit.key.as_str()) as _,
                CaseKind::BooksDisagree.as_str(),
                found.fact.as_ref().and_then(|fact| fact.found.called_back_at) as _,
                found.fact.as_ref().map(|fact| fact.found.looked_at) as _,
                found.fact.as_ref().map(|fact| fact.found.latency_ms) as _,
                LetterReason::BooksDisagree.as_str(),
            ),
            fetch_optional
        )
    }

    /// The deposits of a payment that were ever recorded, by the bank's names for them.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn deposits_of(&self, payment: PaymentId) -> Result<HashSet<String>, StoreError> {
        let keys = read!(
            self,
            sqlx::query_scalar!("select distinct transaction_key from deposits where payment_id = $1", payment.0),
            fetch_all
        )?;
        Ok(keys.into_iter().collect())
    }

    /// Opens a case about an account, once, with a letter that asks for a person. `about` is the account or a deposit. Returns
    /// whether it is a new one.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn open_account_case(
        &self,
        account: &Reference,
        about: &str,
        kind: CaseKind,
        why: &str,
    ) -> Result<bool, StoreError> {
        let (mut conn, detail) = (self.conn().await?, json!({ "why": why }));
        answered!(conn, open_case(&mut conn, account, about, kind, &detail, false), StoreError::write)
    }

    /// Closes the cases about an account of which a look has shown that there is nothing to see to any more.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn close_account_cases(&self, account: &Reference, kinds: &[CaseKind]) -> Result<(), StoreError> {
        let kinds: Vec<String> = kinds.iter().map(|kind| kind.as_str().to_owned()).collect();
        write!(
            self,
            sqlx::query!(
                "update cases set closed_at = now() where reference = $1 and kind = any($2) and closed_at is null",
                account.as_str(),
                &kinds,
            ),
            execute
        )?;
        Ok(())
    }
}

/// Opens a case about a deposit that went twice, if this event of a payment that stood like this says so of one.
pub(super) async fn went_twice(
    conn: Conn<'_>,
    standing: &PaymentState,
    event: &PaymentEvent,
) -> Result<(), StoreError> {
    let Some(deposit) = standing.went_twice(event) else { return Ok(()) };
    let detail = json!({ "found": event.name() });
    let opened = open_case(conn, &deposit.reference, &deposit.key, CaseKind::BooksDisagree, &detail, true).await;
    opened.map(|_| ()).map_err(StoreError::write)
}

/// Opens a case of the operation that had an account opened, once, with a letter that asks for a person. One that was closed is
/// open again if it is about the account, for then a look has closed it or would find nothing; about a deposit there is no more to
/// find than what a person was told, unless something new has `happened` to it. Returns whether it is a new one.
async fn open_case(
    conn: Conn<'_>,
    account: &Reference,
    about: &str,
    kind: CaseKind,
    detail: &Value,
    happened: bool,
) -> Result<bool, sqlx::Error> {
    let reason = match kind {
        CaseKind::BooksDisagree => LetterReason::BooksDisagree,
        CaseKind::AmountMismatch => LetterReason::AmountMismatch,
        CaseKind::AccountUnread | CaseKind::NetCancelRefused | CaseKind::LateChange => LetterReason::OutcomeUnknown,
    };
    sqlx::query_scalar!(
        r#"
        with opened as (
            insert into cases (id, payment_id, operation_id, reference, kind, detail)
            select gen_random_uuid(), o.payment_id, o.id, $2, $3, $4
            from operations o where o.id = (select operation_id from attempts
                where reference = $1 and call = 'issue' order by sent_at limit 1)
            on conflict on constraint cases_once do update set closed_at = null
                where cases.closed_at is not null and (cases.reference = $1 or $6) returning operation_id
        ), letter as (
            -- Nobody claims it any more: its fence says which letter this is.
            update operations o set fence = o.fence + 1, letter = 'needs_person', letter_reason = $5,
                letter_fence = o.fence + 1
            from opened where o.id = opened.operation_id and o.nudge_at is null
        )
        select exists (select from opened) as "opened!"
        "#,
        account.as_str(),
        about,
        kind.as_str(),
        detail,
        reason.as_str(),
        happened,
    )
    .fetch_one(conn)
    .await
}

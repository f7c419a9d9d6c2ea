//! Accepting payments: what is written here is owed to somebody.

use std::collections::HashMap;

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::payment::{NewOperation, lasts, seconds};
use super::row::{known, to_json};
use super::{NewKey, Store, StoreError, write};
use crate::domain::event::CREATED;
use crate::domain::id::{CheckoutId, PaymentId, PaymentKey, Tenant};
use crate::domain::money::Money;
use crate::domain::payment::{PaymentDetails, PaymentSource, PaymentState};

/// A payment to be written down.
#[derive(Debug)]
pub struct NewPayment<'a> {
    /// Its id.
    pub id: PaymentId,
    /// What merchants will call it.
    pub key: &'a PaymentKey,
    /// What the payer's page will call it.
    pub checkout_id: &'a CheckoutId,
    /// Whose it is.
    pub tenant: Tenant,
    /// By which door it came in.
    pub source: PaymentSource,
    /// The merchant's name for the order.
    pub order_id: &'a str,
    /// What is bought.
    pub order_name: &'a str,
    /// What it costs.
    pub total: Money,
    /// How much of that bears no tax.
    pub tax_free: i64,
    /// The rest.
    pub details: &'a PaymentDetails,
    /// How it begins.
    pub state: &'a PaymentState,
    /// The trace that it began in, 32 hex digits.
    pub trace_id: &'a str,
}

/// A payment that was written down.
#[derive(Debug, Clone, Copy)]
pub struct Created {
    /// When, by the database's clock.
    pub at: OffsetDateTime,
    /// When, by its merchant's clock.
    pub shown_at: OffsetDateTime,
}

/// A payment, the operation it owes and the key of its request, as columns, so that it can wait to be written with others.
#[derive(Debug, Clone)]
pub struct Acceptance {
    id: Uuid,
    payment_key: String,
    checkout_id: String,
    merchant: Uuid,
    mode: &'static str,
    source: &'static str,
    order_id: String,
    order_name: String,
    currency: &'static str,
    total_amount: i64,
    tax_free_amount: i64,
    details: Value,
    status: &'static str,
    money_state: &'static str,
    state: Value,
    /// Seconds until it expires.
    lasts: Option<f64>,
    trace_id: String,
    operation: Option<Uuid>,
    kind: Option<&'static str>,
    connector: Option<&'static str>,
    amount: Option<i64>,
    before: Option<OffsetDateTime>,
    /// Seconds until nothing new is sent for the operation.
    within: Option<f64>,
    trace_parent: Option<String>,
    route: Option<String>,
    key: Option<String>,
    fingerprint: Option<Vec<u8>>,
    members: Option<Value>,
}

impl Acceptance {
    /// A payment with what comes with it.
    #[must_use]
    pub fn new(payment: &NewPayment<'_>, operation: Option<&NewOperation<'_>>, key: Option<&NewKey>) -> Self {
        Self {
            id: payment.id.0,
            payment_key: payment.key.as_str().to_owned(),
            checkout_id: payment.checkout_id.as_str().to_owned(),
            merchant: payment.tenant.merchant.0,
            mode: payment.tenant.mode.as_str(),
            source: payment.source.as_str(),
            order_id: payment.order_id.to_owned(),
            order_name: payment.order_name.to_owned(),
            currency: payment.total.currency().code(),
            total_amount: payment.total.amount(),
            tax_free_amount: payment.tax_free,
            details: to_json(payment.details),
            status: payment.state.status().as_str(),
            money_state: payment.state.money_state.as_str(),
            state: to_json(payment.state),
            lasts: lasts(payment.state.status()).map(seconds),
            trace_id: payment.trace_id.to_owned(),
            operation: operation.map(|o| o.id.0),
            kind: operation.map(|o| o.kind.as_str()),
            connector: operation.map(|o| o.connector.as_str()),
            amount: operation.map(|o| o.amount.amount()),
            before: operation.and_then(|o| o.before),
            within: operation.map(|o| seconds(o.kind.within())),
            trace_parent: operation.map(|o| o.trace_parent.to_owned()),
            route: key.map(|k| k.route.clone()),
            key: key.map(|k| k.key.clone()),
            fingerprint: key.map(|k| k.fingerprint.to_vec()),
            members: key.map(|k| k.members.clone()),
        }
    }
}

/// One column of many payments.
macro_rules! column {
    ($items:ident, $field:ident) => {
        $items.iter().map(|item| item.$field.clone()).collect::<Vec<_>>()
    };
}

impl Store {
    /// Accepts a payment: the payment, its first event, the operation it owes and the request's key, in one
    /// statement. What this returns from is accepted for good.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `payments_one_per_order` when the order has a living payment, or
    /// `idempotency_keys_unique` when the key was used; [`StoreError::Unavailable`] says whether it may have been written.
    pub async fn create_payment(&self, new: &Acceptance) -> Result<Created, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with clock as (
                    -- One row, whether the merchant has a clock or not.
                    select max(ahead) as ahead from merchant_clocks where merchant_id = $4 and mode = $5
                ), payment as (
                    insert into payments (id, payment_key, checkout_id, merchant_id, mode, source, order_id, order_name,
                        currency, total_amount, tax_free_amount, details, operation_count, status, money_state, state,
                        created_at, expires_at)
                    select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,
                        case when $19::uuid is null then 0 else 1 end, $13, $14, $15,
                        now() + coalesce(ahead, '0'), now() + coalesce(ahead, '0') + make_interval(secs => $16)
                    from clock
                    returning id, created_at
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select id, 1, 'state', $17, $15, $18, ahead from payment, clock
                ), operation as (
                    insert into operations (id, payment_id, number, kind, connector, amount, deadline_at, trace_parent)
                    select $19, id, 1, $20, $21, $22,
                        least($23::timestamptz, now() + make_interval(secs => $24)), $25
                    from payment where $19::uuid is not null
                ), key as (
                    insert into idempotency_keys
                        (merchant_id, mode, route, key, fingerprint, members, payment_id, operation_id, version)
                    select $4, $5, $26, $27, $28, $29, id, $19, case when $19::uuid is null then 1 end
                    from payment where $27::text is not null
                )
                select now() as "at!", created_at from payment
                "#,
                new.id,
                new.payment_key,
                new.checkout_id,
                new.merchant,
                new.mode,
                new.source,
                new.order_id,
                new.order_name,
                new.currency,
                new.total_amount,
                new.tax_free_amount,
                new.details,
                new.status,
                new.money_state,
                new.state,
                new.lasts as _,
                CREATED,
                new.trace_id,
                new.operation as _,
                new.kind as _,
                new.connector as _,
                new.amount as _,
                new.before as _,
                new.within as _,
                new.trace_parent.as_deref() as _,
                new.route.as_deref() as _,
                new.key.as_deref() as _,
                new.fingerprint.as_deref() as _,
                new.members.as_ref() as _,
            ),
            fetch_one
        )?;
        Ok(Created { at: row.at, shown_at: row.created_at })
    }

    /// Accepts payments in one statement and one commit: all of them, or none. Returns what became of each, in their order.
    ///
    /// # Errors
    /// As [`Store::create_payment`], for any one of them: then accept them one by one.
    pub async fn create_payments(&self, new: &[Acceptance]) -> Result<Vec<Created>, StoreError> {
        if let [one] = new {
            return Ok(vec![self.create_payment(one).await?]);
        }
        let asked = new;
        let mut new: Vec<&Acceptance> = new.iter().collect();
        // Two batches that meet in the same orders wait for each other in one direction only.
        new.sort_by_key(|item| (item.merchant, item.mode, &item.order_id));
        let rows = write!(
            self,
            sqlx::query!(
                r#"
                with item as (
                    select * from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
                        $8::text[], $9::text[], $10::bigint[], $11::bigint[], $12::jsonb[], $13::text[], $14::text[],
                        $15::jsonb[], $16::float8[], $17::text[], $18::uuid[], $19::text[], $20::text[], $21::bigint[],
                        $22::timestamptz[], $23::text[], $24::text[], $25::text[], $26::bytea[], $27::jsonb[], $29::float8[])
                    as i(id, payment_key, checkout_id, merchant_id, mode, source, order_id, order_name, currency,
                        total_amount, tax_free_amount, details, status, money_state, state, lasts, trace_id, operation,
                        kind, connector, amount, before, trace_parent, route, key, fingerprint, members, within)
                ), payment as (
                    insert into payments (id, payment_key, checkout_id, merchant_id, mode, source, order_id, order_name,
                        currency, total_amount, tax_free_amount, details, operation_count, status, money_state, state,
                        created_at, expires_at)
                    select id, payment_key, checkout_id, i.merchant_id, i.mode, source, order_id, order_name, currency,
                        total_amount, tax_free_amount, details, (operation is not null)::integer, status, money_state,
                        state, now() + coalesce(c.ahead, '0'),
                        now() + coalesce(c.ahead, '0') + make_interval(secs => lasts)
                    from item i left join merchant_clocks c on c.merchant_id = i.merchant_id and c.mode = i.mode
                    returning id, created_at
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select id, 1, 'state', $28, state, trace_id, c.ahead
                    from item i left join merchant_clocks c on c.merchant_id = i.merchant_id and c.mode = i.mode
                ), operation as (
                    insert into operations (id, payment_id, number, kind, connector, amount, deadline_at, trace_parent)
                    select operation, id, 1, kind, connector, amount,
                        least(before, now() + make_interval(secs => within)), trace_parent
                    from item where operation is not null
                ), key as (
                    insert into idempotency_keys
                        (merchant_id, mode, route, key, fingerprint, members, payment_id, operation_id, version)
                    select merchant_id, mode, route, key, fingerprint, members, id, operation,
                        case when operation is null then 1 end
                    from item where key is not null
                )
                select id, now() as "at!", created_at from payment
                "#,
                &column!(new, id),
                &column!(new, payment_key),
                &column!(new, checkout_id),
                &column!(new, merchant),
                &column!(new, mode) as _,
                &column!(new, source) as _,
                &column!(new, order_id),
                &column!(new, order_name),
                &column!(new, currency) as _,
                &column!(new, total_amount),
                &column!(new, tax_free_amount),
                &column!(new, details),
                &column!(new, status) as _,
                &column!(new, money_state) as _,
                &column!(new, state),
                &column!(new, lasts) as _,
                &column!(new, trace_id),
                &column!(new, operation) as _,
                &column!(new, kind) as _,
                &column!(new, connector) as _,
                &column!(new, amount) as _,
                &column!(new, before) as _,
                &column!(new, trace_parent) as _,
                &column!(new, route) as _,
                &column!(new, key) as _,
                &column!(new, fingerprint) as _,
                &column!(new, members) as _,
                CREATED,
                &column!(new, within) as _,
            ),
            fetch_all
        )?;
        let created: HashMap<Uuid, Created> =
            rows.into_iter().map(|row| (row.id, Created { at: row.at, shown_at: row.created_at })).collect();
        asked
            .iter()
            .map(|item| created.get(&item.id).copied().map_or_else(|| known(None, "payments", "id", item.id), Ok))
            .collect()
    }
}

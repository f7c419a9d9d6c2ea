//! The floor's three commits, for one payment and for many: one statement each, over Naru's own tables.

use std::str::FromStr as _;

use naru_servers::Failure;
use naru_shared::clock::Ids as _;
use naru_shared::system::System;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use super::Order;
use crate::Outcome;

/// Small, for on two cores few connections do more than many.
const CONNECTIONS_MAX: u32 = 8;
/// How a payment stands when its approval is owed, with the token in its place; about as long as Naru's.
const OWED: &str = r#"{"status":"IN_PROGRESS","moneyState":"NOT_MOVED","instrument":{"type":"card","token":"TOKEN","bin":"424242","last4":"4242","fingerprint":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","issuerCode":"61","acquirerCode":"61","cardType":"신용","ownerType":"개인","installmentMonths":0},"operation":{"type":"approve","status":"queued","attempt":0}}"#;
/// How it stands when it is paid.
const PAID: &str = r#"{"status":"DONE","moneyState":"MOVED","instrument":{"type":"card","token":"tok_0123456789abcdef","bin":"424242","last4":"4242","fingerprint":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","issuerCode":"61","acquirerCode":"61","cardType":"신용","ownerType":"개인","installmentMonths":0},"approval":{"number":"12345678","approvedAt":"2026-01-01T00:00:00Z"}}"#;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[derive(Clone)]
pub(super) struct Books {
    /// For those who accept, and for those who work: neither is to wait for the other's connections.
    accepting: PgPool,
    working: PgPool,
    merchant: Uuid,
    worker: Uuid,
}

/// An operation that is to be carried out.
pub(super) struct Claimed {
    pub(super) operation: Uuid,
    pub(super) attempt: Uuid,
    pub(super) payment: Uuid,
    pub(super) fence: i64,
    pub(super) order_id: String,
    pub(super) token: String,
}

/// Columns after `with input as (select … as i(…))`.
macro_rules! accept {
    ($input:literal) => {
        concat!(
            "with i as (", $input, "), payment as (
                insert into payments (id, payment_key, checkout_id, merchant_id, mode, source, order_id, order_name, currency,
                    total_amount, operation_count, status, money_state, state, expires_at)
                select i.payment, 'pk_' || i.order_id, 'co_' || i.order_id, $5::uuid, 'test', 'key_in', i.order_id, 'floor', 'KRW',
                    15000, 1, 'IN_PROGRESS', 'NOT_MOVED', i.state, now() + interval '10 minutes' from i
            ), event as (
                insert into payment_events (payment_id, version, class, type, state, trace_id)
                select i.payment, 1, 'state', 'payment.created', i.state, $6::text from i
            )
            insert into operations (id, payment_id, number, kind, connector, amount, deadline_at, trace_parent)
            select i.operation, i.payment, 1, 'approve', 'card', 15000, now() + interval '3 minutes',
                '00-' || $6::text || '-b7ad6b7169203331-01' from i"
        )
    };
}

macro_rules! claim {
    ($input:literal) => {
        concat!(
            "with i as (", $input, "), claimed as (
                update operations o set status = 'processing', fence = fence + 1, owner = $3::uuid, claimed_at = now(),
                    claim_count = claim_count + 1, nudge_at = now() + interval '60 seconds'
                from i where o.id = i.operation and o.status = 'queued'
                returning o.id, o.payment_id, o.fence, i.attempt
            ), sent as (
                insert into attempts (id, operation_id, call, reference, fence, worker)
                select attempt, id, 'approve', replace(attempt::text, '-', ''), fence, $3::uuid from claimed
            )
            select c.id, c.attempt, c.payment_id, c.fence, p.order_id, p.state -> 'instrument' ->> 'token' as token
            from claimed c join payments p on p.id = c.payment_id"
        )
    };
}

macro_rules! record {
    ($input:literal) => {
        concat!(
            "with i as (", $input, "), operation as (
                update operations o set status = 'succeeded', owner = null, claimed_at = null, claim_count = 0,
                    attempt_count = attempt_count + 1, nudge_at = null, result = '{\"type\":\"succeeded\"}',
                    result_version = 2, settled_at = now()
                from i where o.id = i.operation and o.fence = i.fence
            ), payment as (
                update payments p set version = version + 1, status = 'DONE', money_state = 'MOVED', state = $5::text::jsonb,
                    updated_at = now(), expires_at = null
                from i where p.id = i.payment and p.version = 1
            ), event as (
                insert into payment_events (payment_id, version, class, type, state, trace_id)
                select i.payment, 2, 'state', 'payment.done', $5::text::jsonb, $6::text from i
            )
            update attempts a set answered_at = now(), answer = 'approved', code = '00', latency_ms = 1,
                resolution = 'approved'
            from i where a.id = i.attempt"
        )
    };
}

const ACCEPT: &str =
    accept!("select $1::uuid as payment, $2::uuid as operation, $3::text as order_id, $4::text::jsonb as state");
const ACCEPT_MANY: &str = accept!(
    "select payment, operation, order_id, state::jsonb as state
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) as w(payment, operation, order_id, state)"
);
const CLAIM: &str = claim!("select $1::uuid as operation, $2::uuid as attempt");
const CLAIM_MANY: &str = claim!("select * from unnest($1::uuid[], $2::uuid[]) as w(operation, attempt)");
const RECORD: &str =
    record!("select $1::uuid as operation, $2::bigint as fence, $3::uuid as payment, $4::uuid as attempt");
const RECORD_MANY: &str = record!(
    "select * from unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::uuid[]) as w(operation, fence, payment, attempt)"
);

impl Books {
    /// Opens the floor's database, which has Naru's tables, and writes down a merchant and a worker.
    pub(super) async fn open(url: &str) -> Outcome<Self> {
        let failed = |cause| Failure::new("open the floor's database", cause);
        let options = PgConnectOptions::from_str(url)
            .map_err(failed)?
            .options([("plan_cache_mode", "force_generic_plan"), ("synchronous_commit", "on")]);
        let pool = || {
            let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).test_before_acquire(false);
            pool.connect_lazy_with(options.clone())
        };
        let books = Self { accepting: pool(), working: pool(), merchant: System.ordered(), worker: System.ordered() };
        sqlx::query("insert into merchants (id, mid, name) values ($1, $2, 'floor')")
            .bind(books.merchant)
            .bind(books.merchant.simple().to_string())
            .execute(&books.working)
            .await
            .map_err(failed)?;
        sqlx::query("insert into workers (id, name, alive_until) values ($1, 'floor', 'infinity')")
            .bind(books.worker)
            .execute(&books.working)
            .await
            .map_err(failed)?;
        Ok(books)
    }

    pub(super) async fn analyze(&self) -> Outcome {
        let done = sqlx::raw_sql("analyze").execute(&self.working).await;
        done.map(|_| ()).map_err(|cause| Failure::new("analyze", cause))
    }

    pub(super) async fn accept(&self, order: &Order) -> Outcome {
        let query = sqlx::query(ACCEPT).bind(order.payment).bind(order.operation).bind(&order.order_id);
        let query = query.bind(OWED.replace("TOKEN", &order.token)).bind(self.merchant).bind(TRACE);
        changed(1, query.execute(&self.accepting).await)
    }

    pub(super) async fn accept_many<'a>(&self, orders: impl Iterator<Item = &'a Order> + Clone) -> Outcome {
        let payments: Vec<Uuid> = orders.clone().map(|order| order.payment).collect();
        let operations: Vec<Uuid> = orders.clone().map(|order| order.operation).collect();
        let order_ids: Vec<&str> = orders.clone().map(|order| order.order_id.as_str()).collect();
        let states: Vec<String> = orders.map(|order| OWED.replace("TOKEN", &order.token)).collect();
        let query = sqlx::query(ACCEPT_MANY).bind(&payments).bind(&operations).bind(&order_ids);
        let query = query.bind(&states).bind(self.merchant).bind(TRACE);
        changed(payments.len(), query.execute(&self.accepting).await)
    }

    pub(super) async fn claim(&self, operation: Uuid, attempt: Uuid) -> Outcome<Claimed> {
        let query = sqlx::query(CLAIM).bind(operation).bind(attempt).bind(self.worker);
        let row = query.fetch_one(&self.working).await;
        row.and_then(|row| Claimed::read(&row)).map_err(|cause| Failure::new("claim", cause))
    }

    pub(super) async fn claim_many(&self, wanted: &[(Uuid, Uuid)]) -> Outcome<Vec<Claimed>> {
        let (operations, attempts): (Vec<Uuid>, Vec<Uuid>) = wanted.iter().copied().unzip();
        let query = sqlx::query(CLAIM_MANY).bind(&operations).bind(&attempts).bind(self.worker);
        let rows = query.fetch_all(&self.working).await.map_err(|cause| Failure::new("claim", cause))?;
        let claimed: Result<Vec<_>, _> = rows.iter().map(Claimed::read).collect();
        claimed.map_err(|cause| Failure::new("claim", cause))
    }

    pub(super) async fn record(&self, claimed: &Claimed) -> Outcome {
        let query = sqlx::query(RECORD).bind(claimed.operation).bind(claimed.fence).bind(claimed.payment);
        changed(1, query.bind(claimed.attempt).bind(PAID).bind(TRACE).execute(&self.working).await)
    }

    pub(super) async fn record_many(&self, claimed: &[Claimed]) -> Outcome {
        let operations: Vec<Uuid> = claimed.iter().map(|claimed| claimed.operation).collect();
        let fences: Vec<i64> = claimed.iter().map(|claimed| claimed.fence).collect();
        let payments: Vec<Uuid> = claimed.iter().map(|claimed| claimed.payment).collect();
        let attempts: Vec<Uuid> = claimed.iter().map(|claimed| claimed.attempt).collect();
        let query = sqlx::query(RECORD_MANY).bind(&operations).bind(&fences).bind(&payments).bind(&attempts);
        changed(claimed.len(), query.bind(PAID).bind(TRACE).execute(&self.working).await)
    }
}

impl Claimed {
    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
        Ok(Self {
            operation: row.try_get("id")?,
            attempt: row.try_get("attempt")?,
            payment: row.try_get("payment_id")?,
            fence: row.try_get("fence")?,
            order_id: row.try_get("order_id")?,
            token: row.try_get("token")?,
        })
    }
}

/// A floor that loses payments would be too fast.
fn changed(rows: usize, done: Result<sqlx::postgres::PgQueryResult, sqlx::Error>) -> Outcome {
    let done = done.map_err(|cause| Failure::new("commit", cause))?;
    if done.rows_affected() == rows as u64 {
        return Ok(());
    }
    Err(Failure::new("commit", format!("{} rows changed instead of {rows}", done.rows_affected())))
}

//! Everything that happened to one payment, in one read.

use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::row::json;
use super::{Store, StoreError, read};
use crate::domain::attempt::{AnswerWord, Call};
use crate::domain::id::{OperationId, Tenant};
use crate::domain::operation::{Connector, OperationKind};
use crate::domain::payment::{MoneyState, PaymentStatus};

/// What is told of one payment at most, of each sort; what is left out is the newest.
const ROWS_MAX: i64 = 1_000;

/// What happened to a payment, each sort in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline {
    /// What was committed.
    pub events: Vec<ToldEvent>,
    /// The work that was queued.
    pub operations: Vec<ToldOperation>,
    /// The calls to an acquirer.
    pub attempts: Vec<ToldAttempt>,
    /// The looks at accounts that something was found by.
    pub looks: Vec<ToldLook>,
    /// Whether nothing was left out.
    pub is_whole: bool,
}

/// One version of the payment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldEvent {
    /// Which version.
    pub version: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where the payment stood from then on.
    pub status: PaymentStatus,
    /// Where its money was.
    pub money_state: MoneyState,
    /// In which trace, 32 hex digits.
    pub trace_id: String,
    /// When, by the database's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How far the merchant's clock was ahead then, in microseconds.
    pub ahead_us: i64,
}

/// Work that was queued.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldOperation {
    /// Which.
    pub id: Uuid,
    /// What was to be done.
    pub kind: OperationKind,
    /// By whom.
    pub connector: Connector,
    /// For how much, in minor units.
    pub amount: i64,
    /// W3C `traceparent` of the request.
    pub trace_parent: String,
    /// When it was queued.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
}

/// One call to an acquirer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldAttempt {
    /// For which work.
    pub operation: Uuid,
    /// What was asked.
    pub call: Call,
    /// When it was written down, just before it was sent.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// When the answer was written down; nothing while there is none.
    #[serde(with = "time::serde::rfc3339::option")]
    pub answered_at: Option<OffsetDateTime>,
    /// What was heard, in a word.
    pub answer: Option<AnswerWord>,
    /// The acquirer's own code, or the fault that we met.
    pub code: Option<String>,
    /// How long the answer took, in milliseconds.
    pub latency_ms: Option<i32>,
}

/// A look at an account that something was found by.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToldLook {
    /// When the bank had called back, if it had.
    #[serde(with = "time::serde::rfc3339::option")]
    pub called_back_at: Option<OffsetDateTime>,
    /// When the bank was asked.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// How long its answer took, in milliseconds.
    pub latency_ms: Option<i32>,
    /// In which trace, 32 hex digits.
    pub trace_id: String,
}

impl ToldOperation {
    /// In which trace it was asked for, 32 hex digits.
    #[must_use]
    pub fn trace_id(&self) -> &str {
        self.trace_parent.split('-').nth(1).unwrap_or_default()
    }

    /// Its id.
    #[must_use]
    pub const fn operation(&self) -> OperationId {
        OperationId(self.id)
    }
}

impl Store {
    /// What happened to a merchant's payment. Another merchant's is not found.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn timeline(&self, tenant: Tenant, payment_key: &str) -> Result<Option<Timeline>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"select p.id,
                    (select coalesce(jsonb_agg(jsonb_build_object('version', e.version, 'type', e.type,
                        'status', e.state ->> 'status', 'moneyState', e.state ->> 'moneyState', 'traceId', e.trace_id,
                        'at', e.occurred_at,
                        'aheadUs', (extract(epoch from coalesce(e.ahead, '0')) * 1000000)::bigint) order by e.version), '[]')
                        from (select * from payment_events where payment_id = p.id order by version limit $4) e) as "events!",
                    (select coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'kind', o.kind, 'connector', o.connector,
                        'amount', o.amount, 'traceParent', o.trace_parent, 'at', o.created_at)
                        order by o.number), '[]')
                        from (select * from operations where payment_id = p.id order by number limit $4) o) as "operations!",
                    (select coalesce(jsonb_agg(jsonb_build_object('operation', a.operation_id, 'call', a.call,
                        'at', a.sent_at, 'answeredAt', a.answered_at, 'answer', a.answer,
                        'code', a.code, 'latencyMs', a.latency_ms) order by a.sent_at, a.id), '[]')
                        from (select a.* from operations o join attempts a on a.operation_id = o.id where o.payment_id = p.id
                            order by a.sent_at, a.id limit $4) a) as "attempts!",
                    (select coalesce(jsonb_agg(distinct jsonb_build_object('calledBackAt', d.called_back_at,
                        'at', d.looked_at, 'latencyMs', d.latency_ms, 'traceId', d.trace_id)), '[]')
                        from (select d.*, e.trace_id from deposits d join payment_events e using (payment_id, version)
                            where d.payment_id = p.id order by version limit $4) d) as "looks!"
                from payments p where p.payment_key = $1 and p.merchant_id = $2 and p.mode = $3"#,
                payment_key,
                tenant.merchant.0,
                tenant.mode.as_str(),
                ROWS_MAX,
            ),
            fetch_optional
        )?;
        let Some(row) = row else { return Ok(None) };
        let cut = |rows: &Value| {
            let count = rows.as_array().and_then(|rows| i64::try_from(rows.len()).ok());
            count.is_none_or(|count| count >= ROWS_MAX)
        };
        let is_whole = ![&row.events, &row.operations, &row.attempts, &row.looks].into_iter().any(cut);
        Ok(Some(Timeline {
            events: json(row.events, "payment_events", "timeline", row.id)?,
            operations: json(row.operations, "operations", "timeline", row.id)?,
            attempts: json(row.attempts, "attempts", "timeline", row.id)?,
            looks: json(row.looks, "deposits", "timeline", row.id)?,
            is_whole,
        }))
    }
}

//! How an operation ended, with all that its answer is rendered from: one read.

use uuid::Uuid;

use super::row::{PaymentRow, json};
use super::{Store, StoreError, read};
use crate::domain::id::OperationId;
use crate::domain::operation::OperationResult;
use crate::domain::payment::{Payment, PaymentState};

/// An operation that a caller waits for.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// How it ended; nothing while it is open.
    pub result: Option<OperationResult>,
    /// The payment: at the version that the result made, or as it stands now.
    pub payment: Payment,
    /// The trace of the request that accepted it, 32 hex digits.
    pub trace_id: String,
}

impl Store {
    /// How operations stand, each with its payment at the version that says so, in any order; those that don't exist are
    /// left out.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn settled(&self, operations: &[OperationId]) -> Result<Vec<(OperationId, Settled)>, StoreError> {
        let ids: Vec<Uuid> = operations.iter().map(|operation| operation.0).collect();
        let rows = read!(
            self,
            sqlx::query!(
                r#"select o.id as operation, o.result, o.result_version, o.trace_parent, e.state as "state_then?", p.id,
                    p.payment_key, p.checkout_id, p.merchant_id, m.mid, p.mode, p.source, p.order_id, p.order_name, p.currency,
                    p.total_amount, p.tax_free_amount, p.details, p.operation_count, p.version, p.state, p.created_at,
                    coalesce((select (extract(epoch from k.ahead) * 1000000)::bigint from merchant_clocks k
                        where k.merchant_id = p.merchant_id and k.mode = p.mode), 0) as "ahead_us!"
                from operations o
                join payments p on p.id = o.payment_id
                join merchants m on m.id = p.merchant_id
                left join payment_events e on e.payment_id = p.id and e.version = o.result_version
                where o.id = any($1)"#,
                &ids,
            ),
            fetch_all
        )?;
        let settled = rows.into_iter().map(|row| {
            let id: Uuid = row.id;
            let payment = PaymentRow {
                id,
                payment_key: row.payment_key,
                checkout_id: row.checkout_id,
                merchant_id: row.merchant_id,
                mid: row.mid,
                mode: row.mode,
                source: row.source,
                order_id: row.order_id,
                order_name: row.order_name,
                currency: row.currency,
                total_amount: row.total_amount,
                tax_free_amount: row.tax_free_amount,
                details: row.details,
                operation_count: row.operation_count,
                version: row.result_version.unwrap_or(row.version),
                state: row.state_then.unwrap_or(row.state),
                created_at: row.created_at,
                ahead_us: row.ahead_us,
            };
            let result = row.result.map(|result| json(result, "operations", "result", row.operation)).transpose()?;
            let trace_id = row.trace_parent.split('-').nth(1).unwrap_or_default().to_owned();
            Ok((OperationId(row.operation), Settled { result, payment: payment.into_payment()?, trace_id }))
        });
        settled.collect()
    }
}

impl Payment {
    /// The payment as it stood at another version.
    #[must_use]
    pub fn at(self, version: i64, state: PaymentState) -> Self {
        Self { version, state, ..self }
    }
}

//! Rows to domain values. A row that says something we never write is an error that names it.

use serde::de::DeserializeOwned;
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::StoreError;
use crate::domain::id::{CheckoutId, MerchantId, Mode, OperationId, PaymentId, PaymentKey, Reference, Tenant};
use crate::domain::money::{Currency, Money};
use crate::domain::operation::{
    Connector, LetterKind, LetterOwed, LetterReason, Operation, OperationKind, OperationStatus,
};
use crate::domain::payment::{Payment, PaymentSource};

/// A row of `payments`, with its merchant's public id.
pub(super) struct PaymentRow {
    pub id: Uuid,
    pub payment_key: String,
    pub checkout_id: String,
    pub merchant_id: Uuid,
    pub mid: String,
    pub mode: String,
    pub source: String,
    pub order_id: String,
    pub order_name: String,
    pub currency: String,
    pub total_amount: i64,
    pub tax_free_amount: i64,
    pub details: Value,
    pub operation_count: i32,
    pub version: i64,
    pub state: Value,
    pub created_at: OffsetDateTime,
    /// How far its merchant's clock is ahead, in microseconds.
    pub ahead_us: i64,
}

/// A row of `operations`.
pub(super) struct OperationRow {
    pub id: Uuid,
    pub payment_id: Uuid,
    pub number: i32,
    pub kind: String,
    pub connector: String,
    pub amount: i64,
    pub currency: String,
    pub target_reference: Option<String>,
    pub status: String,
    pub fence: i64,
    pub claim_count: i32,
    pub attempt_count: i32,
    pub inquiry_count: i32,
    pub look_count: i32,
    pub due_at: OffsetDateTime,
    pub deadline_at: OffsetDateTime,
    pub result: Option<Value>,
    pub result_version: Option<i64>,
    pub letter: Option<String>,
    pub letter_reason: Option<String>,
    pub unknown_since: Option<OffsetDateTime>,
    pub rearmed: bool,
    pub trace_parent: String,
    pub created_at: OffsetDateTime,
}

/// The value of a column, or the error that names table, column and row.
pub(super) fn known<T>(
    value: Option<T>,
    table: &'static str,
    column: &'static str,
    row: impl ToString,
) -> Result<T, StoreError> {
    value.ok_or_else(|| StoreError::Inconsistent { table, column, row: row.to_string() })
}

/// The value of a JSON column, or the error that names table, column and row.
pub(super) fn json<T: DeserializeOwned>(
    value: Value,
    table: &'static str,
    column: &'static str,
    row: impl ToString,
) -> Result<T, StoreError> {
    known(serde_json::from_value(value).ok(), table, column, row)
}

/// A value as a JSON column. Our own types always have a JSON form.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

pub(super) fn mode(word: &str, table: &'static str, row: impl ToString) -> Result<Mode, StoreError> {
    known(Mode::parse(word), table, "mode", row)
}

impl PaymentRow {
    pub(super) fn into_payment(self) -> Result<Payment, StoreError> {
        const TABLE: &str = "payments";
        let id = self.id;
        let currency = known(Currency::from_code(&self.currency), TABLE, "currency", id)?;
        Ok(Payment {
            id: PaymentId(id),
            key: PaymentKey(self.payment_key),
            checkout_id: CheckoutId(self.checkout_id),
            tenant: Tenant { merchant: MerchantId(self.merchant_id), mode: mode(&self.mode, TABLE, id)? },
            mid: self.mid,
            source: known(PaymentSource::parse(&self.source), TABLE, "source", id)?,
            order_id: self.order_id,
            order_name: self.order_name,
            total: known(Money::new(self.total_amount, currency), TABLE, "total_amount", id)?,
            tax_free: self.tax_free_amount,
            details: json(self.details, TABLE, "details", id)?,
            operation_count: self.operation_count,
            version: self.version,
            state: json(self.state, TABLE, "state", id)?,
            created_at: self.created_at,
            ahead: Duration::microseconds(self.ahead_us),
        })
    }
}

impl OperationRow {
    pub(super) fn into_operation(self) -> Result<Operation, StoreError> {
        const TABLE: &str = "operations";
        let id = self.id;
        let currency = known(Currency::from_code(&self.currency), "payments", "currency", self.payment_id)?;
        Ok(Operation {
            id: OperationId(id),
            payment: PaymentId(self.payment_id),
            number: self.number,
            kind: known(OperationKind::parse(&self.kind), TABLE, "kind", id)?,
            connector: known(Connector::parse(&self.connector), TABLE, "connector", id)?,
            amount: known(Money::new(self.amount, currency), TABLE, "amount", id)?,
            target: self.target_reference.map(Reference),
            status: known(OperationStatus::parse(&self.status), TABLE, "status", id)?,
            fence: self.fence,
            claim_count: self.claim_count,
            attempt_count: self.attempt_count,
            inquiry_count: self.inquiry_count,
            look_count: self.look_count,
            due_at: self.due_at,
            deadline_at: self.deadline_at,
            result: self.result.map(|result| json(result, TABLE, "result", id)).transpose()?,
            result_version: self.result_version,
            letter: match (self.letter, self.letter_reason) {
                (Some(kind), Some(reason)) => Some(LetterOwed {
                    kind: known(LetterKind::parse(&kind), TABLE, "letter", id)?,
                    reason: known(LetterReason::parse(&reason), TABLE, "letter_reason", id)?,
                }),
                // The database refuses one without the other.
                (_, _) => None,
            },
            unknown_since: self.unknown_since,
            rearmed: self.rearmed,
            trace_parent: self.trace_parent,
            created_at: self.created_at,
        })
    }
}

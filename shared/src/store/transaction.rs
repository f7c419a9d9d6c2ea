//! Transactions 거래, as merchants list them: what they were paid and what went back, from the ledger's postings.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::row::known;
use super::{ANSWER_WITHIN, Store, StoreError, read};
use crate::domain::id::{CheckoutId, OperationId, PaymentKey, Tenant};
use crate::domain::ledger::{Account, TransactionKind};
use crate::domain::money::Currency;
use crate::domain::operation::Connector;
use crate::domain::payment::PaymentStatus;

/// How old a transaction is when it is shown: by then no other one that began to be recorded before it can still come to be, and
/// whoever goes on after the last one shown misses none.
const SHOWN_AFTER: Duration = Duration::from_secs(10);
const _: () = assert!(SHOWN_AFTER.as_secs() > ANSWER_WITHIN.as_secs());

/// Money that came, or went back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionRow {
    /// What brought it about: its `transactionKey`.
    pub operation: OperationId,
    /// Of which payment.
    pub payment_key: PaymentKey,
    /// Where that payment's payer finds it.
    pub checkout_id: CheckoutId,
    /// The merchant's name for the order.
    pub order_id: String,
    /// The merchant's name for whose billing key was charged, if one was.
    pub customer_key: Option<String>,
    /// What it was: a payment, a cancel, a refund, or a deposit that was taken back.
    pub kind: TransactionKind,
    /// Who carried it out.
    pub connector: Connector,
    /// How the payment stood after it.
    pub status: PaymentStatus,
    /// What the amount is in.
    pub currency: Currency,
    /// In minor units; below zero when it went back.
    pub amount: i64,
    /// When we recorded it.
    pub at: OffsetDateTime,
}

/// A place in the list: the last transaction seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionPlace {
    /// When it was recorded.
    pub at: OffsetDateTime,
    /// What brought it about.
    pub operation: OperationId,
}

/// Which transactions.
#[derive(Debug, Clone, Copy)]
pub struct TransactionFilter {
    /// Recorded at or after this.
    pub from: OffsetDateTime,
    /// Recorded before this.
    pub to: OffsetDateTime,
    /// Only those after this one, the oldest first.
    pub after: Option<TransactionPlace>,
    /// At most so many.
    pub limit: i64,
}

struct Row {
    operation_id: Uuid,
    payment_key: String,
    checkout_id: String,
    order_id: String,
    customer_key: Option<String>,
    kind: String,
    connector: String,
    status: Option<String>,
    currency: String,
    debit: String,
    amount: i64,
    posted_at: OffsetDateTime,
}

impl Row {
    fn into_transaction(self) -> Result<TransactionRow, StoreError> {
        const TABLE: &str = "postings";
        let id = self.operation_id;
        let status = self.status.as_deref().and_then(PaymentStatus::parse);
        let gets = known(Account::parse(&self.debit), TABLE, "debit", id)?;
        Ok(TransactionRow {
            operation: OperationId(id),
            payment_key: PaymentKey(self.payment_key),
            checkout_id: CheckoutId(self.checkout_id),
            order_id: self.order_id,
            customer_key: self.customer_key,
            kind: known(TransactionKind::parse(&self.kind), TABLE, "kind", id)?,
            connector: known(Connector::parse(&self.connector), TABLE, "connector", id)?,
            status: known(status, "payment_events", "state", id)?,
            currency: known(Currency::from_code(&self.currency), TABLE, "currency", id)?,
            // We owe the merchant less.
            amount: if gets == Account::Payable { -self.amount } else { self.amount },
            at: self.posted_at,
        })
    }
}

impl Store {
    /// A merchant's transactions, the oldest first: the postings that change what we owe it, once they are ten seconds old.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn list_transactions(
        &self,
        tenant: Tenant,
        filter: &TransactionFilter,
    ) -> Result<Vec<TransactionRow>, StoreError> {
        let rows = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select t.operation_id, p.payment_key, p.checkout_id, p.order_id,
                    p.details ->> 'customerKey' as customer_key, t.kind, t.connector, e.state ->> 'status' as status, t.currency,
                    t.debit, t.amount, t.posted_at
                from postings t
                join payments p on p.id = t.payment_id
                join payment_events e on e.payment_id = t.payment_id and e.version = t.version
                where t.merchant_id = $1 and t.mode = $2 and t.posted_at >= $3
                    and t.posted_at < least($4, now() - make_interval(secs => $9) + coalesce((
                        select ahead from merchant_clocks where merchant_id = $1 and mode = $2), '0'))
                    and $5 in (t.debit, t.credit)
                    and ($6::timestamptz is null or (t.posted_at, t.operation_id) > ($6, $7))
                order by t.posted_at, t.operation_id limit $8"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                filter.from,
                filter.to,
                Account::Payable.as_str(),
                filter.after.map(|place| place.at) as _,
                filter.after.map(|place| place.operation.0) as _,
                filter.limit,
                SHOWN_AFTER.as_secs_f64(),
            ),
            fetch_all
        )?;
        rows.into_iter().map(Row::into_transaction).collect()
    }

    /// The place of a merchant's transaction. Another merchant's has none.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn place_of_transaction(
        &self,
        tenant: Tenant,
        operation: OperationId,
    ) -> Result<Option<TransactionPlace>, StoreError> {
        let at = read!(
            self,
            sqlx::query_scalar!(
                r#"select posted_at from postings
                where operation_id = $1 and merchant_id = $2 and mode = $3 and $4 in (debit, credit)
                order by posted_at limit 1"#,
                operation.0,
                tenant.merchant.0,
                tenant.mode.as_str(),
                Account::Payable.as_str(),
            ),
            fetch_optional
        )?;
        Ok(at.map(|at| TransactionPlace { at, operation }))
    }
}

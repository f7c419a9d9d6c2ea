//! Idempotency keys: what was started under a key, never what was answered.

use std::collections::BTreeMap;

use super::row::json;
use super::{Store, StoreError, read};
use crate::domain::id::{OperationId, PaymentId, Tenant};

/// How long a key is remembered: 15 days.
const KEPT_FOR_DAYS: i32 = 15;

/// The key of a request, to be written down with what it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Method and path: a key belongs to one call.
    pub route: String,
    /// The header's value, 1 to 300 characters.
    pub key: String,
    /// Of the canonical body, without what may not be kept.
    pub fingerprint: [u8; 32],
    /// Hash of each top-level member, hex.
    pub members: BTreeMap<String, String>,
}

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Of the body it came with.
    pub fingerprint: Vec<u8>,
    /// Hash of each top-level member of that body.
    pub members: BTreeMap<String, String>,
    /// The payment it started or moved.
    pub payment: PaymentId,
    /// The operation it queued; nothing for a call that queues none.
    pub operation: Option<OperationId>,
}

impl Store {
    /// What a key was used for, if it was.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_key(&self, tenant: Tenant, route: &str, key: &str) -> Result<Option<KeyUse>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"select fingerprint, members, payment_id, operation_id from idempotency_keys
                where merchant_id = $1 and mode = $2 and route = $3 and key = $4"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                route,
                key,
            ),
            fetch_optional
        )?;
        row.map(|row| {
            Ok(KeyUse {
                fingerprint: row.fingerprint,
                members: json(row.members, "idempotency_keys", "members", key)?,
                payment: PaymentId(row.payment_id),
                operation: row.operation_id.map(OperationId),
            })
        })
        .transpose()
    }

    /// Forgets keys older than 15 days, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_keys(&self, limit: i64) -> Result<u64, StoreError> {
        let done = super::write!(
            self,
            sqlx::query!(
                r#"delete from idempotency_keys where ctid in (
                    select ctid from idempotency_keys where created_at < now() - make_interval(days => $1) limit $2)"#,
                KEPT_FOR_DAYS,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

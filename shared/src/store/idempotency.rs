//! Idempotency keys: what was started under a key, never what was answered.

use serde_json::Value;

use super::row::known;
use super::{Store, StoreError, read, write};
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
    /// Keyed hash of each member, so that a reuse with another body can name what differs.
    pub members: Value,
}

/// What a key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUse {
    /// Of the body it came with.
    pub fingerprint: Vec<u8>,
    /// Keyed hash of each member of that body.
    pub members: Value,
    /// The payment it started or moved.
    pub payment: PaymentId,
    /// What its answer is made of.
    pub started: Started,
}

/// What a keyed request started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// This operation, whose result is the answer.
    Operation(OperationId),
    /// Nothing that is still going on: the answer is the payment at this version.
    Version(i64),
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
                r#"select fingerprint, members, payment_id as "payment_id!", operation_id, version from idempotency_keys
                where merchant_id = $1 and mode = $2 and route = $3 and key = $4"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                route,
                key,
            ),
            fetch_optional
        )?;
        row.map(|row| {
            let started = match (row.operation_id, row.version) {
                (Some(operation), None) => Some(Started::Operation(OperationId(operation))),
                (None, Some(version)) => Some(Started::Version(version)),
                (Some(_), Some(_)) | (None, None) => None,
            };
            Ok(KeyUse {
                fingerprint: row.fingerprint,
                members: row.members,
                payment: PaymentId(row.payment_id),
                started: known(started, "idempotency_keys", "operation_id", key)?,
            })
        })
        .transpose()
    }

    /// Lets a key point at what another request started and this one joins. Nothing when the key is in use.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn join_with_key(
        &self,
        tenant: Tenant,
        key: &NewKey,
        payment: PaymentId,
        started: Started,
    ) -> Result<(), StoreError> {
        let (operation, version) = match started {
            Started::Operation(operation) => (Some(operation.0), None),
            Started::Version(version) => (None, Some(version)),
        };
        write!(
            self,
            sqlx::query!(
                r#"insert into idempotency_keys
                    (merchant_id, mode, route, key, fingerprint, members, payment_id, operation_id, version)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict on constraint idempotency_keys_unique do nothing"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                key.route,
                key.key,
                key.fingerprint.as_slice(),
                key.members,
                payment.0,
                operation as _,
                version as _,
            ),
            execute
        )?;
        Ok(())
    }

    /// Forgets keys older than 15 days, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_keys(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
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

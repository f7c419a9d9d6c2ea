//! Where money goes back to, sealed. Nobody reads it here: whoever has the key does.

use uuid::Uuid;

use super::{Store, StoreError, read, write};
use crate::domain::id::PaymentId;

impl Store {
    /// Keeps a sealed account for an operation, or for the deposits of a payment, in the place of one that was kept before.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn keep_sealed_payee(&self, owner: Uuid, payment: PaymentId, sealed: &[u8]) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"insert into sealed_payees (owner, payment_id, sealed) values ($1, $2, $3)
                on conflict (owner) do update set sealed = excluded.sealed, created_at = now()"#,
                owner,
                payment.0,
                sealed,
            ),
            execute
        )?;
        Ok(())
    }

    /// The sealed account that is kept for an operation or payment.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn sealed_payee(&self, owner: Uuid) -> Result<Option<Vec<u8>>, StoreError> {
        read!(self, sqlx::query_scalar!("select sealed from sealed_payees where owner = $1", owner), fetch_optional)
    }

    /// Forgets what is needed no more: of operations that are settled or were never accepted, and of payments whose accounts
    /// nobody looks at and to whose payers nothing is owed. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_sealed_payees(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from sealed_payees where owner in (
                    select s.owner from sealed_payees s
                    -- Kept first, accepted then: what is young may be about to be.
                    where s.created_at < now() - interval '1 minute'
                        and not exists (select from operations o
                            where o.id = s.owner and o.status not in ('succeeded', 'failed'))
                        and not exists (select from operations o where s.owner = s.payment_id
                            and o.payment_id = s.payment_id and o.status not in ('succeeded', 'failed'))
                        and not exists (select from account_looks l
                            where s.owner = s.payment_id and l.payment_id = s.payment_id)
                    order by s.created_at limit $1)"#,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

//! The lease of a worker. It belongs to the worker, not to a row.

use super::{Store, StoreError, write};
use crate::domain::id::WorkerId;

/// How far ahead a worker says it lives.
pub const LEASE_SECONDS: i32 = 5;

impl Store {
    /// Says that this worker lives for five more seconds, by the database's clock.
    ///
    /// # Errors
    /// When Postgres can't be reached: then the lease runs out.
    pub async fn renew_lease(&self, worker: WorkerId, name: &str) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"insert into workers (id, name, alive_until) values ($1, $2, now() + make_interval(secs => $3::integer))
                on conflict (id) do update set alive_until = excluded.alive_until"#,
                worker.0,
                name,
                f64::from(LEASE_SECONDS) as _,
            ),
            execute
        )?;
        Ok(())
    }

    /// Ends a lease at once, so that what this worker still held can be taken over.
    ///
    /// # Errors
    /// When Postgres can't be reached: then the lease runs out by itself.
    pub async fn end_lease(&self, worker: WorkerId) -> Result<(), StoreError> {
        write!(self, sqlx::query!("update workers set alive_until = now() where id = $1", worker.0), execute)?;
        Ok(())
    }
}

//! Connections, lent for one statement each.
//!
//! The pool of sqlx tests a connection with a round trip of its own whenever it is given back: as many round trips again
//! as there are statements. So what worked is kept here, ready for the next; the pool makes connections, and gets back
//! those that failed or were abandoned half-way, which it tests.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool, Postgres};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

type Kept = Arc<Mutex<Vec<PoolConnection<Postgres>>>>;

#[derive(Debug, Clone)]
pub(super) struct Lender {
    pool: PgPool,
    kept: Kept,
    /// As many as the pool may have: who holds one finds a connection kept, or the pool may make it.
    turns: Arc<Semaphore>,
    patience: Duration,
}

/// A connection for one statement or one transaction.
pub(super) struct Lent {
    conn: PoolConnection<Postgres>,
    kept: Kept,
    _turn: OwnedSemaphorePermit,
}

impl Lender {
    pub(super) fn new(connections_max: u32, patience: Duration, make: impl FnOnce(PgPoolOptions) -> PgPool) -> Self {
        Self {
            pool: make(PgPoolOptions::new().max_connections(connections_max).acquire_timeout(patience)),
            kept: Kept::default(),
            turns: Arc::new(Semaphore::new(usize::try_from(connections_max).unwrap_or(1))),
            patience,
        }
    }

    pub(super) const fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// A connection, within the time that was given.
    pub(super) async fn lend(&self) -> Result<Lent, sqlx::Error> {
        let turn = tokio::time::timeout(self.patience, Arc::clone(&self.turns).acquire_owned());
        let turn = turn.await.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match kept {
            Some(conn) => conn,
            None => self.pool.acquire().await?,
        };
        Ok(Lent { conn, kept: Arc::clone(&self.kept), _turn: turn })
    }

    /// Waits for what is under way and closes every connection.
    pub(super) async fn close(&self) {
        self.turns.close();
        while self.turns.available_permits() < usize::try_from(self.pool.options().get_max_connections()).unwrap_or(1) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.pool.close().await;
    }
}

impl Lent {
    /// Gives it back after a statement that went well. What is merely dropped goes back to the pool and is tested.
    pub(super) fn keep(self) {
        let Self { conn, kept, _turn } = self;
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }

    /// Closes it without a word: nobody answers on it any more.
    pub(super) fn forget(self) {
        drop(self.conn.detach());
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.conn
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.conn
    }
}

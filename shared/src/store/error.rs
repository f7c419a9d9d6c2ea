//! What can go wrong with Postgres, told by what it means for the caller.

use std::sync::Arc;

/// Whether a failed statement may have been carried out all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It was not: it never reached the database, or the database took it back.
    No,
    /// It may have been: the answer was lost.
    Perhaps,
}

/// A failed statement. Cheap to clone: a batch that fails, fails for each of its items.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Postgres could not be reached, or its answer was lost.
    #[error("postgres is unavailable")]
    Unavailable {
        /// Whether the statement may have been carried out.
        written: Written,
        /// What happened.
        #[source]
        cause: Arc<sqlx::Error>,
    },
    /// A named constraint refused the row.
    #[error("the constraint {constraint} refused it")]
    Constraint {
        /// Its name.
        constraint: String,
    },
    /// A batch changed other rows than it was given, and was taken back.
    #[error("the batch changed other rows than it was given")]
    BatchDisagrees,
    /// A row says something that can't be.
    #[error("{table} {row}: {column} is not something we write")]
    Inconsistent {
        /// Which table.
        table: &'static str,
        /// Which column.
        column: &'static str,
        /// Which row.
        row: String,
    },
    /// The statement itself is wrong.
    #[error("postgres refused the statement")]
    Refused(#[source] Arc<sqlx::Error>),
}

/// The failure of a statement whose answer did not come in time.
pub(super) fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Whether a `SQLSTATE` tells of trouble that passes, and is not the statement's fault. What is not named here is refused
/// for good: whoever held an answer then leaves it to the next claim, which inquires.
fn is_passing(code: &str) -> bool {
    match code {
        // A transaction that waited for us too long (we were slow, or frozen), or took too long: the session is ended.
        "25P03" | "25P04" |
        // A standby, or a server that became one: the next connection finds the primary.
        "25006" |
        // Somebody else holds the lock, or the object.
        "55P03" | "55006" => true,
        // The connection; a transaction taken back (serialization, deadlock); out of disk, memory or connections; somebody
        // stepped in (shutdown, crash recovery, a statement cancelled or out of time); the machine below (its disk).
        _ => ["08", "40", "53", "57", "58"].iter().any(|class| code.starts_with(class)),
    }
}

impl StoreError {
    /// A failure before the statement was sent.
    pub(super) fn not_written(cause: sqlx::Error) -> Self {
        Self::Unavailable { written: Written::No, cause: Arc::new(cause) }
    }

    /// The failure of whoever was to run the statement for us, and is gone.
    #[must_use]
    pub fn gone() -> Self {
        Self::write(sqlx::Error::WorkerCrashed)
    }

    /// A failure of a statement that only reads.
    pub(super) fn read(cause: sqlx::Error) -> Self {
        Self::classify(cause, Written::No)
    }

    /// A failure of a statement that writes.
    pub(super) fn write(cause: sqlx::Error) -> Self {
        Self::classify(cause, Written::Perhaps)
    }

    fn classify(cause: sqlx::Error, when_lost: Written) -> Self {
        if let sqlx::Error::Database(error) = &cause {
            if let Some(constraint) = error.constraint() {
                return Self::Constraint { constraint: constraint.to_owned() };
            }
            // What Postgres itself reports, it has taken back.
            return match error.code().as_deref() {
                Some("NR001") => Self::BatchDisagrees,
                // Save these two, by which it says that it does not know.
                Some("08007" | "40003") => Self::Unavailable { written: when_lost, cause: Arc::new(cause) },
                Some(code) if is_passing(code) => Self::Unavailable { written: Written::No, cause: Arc::new(cause) },
                Some(_) | None => Self::Refused(Arc::new(cause)),
            };
        }
        // The connection failed, or what came over it was cut off. Everything else is a fault of the program.
        let lost = matches!(
            cause,
            sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::Protocol(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
        );
        let cause = Arc::new(cause);
        if lost { Self::Unavailable { written: when_lost, cause } } else { Self::Refused(cause) }
    }

    /// Whether trying again later can help.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Constraint { .. } | Self::BatchDisagrees | Self::Inconsistent { .. } | Self::Refused(_) => false,
        }
    }

    /// Whether Postgres took it back because of somebody else's lock: a deadlock, or one that was not let go in time. Who
    /// shared the statement with the one that met the lock may do without it.
    #[must_use]
    pub fn is_of_a_lock(&self) -> bool {
        let Self::Unavailable { written: Written::No, cause } = self else { return false };
        let code = cause.as_database_error().and_then(sqlx::error::DatabaseError::code);
        matches!(code.as_deref(), Some("40P01" | "55P03" | "40001"))
    }

    /// Whether this constraint refused it.
    #[must_use]
    pub fn is_constraint(&self, name: &str) -> bool {
        matches!(self, Self::Constraint { constraint } if constraint == name)
    }
}

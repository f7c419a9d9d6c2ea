//! Where payers are signed in.
//!
//! Nothing caches a session: each request asks for it, so one that is ended is ended at once, at every instance. The
//! database's time rules.

use super::row::{known, mode};
use super::{PayerAccount, Store, StoreError, read, write};
use crate::domain::id::{Mode, PayerId};
use crate::secret::Email;

/// A session that is not used for so long has ended.
const IDLE_MINUTES: i32 = 30;
/// The longest that any session lasts.
const HOURS_MAX: i32 = 12;
/// Sessions of a payer at most: with one more, the oldest ends.
const SESSIONS_MAX: i64 = 20;

/// A session by its token's hash. The token itself is only in the browser.
pub type Session = [u8; 32];

/// Who is signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The account.
    pub payer: PayerId,
    /// Its world.
    pub mode: Mode,
    /// Its address.
    pub email: Email,
}

impl Store {
    /// Begins a session of somebody whose password was compared with what the account had, and ends the one it takes the
    /// place of. Beyond 20 the oldest ends, too. False, and nothing done, when there is another password by now.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn begin_session(
        &self,
        compared: &PayerAccount,
        session: &Session,
        instead_of: Option<&Session>,
    ) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"with payer as (
                    select id, password_version from payers where id = $1 and password_version = $5
                ), ended as (
                    delete from payer_sessions s using payer where s.token_hash = $3 or s.token_hash in (
                        select token_hash from payer_sessions where payer_id = $1
                        order by created_at desc offset $4)
                )
                insert into payer_sessions (token_hash, payer_id, password_version)
                select $2, id, password_version from payer"#,
                compared.id.0,
                session.as_slice(),
                instead_of.map(<[u8; 32]>::as_slice) as _,
                SESSIONS_MAX - 1,
                compared.password_version,
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// Whose session it is, while it lasts; and notes, to the minute, that it was used.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_session(&self, session: &Session) -> Result<Option<SignedIn>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"with living as (
                    select token_hash, payer_id, password_version, seen_at from payer_sessions
                    where token_hash = $1 and seen_at > now() - make_interval(mins => $2)
                        and created_at > now() - make_interval(hours => $3)
                ), used as (
                    update payer_sessions s set seen_at = now() from living
                    where s.token_hash = living.token_hash and living.seen_at < now() - interval '1 minute'
                )
                select p.id, p.mode, p.email from living
                join payers p on p.id = living.payer_id and p.password_version = living.password_version"#,
                session.as_slice(),
                IDLE_MINUTES,
                HOURS_MAX,
            ),
            fetch_optional
        )?;
        row.map(|row| {
            let mode = mode(&row.mode, "payers", row.id)?;
            let email = known(Email::parse(&row.email), "payers", "email", row.id)?;
            Ok(SignedIn { payer: PayerId(row.id), mode, email })
        })
        .transpose()
    }

    /// Ends a session. Returns how many that were: one, or none.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn end_session(&self, session: &Session) -> Result<u64, StoreError> {
        let delete = sqlx::query!("delete from payer_sessions where token_hash = $1", session.as_slice());
        Ok(write!(self, delete, execute)?.rows_affected())
    }

    /// Ends every session of a payer. Returns how many there were.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn end_sessions(&self, payer: PayerId) -> Result<u64, StoreError> {
        let done = write!(self, sqlx::query!("delete from payer_sessions where payer_id = $1", payer.0), execute)?;
        Ok(done.rows_affected())
    }

    /// Forgets sessions that have ended by themselves, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_sessions(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from payer_sessions where ctid in (
                    select ctid from payer_sessions where seen_at < now() - make_interval(mins => $1) limit $2)"#,
                IDLE_MINUTES,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

//! Postgres: the only truth, and the only place that speaks SQL.
//!
//! One file per aggregate; each function is one statement (one round trip, one commit) unless its doc says otherwise.
//! Nothing here decides: a statement says where it thinks a row stands, and writes what the domain decided.

mod accept;
mod account_look;
mod answer;
mod api_key;
mod attempt;
mod audit;
mod billing;
mod card;
mod claim;
mod clock;
mod deposit;
mod error;
mod event;
mod evidence;
mod idempotency;
mod invitation;
mod lease;
mod lending;
mod letter;
mod merchant;
mod operation;
mod operator;
mod payer;
mod payment;
mod rate_limit;
mod record;
mod row;
mod sealed_payee;
mod session;
mod staff;
mod sweep;
mod timeline;
mod transaction;

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

pub use accept::{Acceptance, Created, NewPayment};
pub use account_look::{CalledBack, Look};
pub use answer::Settled;
pub use api_key::{ApiKeyRow, FreshKey, KeyUsed};
use lending::{Lender, Lent};

pub use attempt::{AttemptRow, Begun, NewAttempt};
pub use audit::{Actor, Refused};
pub use billing::{BillingKeyUse, BillingRequest, NewBillingKey, NewBillingRequest};
pub use card::{Kept, NewCard, StoredCard};
pub use claim::Wanted;
pub use clock::MerchantTime;
pub use deposit::{Fact, Found, FoundOut};
pub use error::{StoreError, Written};
pub use event::EventRow;
pub use evidence::Late;
pub use idempotency::{KeyUse, NewKey, Started};
pub use invitation::{Invitation, Invited, NewInvitation};
pub use lease::LEASE_SECONDS;
pub use letter::{Letter, LetterFilter};
pub use merchant::{NewApiKey, NewMerchant, Principal};
pub use operation::{HintOwed, Rearmed, StuckOperation, Waiting};
pub use operator::{BookedWord, Heeded, Said};
pub use payer::{NewPayer, PayerAccount};
pub use payment::{Advance, Advanced, Clock, Cursor, ListFilter, NewOperation, Place, Versions};
pub use rate_limit::{Reserved, Reserving};
pub use record::{Answered, Outcome, Recorded};
pub use sealed_payee::PayeeGiven;
pub use session::{Session, SignedIn};
pub use staff::{Member, NewMember, SignIn, StaffSession};
pub use timeline::{Timeline, ToldAttempt, ToldEvent, ToldLook, ToldOperation};
pub use transaction::{TransactionFilter, TransactionPlace, TransactionRow};

/// The migrations, embedded.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// What a program may do in Postgres: the roles of `migrations/0005_roles.sql`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Whatever the user may who logs in: for migrations, seeding and tests.
    LoggedIn,
    /// Accepts, joins and re-arms; writes nothing of what acquirers said.
    Api,
    /// Carries out and keeps house; sees no API key.
    Worker,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::LoggedIn => "none",
            Self::Api => "naru_api",
            Self::Worker => "naru_worker",
        }
    }
}

/// How a program uses Postgres.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// What its connections may do.
    pub role: Role,
    /// Connections at most. Small: on two cores 4 to 8 do more than 32.
    pub connections_max: u32,
    /// How long a request waits for a connection before it is refused.
    pub acquire_timeout: Duration,
    /// Shown in `pg_stat_activity`.
    pub application_name: &'static str,
}

/// A pool of connections that all have the same time-outs.
#[derive(Debug, Clone)]
pub struct Store {
    lender: Lender,
}

impl Store {
    /// A store at this address. Connects when first used, so that a program can start before its database.
    ///
    /// # Errors
    /// When the address can't be read.
    pub fn new(url: &str, options: &StoreOptions) -> Result<Self, StoreError> {
        let connect = PgConnectOptions::from_str(url)
            .map_err(StoreError::read)?
            .application_name(options.application_name)
            .statement_cache_capacity(200)
            .options([
                ("role", options.role.name()),
                // A statement that takes this long is ill: give it up and say so.
                ("statement_timeout", "5s"),
                ("lock_timeout", "2s"),
                ("idle_in_transaction_session_timeout", "5s"),
                // Our statements are few and always shaped alike; planning them anew costs more than it finds.
                ("plan_cache_mode", "force_generic_plan"),
                ("synchronous_commit", "on"),
                ("timezone", "UTC"),
            ]);
        let lender = Lender::new(options.connections_max, options.acquire_timeout, |pool| {
            // A dead connection says so at its next statement.
            pool.test_before_acquire(false).idle_timeout(Duration::from_secs(300)).connect_lazy_with(connect)
        });
        Ok(Self { lender })
    }

    /// Applies the migrations that are not applied yet, then refreshes the planner's statistics: on unanalysed
    /// tables `UPDATE … FROM unnest(…)` is planned as a sequential scan, and generic plans keep that.
    ///
    /// # Errors
    /// When one fails; the earlier ones stay applied.
    pub async fn migrate(&self) -> Result<(), sqlx::migrate::MigrateError> {
        MIGRATIONS.run(self.lender.pool()).await?;
        sqlx::query("analyze").execute(self.lender.pool()).await?;
        Ok(())
    }

    /// Whether Postgres answers and every migration of this program is applied.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn is_ready(&self) -> Result<bool, StoreError> {
        let newest = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
        let mut conn = self.conn().await?;
        let exists: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
            .fetch_one(&mut *conn)
            .await
            .map_err(StoreError::read)?;
        if !exists {
            return Ok(false);
        }
        let applied: Option<i64> = sqlx::query_scalar("select max(version) from _sqlx_migrations where success")
            .fetch_one(&mut *conn)
            .await
            .map_err(StoreError::read)?;
        Ok(applied.is_some_and(|applied| applied >= newest))
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        self.lender.close().await;
    }

    /// A connection; failing to get one can't have written anything.
    async fn conn(&self) -> Result<Lent, StoreError> {
        self.lender.lend().await.map_err(StoreError::not_written)
    }
}

/// How long Postgres may take to answer; it gives up a statement sooner by itself. Nobody tells of a connection that leads
/// nowhere any more: a firewall forgot it, or the machine at its other end is gone.
const ANSWER_WITHIN: Duration = Duration::from_secs(7);

/// What was asked on a connection, if the answer comes in time. Without one the connection is of no use any more.
macro_rules! answered {
    ($conn:ident, $asked:expr, $failed:expr) => {
        match tokio::time::timeout($crate::store::ANSWER_WITHIN, $asked).await {
            Ok(Ok(answered)) => {
                $conn.keep();
                Ok(answered)
            }
            Ok(Err(error)) => Err($failed(error)),
            Err(_) => {
                $conn.forget();
                Err($failed($crate::store::error::no_answer()))
            }
        }
    };
}

/// Runs one statement that writes, so that its failure says whether anything can have been written.
macro_rules! write {
    ($store:expr, $query:expr, $fetch:ident) => {{
        let mut conn = $store.conn().await?;
        $crate::store::answered!(conn, $query.$fetch(&mut *conn), $crate::store::StoreError::write)
    }};
}

/// Runs one statement that only reads.
macro_rules! read {
    ($store:expr, $query:expr, $fetch:ident) => {{
        let mut conn = $store.conn().await?;
        $crate::store::answered!(conn, $query.$fetch(&mut *conn), $crate::store::StoreError::read)
    }};
}

pub(crate) use {answered, read, write};

/// The one connection of a transaction's functions.
type Conn<'a> = &'a mut PgConnection;

//! How often something may be tried, counted in Postgres because several instances must agree.
//!
//! A key is a keyed hash of whom it concerns; what it is a hash of is nobody's business here. A window begins with the first
//! try and is counted in until it is over. Whoever exceeds it waits for another window, twice as long each time in a row.

use std::time::Duration;

use super::{Store, StoreError, read, write};

/// The longest wait, unless the window itself is longer: whoever knows a name may not lock its owner out for a day.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

impl Store {
    /// Counts one more try, before it is made, and says how long to wait when it is one too many. At most `limit` in a
    /// `window`; trying on does not make a wait longer.
    ///
    /// # Errors
    /// When Postgres can't be reached. Then nothing may be tried either.
    pub async fn count_against(
        &self,
        scope: &str,
        key: &[u8; 32],
        limit: i32,
        window: Duration,
    ) -> Result<Option<Duration>, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"insert into rate_limits as l (scope, key, until, count)
                values ($1, $2, now() + make_interval(secs => $4), 1)
                on conflict (scope, key) do update set
                    window_start = case when l.until <= now() then now() else l.window_start end,
                    count = case when l.until <= now() then 1 else least(l.count, $3) + 1 end,
                    strikes = case
                        when l.until > now() then l.strikes + (l.count = $3)::integer
                        -- A window that was kept to, or a long while, and all is forgotten.
                        when l.count <= $3 or l.until < now() - make_interval(secs => $5) then 0
                        else l.strikes end,
                    until = case
                        when l.until <= now() then now() + make_interval(secs => $4)
                        when l.count = $3 then now() + make_interval(secs =>
                            least(greatest($4, $5), $4 * power(2, least(l.strikes, 20))))
                        else l.until end
                -- Whoever waited here for another's try has a `now()` of before it.
                returning count > $3 as "over!", extract(epoch from until - clock_timestamp())::float8 as "wait!""#,
                scope,
                key.as_slice(),
                limit,
                window.as_secs_f64(),
                WAIT_MAX.as_secs_f64(),
            ),
            fetch_one
        )?;
        Ok(row.over.then(|| wait(row.wait)))
    }

    /// How many were counted in the window that is open, and how long that is; counts nothing. For what is counted only
    /// when it went wrong.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn counted(&self, scope: &str, key: &[u8; 32]) -> Result<Option<(i32, Duration)>, StoreError> {
        let counted = read!(
            self,
            sqlx::query!(
                r#"select count, extract(epoch from until - now())::float8 as "wait!" from rate_limits
                where scope = $1 and key = $2 and until > now()"#,
                scope,
                key.as_slice(),
            ),
            fetch_optional
        )?;
        Ok(counted.map(|row| (row.count, wait(row.wait))))
    }

    /// Takes one try back that turned out not to count.
    ///
    /// # Errors
    /// When Postgres can't be reached: it goes on counting until its window is over.
    pub async fn uncount(&self, scope: &str, key: &[u8; 32]) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                "update rate_limits set count = count - 1 where scope = $1 and key = $2 and count > 0 and until > now()",
                scope,
                key.as_slice(),
            ),
            execute
        )?;
        Ok(())
    }

    /// Forgets counts that nothing depends on any more, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_counts(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from rate_limits where ctid in (
                    select ctid from rate_limits where until < now() - make_interval(secs => $1) limit $2)"#,
                WAIT_MAX.as_secs_f64(),
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

/// Seconds of Postgres as a wait; at least one of them.
fn wait(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default().max(Duration::from_secs(1))
}

//! How often something may be tried, counted in Postgres because several instances must agree.
//!
//! A key is a keyed hash of whom it concerns; what it is a hash of is nobody's business here. A window begins with the first
//! try and is counted in until it is over. Whoever exceeds it waits for another window, twice as long each time in a row.

use std::time::Duration;

use time::OffsetDateTime;

use super::{Store, StoreError, read, write};

/// The longest wait, unless the window itself is longer: whoever knows a name may not lock its owner out for a day.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);

/// Within this a try that was reserved is judged: a card company answers sooner, or is given up.
const JUDGED_WITHIN: Duration = Duration::from_secs(60);

/// A try that counts until somebody says that it does not.
#[derive(Debug)]
pub struct Reserved {
    scope: &'static str,
    key: [u8; 32],
    window_start: OffsetDateTime,
}

/// What became of a try that was to be counted beforehand.
#[derive(Debug)]
pub enum Reserving {
    /// It may be made.
    Made(Reserved),
    /// As many counted as may; for how long that is so.
    UsedUp(Duration),
    /// As many are counted as may, but not all of them are judged yet.
    Undecided,
}

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

    /// Counts one more try that is about to be made and may turn out not to count, unless there are `limit` in the window:
    /// tries that count and tries that nobody has judged yet together never exceed it, whoever asks and wherever. One that nobody
    /// has judged within a minute of the last is nobody's: its program died.
    ///
    /// # Errors
    /// When Postgres can't be reached. Then nothing may be tried either.
    pub async fn reserve(
        &self,
        scope: &'static str,
        key: &[u8; 32],
        limit: i32,
        window: Duration,
    ) -> Result<Reserving, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with made as (
                    insert into rate_limits as h (scope, key, until, count, undecided)
                    values ($1, $2, now() + make_interval(secs => $4), 1, 1)
                    on conflict (scope, key) do update set
                        window_start = case when h.until <= now() then now() else h.window_start end,
                        until = case when h.until <= now() then now() + make_interval(secs => $4) else h.until end,
                        count = 1 + case
                            when h.until <= now() then 0
                            when h.reserved_at < now() - make_interval(secs => $5) then h.count - h.undecided
                            else h.count end,
                        undecided = 1 + case
                            when h.until <= now() or h.reserved_at < now() - make_interval(secs => $5) then 0
                            else h.undecided end,
                        reserved_at = now()
                    where h.until <= now() or h.count < $3
                        or (h.reserved_at < now() - make_interval(secs => $5) and h.count - h.undecided < $3)
                    returning window_start
                )
                -- What was there before, for whoever finds no room.
                select made.window_start, coalesce(l.count - l.undecided >= $3 and l.until > now(), false) as "is_used_up!",
                    coalesce(extract(epoch from l.until - now())::float8, 0) as "wait!"
                from (values (1)) one(n) left join made on true left join rate_limits l on l.scope = $1 and l.key = $2
                "#,
                scope,
                key.as_slice(),
                limit,
                window.as_secs_f64(),
                JUDGED_WITHIN.as_secs_f64(),
            ),
            fetch_one
        )?;
        Ok(match row.window_start {
            Some(window_start) => Reserving::Made(Reserved { scope, key: *key, window_start }),
            None if row.is_used_up => Reserving::UsedUp(wait(row.wait)),
            None => Reserving::Undecided,
        })
    }

    /// Says of a try whether it counts. When its window is over it does not matter any more.
    ///
    /// # Errors
    /// When Postgres can't be reached: it goes on counting.
    pub async fn decide(&self, reserved: &Reserved, counts: bool) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"update rate_limits set undecided = undecided - 1, count = count - (not $4)::integer
                where scope = $1 and key = $2 and window_start = $3 and undecided > 0"#,
                reserved.scope,
                reserved.key.as_slice(),
                reserved.window_start,
                counts,
            ),
            execute
        )?;
        Ok(())
    }

    /// Whether anything is counted in a window that is open.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn is_counted(&self, scope: &str, key: &[u8; 32]) -> Result<bool, StoreError> {
        read!(
            self,
            sqlx::query_scalar!(
                r#"select exists (
                    select from rate_limits where scope = $1 and key = $2 and until > now() and count > 0
                ) as "is_counted!""#,
                scope,
                key.as_slice(),
            ),
            fetch_one
        )
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

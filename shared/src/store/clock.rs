//! Sandbox merchants' own time. Every statement that goes by it joins `merchant_clocks` itself; here it is read and set.

use time::{Duration, OffsetDateTime};

use super::{Store, StoreError, read, write};
use crate::domain::id::Tenant;

/// What a merchant's clock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MerchantTime {
    /// The merchant's now.
    pub now: OffsetDateTime,
    /// How far that is ahead of the database's.
    pub ahead: Duration,
}

impl Store {
    /// What a merchant's clock shows.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn merchant_time(&self, tenant: Tenant) -> Result<MerchantTime, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"select now() + coalesce(max(ahead), '0') as "now!",
                    coalesce((extract(epoch from max(ahead)) * 1000000)::bigint, 0) as "ahead_us!"
                from merchant_clocks where merchant_id = $1 and mode = $2"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
            ),
            fetch_one
        )?;
        Ok(MerchantTime { now: row.now, ahead: Duration::microseconds(row.ahead_us) })
    }

    /// Sets a merchant's clock to a time, if one is given, and then forward by so much, and if that moves it, has all
    /// accounts of its payers looked at, whose due time may have come; nothing when it is past that time already. Two at once add up; of two
    /// that name a time, one that comes second and names the earlier is refused.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `merchant_clocks_bounds` when it would be too far ahead, `merchant_clocks_sandbox_only` in
    /// live mode.
    pub async fn advance_clock(
        &self,
        tenant: Tenant,
        to: Option<OffsetDateTime>,
        by: Duration,
    ) -> Result<Option<MerchantTime>, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"with before as (
                    select coalesce(max(ahead), '0') as ahead from merchant_clocks where merchant_id = $1 and mode = $2
                ), wish as (
                    select make_interval(secs => coalesce(extract(epoch from $3::timestamptz - now())::float8, 0)) as reached,
                        make_interval(secs => $4) as step
                ), clock as (
                    insert into merchant_clocks as c (merchant_id, mode, ahead)
                    select $1, $2, reached + step from wish where reached >= '0'
                    on conflict (merchant_id) do update set updated_at = now(),
                        ahead = case when $3::timestamptz is null then c.ahead else '0' end + excluded.ahead
                        where $3::timestamptz is null or excluded.ahead >= c.ahead + (select step from wish)
                    returning ahead
                ), looks as (
                    update account_looks l set look_at = now(), looks = 0 from payments p
                    where p.id = l.payment_id and p.merchant_id = $1 and p.mode = $2
                        and (select ahead from clock) > (select ahead from before)
                )
                select now() + ahead as "now!", (extract(epoch from ahead) * 1000000)::bigint as "ahead_us!" from clock"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                to as _,
                by.as_seconds_f64(),
            ),
            fetch_optional
        )?;
        Ok(row.map(|row| MerchantTime { now: row.now, ahead: Duration::microseconds(row.ahead_us) }))
    }
}

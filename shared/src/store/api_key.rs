//! A merchant's API keys, as its people see and change them. Whose key a request came with is asked in `merchant.rs`.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::audit::Actor;
use super::merchant::NewApiKey;
use super::row::known;
use super::{Store, StoreError, read, write};
use crate::api_key::KeyKind;
use crate::domain::id::{ApiKeyId, Tenant};

/// Keys of one merchant in one world that work at the same time, at most. Two who issue at once may go over it by one.
const WORKING_MAX: i64 = 20;
/// Keys that are listed: those that work, and the newest that don't.
const LISTED_MAX: i64 = 100;

/// A key, as far as anybody may see it again.
#[derive(Debug, Clone)]
pub struct ApiKeyRow {
    /// Its id.
    pub id: ApiKeyId,
    /// What it may do.
    pub kind: KeyKind,
    /// Enough to know it again.
    pub hint: String,
    /// When it was issued.
    pub created_at: OffsetDateTime,
    /// From when on it no longer works, when it was rolled.
    pub expires_at: Option<OffsetDateTime>,
    /// Since when it no longer works, when it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// From which network.
    pub last_used_from: Option<String>,
    /// Whether it works, by the database's clock.
    pub works: bool,
}

/// What became of a key that was to be issued or rolled.
#[derive(Debug, Clone)]
pub enum FreshKey {
    /// It works.
    Made(ApiKeyRow),
    /// There is no such key to be rolled, or it works no more.
    NoneToRoll,
    /// As many keys work as may.
    TooMany,
}

/// That a key was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyUsed {
    /// Which.
    pub key: ApiKeyId,
    /// How long ago.
    pub ago: Duration,
    /// From which network.
    pub from: Option<String>,
}

struct Row {
    id: Uuid,
    kind: String,
    hint: String,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    revoked_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
    last_used_from: Option<String>,
    works: bool,
}

impl Row {
    fn into_key(self) -> Result<ApiKeyRow, StoreError> {
        Ok(ApiKeyRow {
            id: ApiKeyId(self.id),
            kind: known(KeyKind::from_stored(&self.kind), "api_keys", "kind", self.id)?,
            hint: self.hint,
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: self.revoked_at,
            last_used_at: self.last_used_at,
            last_used_from: self.last_used_from,
            works: self.works,
        })
    }
}

impl Store {
    /// A merchant's keys of one world, those that work first, then the newest; at most 100.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn api_keys(&self, tenant: Tenant) -> Result<Vec<ApiKeyRow>, StoreError> {
        let rows = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select id, kind, hint, created_at, expires_at, revoked_at, last_used_at, last_used_from,
                    (revoked_at is null and coalesce(expires_at > now(), true)) as "works!"
                from api_keys where merchant_id = $1 and mode = $2
                order by (revoked_at is null and coalesce(expires_at > now(), true)) desc, created_at desc, id limit $3"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                LISTED_MAX,
            ),
            fetch_all
        )?;
        rows.into_iter().map(Row::into_key).collect()
    }

    /// One of a merchant's keys of one world.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn api_key(&self, tenant: Tenant, key: ApiKeyId) -> Result<Option<ApiKeyRow>, StoreError> {
        let row = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select id, kind, hint, created_at, expires_at, revoked_at, last_used_at, last_used_from,
                    (revoked_at is null and coalesce(expires_at > now(), true)) as "works!"
                from api_keys where id = $1 and merchant_id = $2 and mode = $3"#,
                key.0,
                tenant.merchant.0,
                tenant.mode.as_str(),
            ),
            fetch_optional
        )?;
        row.map(Row::into_key).transpose()
    }

    /// Issues a key. Only its keyed hash is written down.
    ///
    /// # Errors
    /// When Postgres can't be reached, or there is that very key already (`api_keys_hash_unique`).
    pub async fn issue_api_key(&self, key: &NewApiKey<'_>, by: &Actor<'_>) -> Result<FreshKey, StoreError> {
        let row = write!(
            self,
            sqlx::query_as!(
                Row,
                r#"
                with made as (
                    insert into api_keys (id, merchant_id, mode, kind, hash, hint)
                    select $1, $2, $3, $4, $5, $6
                    where (select count(*) from api_keys where merchant_id = $2 and mode = $3 and revoked_at is null
                        and coalesce(expires_at > now(), true)) < $7
                    returning id, merchant_id, mode, kind, hint, created_at, expires_at, revoked_at
                ), noted as (
                    insert into audit_log (merchant_id, mode, staff_id, action, subject, after_hash, address, trace_id)
                    select merchant_id, mode, $8, 'api_key.issued', id::text, naru_audit_hash(to_jsonb(made)), $9, $10
                    from made
                )
                select id, kind, hint, created_at, expires_at, revoked_at, null::timestamptz as last_used_at,
                    null::text as last_used_from, true as "works!"
                from made
                "#,
                key.id,
                key.tenant.merchant.0,
                key.tenant.mode.as_str(),
                key.kind.stored(),
                key.hash.as_slice(),
                key.hint,
                WORKING_MAX,
                by.id(),
                by.address,
                by.trace_id,
            ),
            fetch_optional
        )?;
        row.map_or(Ok(FreshKey::TooMany), |row| row.into_key().map(FreshKey::Made))
    }

    /// Issues a key of the same kind in the place of another one, which works for so many hours more, or until its own
    /// earlier end. One that does not work can't be rolled.
    ///
    /// # Errors
    /// When Postgres can't be reached, or there is that very key already (`api_keys_hash_unique`).
    pub async fn roll_api_key(
        &self,
        old: ApiKeyId,
        overlap_hours: i32,
        key: &NewApiKey<'_>,
        by: &Actor<'_>,
    ) -> Result<FreshKey, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with was as (
                    select id, merchant_id, mode, kind, hint, created_at, expires_at, revoked_at from api_keys
                    where id = $8 and merchant_id = $2 and mode = $3 and kind = $4 and revoked_at is null
                        -- Whoever waited here for another's roll has a `now()` of before it.
                        and coalesce(expires_at > clock_timestamp(), true)
                    for update
                ), room as (
                    select count(*) < $7 as is_left from api_keys where merchant_id = $2 and mode = $3
                        and revoked_at is null and coalesce(expires_at > now(), true)
                ), changed as (
                    update api_keys k set expires_at = least(k.expires_at, now() + make_interval(hours => $9))
                    from was, room where k.id = was.id and (room.is_left or $9 = 0)
                    returning k.id, k.merchant_id, k.mode, k.kind, k.hint, k.created_at, k.expires_at, k.revoked_at
                ), made as (
                    insert into api_keys (id, merchant_id, mode, kind, hash, hint)
                    select $1, merchant_id, mode, kind, $5, $6 from changed
                    returning id, merchant_id, mode, kind, hint, created_at, expires_at, revoked_at
                ), noted as (
                    insert into audit_log
                        (merchant_id, mode, staff_id, action, subject, before_hash, after_hash, address, trace_id)
                    select was.merchant_id, was.mode, $10::uuid, 'api_key.rolled', was.id::text,
                        naru_audit_hash(to_jsonb(was)), naru_audit_hash(to_jsonb(changed)), $11::text, $12::text
                    from was, changed
                    union all
                    select merchant_id, mode, $10, 'api_key.issued', id::text, null, naru_audit_hash(to_jsonb(made)), $11, $12
                    from made
                )
                select exists (select from was) as "is_there!", (select created_at from made) as created_at
                "#,
                key.id,
                key.tenant.merchant.0,
                key.tenant.mode.as_str(),
                key.kind.stored(),
                key.hash.as_slice(),
                key.hint,
                WORKING_MAX,
                old.0,
                overlap_hours,
                by.id(),
                by.address,
                by.trace_id,
            ),
            fetch_one
        )?;
        Ok(match row.created_at {
            Some(created_at) => FreshKey::Made(ApiKeyRow {
                id: ApiKeyId(key.id),
                kind: key.kind,
                hint: key.hint.to_owned(),
                created_at,
                expires_at: None,
                revoked_at: None,
                last_used_at: None,
                last_used_from: None,
                works: true,
            }),
            None if row.is_there => FreshKey::TooMany,
            None => FreshKey::NoneToRoll,
        })
    }

    /// Revokes one of a merchant's keys of one world at once; caches forget it within 2 seconds. One that was revoked
    /// before stays as it is. Nothing when there is no such key.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn end_api_key(
        &self,
        tenant: Tenant,
        key: ApiKeyId,
        by: &Actor<'_>,
    ) -> Result<Option<ApiKeyRow>, StoreError> {
        let row = write!(
            self,
            sqlx::query_as!(
                Row,
                r#"
                with was as (
                    select id, merchant_id, mode, kind, hint, created_at, expires_at, revoked_at, last_used_at, last_used_from
                    from api_keys where id = $1 and merchant_id = $2 and mode = $3 for update
                ), changed as (
                    update api_keys k set revoked_at = now() from was where k.id = was.id and was.revoked_at is null
                    returning k.id, k.merchant_id, k.mode, k.kind, k.hint, k.created_at, k.expires_at, k.revoked_at
                ), noted as (
                    insert into audit_log
                        (merchant_id, mode, staff_id, action, subject, before_hash, after_hash, address, trace_id)
                    select was.merchant_id, was.mode, $4, 'api_key.revoked', was.id::text,
                        naru_audit_hash(to_jsonb(was) - 'last_used_at' - 'last_used_from'),
                        naru_audit_hash(to_jsonb(changed)), $5, $6
                    from was, changed
                )
                select was.id, was.kind, was.hint, was.created_at, was.expires_at,
                    coalesce(was.revoked_at, now()) as revoked_at, was.last_used_at, was.last_used_from, false as "works!"
                from was
                "#,
                key.0,
                tenant.merchant.0,
                tenant.mode.as_str(),
                by.id(),
                by.address,
                by.trace_id,
            ),
            fetch_optional
        )?;
        row.map(Row::into_key).transpose()
    }

    /// Forgets keys that ended more than twelve months ago, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_ended_keys(&self, limit: i64) -> Result<u64, StoreError> {
        let forgotten = write!(
            self,
            sqlx::query_scalar!(r#"select naru_forget_ended_keys($1) as "forgotten!""#, limit),
            fetch_one
        )?;
        Ok(forgotten.unsigned_abs())
    }

    /// Notes when and from where keys were used, each at most once a minute, however many instances note it.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn note_key_uses(&self, uses: &[KeyUsed]) -> Result<(), StoreError> {
        let keys: Vec<Uuid> = uses.iter().map(|used| used.key.0).collect();
        let ago: Vec<i64> = uses.iter().map(|used| i64::try_from(used.ago.as_millis()).unwrap_or(i64::MAX)).collect();
        let from: Vec<Option<String>> = uses.iter().map(|used| used.from.clone()).collect();
        write!(
            self,
            sqlx::query!(
                r#"update api_keys k set last_used_at = now() - u.ago_ms * interval '1 millisecond', last_used_from = u.used_from
                from unnest($1::uuid[], $2::bigint[], $3::text[]) as u(id, ago_ms, used_from)
                where k.id = u.id and coalesce(k.last_used_at < now() - interval '1 minute', true)"#,
                &keys,
                &ago,
                &from as &[Option<String>],
            ),
            execute
        )?;
        Ok(())
    }
}

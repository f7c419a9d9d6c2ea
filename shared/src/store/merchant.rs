//! Merchants and their keys.

use time::OffsetDateTime;
use uuid::Uuid;

use super::audit::Actor;
use super::row::{known, mode};
use super::{Store, StoreError, read, write};
use crate::api_key::KeyKind;
use crate::domain::id::{MerchantId, Tenant};

/// Origins of one merchant in one world, at most. Two who add at once may go over it by one.
const ORIGINS_MAX: i64 = 50;

/// Who a key speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Which key.
    pub key: Uuid,
    /// Which merchant, in which world.
    pub tenant: Tenant,
    /// The merchant's public id.
    pub mid: String,
    /// What the key may do.
    pub kind: KeyKind,
    /// From when on it no longer works.
    pub expires_at: Option<OffsetDateTime>,
    /// The origins that the merchant registered in this world.
    pub origins: Vec<String>,
}

/// A merchant to be written down.
#[derive(Debug)]
pub struct NewMerchant<'a> {
    /// Its id.
    pub id: MerchantId,
    /// Its public id.
    pub mid: &'a str,
    /// What people call it.
    pub name: &'a str,
}

/// A key to be written down. Only its keyed hash is.
#[derive(Debug)]
pub struct NewApiKey<'a> {
    /// Its id.
    pub id: Uuid,
    /// Whose, and for which world.
    pub tenant: Tenant,
    /// What it may do.
    pub kind: KeyKind,
    /// Its keyed hash.
    pub hash: [u8; 32],
    /// Its prefix and the four characters after it ([`ApiKey::hint`](crate::api_key::ApiKey::hint)).
    pub hint: &'a str,
}

impl Store {
    /// Who a key speaks for, by the key's keyed hash. Revoked and expired keys speak for nobody.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_principal(&self, hash: &[u8; 32]) -> Result<Option<Principal>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"select k.id, k.merchant_id, k.mode, k.kind, k.expires_at, m.mid,
                    array(select o.origin from merchant_origins o
                        where o.merchant_id = k.merchant_id and o.mode = k.mode) as "origins!"
                from api_keys k join merchants m on m.id = k.merchant_id
                where k.hash = $1 and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())"#,
                hash.as_slice(),
            ),
            fetch_optional
        )?;
        row.map(|row| {
            Ok(Principal {
                key: row.id,
                tenant: Tenant { merchant: MerchantId(row.merchant_id), mode: mode(&row.mode, "api_keys", row.id)? },
                mid: row.mid,
                kind: known(KeyKind::from_stored(&row.kind), "api_keys", "kind", row.id)?,
                expires_at: row.expires_at,
                origins: row.origins,
            })
        })
        .transpose()
    }

    /// The merchant of that public id.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_merchant(&self, mid: &str) -> Result<Option<MerchantId>, StoreError> {
        let id = read!(self, sqlx::query_scalar!("select id from merchants where mid = $1", mid), fetch_optional)?;
        Ok(id.map(MerchantId))
    }

    /// Writes down a merchant, or finds the one of that public id. Returns its id.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn create_merchant(&self, merchant: &NewMerchant<'_>) -> Result<MerchantId, StoreError> {
        let id = write!(
            self,
            sqlx::query_scalar!(
                r#"insert into merchants (id, mid, name) values ($1, $2, $3)
                on conflict on constraint merchants_mid_unique do update set name = excluded.name returning id"#,
                merchant.id.0,
                merchant.mid,
                merchant.name,
            ),
            fetch_one
        )?;
        Ok(MerchantId(id))
    }

    /// Writes down a key.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn create_api_key(&self, key: &NewApiKey<'_>) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                "insert into api_keys (id, merchant_id, mode, kind, hash, hint) values ($1, $2, $3, $4, $5, $6)",
                key.id,
                key.tenant.merchant.0,
                key.tenant.mode.as_str(),
                key.kind.stored(),
                key.hash.as_slice(),
                key.hint,
            ),
            execute
        )?;
        Ok(())
    }

    /// Revokes a key at once. Caches forget it within 2 seconds.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn revoke_api_key(&self, hash: &[u8; 32]) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                "update api_keys set revoked_at = now() where hash = $1 and revoked_at is null",
                hash.as_slice()
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// Registers an origin from which the merchant's client keys may be used, and to which its payers may be sent.
    ///
    /// # Errors
    /// When Postgres can't be reached, or it is no origin.
    pub async fn register_origin(&self, tenant: Tenant, origin: &str) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                "insert into merchant_origins (merchant_id, mode, origin) values ($1, $2, $3) on conflict do nothing",
                tenant.merchant.0,
                tenant.mode.as_str(),
                origin,
            ),
            execute
        )?;
        Ok(())
    }

    /// The origins that a merchant registered in one world, in alphabetical order.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn origins(&self, tenant: Tenant) -> Result<Vec<String>, StoreError> {
        read!(
            self,
            sqlx::query_scalar!(
                "select origin from merchant_origins where merchant_id = $1 and mode = $2 order by origin",
                tenant.merchant.0,
                tenant.mode.as_str(),
            ),
            fetch_all
        )
    }

    /// Registers an origin for somebody, if it is not registered yet. False when the merchant has as many as it may.
    ///
    /// # Errors
    /// When Postgres can't be reached, or it is no origin.
    pub async fn add_origin(&self, tenant: Tenant, origin: &str, by: &Actor<'_>) -> Result<bool, StoreError> {
        write!(
            self,
            sqlx::query_scalar!(
                r#"
                with there as (
                    select origin from merchant_origins where merchant_id = $1 and mode = $2 and origin = $3
                ), made as (
                    insert into merchant_origins (merchant_id, mode, origin)
                    select $1, $2, $3
                    where (select count(*) from merchant_origins where merchant_id = $1 and mode = $2) < $4
                    on conflict do nothing returning merchant_id, mode, origin
                ), noted as (
                    insert into audit_log (merchant_id, mode, staff_id, action, subject, after_hash, address, trace_id)
                    select merchant_id, mode, $5, 'origin.added', origin, naru_audit_hash(to_jsonb(made)), $6, $7 from made
                )
                select (exists (select from there) or exists (select from made)) as "is_registered!"
                "#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                origin,
                ORIGINS_MAX,
                by.id(),
                by.address,
                by.trace_id,
            ),
            fetch_one
        )
    }

    /// Takes an origin off the register for somebody. False when it is not on it.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn remove_origin(&self, tenant: Tenant, origin: &str, by: &Actor<'_>) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"
                with gone as (
                    delete from merchant_origins where merchant_id = $1 and mode = $2 and origin = $3
                    returning merchant_id, mode, origin
                )
                insert into audit_log (merchant_id, mode, staff_id, action, subject, before_hash, address, trace_id)
                select merchant_id, mode, $4, 'origin.removed', origin, naru_audit_hash(to_jsonb(gone)), $5, $6 from gone
                "#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                origin,
                by.id(),
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives a merchant another name.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn rename_merchant(&self, merchant: MerchantId, name: &str, by: &Actor<'_>) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"
                with was as (select id, mid, name from merchants where id = $1 for no key update),
                changed as (
                    update merchants m set name = $2 from was where m.id = was.id returning m.id, m.mid, m.name
                )
                insert into audit_log (merchant_id, staff_id, action, subject, before_hash, after_hash, address, trace_id)
                select was.id, $3, 'merchant.renamed', was.id::text, naru_audit_hash(to_jsonb(was)),
                    naru_audit_hash(to_jsonb(changed)), $4, $5 from was, changed
                "#,
                merchant.0,
                name,
                by.id(),
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(())
    }
}

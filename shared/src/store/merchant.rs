//! Merchants and their keys.

use time::OffsetDateTime;
use uuid::Uuid;

use super::row::{known, mode};
use super::{Store, StoreError, read, write};
use crate::api_key::KeyKind;
use crate::domain::id::{MerchantId, Tenant};

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
}

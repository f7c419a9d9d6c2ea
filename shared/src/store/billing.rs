//! Billing keys, and the requests that they come of.

use time::OffsetDateTime;
use uuid::Uuid;

use super::payment::{NewOperation, lasts, seconds};
use super::row::{known, to_json};
use super::{Created, NewKey, NewPayment, Store, StoreError, read, write};
use crate::domain::billing::{AUTH_KEY_FOR, BillingKey, CHARGE_WITHIN, REQUEST_FOR};
use crate::domain::event::CREATED;
use crate::domain::id::{BillingKeyId, Tenant};
use crate::domain::instrument::{Card, CardType, OwnerType};

/// A billing key to be written down.
#[derive(Debug, Clone, Copy)]
pub struct NewBillingKey<'a> {
    /// Its id.
    pub id: BillingKeyId,
    /// What the merchant will call it.
    pub key: &'a str,
    /// Whose it is.
    pub tenant: Tenant,
    /// The merchant's name for whose card it is, 2 to 300 characters.
    pub customer_key: &'a str,
}

/// What the key of a request that issued a billing key was used for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingKeyUse {
    /// Of the body it came with.
    pub fingerprint: Vec<u8>,
    /// Keyed hash of each member of that body.
    pub members: serde_json::Value,
    /// What it issued, as it is now.
    pub issued: BillingKey,
}

/// A request for a billing key, to be written down.
#[derive(Debug, Clone, Copy)]
pub struct NewBillingRequest<'a> {
    /// Its id.
    pub id: Uuid,
    /// What the customer's page will call it.
    pub request_id: &'a str,
    /// Whose it is.
    pub tenant: Tenant,
    /// The merchant's name for its customer.
    pub customer_key: &'a str,
    /// Where the customer goes when authenticated.
    pub success_url: &'a str,
    /// Where the customer goes when it failed.
    pub fail_url: &'a str,
}

/// A request for a billing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingRequest {
    /// Its id.
    pub id: Uuid,
    /// The merchant's public id (`mId`).
    pub mid: String,
    /// Whether its card will be charged real money.
    pub is_live: bool,
    /// The merchant's name for its customer.
    pub customer_key: String,
    /// Where the customer goes when authenticated.
    pub success_url: String,
    /// Whether it waits for its customer, by its merchant's clock.
    pub is_open: bool,
    /// Whether its authKey can be exchanged, by its merchant's clock.
    pub is_authenticated: bool,
}

struct Row {
    id: Uuid,
    billing_key: String,
    customer_key: String,
    token: Option<String>,
    bin: String,
    last4: String,
    fingerprint: String,
    issuer_code: String,
    acquirer_code: String,
    card_type: String,
    owner_type: String,
    authenticated_at: OffsetDateTime,
    deleted_at: Option<OffsetDateTime>,
}

impl Row {
    fn into_key(self) -> Result<BillingKey, StoreError> {
        const TABLE: &str = "billing_keys";
        Ok(BillingKey {
            id: BillingKeyId(self.id),
            key: self.billing_key,
            customer_key: self.customer_key,
            card: Card {
                token: self.token.unwrap_or_default(),
                bin: self.bin,
                last4: self.last4,
                fingerprint: self.fingerprint,
                issuer_code: self.issuer_code,
                acquirer_code: self.acquirer_code,
                card_type: known(CardType::parse(&self.card_type), TABLE, "card_type", self.id)?,
                owner_type: known(OwnerType::parse(&self.owner_type), TABLE, "owner_type", self.id)?,
                installment_months: 0,
            },
            authenticated_at: self.authenticated_at,
            is_deleted: self.deleted_at.is_some(),
        })
    }
}

impl Store {
    /// Writes down a billing key of a card that the merchant typed in, with the request's key.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `idempotency_keys_unique` when the key was used; [`StoreError::Unavailable`] says
    /// whether it may have been written.
    pub async fn create_billing_key(
        &self,
        new: &NewBillingKey<'_>,
        card: &Card,
        key: Option<&NewKey>,
    ) -> Result<BillingKey, StoreError> {
        let row = write!(
            self,
            sqlx::query_as!(
                Row,
                r#"with clock as (
                    select max(ahead) as ahead from merchant_clocks where merchant_id = $3 and mode = $4
                ), issued as (
                    insert into billing_keys (id, billing_key, merchant_id, mode, customer_key, token, bin, last4,
                        fingerprint, issuer_code, acquirer_code, card_type, owner_type, authenticated_at)
                    select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, now() + coalesce(ahead, '0')
                    from clock
                    returning *
                ), key as (
                    insert into idempotency_keys (merchant_id, mode, route, key, fingerprint, members, billing_key_id)
                    select $3, $4, $14, $15, $16, $17, id from issued where $15::text is not null
                )
                select id, billing_key, customer_key, token, bin, last4, fingerprint, issuer_code, acquirer_code,
                    card_type, owner_type, authenticated_at, deleted_at
                from issued"#,
                new.id.0,
                new.key,
                new.tenant.merchant.0,
                new.tenant.mode.as_str(),
                new.customer_key,
                card.token,
                card.bin,
                card.last4,
                card.fingerprint,
                card.issuer_code,
                card.acquirer_code,
                card.card_type.as_str(),
                card.owner_type.as_str(),
                key.map(|k| k.route.as_str()) as _,
                key.map(|k| k.key.as_str()) as _,
                key.map(|k| k.fingerprint.as_slice()) as _,
                key.map(|k| &k.members) as _,
            ),
            fetch_one
        )?;
        row.into_key()
    }

    /// A merchant's billing key, deleted or not. Another merchant's, or one of its other mode, is not found.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_billing_key(&self, tenant: Tenant, key: &str) -> Result<Option<BillingKey>, StoreError> {
        let row = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select id, billing_key, customer_key, token, bin, last4, fingerprint, issuer_code, acquirer_code,
                    card_type, owner_type, authenticated_at, deleted_at
                from billing_keys where billing_key = $1 and merchant_id = $2 and mode = $3"#,
                key,
                tenant.merchant.0,
                tenant.mode.as_str(),
            ),
            fetch_optional
        )?;
        row.map(Row::into_key).transpose()
    }

    /// What a request's key issued, if it was used for a billing key.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_issued(
        &self,
        tenant: Tenant,
        route: &str,
        key: &str,
    ) -> Result<Option<BillingKeyUse>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"select i.fingerprint as used_with, i.members, b.id, billing_key, customer_key, token, bin, last4,
                    b.fingerprint, issuer_code, acquirer_code, card_type, owner_type, authenticated_at, deleted_at
                from idempotency_keys i join billing_keys b on b.id = i.billing_key_id
                where i.merchant_id = $1 and i.mode = $2 and i.route = $3 and i.key = $4"#,
                tenant.merchant.0,
                tenant.mode.as_str(),
                route,
                key,
            ),
            fetch_optional
        )?;
        row.map(|row| {
            let issued = Row {
                id: row.id,
                billing_key: row.billing_key,
                customer_key: row.customer_key,
                token: row.token,
                bin: row.bin,
                last4: row.last4,
                fingerprint: row.fingerprint,
                issuer_code: row.issuer_code,
                acquirer_code: row.acquirer_code,
                card_type: row.card_type,
                owner_type: row.owner_type,
                authenticated_at: row.authenticated_at,
                deleted_at: row.deleted_at,
            };
            Ok(BillingKeyUse { fingerprint: row.used_with, members: row.members, issued: issued.into_key()? })
        })
        .transpose()
    }

    /// Deletes a merchant's billing key, now or before, and forgets the card company's token. What was charged goes on:
    /// a payment has its own. False when the merchant has no such key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says whether it may have been deleted.
    pub async fn delete_billing_key(&self, tenant: Tenant, key: &str) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"update billing_keys set deleted_at = coalesce(deleted_at, now()), token = null
                where billing_key = $1 and merchant_id = $2 and mode = $3"#,
                key,
                tenant.merchant.0,
                tenant.mode.as_str(),
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// Accepts a charge of a billing key: as [`Store::create_payment`], with an hour to be sent in. Nothing when the key
    /// was deleted: whoever deletes it waits for charges that are being accepted, and none is accepted afterwards.
    ///
    /// # Errors
    /// As [`Store::create_payment`].
    pub async fn charge_billing_key(
        &self,
        billing_key: BillingKeyId,
        payment: &NewPayment<'_>,
        operation: &NewOperation<'_>,
        key: Option<&NewKey>,
    ) -> Result<Option<Created>, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with clock as (
                    select max(ahead) as ahead from merchant_clocks where merchant_id = $5 and mode = $6
                ), billing as (
                    select id from billing_keys where id = $1 and merchant_id = $5 and mode = $6 and deleted_at is null
                    for share
                ), payment as (
                    insert into payments (id, payment_key, checkout_id, merchant_id, mode, source, order_id, order_name,
                        currency, total_amount, tax_free_amount, details, operation_count, status, money_state, state,
                        created_at, expires_at)
                    select $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 1, $14, $15, $16,
                        now() + coalesce(ahead, '0'), now() + coalesce(ahead, '0') + make_interval(secs => $17)
                    from billing, clock
                    returning id, created_at
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select id, 1, 'state', $18, $16, $19, ahead from payment, clock
                ), operation as (
                    insert into operations (id, payment_id, number, kind, connector, amount, deadline_at, trace_parent)
                    select $20, id, 1, $21, $22, $23,
                        least($24::timestamptz, now() + make_interval(secs => $25)), $26
                    from payment
                ), key as (
                    insert into idempotency_keys
                        (merchant_id, mode, route, key, fingerprint, members, payment_id, operation_id)
                    select $5, $6, $27, $28, $29, $30, id, $20 from payment where $28::text is not null
                )
                select now() as "at!", created_at from payment
                "#,
                billing_key.0,
                payment.id.0,
                payment.key.as_str(),
                payment.checkout_id.as_str(),
                payment.tenant.merchant.0,
                payment.tenant.mode.as_str(),
                payment.source.as_str(),
                payment.order_id,
                payment.order_name,
                payment.total.currency().code(),
                payment.total.amount(),
                payment.tax_free,
                to_json(payment.details),
                payment.state.status().as_str(),
                payment.state.money_state.as_str(),
                to_json(payment.state),
                lasts(payment.state.status()).map(seconds) as _,
                CREATED,
                payment.trace_id,
                operation.id.0,
                operation.kind.as_str(),
                operation.connector.as_str(),
                operation.amount.amount(),
                operation.before as _,
                seconds(CHARGE_WITHIN),
                operation.trace_parent,
                key.map(|k| k.route.as_str()) as _,
                key.map(|k| k.key.as_str()) as _,
                key.map(|k| k.fingerprint.as_slice()) as _,
                key.map(|k| &k.members) as _,
            ),
            fetch_optional
        )?;
        Ok(row.map(|row| Created { at: row.at, shown_at: row.created_at }))
    }

    /// Writes down that a customer's card is to become a billing key. Returns until when it may be typed in, by the
    /// merchant's clock.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn create_billing_request(&self, new: &NewBillingRequest<'_>) -> Result<OffsetDateTime, StoreError> {
        write!(
            self,
            sqlx::query_scalar!(
                r#"insert into billing_requests
                    (id, request_id, merchant_id, mode, customer_key, success_url, fail_url, expires_at)
                select $1, $2, $3, $4, $5, $6, $7, now() + coalesce(max(ahead), '0') + make_interval(secs => $8)
                from merchant_clocks where merchant_id = $3 and mode = $4
                returning expires_at"#,
                new.id,
                new.request_id,
                new.tenant.merchant.0,
                new.tenant.mode.as_str(),
                new.customer_key,
                new.success_url,
                new.fail_url,
                seconds(REQUEST_FOR),
            ),
            fetch_one
        )
    }

    /// The request of a customer's page.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_billing_request(&self, request_id: &str) -> Result<Option<BillingRequest>, StoreError> {
        read!(
            self,
            sqlx::query_as!(
                BillingRequest,
                r#"select r.id, m.mid, r.mode = 'live' as "is_live!", r.customer_key, r.success_url,
                    r.auth_key_hash is null and r.expires_at > now() + coalesce(c.ahead, '0') as "is_open!",
                    r.card is not null and r.expires_at > now() + coalesce(c.ahead, '0') as "is_authenticated!"
                from billing_requests r join merchants m on m.id = r.merchant_id
                    left join merchant_clocks c on c.merchant_id = r.merchant_id and c.mode = r.mode
                where r.request_id = $1"#,
                request_id,
            ),
            fetch_optional
        )
    }

    /// Gives a request that waits for its customer the card and the hash of its authKey. False when it waits no more.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says whether it may have been written.
    pub async fn authenticate_billing_request(
        &self,
        request: Uuid,
        auth_key_hash: &[u8; 32],
        card: &Card,
    ) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"with clock as (
                    select now() + coalesce(max(ahead), '0') as now
                    from billing_requests join merchant_clocks using (merchant_id, mode) where id = $1
                )
                update billing_requests set auth_key_hash = $2, card = $3,
                    expires_at = clock.now + make_interval(secs => $4)
                from clock where id = $1 and auth_key_hash is null and expires_at > clock.now"#,
                request,
                auth_key_hash.as_slice(),
                to_json(card),
                seconds(AUTH_KEY_FOR),
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// The merchant's request that an authKey belongs to. Another merchant's is not found.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_authenticated(
        &self,
        tenant: Tenant,
        auth_key_hash: &[u8; 32],
    ) -> Result<Option<BillingRequest>, StoreError> {
        read!(
            self,
            sqlx::query_as!(
                BillingRequest,
                r#"select r.id, m.mid, r.mode = 'live' as "is_live!", r.customer_key, r.success_url,
                    r.auth_key_hash is null and r.expires_at > now() + coalesce(c.ahead, '0') as "is_open!",
                    r.card is not null and r.expires_at > now() + coalesce(c.ahead, '0') as "is_authenticated!"
                from billing_requests r join merchants m on m.id = r.merchant_id
                    left join merchant_clocks c on c.merchant_id = r.merchant_id and c.mode = r.mode
                where r.auth_key_hash = $1 and r.merchant_id = $2 and r.mode = $3"#,
                auth_key_hash.as_slice(),
                tenant.merchant.0,
                tenant.mode.as_str(),
            ),
            fetch_optional
        )
    }

    /// Exchanges an authKey for a billing key, with the request's key: once, in time, by the merchant it is for, and for
    /// the customer it is of. Nothing when it is not so.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `idempotency_keys_unique` when the key was used; [`StoreError::Unavailable`] says
    /// whether it may have been written.
    pub async fn issue_billing_key(
        &self,
        new: &NewBillingKey<'_>,
        auth_key_hash: &[u8; 32],
        key: Option<&NewKey>,
    ) -> Result<Option<BillingKey>, StoreError> {
        let row = write!(
            self,
            sqlx::query_as!(
                Row,
                r#"with clock as (
                    select now() + coalesce(max(ahead), '0') as now from merchant_clocks
                    where merchant_id = $3 and mode = $4
                ), found as (
                    select id, card from billing_requests
                    where auth_key_hash = $6 and merchant_id = $3 and mode = $4 and customer_key = $5
                        and used_at is null and expires_at > (select now from clock)
                    for update
                ), used as (
                    update billing_requests r set used_at = now(), card = null from found where r.id = found.id
                ), issued as (
                    insert into billing_keys (id, billing_key, merchant_id, mode, customer_key, token, bin, last4,
                        fingerprint, issuer_code, acquirer_code, card_type, owner_type, authenticated_at)
                    select $1, $2, $3, $4, $5, card ->> 'token', card ->> 'bin', card ->> 'last4',
                        card ->> 'fingerprint', card ->> 'issuerCode', card ->> 'acquirerCode', card ->> 'cardType',
                        card ->> 'ownerType', clock.now
                    from found, clock
                    returning *
                ), key as (
                    insert into idempotency_keys (merchant_id, mode, route, key, fingerprint, members, billing_key_id)
                    select $3, $4, $7, $8, $9, $10, id from issued where $8::text is not null
                )
                select id, billing_key, customer_key, token, bin, last4, fingerprint, issuer_code, acquirer_code,
                    card_type, owner_type, authenticated_at, deleted_at
                from issued"#,
                new.id.0,
                new.key,
                new.tenant.merchant.0,
                new.tenant.mode.as_str(),
                new.customer_key,
                auth_key_hash.as_slice(),
                key.map(|k| k.route.as_str()) as _,
                key.map(|k| k.key.as_str()) as _,
                key.map(|k| k.fingerprint.as_slice()) as _,
                key.map(|k| &k.members) as _,
            ),
            fetch_optional
        )?;
        row.map(Row::into_key).transpose()
    }

    /// Forgets requests of yesterday, whose time is over by any clock, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_billing_requests(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from billing_requests where id in
                    (select id from billing_requests where created_at < now() - interval '25 hours' limit $1)"#,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

//! Payers: their accounts, and what they paid for.

use uuid::Uuid;

use super::payment::{lasts, seconds, select_payments};
use super::row::{PaymentRow, to_json};
use super::session::Session;
use super::{Advance, Advanced, Store, StoreError, read, write};
use crate::domain::id::{CardId, Mode, PayerId, PaymentId};
use crate::domain::payment::Payment;
use crate::secret::{Email, Secret};

/// An account to be written down.
#[derive(Debug)]
pub struct NewPayer<'a> {
    /// Its id.
    pub id: PayerId,
    /// Its world.
    pub mode: Mode,
    /// Its address: one account of it in each world.
    pub email: &'a Email,
    /// What its password is told by.
    pub password_hash: &'a Secret<String>,
}

/// An account as signing in needs it.
#[derive(Debug, Clone)]
pub struct PayerAccount {
    /// Which.
    pub id: PayerId,
    /// What its password is told by.
    pub password_hash: Secret<String>,
    /// Which of its passwords that is.
    pub password_version: i32,
}

impl Store {
    /// Writes down an account, signed in at once when a session is given.
    ///
    /// # Errors
    /// [`StoreError::Constraint`] `payers_email_unique` when the address has one in that world.
    pub async fn create_payer(&self, payer: &NewPayer<'_>, session: Option<&Session>) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"with payer as (
                    insert into payers (id, mode, email, password_hash) values ($1, $2, $3, $4) returning id, password_version
                )
                insert into payer_sessions (token_hash, payer_id, password_version)
                select $5, id, password_version from payer where $5::bytea is not null"#,
                payer.id.0,
                payer.mode.as_str(),
                payer.email.expose(),
                payer.password_hash.expose(),
                session.map(<[u8; 32]>::as_slice) as _,
            ),
            execute
        )?;
        Ok(())
    }

    /// The account of an address in a world.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_payer(&self, mode: Mode, email: &Email) -> Result<Option<PayerAccount>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                "select id, password_hash, password_version from payers where mode = $1 and email = $2",
                mode.as_str(),
                email.expose(),
            ),
            fetch_optional
        )?;
        Ok(row.map(|row| PayerAccount {
            id: PayerId(row.id),
            password_hash: Secret::new(row.password_hash),
            password_version: row.password_version,
        }))
    }

    /// Puts another hash in the place of the one that was read. False when there is another by now. With a session it is of
    /// another password, and the session is the payer's only one: any other is of a password before. Without, it is the
    /// same password kept anew, and changes nothing for anybody.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn change_password(
        &self,
        account: &PayerAccount,
        password_hash: &Secret<String>,
        only_session: Option<&Session>,
    ) -> Result<bool, StoreError> {
        let changed = write!(
            self,
            sqlx::query_scalar!(
                r#"with payer as (
                    update payers set password_hash = $3,
                        password_version = password_version + ($4::bytea is not null)::integer
                    where id = $1 and password_hash = $2 returning id, password_version
                ), ended as (
                    delete from payer_sessions s using payer where s.payer_id = payer.id and $4::bytea is not null
                ), begun as (
                    insert into payer_sessions (token_hash, payer_id, password_version)
                    select $4, id, password_version from payer where $4::bytea is not null
                )
                select count(*) as "changed!" from payer"#,
                account.id.0,
                account.password_hash.expose(),
                password_hash.expose(),
                only_session.map(<[u8; 32]>::as_slice) as _,
            ),
            fetch_one
        )?;
        Ok(changed == 1)
    }

    /// Moves a payment on that a payer authenticates with a stored card: as [`Store::advance_payment`] in time, and in the
    /// same commit whose it is from then on. Nothing when the payment no longer stands as it was read, its time is over,
    /// it is of the other world, or the card is kept no more. Queues no work and keeps no key.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] says whether it may have been written.
    pub async fn authenticate_payment(
        &self,
        change: &Advance<'_>,
        payer: PayerId,
        card: CardId,
    ) -> Result<Option<Advanced>, StoreError> {
        let status = change.next.status();
        let row = write!(
            self,
            sqlx::query!(
                r#"with clock as (
                    select max(ahead) as ahead from merchant_clocks where merchant_id = $11 and mode = $12
                ), kept as (
                    -- Nobody forgets it meanwhile.
                    select payer_id from stored_cards where id = $13 and payer_id = $7 for key share
                ), payment as (
                    update payments p set version = p.version + 1, status = $3, money_state = $4, state = $5,
                        expires_at = now() + coalesce(clock.ahead, '0') + make_interval(secs => $6), updated_at = now()
                    from payers y join kept on kept.payer_id = y.id, clock
                    where p.id = $1 and p.version = $2 and p.expires_at > now() + coalesce(clock.ahead, '0') and y.id = $7
                        and y.mode = p.mode
                    returning p.id, p.version, p.updated_at, clock.ahead
                ), event as (
                    insert into payment_events (payment_id, version, class, type, state, trace_id, ahead)
                    select id, version, $8, $9, $5, $10, ahead from payment
                ), payer as (
                    insert into payment_payers (payment_id, payer_id) select id, $7 from payment
                )
                select version, updated_at from payment"#,
                change.payment.id.0,
                change.payment.version,
                status.as_str(),
                change.next.money_state.as_str(),
                to_json(change.next),
                lasts(status).map(seconds) as _,
                payer.0,
                change.event.class().as_str(),
                change.event.name(),
                change.trace_id,
                change.payment.tenant.merchant.0,
                change.payment.tenant.mode.as_str(),
                card.0,
            ),
            fetch_optional
        )?;
        Ok(row.map(|row| Advanced { version: row.version, at: row.updated_at }))
    }

    /// A payment that this payer authenticated. Another's is not found.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_payment_of(&self, payer: PayerId, checkout_id: &str) -> Result<Option<Payment>, StoreError> {
        let row = select_payments!(
            self,
            fetch_optional,
            "join payment_payers y on y.payment_id = p.id where y.payer_id = $1 and p.checkout_id = $2",
            payer.0,
            checkout_id
        )?;
        row.map(PaymentRow::into_payment).transpose()
    }

    /// The payments that this payer authenticated, the newest first, after this one.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn payments_of(
        &self,
        payer: PayerId,
        after: Option<PaymentId>,
        limit: i64,
    ) -> Result<Vec<Payment>, StoreError> {
        let rows = select_payments!(
            self,
            fetch_all,
            r#"join payment_payers y on y.payment_id = p.id
            where y.payer_id = $1 and ($2::uuid is null or y.payment_id < $2)
            order by y.payment_id desc limit $3"#,
            payer.0,
            after.map(|id| id.0) as Option<Uuid>,
            limit
        )?;
        rows.into_iter().map(PaymentRow::into_payment).collect()
    }
}

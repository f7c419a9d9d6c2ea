//! Invitations to work for a merchant.

use time::OffsetDateTime;

use super::audit::Actor;
use super::merchant::NewMerchant;
use super::row::known;
use super::{Store, StoreError, read, write};
use crate::domain::id::{InvitationId, MerchantId, StaffId};
use crate::domain::staff::Role;
use crate::secret::{Email, Secret};

/// Hours for which an invitation is good.
const INVITATION_HOURS: i32 = 72;
/// People and open invitations of a merchant together, at most. Two who invite at once may go over it by one.
const TEAM_MAX: i64 = 100;

/// An invitation to be written down. Only its token's hash is.
#[derive(Debug)]
pub struct NewInvitation<'a> {
    /// Its id.
    pub id: InvitationId,
    /// To work for whom.
    pub merchant: MerchantId,
    /// Who is invited.
    pub email: &'a Email,
    /// As what.
    pub role: Role,
    /// The hash of the token that accepts it.
    pub token_hash: [u8; 32],
}

/// What became of an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invited {
    /// It is good until then. An earlier one of the same address is good no more.
    Until(OffsetDateTime),
    /// Somebody of that address works there already.
    IsThere,
    /// The team is as large as it may be.
    TooMany,
}

/// An invitation that waits to be accepted.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Who is invited.
    pub email: Email,
    /// As what.
    pub role: Role,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// Until when.
    pub expires_at: OffsetDateTime,
}

impl Store {
    /// Writes a new merchant down together with the invitation of its first owner, who has 72 hours.
    ///
    /// # Errors
    /// When Postgres can't be reached, or there is a merchant of that public id (`merchants_mid_unique`).
    pub async fn found_merchant(
        &self,
        merchant: &NewMerchant<'_>,
        owner: &NewInvitation<'_>,
        by: &Actor<'_>,
    ) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"
                with made as (
                    insert into merchants (id, mid, name) values ($1, $2, $3) returning id, mid, name
                ), invited as (
                    insert into staff_invitations (id, merchant_id, email, role, token_hash, expires_at)
                    select $4, id, $5, $6, $7, now() + make_interval(hours => $8) from made
                    returning id, merchant_id, email, role
                )
                insert into audit_log (merchant_id, action, subject, after_hash, address, trace_id)
                select id, 'merchant.created', id::text, naru_audit_hash(to_jsonb(made)), $9, $10 from made
                union all
                select merchant_id, 'invitation.made', id::text, naru_audit_hash(to_jsonb(invited)), $9, $10 from invited
                "#,
                merchant.id.0,
                merchant.mid,
                merchant.name,
                owner.id.0,
                owner.email.expose(),
                owner.role.as_str(),
                owner.token_hash.as_slice(),
                INVITATION_HOURS,
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(())
    }

    /// Invites somebody, for 72 hours, and for no longer than whoever does it is an owner.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn invite(&self, invitation: &NewInvitation<'_>, by: &Actor<'_>) -> Result<Invited, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with there as (
                    select id from staff where merchant_id = $2 and email = $3 and removed_at is null
                ), made as (
                    insert into staff_invitations (id, merchant_id, email, role, token_hash, expires_at, invited_by)
                    select $1, $2, $3, $4, $5, now() + make_interval(hours => $6), $8
                    where not exists (select from there)
                        and (select count(*) from staff where merchant_id = $2 and removed_at is null)
                            + (select count(*) from staff_invitations where merchant_id = $2 and email <> $3) < $7
                    on conflict (merchant_id, email) do update set id = excluded.id, role = excluded.role,
                        token_hash = excluded.token_hash, created_at = now(), expires_at = excluded.expires_at,
                        invited_by = excluded.invited_by
                    returning id, merchant_id, email, role, expires_at
                ), noted as (
                    insert into audit_log (merchant_id, staff_id, action, subject, after_hash, address, trace_id)
                    select merchant_id, $8, 'invitation.made', id::text,
                        naru_audit_hash(to_jsonb(made) - 'expires_at'), $9, $10 from made
                )
                select (select expires_at from made) as expires_at, exists (select from there) as "is_there!"
                "#,
                invitation.id.0,
                invitation.merchant.0,
                invitation.email.expose(),
                invitation.role.as_str(),
                invitation.token_hash.as_slice(),
                INVITATION_HOURS,
                TEAM_MAX,
                by.id(),
                by.address,
                by.trace_id,
            ),
            fetch_one
        )?;
        Ok(match row.expires_at {
            Some(expires_at) => Invited::Until(expires_at),
            None if row.is_there => Invited::IsThere,
            None => Invited::TooMany,
        })
    }

    /// The invitations of a merchant that wait to be accepted, the newest first.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn invitations(&self, merchant: MerchantId) -> Result<Vec<Invitation>, StoreError> {
        let rows = read!(
            self,
            sqlx::query!(
                r#"select id, email, role, created_at, expires_at from staff_invitations
                where merchant_id = $1 and expires_at > now() order by created_at desc, id"#,
                merchant.0,
            ),
            fetch_all
        )?;
        rows.into_iter()
            .map(|row| {
                Ok(Invitation {
                    id: InvitationId(row.id),
                    email: known(Email::parse(&row.email), "staff_invitations", "email", row.id)?,
                    role: known(Role::parse(&row.role), "staff_invitations", "role", row.id)?,
                    created_at: row.created_at,
                    expires_at: row.expires_at,
                })
            })
            .collect()
    }

    /// Withdraws an invitation of a merchant. False when there is none.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn withdraw_invitation(
        &self,
        merchant: MerchantId,
        invitation: InvitationId,
        by: &Actor<'_>,
    ) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"
                with gone as (
                    delete from staff_invitations where id = $1 and merchant_id = $2 and expires_at > now()
                    returning id, merchant_id, email, role
                )
                insert into audit_log (merchant_id, staff_id, action, subject, before_hash, address, trace_id)
                select merchant_id, $3, 'invitation.withdrawn', id::text, naru_audit_hash(to_jsonb(gone)), $4, $5 from gone
                "#,
                invitation.0,
                merchant.0,
                by.id(),
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether there is an invitation that this token accepts: asked before a password is made slow.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn is_invited(&self, token_hash: &[u8; 32]) -> Result<bool, StoreError> {
        read!(
            self,
            sqlx::query_scalar!(
                r#"select exists (
                    select from staff_invitations i where token_hash = $1 and expires_at > now()
                        and (invited_by is null or exists (
                            select from staff s where s.id = i.invited_by and s.role = 'owner' and s.removed_at is null))
                ) as "is_invited!""#,
                token_hash.as_slice(),
            ),
            fetch_one
        )
    }

    /// Accepts an invitation: who holds its token becomes one of the merchant's people, once. Nothing when there is no
    /// such invitation any more.
    ///
    /// # Errors
    /// When Postgres can't be reached, or somebody of that address works there already (`staff_one_per_address`).
    pub async fn accept_invitation(
        &self,
        token_hash: &[u8; 32],
        staff: StaffId,
        name: &str,
        password_hash: &Secret<String>,
        by: &Actor<'_>,
    ) -> Result<Option<(String, Email, Role)>, StoreError> {
        let row = write!(
            self,
            sqlx::query!(
                r#"
                with used as (
                    delete from staff_invitations i where token_hash = $1 and expires_at > now()
                        and (invited_by is null or exists (
                            select from staff s where s.id = i.invited_by and s.role = 'owner' and s.removed_at is null))
                    returning id, merchant_id, email, role
                ), joined as (
                    insert into staff (id, merchant_id, email, name, role, password_hash)
                    select $2, merchant_id, email, $3, role, $4 from used
                    returning id, merchant_id, email, name, role
                ), noted as (
                    insert into audit_log (merchant_id, staff_id, action, subject, before_hash, after_hash, address, trace_id)
                    select joined.merchant_id, joined.id, 'staff.joined', joined.id::text, naru_audit_hash(to_jsonb(used)),
                        naru_audit_hash(to_jsonb(joined)), $5, $6 from joined, used
                )
                select joined.id, m.mid, joined.email, joined.role
                from joined join merchants m on m.id = joined.merchant_id
                "#,
                token_hash.as_slice(),
                staff.0,
                name,
                password_hash.expose(),
                by.address,
                by.trace_id,
            ),
            fetch_optional
        )?;
        row.map(|row| {
            let email = known(Email::parse(&row.email), "staff", "email", row.id)?;
            let role = known(Role::parse(&row.role), "staff", "role", row.id)?;
            Ok((row.mid, email, role))
        })
        .transpose()
    }

    /// Forgets invitations that are past, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_invitations(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from staff_invitations where id in (
                    select id from staff_invitations where expires_at < now() limit $1)"#,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

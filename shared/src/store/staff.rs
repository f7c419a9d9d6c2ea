//! A merchant's people and their sessions.

use time::OffsetDateTime;
use uuid::Uuid;

use super::audit::Actor;
use super::row::known;
use super::{Conn, Store, StoreError, read, write};
use crate::domain::id::{MerchantId, StaffId};
use crate::domain::staff::{Role, Team, TeamRefusal};
use crate::secret::{Email, Secret};

/// Minutes after which a session that nobody uses is over.
const IDLE_MINUTES: i32 = 15;
/// Hours after which any session is over.
const SESSION_HOURS: i32 = 12;
/// Minutes for which a password that was proved is good for what gives the merchant away.
const PROOF_MINUTES: i32 = 5;
/// Sessions of a person at most: with one more, the oldest ends.
const SESSIONS_MAX: i64 = 20;

/// Somebody who works for a merchant.
#[derive(Debug, Clone)]
pub struct Member {
    /// Who.
    pub id: StaffId,
    /// What they sign in with.
    pub email: Email,
    /// What others call them.
    pub name: String,
    /// What they are to the merchant.
    pub role: Role,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// When they last signed in.
    pub last_signed_in_at: Option<OffsetDateTime>,
}

/// Somebody to be written down without an invitation: by a command, or by a test.
#[derive(Debug)]
pub struct NewMember<'a> {
    /// Their id.
    pub id: StaffId,
    /// Whose.
    pub merchant: MerchantId,
    /// What they sign in with.
    pub email: &'a Email,
    /// What others call them.
    pub name: &'a str,
    /// What they are to the merchant.
    pub role: Role,
    /// What is kept of their password.
    pub password_hash: &'a Secret<String>,
}

/// Somebody who wants to sign in.
#[derive(Debug)]
pub struct SignIn {
    /// Who.
    pub staff: StaffId,
    /// Whose.
    pub merchant: MerchantId,
    /// What is kept of their password.
    pub password_hash: Secret<String>,
    /// Which of their passwords that is.
    pub password_version: i32,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct StaffSession {
    /// Who.
    pub staff: StaffId,
    /// Whose. Everything they see and do is this merchant's.
    pub merchant: MerchantId,
    /// The merchant's public id.
    pub mid: String,
    /// What people call the merchant.
    pub merchant_name: String,
    /// What they sign in with.
    pub email: Email,
    /// What others call them.
    pub name: String,
    /// What they may do, as of now.
    pub role: Role,
    /// When the session ends at the latest.
    pub expires_at: OffsetDateTime,
    /// Until when what gives the merchant away may be done without the password.
    pub proved_until: OffsetDateTime,
    /// Whether that is still to come, by the database's clock.
    pub is_proved: bool,
}

struct MemberRow {
    id: Uuid,
    email: String,
    name: String,
    role: String,
    created_at: OffsetDateTime,
    last_signed_in_at: Option<OffsetDateTime>,
}

impl MemberRow {
    fn into_member(self) -> Result<Member, StoreError> {
        Ok(Member {
            id: StaffId(self.id),
            email: known(Email::parse(&self.email), "staff", "email", self.id)?,
            role: known(Role::parse(&self.role), "staff", "role", self.id)?,
            name: self.name,
            created_at: self.created_at,
            last_signed_in_at: self.last_signed_in_at,
        })
    }
}

impl Store {
    /// Writes somebody down, or gives who has that address this name, role and password.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn create_member(&self, member: &NewMember<'_>, by: &Actor<'_>) -> Result<StaffId, StoreError> {
        let id = write!(
            self,
            sqlx::query_scalar!(
                r#"
                with made as (
                    insert into staff (id, merchant_id, email, name, role, password_hash) values ($1, $2, $3, $4, $5, $6)
                    on conflict (merchant_id, email) where removed_at is null
                        do update set name = excluded.name, role = excluded.role, password_hash = excluded.password_hash,
                            password_version = staff.password_version + 1
                    returning id, merchant_id, email, name, role
                ), noted as (
                    insert into audit_log (merchant_id, staff_id, action, subject, after_hash, address, trace_id)
                    select merchant_id, $7, 'staff.joined', id::text, naru_audit_hash(to_jsonb(made)), $8, $9 from made
                )
                select id from made
                "#,
                member.id.0,
                member.merchant.0,
                member.email.expose(),
                member.name,
                member.role.as_str(),
                member.password_hash.expose(),
                by.id(),
                by.address,
                by.trace_id,
            ),
            fetch_one
        )?;
        Ok(StaffId(id))
    }

    /// Who has this address at this merchant. Whoever works for several is somebody else at each: none of them tells
    /// anything of the others.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn find_sign_in(&self, email: &Email, mid: &str) -> Result<Option<SignIn>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"select s.id, s.merchant_id, s.password_hash as "password_hash!", s.password_version
                from staff s join merchants m on m.id = s.merchant_id
                where m.mid = $2 and s.email = $1 and s.removed_at is null"#,
                email.expose(),
                mid,
            ),
            fetch_optional
        )?;
        Ok(row.map(|row| SignIn {
            staff: StaffId(row.id),
            merchant: MerchantId(row.merchant_id),
            password_hash: Secret::new(row.password_hash),
            password_version: row.password_version,
        }))
    }

    /// Signs somebody in whose password was compared with what was kept, and keeps it anew if asked. Beyond 20 sessions
    /// the oldest ends. False when there is another password by now, or the person was removed.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn begin_staff_session(
        &self,
        who: &SignIn,
        kept_anew: Option<&Secret<String>>,
        token_hash: &[u8; 32],
        by: &Actor<'_>,
    ) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"
                with person as (
                    update staff set last_signed_in_at = now(), password_hash = coalesce($3, password_hash)
                    where id = $1 and password_version = $2 and removed_at is null
                    returning id, merchant_id, password_version
                ), ended as (
                    delete from staff_sessions k using person where k.token_hash in (
                        select token_hash from staff_sessions where staff_id = $1 order by created_at desc offset $8)
                ), begun as (
                    insert into staff_sessions (token_hash, staff_id, password_version, expires_at)
                    select $4, id, password_version, now() + make_interval(hours => $5) from person
                )
                insert into audit_log (merchant_id, staff_id, action, subject, address, trace_id)
                select merchant_id, id, 'staff.signed_in', id::text, $6, $7 from person
                "#,
                who.staff.0,
                who.password_version,
                kept_anew.map(|kept| kept.expose().as_str()),
                token_hash.as_slice(),
                SESSION_HOURS,
                by.address,
                by.trace_id,
                SESSIONS_MAX - 1,
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// Who is signed in by this token, with what they may do as of now. Notes at most once a minute that the session is
    /// used.
    ///
    /// # Errors
    /// When Postgres can't be asked. That the use was not noted harms nobody, so this counts as reading.
    pub async fn find_staff_session(&self, token_hash: &[u8; 32]) -> Result<Option<StaffSession>, StoreError> {
        let row = read!(
            self,
            sqlx::query!(
                r#"
                with touched as (
                    update staff_sessions set used_at = now()
                    where token_hash = $1 and used_at < now() - interval '1 minute'
                        and used_at > now() - make_interval(mins => $2) and expires_at > now()
                )
                select s.id, s.merchant_id, s.email, s.name, s.role, k.expires_at, m.mid, m.name as merchant_name,
                    k.proved_at + make_interval(mins => $3) as "proved_until!",
                    k.proved_at > now() - make_interval(mins => $3) as "is_proved!"
                from staff_sessions k join staff s on s.id = k.staff_id and s.password_version = k.password_version
                join merchants m on m.id = s.merchant_id
                where k.token_hash = $1 and k.used_at > now() - make_interval(mins => $2) and k.expires_at > now()
                    and s.removed_at is null
                "#,
                token_hash.as_slice(),
                IDLE_MINUTES,
                PROOF_MINUTES,
            ),
            fetch_optional
        )?;
        row.map(|row| {
            Ok(StaffSession {
                staff: StaffId(row.id),
                merchant: MerchantId(row.merchant_id),
                mid: row.mid,
                merchant_name: row.merchant_name,
                email: known(Email::parse(&row.email), "staff", "email", row.id)?,
                name: row.name,
                role: known(Role::parse(&row.role), "staff", "role", row.id)?,
                expires_at: row.expires_at,
                proved_until: row.proved_until,
                is_proved: row.is_proved,
            })
        })
        .transpose()
    }

    /// Notes that whoever sits at a session proved the password that was compared, and gives the session another token:
    /// whoever has a copy of its cookie has proved nothing, and is out. Returns until when the proof is good; nothing when
    /// the session is over, or there is another password by now.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn prove_staff_session(
        &self,
        compared: &SignIn,
        token_hash: &[u8; 32],
        next: &[u8; 32],
        by: &Actor<'_>,
    ) -> Result<Option<OffsetDateTime>, StoreError> {
        write!(
            self,
            sqlx::query_scalar!(
                r#"
                with proved as (
                    update staff_sessions k set token_hash = $2, proved_at = now(), used_at = now() from staff s
                    where k.token_hash = $1 and k.staff_id = $3 and k.password_version = $4 and k.expires_at > now()
                        and k.used_at > now() - make_interval(mins => $5)
                        and s.id = k.staff_id and s.password_version = k.password_version and s.removed_at is null
                    returning s.id, s.merchant_id, k.proved_at
                ), noted as (
                    insert into audit_log (merchant_id, staff_id, action, subject, address, trace_id)
                    select merchant_id, $6, 'staff.proved', id::text, $7, $8 from proved
                )
                select proved_at + make_interval(mins => $9) as "proved_until!" from proved
                "#,
                token_hash.as_slice(),
                next.as_slice(),
                compared.staff.0,
                compared.password_version,
                IDLE_MINUTES,
                by.id(),
                by.address,
                by.trace_id,
                PROOF_MINUTES,
            ),
            fetch_optional
        )
    }

    /// Ends a session at once.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn end_staff_session(&self, token_hash: &[u8; 32], by: &Actor<'_>) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"
                with gone as (delete from staff_sessions where token_hash = $1 returning staff_id)
                insert into audit_log (merchant_id, staff_id, action, subject, address, trace_id)
                select s.merchant_id, $2, 'staff.signed_out', s.id::text, $3, $4 from gone join staff s on s.id = gone.staff_id
                "#,
                token_hash.as_slice(),
                by.id(),
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(())
    }

    /// Keeps another password instead of the one that was compared, ends every session of its owner, and begins this one.
    /// False when there is another by now.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn change_staff_password(
        &self,
        compared: &SignIn,
        kept: &Secret<String>,
        only_session: &[u8; 32],
        by: &Actor<'_>,
    ) -> Result<bool, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"
                with changed as (
                    update staff set password_hash = $3, password_version = password_version + 1
                    where id = $1 and password_version = $2 and removed_at is null
                    returning id, merchant_id, password_version
                ), ended as (
                    delete from staff_sessions k using changed where k.staff_id = changed.id
                ), begun as (
                    insert into staff_sessions (token_hash, staff_id, password_version, expires_at)
                    select $4, id, password_version, now() + make_interval(hours => $8) from changed
                )
                insert into audit_log (merchant_id, staff_id, action, subject, address, trace_id)
                select merchant_id, $5, 'staff.password_changed', id::text, $6, $7 from changed
                "#,
                compared.staff.0,
                compared.password_version,
                kept.expose(),
                only_session.as_slice(),
                by.id(),
                by.address,
                by.trace_id,
                SESSION_HOURS,
            ),
            execute
        )?;
        Ok(done.rows_affected() == 1)
    }

    /// Everybody who works for a merchant, who has been there longest first.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn staff_of(&self, merchant: MerchantId) -> Result<Vec<Member>, StoreError> {
        let rows = read!(
            self,
            sqlx::query_as!(
                MemberRow,
                r#"select id, email, name, role, created_at, last_signed_in_at from staff
                where merchant_id = $1 and removed_at is null order by created_at, id"#,
                merchant.0,
            ),
            fetch_all
        )?;
        rows.into_iter().map(MemberRow::into_member).collect()
    }

    /// Gives somebody another role, or, when `next` is none, removes them and ends their sessions; if the team as it is
    /// then allows it. One transaction of a few round trips, one at a time per merchant: two owners who remove each
    /// other at once can't both succeed.
    ///
    /// # Errors
    /// When Postgres can't be reached. What the team does not allow is the inner error.
    pub async fn change_member(
        &self,
        merchant: MerchantId,
        who: StaffId,
        next: Option<Role>,
        by: &Actor<'_>,
    ) -> Result<Result<(), TeamRefusal>, StoreError> {
        use sqlx::Connection as _;
        let mut conn = self.conn().await?;
        let transaction = async {
            let mut tx = conn.begin().await.map_err(StoreError::not_written)?;
            let changed = change_member_in(&mut tx, merchant, who, next, by).await?;
            tx.commit().await.map_err(StoreError::write)?;
            Ok(changed)
        };
        match tokio::time::timeout(super::ANSWER_WITHIN, transaction).await {
            Ok(done) => done,
            Err(_) => {
                conn.forget();
                Err(StoreError::write(super::error::no_answer()))
            }
        }
    }

    /// Forgets sessions that are over, at most `limit` of them. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_staff_sessions(&self, limit: i64) -> Result<u64, StoreError> {
        let done = write!(
            self,
            sqlx::query!(
                r#"delete from staff_sessions where token_hash in (
                    select token_hash from staff_sessions
                    where expires_at < now() or used_at < now() - make_interval(mins => $1) limit $2)"#,
                IDLE_MINUTES,
                limit,
            ),
            execute
        )?;
        Ok(done.rows_affected())
    }
}

async fn change_member_in(
    conn: Conn<'_>,
    merchant: MerchantId,
    who: StaffId,
    next: Option<Role>,
    by: &Actor<'_>,
) -> Result<Result<(), TeamRefusal>, StoreError> {
    // Payments only need the merchant's key to stay as it is: this does not hold them up.
    sqlx::query!("select id from merchants where id = $1 for no key update", merchant.0)
        .fetch_optional(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    let rows = sqlx::query!("select id, role from staff where merchant_id = $1 and removed_at is null", merchant.0)
        .fetch_all(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    let members =
        rows.into_iter().map(|row| Ok((StaffId(row.id), known(Role::parse(&row.role), "staff", "role", row.id)?)));
    let team = Team(members.collect::<Result<_, StoreError>>()?);
    // Whoever asked may have been removed, or made less, by who had the turn before.
    if let Some(actor) = by.staff
        && let Err(refusal) = team.lets_change(actor)
    {
        return Ok(Err(refusal));
    }
    let was = match team.change(who, next) {
        Ok(was) => was,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if was == Role::Owner && next != Some(Role::Owner) {
        withdraw_invitations_in(&mut *conn, who, by).await?;
    }
    match next {
        Some(role) if role == was => {}
        Some(role) => {
            sqlx::query!(
                r#"
                with was as (select id, merchant_id, email, name, role from staff where id = $1),
                changed as (
                    update staff set role = $2 where id = $1 returning id, merchant_id, email, name, role
                )
                insert into audit_log (merchant_id, staff_id, action, subject, before_hash, after_hash, address, trace_id)
                select was.merchant_id, $3, 'staff.role_changed', was.id::text, naru_audit_hash(to_jsonb(was)),
                    naru_audit_hash(to_jsonb(changed)), $4, $5 from was, changed
                "#,
                who.0,
                role.as_str(),
                by.id(),
                by.address,
                by.trace_id,
            )
            .execute(&mut *conn)
            .await
            .map_err(StoreError::write)?;
        }
        None => {
            sqlx::query!(
                r#"
                with was as (select id, merchant_id, email, name, role from staff where id = $1),
                removed as (update staff set removed_at = now(), password_hash = null where id = $1),
                ended as (delete from staff_sessions where staff_id = $1)
                insert into audit_log (merchant_id, staff_id, action, subject, before_hash, address, trace_id)
                select merchant_id, $2, 'staff.removed', id::text, naru_audit_hash(to_jsonb(was)), $3, $4 from was
                "#,
                who.0,
                by.id(),
                by.address,
                by.trace_id,
            )
            .execute(&mut *conn)
            .await
            .map_err(StoreError::write)?;
        }
    }
    Ok(Ok(()))
}

/// Withdraws what somebody invited who may invite no more. One that they write down at this very moment is not seen here:
/// nobody can accept it either, because an invitation is good while its owner is one.
async fn withdraw_invitations_in(conn: Conn<'_>, who: StaffId, by: &Actor<'_>) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        with gone as (
            delete from staff_invitations where invited_by = $1 returning id, merchant_id, email, role
        )
        insert into audit_log (merchant_id, staff_id, action, subject, before_hash, address, trace_id)
        select merchant_id, $2, 'invitation.withdrawn', id::text, naru_audit_hash(to_jsonb(gone)), $3, $4 from gone
        "#,
        who.0,
        by.id(),
        by.address,
        by.trace_id,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

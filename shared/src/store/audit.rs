//! Who did it. Each statement that changes something in the backoffice writes its row of the audit log itself; here is
//! what is noted without a change.

use super::{Store, StoreError, write};
use crate::domain::id::{MerchantId, StaffId};
use crate::words::words;

/// Who changes something, for the audit log.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// Who is signed in; nobody when an operator's command does it.
    pub staff: Option<StaffId>,
    /// The client's address, as far as it is known.
    pub address: Option<&'a str>,
    /// The request's trace, and which request of it.
    pub trace_id: &'a str,
}

impl Actor<'_> {
    /// Who it is, as the column has it.
    pub(super) fn id(&self) -> Option<uuid::Uuid> {
        self.staff.map(|staff| staff.0)
    }
}

words! {
    /// What is refused and worth knowing afterwards, as the action that the log has.
    Refused {
        /// Somebody could not sign in: the password was wrong, or nobody has that address there.
        SignIn = "staff.sign_in_refused",
        /// Somebody who is signed in was to prove the password, and it was wrong.
        Password = "staff.password_refused",
        /// Somebody could not even try to sign in: there were too many tries.
        SignInTooOften = "staff.sign_in_limited",
        /// Somebody who is signed in could not even try to prove the password.
        PasswordTooOften = "staff.password_limited",
        /// A role may not do that.
        Role = "staff.role_refused",
        /// The password was proved too long ago for that.
        Proof = "staff.proof_refused",
    }
}

impl Store {
    /// Notes that something was refused: at which merchant, if it is known, and to whom or what.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn note_refusal(
        &self,
        refused: Refused,
        merchant: Option<MerchantId>,
        subject: &str,
        by: &Actor<'_>,
    ) -> Result<(), StoreError> {
        write!(
            self,
            sqlx::query!(
                r#"insert into audit_log (merchant_id, staff_id, action, subject, address, trace_id)
                values ($1, $2, $3, $4, $5, $6)"#,
                merchant.map(|merchant| merchant.0),
                by.id(),
                refused.as_str(),
                subject,
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(())
    }

    /// Forgets what is older than twelve months, at most `limit` rows. Returns how many.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn forget_old_audit_log(&self, limit: i64) -> Result<u64, StoreError> {
        let forgotten =
            write!(self, sqlx::query_scalar!(r#"select naru_forget_audit_log($1) as "forgotten!""#, limit), fetch_one)?;
        Ok(forgotten.unsigned_abs())
    }
}

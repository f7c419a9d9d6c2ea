//! Who did it. Each statement that changes something in the backoffice writes its row of the audit log itself; here is
//! what is noted without a change.

use super::{Store, StoreError, write};
use crate::domain::id::{MerchantId, StaffId};

/// Who changes something, for the audit log.
#[derive(Debug, Clone, Copy)]
pub struct Actor<'a> {
    /// Who is signed in; nobody when an operator's command does it.
    pub staff: Option<StaffId>,
    /// The client's address, as far as it is known.
    pub address: Option<&'a str>,
    /// The request's trace.
    pub trace_id: &'a str,
}

impl Actor<'_> {
    /// Who it is, as the column has it.
    pub(super) fn id(&self) -> Option<uuid::Uuid> {
        self.staff.map(|staff| staff.0)
    }
}

impl Store {
    /// Notes that a password was wrong: as whose, if there is such a person. Whoever is signed in wanted to change theirs;
    /// whoever is not, to sign in.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn note_refused_password(
        &self,
        person: Option<(MerchantId, StaffId)>,
        by: &Actor<'_>,
    ) -> Result<(), StoreError> {
        let merchant = person.map(|(merchant, _)| merchant.0);
        let subject = person.map_or_else(|| "nobody".to_owned(), |(_, staff)| staff.to_string());
        write!(
            self,
            sqlx::query!(
                r#"insert into audit_log (merchant_id, staff_id, action, subject, address, trace_id)
                values ($1, $2, case when $2::uuid is null then 'staff.sign_in_refused' else 'staff.password_refused' end,
                    $3, $4, $5)"#,
                merchant,
                by.id(),
                subject,
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(())
    }
}

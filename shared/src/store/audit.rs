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
    /// Notes that somebody could not sign in: as whom, if there is such a person.
    ///
    /// # Errors
    /// When Postgres can't be reached.
    pub async fn note_refused_sign_in(
        &self,
        person: Option<(MerchantId, StaffId)>,
        by: &Actor<'_>,
    ) -> Result<(), StoreError> {
        let merchant = person.map(|(merchant, _)| merchant.0);
        let subject = person.map_or_else(|| "nobody".to_owned(), |(_, staff)| staff.to_string());
        write!(
            self,
            sqlx::query!(
                r#"insert into audit_log (merchant_id, action, subject, address, trace_id)
                values ($1, 'staff.sign_in_refused', $2, $3, $4)"#,
                merchant,
                subject,
                by.address,
                by.trace_id,
            ),
            execute
        )?;
        Ok(())
    }
}

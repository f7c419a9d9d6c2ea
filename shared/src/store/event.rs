//! The log that SSE, webhooks and the event list are doors to.

use time::OffsetDateTime;
use uuid::Uuid;

use super::row::{json, known};
use super::{Store, StoreError, read};
use crate::domain::event::EventClass;
use crate::domain::id::PaymentId;
use crate::domain::payment::PaymentState;

/// One version of a payment and how it came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Of which payment.
    pub payment: PaymentId,
    /// Which version.
    pub version: i64,
    /// Who it is for.
    pub class: EventClass,
    /// What happened.
    pub kind: String,
    /// How the payment stood then.
    pub state: PaymentState,
    /// In which trace, 32 hex digits.
    pub trace_id: String,
    /// When, by the database's clock.
    pub occurred_at: OffsetDateTime,
    /// When, by the merchant's clock.
    pub shown_at: OffsetDateTime,
}

struct Row {
    payment_id: Uuid,
    version: i64,
    class: String,
    r#type: String,
    state: serde_json::Value,
    trace_id: String,
    occurred_at: OffsetDateTime,
    shown_at: OffsetDateTime,
}

impl Row {
    fn into_event(self) -> Result<EventRow, StoreError> {
        let row = || format!("{} version {}", self.payment_id, self.version);
        let class = known(EventClass::parse(&self.class), "payment_events", "class", row())?;
        let at = row();
        Ok(EventRow {
            payment: PaymentId(self.payment_id),
            version: self.version,
            class,
            kind: self.r#type,
            state: json(self.state, "payment_events", "state", at)?,
            trace_id: self.trace_id,
            occurred_at: self.occurred_at,
            shown_at: self.shown_at,
        })
    }
}

impl Store {
    /// The events of a payment after a version, in order, at most `limit`.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn events_after(
        &self,
        payment: PaymentId,
        version: i64,
        limit: i64,
    ) -> Result<Vec<EventRow>, StoreError> {
        let rows = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select payment_id, version, class, type, state, trace_id,
                    occurred_at, occurred_at + coalesce(ahead, '0') as "shown_at!" from payment_events
                where payment_id = $1 and version > $2 order by version limit $3"#,
                payment.0,
                version,
                limit,
            ),
            fetch_all
        )?;
        rows.into_iter().map(Row::into_event).collect()
    }

    /// One version of a payment.
    ///
    /// # Errors
    /// When Postgres can't be asked.
    pub async fn event_at(&self, payment: PaymentId, version: i64) -> Result<Option<EventRow>, StoreError> {
        let row = read!(
            self,
            sqlx::query_as!(
                Row,
                r#"select payment_id, version, class, type, state, trace_id,
                    occurred_at, occurred_at + coalesce(ahead, '0') as "shown_at!" from payment_events
                where payment_id = $1 and version = $2"#,
                payment.0,
                version,
            ),
            fetch_optional
        )?;
        row.map(Row::into_event).transpose()
    }
}

//! An answer that comes after its claim was lost. Nothing that says money moved is ever dropped.

use super::row::known;
use super::{Conn, Outcome, StoreError};
use crate::domain::attempt::{AnswerWord, Resolution};
use crate::domain::event::PaymentEvent;
use crate::domain::id::OperationId;
use crate::domain::operation::{OperationKind, OperationStatus};
use crate::domain::payment::{PaymentState, Work};

/// What was done about a late answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// It says nothing that is not known.
    Nothing,
    /// It is kept; the operation is still open and its next inquiry will hear the same.
    Kept,
    /// It says that money moved which nobody wants any more: this net-cancel is queued.
    Reversing(OperationId),
}

/// Deals with an approval whose claim was lost, inside the transaction that holds payment and operation and has
/// written the answer to its attempt.
pub(super) async fn deal_with(
    conn: Conn<'_>,
    outcome: &Outcome,
    standing: &PaymentState,
    version: i64,
) -> Result<Late, StoreError> {
    let Some(answered) = outcome.answered.as_ref().filter(|a| a.word == AnswerWord::Approved) else {
        return Ok(Late::Nothing);
    };
    let attempt = sqlx::query!(
        r#"select a.reference, a.resolution, o.connector, o.amount, o.trace_parent
        from attempts a join operations o on o.id = a.operation_id where a.id = $1 and a.call = 'approve'"#,
        answered.attempt.0,
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    let Some(attempt) = attempt else { return Ok(Late::Nothing) };
    let resolution = attempt
        .resolution
        .map(|word| known(Resolution::parse(&word), "attempts", "resolution", answered.attempt))
        .transpose()?;
    match resolution {
        None => return Ok(Late::Kept),
        Some(Resolution::Approved) => return Ok(Late::Nothing),
        Some(Resolution::Declined | Resolution::Reversed | Resolution::NotMoved) => {}
    }

    let id = sqlx::query_scalar!(
        r#"
        with payment as (
            update payments set operation_count = operation_count + 1 where id = $1 returning id, operation_count
        )
        insert into operations
            (id, payment_id, number, kind, connector, amount, target_reference, deadline_at, trace_parent)
        select gen_random_uuid(), id, operation_count, 'net_cancel', $2, $3, $4, now(), $5 from payment
        returning id
        "#,
        outcome.payment.0,
        attempt.connector,
        attempt.amount,
        attempt.reference,
        attempt.trace_parent,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    sqlx::query!("update attempts set resolution = 'approved' where id = $1", answered.attempt.0)
        .execute(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    let work = Work {
        id: OperationId(id),
        kind: OperationKind::NetCancel,
        status: OperationStatus::Queued,
        attempt: 0,
        next_attempt_at: None,
    };
    let event = PaymentEvent::LateApproval { work };
    let next = standing.on(&event).map_err(|_| StoreError::Inconsistent {
        table: "payments",
        column: "state",
        row: format!("{} at version {version}", outcome.payment),
    })?;
    super::record::move_payment(&mut *conn, outcome.payment, &next, &event, &outcome.trace_id).await?;
    Ok(Late::Reversing(OperationId(id)))
}

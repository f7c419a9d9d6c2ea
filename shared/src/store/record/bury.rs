//! An outcome that its payment does not take, which can't be.

use super::super::{Conn, Late, StoreError, account_look, evidence};
use super::{Outcome, move_payment, resolve};
use crate::domain::attempt::Resolution;
use crate::domain::event::PaymentEvent;
use crate::domain::operation::{LetterReason, OperationKind, OperationStatus};
use crate::domain::payment::{PaymentState, Work};

/// Gives up an operation whose outcome its payment does not take. No money may hang on that: an approval is reversed.
pub(super) async fn bury(conn: Conn<'_>, outcome: &Outcome, standing: &PaymentState) -> Result<Late, StoreError> {
    let attempts = sqlx::query_scalar!(
        r#"update operations set status = 'dead', owner = null, claimed_at = null, nudge_at = null,
            unknown_since = null, letter = 'needs_person', letter_reason = $2, letter_fence = fence
        where id = $1 returning attempt_count"#,
        outcome.operation.0,
        LetterReason::OutcomeImpossible.as_str(),
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    let work = Work {
        id: outcome.operation,
        kind: outcome.kind,
        status: OperationStatus::Dead,
        attempt: attempts,
        next_attempt_at: None,
    };
    let event = PaymentEvent::WorkDied { work, disputed: false };
    if let Ok(next) = standing.on(&event) {
        move_payment(&mut *conn, outcome.payment, &next, &event, &outcome.trace_id).await?;
    }
    match (outcome.kind, &outcome.decision.resolved) {
        (OperationKind::Approve, Some((reference, Resolution::Approved))) => {
            evidence::reverse(conn, reference.as_str(), &outcome.trace_id).await.map(Late::Reversing)
        }
        (OperationKind::IssueAccount, Some((reference, Resolution::Approved))) => {
            account_look::begin(&mut *conn, outcome.payment, reference, None).await?;
            resolve(conn, reference, Resolution::Approved).await.map(|()| Late::Looked)
        }
        (_, Some((reference, resolution))) => resolve(conn, reference, *resolution).await.map(|()| Late::Kept),
        (_, None) => Ok(Late::Nothing),
    }
}

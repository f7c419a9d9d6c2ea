//! A return that ends while somebody says where to.

use super::super::row::json;
use super::super::{Conn, StoreError};
use super::Outcome;
use crate::domain::course::Next;
use crate::domain::operation::OperationKind;
use crate::domain::payment::PaymentState;

/// The same outcome when a return was given up for want of a good account, and another was said meanwhile: it goes on.
pub(super) async fn given_meanwhile(
    conn: Conn<'_>,
    outcome: &Outcome,
    version: i64,
    standing: &PaymentState,
) -> Result<Option<Outcome>, StoreError> {
    let died = outcome.kind == OperationKind::ReturnDeposit && outcome.decision.next == Next::Dead;
    if !died || outcome.version == version {
        return Ok(None);
    }
    let seen = sqlx::query!(
        r#"select state, now() as "now!" from payment_events where payment_id = $1 and version = $2"#,
        outcome.payment.0,
        outcome.version,
    )
    .fetch_one(conn)
    .await
    .map_err(StoreError::write)?;
    let seen_state: PaymentState = json(seen.state, "payment_events", "state", outcome.payment)?;
    let decision = || outcome.decision.clone().with_another_payee(seen.now);
    Ok((seen_state.payee != standing.payee).then(|| Outcome { decision: decision(), ..outcome.clone() }))
}

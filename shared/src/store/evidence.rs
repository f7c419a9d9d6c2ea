//! An answer that comes after its claim was lost, or that contradicts what is being decided. Nothing that says money
//! moved is ever dropped: its reversal is queued in the same commit.
//!
//! All of this runs inside a transaction that holds the payment's row.

use super::row::{json, known};
use super::{Answered, Conn, Outcome, StoreError, account_look};
use crate::domain::attempt::{AnswerWord, Call, Resolution};
use crate::domain::course::CaseKind;
use crate::domain::event::PaymentEvent;
use crate::domain::evidence::{Verdict, judge};
use crate::domain::id::{AttemptId, OperationId, PaymentId};
use crate::domain::operation::OperationKind;
use crate::domain::payment::{PaymentState, Work};

/// What was done about an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Late {
    /// It says nothing that is not known.
    Nothing,
    /// It is kept; the operation is still open and its next inquiry will hear the same.
    Kept,
    /// It says that money may be out which nobody wants any more: this net-cancel is queued.
    Reversing(OperationId),
    /// It says that a change was made that was taken for not made: a case is opened for a person, and it is asked after
    /// once more if its operation has not ended.
    Case,
    /// It is about an account that was done with: it is looked at.
    Looked,
}

/// Weighs what a refused outcome says of money: its own answer, and the approval that it would have recorded.
pub(super) async fn weigh_refused(conn: Conn<'_>, outcome: &Outcome) -> Result<Late, StoreError> {
    let mut late = Late::Nothing;
    if let Some(answered) = &outcome.answered {
        late = weigh_answer(&mut *conn, answered, &outcome.trace_id).await?;
    }
    match &outcome.decision.resolved {
        Some((reference, Resolution::Approved)) if late == Late::Nothing => {
            weigh(conn, reference.as_str(), Call::Inquire, AnswerWord::Approved, &outcome.trace_id).await
        }
        _ => Ok(late),
    }
}

/// Weighs one answer.
pub(super) async fn weigh_answer(conn: Conn<'_>, answered: &Answered, trace_id: &str) -> Result<Late, StoreError> {
    let reference = sqlx::query_scalar!("select reference from attempts where id = $1", answered.attempt.0)
        .fetch_optional(&mut *conn)
        .await
        .map_err(StoreError::write)?;
    match reference {
        Some(reference) => weigh(conn, &reference, answered.call, answered.word, trace_id).await,
        None => Ok(Late::Nothing),
    }
}

/// Weighs a decision that no money is out under a reference against what anybody else has heard of it: an approval; or
/// nothing believable, after somebody had taken over, for then its bytes may have left late too, and "not found" was
/// believed too soon.
pub(super) async fn weigh_decision(
    conn: Conn<'_>,
    reference: &str,
    own: Option<AttemptId>,
    trace_id: &str,
) -> Result<Late, StoreError> {
    let contradicted = sqlx::query_scalar!(
        r#"select exists (
            select 1 from attempts a where a.reference = $1 and a.id is distinct from $2 and (
                (a.call <> 'net_cancel' and a.answer = 'approved')
                or (a.call not in ('inquire', 'net_cancel') and a.answer in ('unknown', 'pending') and exists (
                    select 1 from attempts n where n.operation_id = a.operation_id and n.fence > a.fence
                        and n.sent_at < a.answered_at)))
        ) as "contradicted!""#,
        reference,
        own.map(|attempt| attempt.0) as _,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    if !contradicted {
        return Ok(Late::Nothing);
    }
    weigh(conn, reference, Call::Approve, AnswerWord::Approved, trace_id).await
}

async fn weigh(
    conn: Conn<'_>,
    reference: &str,
    call: Call,
    heard: AnswerWord,
    trace_id: &str,
) -> Result<Late, StoreError> {
    let row = sqlx::query!(
        r#"select a.call, a.resolution, o.status in ('succeeded', 'failed', 'dead') as "ended!"
        from attempts a join operations o on o.id = a.operation_id
        where a.reference = $1 and a.call not in ('inquire', 'net_cancel') order by a.sent_at limit 1"#,
        reference,
    )
    .fetch_optional(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    let Some(row) = row else { return Ok(Late::Nothing) };
    let asked = known(Call::parse(&row.call), "attempts", "call", reference)?;
    let decided =
        row.resolution.map(|word| known(Resolution::parse(&word), "attempts", "resolution", reference)).transpose()?;
    // What is open though its operation has ended is done with: nobody will ask about it any more.
    let decided = decided.or(row.ended.then_some(Resolution::NotMoved));
    match judge(call, heard, asked, decided) {
        Verdict::Nothing => Ok(Late::Nothing),
        Verdict::Kept => Ok(Late::Kept),
        Verdict::Reverse => reverse(conn, reference, trace_id).await.map(Late::Reversing),
        Verdict::Case => {
            open_case(&mut *conn, reference, heard).await?;
            reopen(conn, reference).await?;
            Ok(Late::Case)
        }
        Verdict::Look => account_look::of_attempt(conn, reference).await.map(|()| Late::Looked),
    }
}

/// Whether somebody else has heard that this change was made. Then it is not made again, and not called off.
pub(super) async fn was_made(conn: Conn<'_>, reference: &str, own: Option<AttemptId>) -> Result<bool, StoreError> {
    sqlx::query_scalar!(
        r#"select exists (
            select 1 from attempts where reference = $1 and id is distinct from $2 and call <> 'net_cancel'
                and answer = 'approved') as "made!""#,
        reference,
        own.map(|attempt| attempt.0) as _,
    )
    .fetch_one(conn)
    .await
    .map_err(StoreError::write)
}

/// Leaves a change open that is said to be made, to be asked after again: soon, and less and less often.
pub(super) async fn doubt(conn: Conn<'_>, operation: OperationId) -> Result<(), StoreError> {
    sqlx::query!(
        r#"update operations o set status = 'unknown', owner = null, claimed_at = null, claim_count = 0,
            inquiry_count = inquiry_count + 1, unknown_since = coalesce(o.unknown_since, now()), due_at = next.at, nudge_at = next.at, nudge_count = 0
        from (select id, now() + make_interval(secs => power(2, least(inquiry_count, 9))) as at from operations) next
        where o.id = $1 and next.id = o.id"#,
        operation.0,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

/// Has a change asked after once more that was taken for not made, unless its operation has ended. Until that is found out
/// nothing is sent under another reference.
async fn reopen(conn: Conn<'_>, reference: &str) -> Result<(), StoreError> {
    sqlx::query!(
        r#"with reopened as (
            update attempts a set resolution = null from operations o
            where a.reference = $1 and a.call in ('capture', 'cancel', 'refund', 'return') and o.id = a.operation_id
                and o.status in ('queued', 'waiting', 'unknown', 'processing')
            returning o.id
        )
        update operations o set status = 'unknown', unknown_since = now(), due_at = now(), nudge_at = now(), nudge_count = 0
        from reopened r where o.id = r.id and o.status in ('queued', 'waiting')"#,
        reference,
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

/// Opens a case about a change that was taken for not made and may have been made all the same.
pub(super) async fn open_case(conn: Conn<'_>, reference: &str, heard: AnswerWord) -> Result<(), StoreError> {
    sqlx::query!(
        r#"insert into cases (id, payment_id, operation_id, reference, kind, detail)
        select gen_random_uuid(), o.payment_id, o.id, $1, $2, $3
        from attempts a join operations o on o.id = a.operation_id
        where a.reference = $1 and a.call in ('capture', 'cancel', 'refund', 'return') order by a.sent_at limit 1
        on conflict on constraint cases_once do nothing"#,
        reference,
        CaseKind::LateChange.as_str(),
        serde_json::json!({ "answer": heard.as_str() }),
    )
    .execute(conn)
    .await
    .map_err(StoreError::write)?;
    Ok(())
}

/// Queues the net-cancel of a reference and says so on its payment.
pub(super) async fn reverse(conn: Conn<'_>, reference: &str, trace_id: &str) -> Result<OperationId, StoreError> {
    let queued = sqlx::query!(
        r#"
        with attempt as (
            select o.payment_id, o.connector, o.amount, o.trace_parent
            from attempts a join operations o on o.id = a.operation_id
            where a.reference = $1 and a.call = 'approve' order by a.sent_at limit 1
        ), payment as (
            update payments p set operation_count = p.operation_count + 1 from attempt
            where p.id = attempt.payment_id returning p.id, p.operation_count, p.state
        ), operation as (
            insert into operations
                (id, payment_id, number, kind, connector, amount, target_reference, deadline_at, trace_parent)
            select gen_random_uuid(), p.id, p.operation_count, 'net_cancel', a.connector, a.amount, $1, now(),
                a.trace_parent
            from payment p, attempt a
            returning id
        ), marked as (
            update attempts set resolution = 'reversing' where reference = $1 and call = 'approve'
        )
        select o.id, p.id as payment, p.state from operation o, payment p
        "#,
        reference,
    )
    .fetch_one(&mut *conn)
    .await
    .map_err(StoreError::write)?;
    let operation = OperationId(queued.id);
    let work = Work::queued(operation, OperationKind::NetCancel);
    let event = PaymentEvent::LateApproval { work };
    let standing: PaymentState = json(queued.state, "payments", "state", queued.payment)?;
    let next = known(standing.on(&event).ok(), "payments", "state", queued.payment)?;
    super::record::move_payment(conn, PaymentId(queued.payment), &next, &event, trace_id).await?;
    Ok(operation)
}

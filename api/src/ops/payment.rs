//! One payment with everything that was done about it.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::id::{OperationId, PaymentId};
use naru_shared::domain::operation::Operation;
use naru_shared::domain::payment::Payment;
use naru_shared::store::EventRow;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::App;
use crate::context::RequestContext;
use crate::problem::{Code, Problem};
use crate::unavailable::refuse;
use crate::view::{PaymentView, seoul_millis};

/// Events shown at most.
pub(super) const EVENTS_MAX: i64 = 200;

/// The payment as its merchant sees it, its operations with every attempt and answer, and its timeline.
pub(super) async fn show(
    State(app): State<App>,
    context: RequestContext,
    Path(key): Path<String>,
) -> Result<Json<Value>, Problem> {
    let payment = find(&app, &key).await?.ok_or_else(|| Problem::of(Code::NotFoundPayment))?;
    let mut operations = Vec::new();
    for operation in app.store.operations_of(payment.id).await.map_err(refuse)? {
        let mut shown = work(&operation);
        let attempts = app.store.attempts_of(operation.id).await.map_err(refuse)?;
        shown["attempts"] = serde_json::to_value(attempts).unwrap_or_default();
        if let Some(word) = app.store.word_about(operation.id).await.map_err(refuse)? {
            shown["word"] = serde_json::to_value(word).unwrap_or_default();
        }
        operations.push(shown);
    }
    let events = app.store.events_after(payment.id, 0, EVENTS_MAX).await.map_err(refuse)?;
    Ok(Json(json!({
        "payment": PaymentView::of(&app, &payment, context.language),
        "operations": operations,
        "timeline": timeline(&events),
    })))
}

/// A payment by what merchants call it, or by its own or an operation's id: those are what logs have.
async fn find(app: &App, name: &str) -> Result<Option<Payment>, Problem> {
    let Ok(id) = Uuid::try_parse(name) else {
        // Postgres has no text with NUL in it; nothing of ours is longer.
        let is_possible = name.len() <= 200 && !name.contains('\0');
        return if is_possible { app.store.payment_by_key(name).await.map_err(refuse) } else { Ok(None) };
    };
    let operation = app.store.operation(OperationId(id)).await.map_err(refuse)?;
    let payment = operation.map_or(PaymentId(id), |operation| operation.payment);
    Ok(app.store.payments(&[payment]).await.map_err(refuse)?.pop())
}

/// An operation as operators see it.
pub(super) fn work(operation: &Operation) -> Value {
    json!({
        "id": operation.id, "kind": operation.kind, "status": operation.status,
        "amount": operation.amount.amount(), "attemptCount": operation.attempt_count,
        "inquiryCount": operation.inquiry_count, "dueAt": seoul_millis(operation.due_at),
        "deadlineAt": seoul_millis(operation.deadline_at), "result": operation.result,
        "traceParent": operation.trace_parent,
    })
}

/// What happened to a payment, a line per version.
pub(super) fn timeline(events: &[EventRow]) -> Vec<Value> {
    let line = |event: &EventRow| {
        json!({
            "version": event.version, "type": event.kind, "at": seoul_millis(event.occurred_at),
            "status": event.state.status(), "moneyState": event.state.money_state, "traceId": event.trace_id,
        })
    };
    events.iter().map(line).collect()
}

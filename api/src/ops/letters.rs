//! Dead letters: list them, look into one, send its operation back to work.

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use naru_shared::domain::id::OperationId;
use naru_shared::store::{Cursor, LetterFilter, Rearmed};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::payment::{EVENTS_MAX, timeline, work};
use crate::app::App;
use crate::body::{Check, Params};
use crate::context::RequestContext;
use crate::cursor;
use crate::problem::{Code, Problem, Reason};
use crate::unavailable::refuse;

/// Letters on a page when nothing is said.
const PAGE: i64 = 50;

/// Which letters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LetterParams {
    kind: Option<String>,
    resolved: Option<String>,
    limit: Option<i64>,
    cursor: Option<String>,
}

pub(super) async fn list(State(app): State<App>, Params(params): Params<LetterParams>) -> Result<Json<Value>, Problem> {
    let mut check = Check::new();
    let kind = check.optional(params.kind.as_deref(), |check, kind| {
        let known = matches!(kind, "information" | "replayable" | "needs_person" | "poison");
        check.require("kind", kind.to_owned(), known, "must be information, replayable, needs_person or poison")
    });
    let resolved = check.optional(params.resolved.as_deref(), |check, word| {
        check.require("resolved", word == "true", matches!(word, "true" | "false"), "must be true or false")
    });
    let limit = check.limit("limit", params.limit.unwrap_or(PAGE));
    let after = check.optional(params.cursor.as_deref(), |check, text| {
        let after = cursor::decode(text);
        if after.is_none() {
            check.wrong("cursor", "must be the nextCursor of a page");
        }
        after
    });
    let (filter, limit) = check.finish(|| {
        let limit = limit?;
        let filter =
            LetterFilter { kind: kind?, resolved: resolved?.unwrap_or(false), after: after?, limit: limit + 1 };
        Some((filter, limit))
    })?;
    let mut letters = app.store.letters(&filter).await.map_err(refuse)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = letters.len() > limit;
    letters.truncate(limit);
    let next_cursor =
        letters.last().filter(|_| has_more).map(|last| cursor::encode(Cursor { at: last.died_at, id: last.id }));
    Ok(Json(json!({ "data": letters, "hasMore": has_more, "nextCursor": next_cursor })))
}

pub(super) async fn show(State(app): State<App>, Path(id): Path<String>) -> Result<Json<Value>, Problem> {
    let missing = || Problem::of(Code::NotFound);
    let id = Uuid::try_parse(&id).map_err(|_| missing())?;
    let (letter, body, headers) = app.store.letter(id).await.map_err(refuse)?.ok_or_else(missing)?;
    let operation = letter.operation.map(OperationId);
    let mut shown = json!({
        "letter": letter,
        // What can be read is shown as text; the bytes are there either way.
        "body": body.as_deref().and_then(|body| std::str::from_utf8(body).ok()),
        "bodyBase64": body.as_deref().map(|body| STANDARD.encode(body)),
        "headers": headers,
    });
    if let Some(operation) = operation {
        let attempts = app.store.attempts_of(operation).await.map_err(refuse)?;
        shown["attempts"] = serde_json::to_value(attempts).unwrap_or_default();
        if let Some(row) = app.store.operation(operation).await.map_err(refuse)? {
            shown["operation"] = work(&row);
            let events = app.store.events_after(row.payment, 0, EVENTS_MAX).await.map_err(refuse)?;
            shown["timeline"] = timeline(&events).into();
        }
    }
    Ok(Json(shown))
}

pub(super) async fn replay(
    State(app): State<App>,
    context: RequestContext,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let missing = || Problem::of(Code::NotFound);
    let id = Uuid::try_parse(&id).map_err(|_| missing())?;
    let (letter, _, _) = app.store.letter(id).await.map_err(refuse)?.ok_or_else(missing)?;
    let refused = |why_ko: &str, why_en: &str| Problem::because(Reason::NotReplayable).detail(why_ko, why_en);
    let Some(operation) = letter.operation.map(OperationId) else {
        return Err(refused(
            "이 메시지는 어떤 작업도 가리키지 않습니다.",
            "The message names no operation: there is nothing to replay.",
        ));
    };
    match app.store.rearm(operation, &context.trace.trace_hex()).await.map_err(refuse)? {
        Rearmed::NothingToDo => Err(refused(
            "작업이 이미 끝났거나 진행 중입니다.",
            "The operation is settled or already at work: there is nothing to replay.",
        )),
        Rearmed::Yes => {
            app.store.note_replay(id).await.map_err(refuse)?;
            metrics::counter!("naru_replays_total").increment(1);
            tracing::info!(letter = %id, %operation, "an operator sent an operation back to work");
            Ok(Json(json!({ "replayed": true, "operation": operation })))
        }
    }
}

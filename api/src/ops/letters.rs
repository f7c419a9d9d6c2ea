//! Dead letters: list them, look into one, send its operation back to work, or say how it ended.

use axum::Json;
use axum::extract::{Path, State};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use naru_shared::domain::id::OperationId;
use naru_shared::domain::operator::OperatorWord;
use naru_shared::store::{Cursor, Heeded, LetterFilter, Rearmed, Said};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::payment::{EVENTS_MAX, timeline, work};
use crate::app::App;
use crate::body::{Check, OwnBody, Params};
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
        if let Some(word) = app.store.word_about(operation).await.map_err(refuse)? {
            shown["word"] = serde_json::to_value(word).unwrap_or_default();
        }
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
            "작업이 이미 끝났거나 진행 중이며, 다시 조회해서 해소될 일도 없습니다.",
            "The operation is settled or already at work, and no look at an account would tell more: there is nothing to replay.",
        )),
        Rearmed::Yes => {
            app.store.note_replay(id).await.map_err(refuse)?;
            metrics::counter!("naru_replays_total").increment(1);
            tracing::info!(letter = %id, %operation, "an operator sent an operation back to work");
            Ok(Json(json!({ "replayed": true, "operation": operation })))
        }
    }
}

/// Who says how it ended, and why.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WordFields {
    /// Their name.
    operator: String,
    reason: String,
    /// The acquirer's transaction, if the acquirer did it.
    transaction_key: Option<String>,
}

/// It was done: it is booked as if the acquirer had said so. Or what is wrong with an account was dealt with.
pub(super) async fn settle(
    State(app): State<App>,
    context: RequestContext,
    Path(id): Path<String>,
    body: OwnBody<WordFields>,
) -> Result<Json<Value>, Problem> {
    say(app, context, id, OperatorWord::Settled, body.into_fields()).await
}

/// It is not going to be done: what it would have taken is free again.
pub(super) async fn release(
    State(app): State<App>,
    context: RequestContext,
    Path(id): Path<String>,
    body: OwnBody<WordFields>,
) -> Result<Json<Value>, Problem> {
    say(app, context, id, OperatorWord::Released, body.into_fields()).await
}

async fn say(
    app: App,
    context: RequestContext,
    id: String,
    word: OperatorWord,
    fields: WordFields,
) -> Result<Json<Value>, Problem> {
    let mut check = Check::new();
    let operator = check.line("operator", &fields.operator, 100, "must be one line of 1 to 100 characters");
    let reason = check.line("reason", &fields.reason, 500, "must be one line of 1 to 500 characters");
    let key = fields.transaction_key.as_deref();
    let transaction_key = check.optional(key, |check, key| match word {
        OperatorWord::Settled => check.line("transactionKey", key, 200, "must be one line of 1 to 200 characters"),
        OperatorWord::Released => check.require("transactionKey", key, false, "must be left out: nothing was done"),
    });
    let (operator, reason, transaction_key) = check.finish(|| Some((operator?, reason?, transaction_key?)))?;
    let missing = || Problem::of(Code::NotFound);
    let id = Uuid::try_parse(&id).map_err(|_| missing())?;
    let (letter, _, _) = app.store.letter(id).await.map_err(refuse)?.ok_or_else(missing)?;
    let refused = |reason, why_ko: &str, why_en: &str| Problem::because(reason).detail(why_ko, why_en);
    let not_given_up = || {
        refused(
            Reason::NotGivenUp,
            "포기된 취소, 매입 또는 환불 작업이 아니며, 그렇게 마칠 수 있는 가상계좌 확인 건도 없습니다.",
            "The letter is about no change that was given up and no open case of an account, or takes no such end.",
        )
    };
    let operation = letter.operation.map(OperationId).ok_or_else(not_given_up)?;
    let (trace, request) = (context.trace.trace_hex(), context.trace.request_hex());
    let said =
        Said { operation, word, operator, reason, transaction_key, address: None, trace_id: &trace, request: &request };
    match app.store.heed(&said).await {
        Ok(Heeded::Booked { version, state }) => {
            if let Some(row) = app.store.operation(operation).await.map_err(refuse)? {
                app.wake(row.payment, version, &state);
            }
            metrics::counter!("naru_operator_words_total", "word" => word.as_str()).increment(1);
            tracing::warn!(letter = %id, %operation, word = word.as_str(), operator, "an operator said how it ended");
            let (status, money_state) = (state.status(), state.money_state);
            Ok(Json(json!({ "word": word, "operation": operation, "status": status, "moneyState": money_state,
                "version": version })))
        }
        Ok(Heeded::StillOpen) => Err(refused(
            Reason::StillOpen,
            "아직 결과를 조회할 수 있는 요청이 있습니다. 먼저 재시도하세요.",
            "A call for it has no outcome yet, which can still be asked. Replay the letter first.",
        )),
        Ok(Heeded::Busy) => Err(refused(
            Reason::StillOpen,
            "이 결제의 다른 작업이 진행 중입니다. 끝난 뒤에 다시 시도하세요.",
            "Other work of its payment is under way. Wait until that has ended, and say it again.",
        )),
        Ok(Heeded::NothingToDo) => Err(not_given_up()),
        Err(error) if error.is_constraint("operator_words_transaction") => Err(refused(
            Reason::TransactionTaken,
            "이미 다른 작업에 쓰인 거래 번호입니다.",
            "That transaction stands for another operation already.",
        )),
        Err(error) => Err(refuse(error)),
    }
}

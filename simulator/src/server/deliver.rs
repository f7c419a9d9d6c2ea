//! From the true answer to what the other side gets to see.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};

use super::refuse::Refused;
use super::wire::Line;
use crate::behaviour::Deliver;
use crate::company::{Answer, Currency, Refusal};

const JSON: (HeaderName, &str) = (header::CONTENT_TYPE, "application/json");
const PADDING: &[u8] = &[b'x'; 64 << 10];
const PADDINGS: usize = 128;

/// Delivers an answer that is already durable.
pub(super) async fn answer(mut answer: Answer, deliver: Deliver, line: &Line) -> Result<Response, Refused> {
    match deliver {
        Deliver::Faithfully => whole(&answer),
        Deliver::Status(status, code) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok((status, Json(Refusal::of(code))).into_response())
        }
        // Dropped with the connection, when the other side gives up.
        Deliver::Never => std::future::pending().await,
        Deliver::Cut => {
            line.cut();
            Ok(StatusCode::OK.into_response())
        }
        Deliver::Malformed => Ok(([JSON], r#"{"reference": 승인, "result": approved,, }"#).into_response()),
        Deliver::Truncated => truncated(&answer),
        Deliver::Huge => huge(&answer),
        Deliver::OtherAmount(by) => {
            if let Answer::Decision(decision) = &mut answer {
                decision.amount = decision.amount.map(|amount| amount.saturating_add(by));
            }
            whole(&answer)
        }
        Deliver::OtherCurrency => {
            if let Answer::Decision(decision) = &mut answer {
                decision.currency = decision.currency.map(Currency::another);
            }
            whole(&answer)
        }
    }
}

fn whole(answer: &Answer) -> Result<Response, Refused> {
    let status = match answer {
        Answer::Token(_) | Answer::Decision(_) => StatusCode::OK,
        Answer::NoToken(_) => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Ok((status, [JSON], bytes(answer)?).into_response())
}

/// Announces the whole length, sends half, and breaks off.
fn truncated(answer: &Answer) -> Result<Response, Refused> {
    let whole = bytes(answer)?;
    let length = whole.len().to_string();
    let half = whole.slice(..whole.len() / 2);
    let broken_off = stream::once(async {
        // Lets the half leave before the connection does.
        tokio::task::yield_now().await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    });
    let body = Body::from_stream(stream::iter([Ok(half)]).chain(broken_off));
    Ok(([JSON, (header::CONTENT_LENGTH, length.as_str())], body).into_response())
}

/// Valid JSON with 8 MiB of padding.
fn huge(answer: &Answer) -> Result<Response, Refused> {
    let whole = bytes(answer)?;
    let open = whole.slice(..whole.len().saturating_sub(1));
    let start = [open, Bytes::from_static(b",\"padding\":\"")];
    let padding = std::iter::repeat_n(Bytes::from_static(PADDING), PADDINGS);
    let parts = start.into_iter().chain(padding).chain([Bytes::from_static(b"\"}")]);
    let body = Body::from_stream(stream::iter(parts.map(Ok::<_, std::io::Error>)));
    Ok(([JSON], body).into_response())
}

fn bytes(answer: &Answer) -> Result<Bytes, Refused> {
    serde_json::to_vec(answer).map(Bytes::from).map_err(|error| Refused::broken(&error))
}

//! The company's API, as `README.md` describes it.

use std::sync::Arc;

use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use uuid::Uuid;

use super::desk::{Desk, now};
use super::refuse::{Body, Named, Refused};
use super::trace::Trace;
use super::wire::Line;
use crate::behaviour::cards;
use crate::company::{Approve, Ask, Call, Change, Id, NetCancel, NotAnId, Presented, Register};

type At = State<Arc<Desk>>;
type By = ConnectInfo<Line>;

/// `POST /v1/cards`. The card's number, CVC, password and identity number are gone when this has returned.
pub(super) async fn register(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(presented): Body<Presented>,
) -> Result<Response, Refused> {
    let behaviour = cards::of_number(presented.number()).name;
    let card = presented.read(now(), behaviour)?;
    let ask = Ask::Register(Register { token: new_token()?, merchant_id: presented.merchant_id.clone(), card });
    drop(presented);
    desk.take(ask, trace, line).await
}

#[expect(clippy::disallowed_methods, reason = "tokens are made here, and nowhere else")]
fn new_token() -> Result<Id, NotAnId> {
    Id::try_from(format!("tok_{}", Uuid::new_v4().simple()))
}

/// `POST /v1/approvals`
pub(super) async fn approve(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(approve): Body<Approve>,
) -> Result<Response, Refused> {
    desk.take(Ask::Approve(approve), trace, line).await
}

/// `POST /v1/captures`
pub(super) async fn capture(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(change): Body<Change>,
) -> Result<Response, Refused> {
    desk.take(Ask::Change(Call::Capture, change), trace, line).await
}

/// `POST /v1/cancels`
pub(super) async fn cancel(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(change): Body<Change>,
) -> Result<Response, Refused> {
    desk.take(Ask::Change(Call::Cancel, change), trace, line).await
}

/// `POST /v1/refunds`
pub(super) async fn refund(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(change): Body<Change>,
) -> Result<Response, Refused> {
    desk.take(Ask::Change(Call::Refund, change), trace, line).await
}

/// `POST /v1/net-cancels`
pub(super) async fn net_cancel(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(net_cancel): Body<NetCancel>,
) -> Result<Response, Refused> {
    desk.take(Ask::NetCancel(net_cancel), trace, line).await
}

/// `GET /v1/transactions/{reference}`
pub(super) async fn inquire(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Named(reference): Named,
) -> Result<Response, Refused> {
    desk.take(Ask::Inquire(reference), trace, line).await
}

//! The companies' counters: one set of handlers, and one router for each method of payment, as `README.md` describes them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, State};
use axum::response::Response;
use axum::routing::{get, post};
use uuid::Uuid;

use super::desk::{Desk, now};
use super::read;
use super::refuse::{Body, Named, Refused};
use super::trace::Trace;
use super::wire::Line;
use crate::behaviour::faults::Fault;
use crate::behaviour::{cards, specimens};
use crate::company::virtual_account::{Close, Issue, PresentedPayOut};
use crate::company::{Approve, Ask, Call, Change, Id, Known, Means, Method, NetCancel, NotAnId, Presented};
use crate::company::{PresentedAccount, PresentedMember, PresentedPhone, Register, Request, Subscribe, Verify};

type At = State<Arc<Desk>>;
type By = ConnectInfo<Line>;
type Answered = Result<Response, Refused>;

/// What every SMS says.
const SMS_CODE: &str = "000000";

/// Every counter.
pub(super) fn routes() -> Router<Arc<Desk>> {
    Router::new()
        .nest("/v1", cards())
        .nest("/bank/v1", transfers())
        .nest("/virtual-accounts/v1", virtual_accounts())
        .nest("/carrier/v1", carriers())
        .nest("/points/v1", points())
}

fn cards() -> Router<Arc<Desk>> {
    charges(Method::Card)
        .route("/cards", post(register_card))
        .route("/captures", post(|desk, by, trace, body| change(Method::Card, Call::Capture, desk, by, trace, body)))
        .route("/cancels", post(|desk, by, trace, body| change(Method::Card, Call::Cancel, desk, by, trace, body)))
        .route("/refunds", post(|desk, by, trace, body| change(Method::Card, Call::Refund, desk, by, trace, body)))
}

fn transfers() -> Router<Arc<Desk>> {
    charges(Method::Transfer)
        .route("/accounts", post(register_account))
        .route("/refunds", post(|desk, by, trace, body| change(Method::Transfer, Call::Refund, desk, by, trace, body)))
}

fn carriers() -> Router<Arc<Desk>> {
    charges(Method::Carrier)
        .route("/verifications", post(verify))
        .route("/subscribers", post(subscribe))
        .route("/cancels", post(|desk, by, trace, body| change(Method::Carrier, Call::Cancel, desk, by, trace, body)))
}

fn points() -> Router<Arc<Desk>> {
    charges(Method::Points)
        .route("/members", post(|desk, by, trace, body| register_member(Method::Points, desk, by, trace, body)))
        .route("/members/{token}", get(balance))
        .route("/cancels", post(|desk, by, trace, body| change(Method::Points, Call::Cancel, desk, by, trace, body)))
        .route("/refunds", post(|desk, by, trace, body| change(Method::Points, Call::Refund, desk, by, trace, body)))
}

fn virtual_accounts() -> Router<Arc<Desk>> {
    inquiries(Method::VirtualAccount)
        .route("/accounts", post(issue))
        .route("/closures", post(close))
        .route("/pay-outs", post(pay_out))
}

/// What every method that charges at once has.
fn charges(method: Method) -> Router<Arc<Desk>> {
    inquiries(method)
        .route("/approvals", post(move |desk, by, trace, body| approve(method, desk, by, trace, body)))
        .route("/net-cancels", post(move |desk, by, trace, body| net_cancel(method, desk, by, trace, body)))
}

/// What every method has.
fn inquiries(method: Method) -> Router<Arc<Desk>> {
    Router::new()
        .route("/transactions/{reference}", get(move |desk, by, trace, named| inquire(method, desk, by, trace, named)))
        .route("/statement", get(move |desk, filter| read::statement(method, desk, filter)))
}

/// `POST /v1/cards`. The card's number, CVC, password and identity number are gone when this has returned.
async fn register_card(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(presented): Body<Presented>,
) -> Answered {
    let known = presented.read(now(), cards::of_number(presented.number()).name)?.map(Known::Card);
    let merchant_id = presented.merchant_id.clone();
    drop(presented);
    let register = Register { token: new_id("tok")?, merchant_id, known };
    desk.take(Ask { method: Method::Card, request: Request::Register(register) }, trace, line).await
}

/// `POST /bank/v1/accounts`. The account's number and the identity number are gone when this has returned.
async fn register_account(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(presented): Body<PresentedAccount>,
) -> Answered {
    let known = presented.read(means(specimens::of_number(presented.number())))?.map(Known::Holder);
    let merchant_id = presented.merchant_id.clone();
    drop(presented);
    let register = Register { token: new_id("acct")?, merchant_id, known };
    desk.take(Ask { method: Method::Transfer, request: Request::Register(register) }, trace, line).await
}

/// `POST /points/v1/members`. The membership's number and password are gone when this has returned.
async fn register_member(
    method: Method,
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(presented): Body<PresentedMember>,
) -> Answered {
    let known = presented.read(means(specimens::of_number(presented.number())))?.map(Known::Holder);
    let merchant_id = presented.merchant_id.clone();
    drop(presented);
    let register = Register { token: new_id("mem")?, merchant_id, known };
    desk.take(Ask { method, request: Request::Register(register) }, trace, line).await
}

/// `GET /points/v1/members/{token}`
async fn balance(State(desk): At, ConnectInfo(line): By, Trace(trace): Trace, Named(token): Named) -> Answered {
    desk.take(Ask { method: Method::Points, request: Request::Balance(token) }, trace, line).await
}

/// `POST /carrier/v1/verifications`. The phone's number and the birth date are gone when this has returned.
async fn verify(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(presented): Body<PresentedPhone>,
) -> Answered {
    let holder = presented.read(means(specimens::of_phone(presented.number())))?;
    let merchant_id = presented.merchant_id.clone();
    drop(presented);
    let verify = Verify { verification: new_id("ver")?, merchant_id, holder };
    desk.take(Ask { method: Method::Carrier, request: Request::Verify(verify) }, trace, line).await
}

/// What a payer read in an SMS. Never printed or kept.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Typed {
    verification_id: Id,
    merchant_id: Id,
    code: String,
}

/// `POST /carrier/v1/subscribers`
async fn subscribe(State(desk): At, ConnectInfo(line): By, Trace(trace): Trace, Body(typed): Body<Typed>) -> Answered {
    let subscribe = Subscribe {
        token: new_id("sub")?,
        merchant_id: typed.merchant_id,
        verification: typed.verification_id,
        is_right: typed.code == SMS_CODE,
    };
    desk.take(Ask { method: Method::Carrier, request: Request::Subscribe(subscribe) }, trace, line).await
}

/// `POST …/approvals`
async fn approve(
    method: Method,
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(approve): Body<Approve>,
) -> Answered {
    desk.take(Ask { method, request: Request::Approve(approve) }, trace, line).await
}

/// `POST …/captures`, `…/cancels`, `…/refunds`
async fn change(
    method: Method,
    call: Call,
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(change): Body<Change>,
) -> Answered {
    desk.take(Ask { method, request: Request::Change(call, change) }, trace, line).await
}

/// `POST …/net-cancels`
async fn net_cancel(
    method: Method,
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(net_cancel): Body<NetCancel>,
) -> Answered {
    desk.take(Ask { method, request: Request::NetCancel(net_cancel) }, trace, line).await
}

/// `GET …/transactions/{reference}`
async fn inquire(
    method: Method,
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Named(reference): Named,
) -> Answered {
    desk.take(Ask { method, request: Request::Inquire(reference) }, trace, line).await
}

/// `POST /virtual-accounts/v1/accounts`
async fn issue(State(desk): At, ConnectInfo(line): By, Trace(trace): Trace, Body(mut issue): Body<Issue>) -> Answered {
    issue.behaviour = specimens::of_customer(issue.customer_name.as_str()).name.into();
    issue.account_number = Some(new_account_number()?);
    let ask = Ask { method: Method::VirtualAccount, request: Request::Issue(Box::new(issue)) };
    desk.take(ask, trace, line).await
}

/// `POST /virtual-accounts/v1/closures`
async fn close(State(desk): At, ConnectInfo(line): By, Trace(trace): Trace, Body(close): Body<Close>) -> Answered {
    desk.take(Ask { method: Method::VirtualAccount, request: Request::Close(close) }, trace, line).await
}

/// `POST /virtual-accounts/v1/pay-outs`. The receiver's account number is gone when this has returned.
async fn pay_out(
    State(desk): At,
    ConnectInfo(line): By,
    Trace(trace): Trace,
    Body(presented): Body<PresentedPayOut>,
) -> Answered {
    let means = means(specimens::of_number(presented.number()));
    let pay_out = presented.read(means)?;
    let ask = Ask { method: Method::VirtualAccount, request: Request::PayOut(Box::new(pay_out)) };
    desk.take(ask, trace, line).await
}

fn means(fault: &'static Fault) -> Means {
    Means { behaviour: fault.name, balance: fault.balance(), limit: fault.limit() }
}

/// A name nobody has yet.
#[expect(clippy::disallowed_methods, reason = "names are made here, and nowhere else")]
pub(super) fn new_id(kind: &str) -> Result<Id, NotAnId> {
    Id::try_from(format!("{kind}_{}", Uuid::new_v4().simple()))
}

/// `X` and 13 digits, as the sandboxes of others number theirs: nobody takes it for a real account.
#[expect(clippy::disallowed_methods, reason = "numbers are made here, and nowhere else")]
fn new_account_number() -> Result<Id, NotAnId> {
    Id::try_from(format!("X{:013}", Uuid::new_v4().as_u128() % 10_000_000_000_000))
}

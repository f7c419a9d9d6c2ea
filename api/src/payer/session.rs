//! Who is signed in: by a cookie that means nothing and opens one account, until it is ended.

use std::time::Duration;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use naru_shared::clock::Random as _;
use naru_shared::domain::id::{Mode, PayerId};
use naru_shared::secret::{Email, OpaqueToken};
use naru_shared::store::{Session, SignedIn};
use naru_shared::system::System;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::browser::SessionCookie;
use crate::problem::{Problem, Reason};
use crate::unavailable::refuse;

/// A payer's cookie. The browser keeps it as long as a session can last; unused for 30 minutes it opens nothing.
pub(super) const COOKIE: SessionCookie = SessionCookie { name: "naru_payer", lasts: Duration::from_secs(12 * 60 * 60) };

/// A payer who is signed in.
#[derive(Debug, Clone)]
pub(super) struct Payer {
    /// The account.
    pub(super) id: PayerId,
    /// Its world.
    pub(super) mode: Mode,
    /// Its address.
    pub(super) email: Email,
}

impl FromRequestParts<App> for Payer {
    type Rejection = Problem;

    /// Asks Postgres each time: a session that was ended is over at once, everywhere.
    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        // One problem for no cookie, garbage, another's, an ended and an expired one: nothing to be learned from it.
        let missing = || Problem::because(Reason::SignInRequired).detail("로그인이 필요합니다.", "Sign in first.");
        let session = brought(app, &parts.headers).ok_or_else(missing)?;
        let SignedIn { payer, mode, email } =
            app.store.find_session(&session).await.map_err(refuse)?.ok_or_else(missing)?;
        Ok(Self { id: payer, mode, email })
    }
}

/// The session that a browser brings, whether it lasts or not.
pub(super) fn brought(app: &App, headers: &HeaderMap) -> Option<Session> {
    app.cookies.read(COOKIE, headers).map(|token| token.hash())
}

/// A session to be begun.
pub(super) struct NewSession {
    token: OpaqueToken,
}

impl NewSession {
    pub(super) fn new() -> Self {
        Self { token: OpaqueToken::generate("", &System.bytes()) }
    }

    /// What Postgres knows of it.
    pub(super) fn hash(&self) -> Session {
        self.token.hash()
    }

    /// An answer that gives it to the browser.
    pub(super) fn answer(&self, app: &App, body: impl Serialize) -> Response {
        with_cookie(app.cookies.set(COOKIE, &self.token), body)
    }
}

/// An answer that takes the browser's session away.
pub(super) fn without_session(app: &App, body: impl Serialize) -> Response {
    with_cookie(app.cookies.clear(COOKIE), body)
}

fn with_cookie(cookie: Option<HeaderValue>, body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// Whose account it is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    /// The address, in lower case.
    pub(super) email: String,
    /// `test` or `live`: the world whose payments it can pay.
    pub(super) mode: &'static str,
}

impl Account {
    pub(super) fn of(mode: Mode, email: &Email) -> Self {
        Self { email: email.expose().to_owned(), mode: mode.as_str() }
    }
}

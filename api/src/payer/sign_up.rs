//! `POST /payer/v1/sign-up`: a new account.

use axum::extract::State;
use axum::response::Response;
use naru_shared::clock::Ids as _;
use naru_shared::domain::id::{Mode, PayerId};
use naru_shared::secret::{Email, Password, Secret};
use naru_shared::store::NewPayer;
use naru_shared::system::System;
use serde::Deserialize;
use utoipa::ToSchema;

use super::session::{Account, NewSession};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::{Address, OwnPage};
use crate::openapi::SignUpRefusals;
use crate::problem::{Problem, Reason};
use crate::rates::SIGN_UP_FROM_ADDRESS;
use crate::unavailable::refuse_free;

/// Who somebody is, as they type it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignFields {
    /// An e-mail address; case makes no difference.
    #[schema(value_type = String, example = "kim@mail.example")]
    pub(super) email: Secret<String>,
    /// 12 to 128 characters of any kind.
    #[schema(value_type = String, example = "correct horse battery")]
    pub(super) password: Secret<String>,
    /// `test` or `live`. The same address may have an account in each, and they know nothing of one another.
    #[schema(example = "test")]
    pub(super) mode: String,
}

impl SignFields {
    /// Checks address and world.
    pub(super) fn check(&self, check: &mut Check) -> (Option<Email>, Option<Mode>) {
        let email = Email::parse(self.email.expose());
        let mode = Mode::parse(&self.mode);
        check.require("email", (), email.is_some(), "must be an e-mail address");
        check.require("mode", (), mode.is_some(), "must be test or live");
        (email, mode)
    }
}

/// Takes a password that is new.
pub(super) fn check_new_password(check: &mut Check, field: &str, text: &Secret<String>) -> Option<Password> {
    Password::parse(text.expose()).map_err(|why| check.wrong(field, why.to_string())).ok()
}

/// Makes an account and signs in with it.
#[utoipa::path(
    post,
    path = "/payer/v1/sign-up",
    tag = "Payers",
    request_body = SignFields,
    responses(
        (status = 200, description = "The account is made; the cookie is its session", body = Account),
        SignUpRefusals,
    )
)]
pub(super) async fn sign_up(
    State(app): State<App>,
    _: OwnPage,
    address: Address,
    body: OwnBody<SignFields>,
) -> Result<Response, Problem> {
    let mut check = Check::new();
    let (email, mode) = body.fields.check(&mut check);
    let password = check_new_password(&mut check, "password", &body.fields.password);
    let (email, mode, password) = check.finish(|| Some((email?, mode?, password?)))?;
    drop(body);
    app.rates.count_at(SIGN_UP_FROM_ADDRESS, address).await?;
    let hash = app.passwords.hash(password).await?;
    let session = NewSession::new();
    let new = NewPayer { id: PayerId(System.ordered()), mode, email: &email, password_hash: &hash };
    match app.store.create_payer(&new, Some(&session.hash())).await {
        Ok(()) => Ok(session.answer(&app, Account::of(mode, &email))),
        // As long as nobody is asked to prove that an address is theirs, this can't be hidden; it takes as long as an
        // account does, and an address may not ask often.
        Err(error) if error.is_constraint("payers_email_unique") => Err(Problem::because(Reason::EmailTaken)
            .detail("이미 가입된 이메일 주소입니다.", "There is an account of this e-mail address.")),
        Err(error) => Err(refuse_free(error)),
    }
}

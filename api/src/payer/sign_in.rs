//! `POST /payer/v1/sign-in`: a new session.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use naru_shared::domain::id::Mode;
use naru_shared::secret::{Email, Password, Secret, Verdict};
use naru_shared::store::PayerAccount;

use super::session::{Account, NewSession, brought};
use super::sign_up::SignFields;
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::{Address, OwnPage};
use crate::openapi::SignInRefusals;
use crate::problem::{Problem, Reason};
use crate::proving::Proving;
use crate::unavailable::{refuse, refuse_free};

/// Signs in. A session that the browser had before ends.
#[utoipa::path(
    post,
    path = "/payer/v1/sign-in",
    tag = "Payers",
    request_body = SignFields,
    responses(
        (status = 200, description = "Signed in; the cookie is the session", body = Account),
        SignInRefusals,
    )
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    _: OwnPage,
    address: Address,
    headers: HeaderMap,
    body: OwnBody<SignFields>,
) -> Result<Response, Problem> {
    let mut check = Check::new();
    let (email, mode) = body.fields.check(&mut check);
    let given = check_given_password(&mut check, "password", &body.fields.password);
    let (email, mode, given) = check.finish(|| Some((email?, mode?, given?)))?;
    drop(body);
    let account = prove(&app, address, mode, &email, given).await?;
    let session = NewSession::new();
    let before = brought(&app, &headers);
    match app.store.begin_session(&account, &session.hash(), before.as_ref()).await.map_err(refuse_free)? {
        true => Ok(session.answer(&app, Account::of(mode, &email))),
        // It was right when it was compared, and there is another by now.
        false => Err(failed()),
    }
}

/// A password that could be somebody's. One of another length is nobody's, and was mistyped.
pub(super) fn check_given_password(check: &mut Check, field: &str, text: &Secret<String>) -> Option<Secret<String>> {
    let length = text.expose().chars().count();
    let good = (Password::CHARACTERS_MIN..=Password::CHARACTERS_MAX).contains(&length);
    check.require(field, text.clone(), good, "must be 12 to 128 characters")
}

/// The account of this address and password. Whether it is the address or the password that is wrong, nobody can tell: not by
/// the answer, not by its time, not by what is counted.
pub(super) async fn prove(
    app: &App,
    address: Address,
    mode: Mode,
    email: &Email,
    given: Secret<String>,
) -> Result<PayerAccount, Problem> {
    let parts: [&[u8]; 3] = [b"payer", mode.as_str().as_bytes(), email.expose().as_bytes()];
    let proving = Proving::begin(app, address, &parts).await?;
    let compared = compare(app, mode, email, given).await;
    proving.end(app, &compared).await;
    compared
}

async fn compare(app: &App, mode: Mode, email: &Email, given: Secret<String>) -> Result<PayerAccount, Problem> {
    let account = app.store.find_payer(mode, email).await.map_err(refuse)?;
    let kept = account.as_ref().map(|account| &account.password_hash);
    let verdict = app.passwords.check(given.clone(), kept).await?;
    let (Some(mut account), Verdict::Right | Verdict::RightButOld) = (account, verdict) else {
        metrics::counter!("naru_sign_ins_refused_total").increment(1);
        return Err(failed());
    };
    if verdict == Verdict::RightButOld {
        renew(app, &mut account, &given).await;
    }
    Ok(account)
}

fn failed() -> Problem {
    Problem::because(Reason::SignInFailed)
        .detail("이메일 주소 또는 비밀번호가 올바르지 않습니다.", "The e-mail address or the password is wrong.")
}

/// Keeps a password by today's rules. If that fails, another time will do.
async fn renew(app: &App, account: &mut PayerAccount, given: &Secret<String>) {
    // It was taken by the rules of its time; one that today's would refuse stays as it is.
    let Ok(password) = Password::parse(given.expose()) else { return };
    let Ok(hash) = app.passwords.hash(password).await else { return };
    match app.store.change_password(account, &hash, None).await {
        Ok(true) => account.password_hash = hash,
        Ok(false) => {}
        Err(error) => tracing::warn!(%error, "a password could not be kept anew"),
    }
}

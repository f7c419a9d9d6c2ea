//! `/backoffice/v1/me`, `sign-in`, `sign-out`: who is signed in.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use naru_shared::clock::Random as _;
use naru_shared::domain::staff::{Act, Role};
use naru_shared::secret::{Email, OpaqueToken, Password, Secret, Verdict};
use naru_shared::store::{Actor, SignIn};
use naru_shared::system::System;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NothingToSay;
use super::desk::{COOKIE, Desk, Visitor, refuse_change};
use super::merchant::MerchantView;
use super::refusals::{note_locked_out, note_wrong};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::browser::Address;
use crate::openapi::{ChangeRefusals, StaffLookRefusals, StaffSignInRefusals};
use crate::passwords::wrong_current_password;
use crate::problem::{Problem, Reason};
use crate::proving::Proving;
use crate::unavailable::refuse;
use crate::view::seoul;

/// Most bytes of a password that is compared at all.
const PASSWORD_BYTES_MAX: usize = 4 * Password::CHARACTERS_MAX;

/// Most characters of a merchant's public id.
const MID_CHARACTERS_MAX: usize = 40;

/// Somebody who is signed in.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Me {
    /// Their id.
    id: String,
    /// What they sign in with.
    email: String,
    /// What others call them.
    name: String,
    /// `owner`, `staff` or `read-only`.
    role: &'static str,
    /// What they may do, for a page to know what to offer.
    may: Vec<&'static str>,
    /// Whose people they are.
    merchant: MerchantView,
    /// When the session ends at the latest; sooner when it is not used for 15 minutes.
    session_ends_at: String,
    /// Until when what gives the merchant away may be done without proving the password again, at +09:00.
    proved_until: String,
}

impl Me {
    fn of(desk: &Desk) -> Self {
        let session = &desk.session;
        Self {
            id: session.staff.to_string(),
            email: session.email.expose().to_owned(),
            name: session.name.clone(),
            role: session.role.as_str(),
            may: acts(session.role),
            merchant: MerchantView::of(desk),
            session_ends_at: seoul(session.expires_at),
            proved_until: seoul(session.proved_until),
        }
    }
}

fn acts(role: Role) -> Vec<&'static str> {
    Act::ALL.into_iter().filter(|act| role.may(*act)).map(Act::as_str).collect()
}

/// Who signs in.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignInFields {
    /// The address.
    #[schema(example = "owner@naru.example")]
    email: String,
    /// The password.
    #[schema(value_type = String, format = Password)]
    password: Secret<String>,
    /// The merchant's id: whoever works for several has a password at each.
    #[schema(example = "naru_demo")]
    mid: String,
}

/// That somebody is signed in, or no longer.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signed {
    /// Whether somebody is signed in now.
    signed_in: bool,
}

/// Who is signed in, and what they may do.
#[utoipa::path(
    get,
    path = "/backoffice/v1/me",
    tag = "Backoffice",
    security(("staffSession" = [])),
    responses((status = 200, description = "Whoever asks", body = Me), StaffLookRefusals)
)]
pub(super) async fn show(desk: Desk) -> Json<Me> {
    Json(Me::of(&desk))
}

/// Signs in: the answer sets a cookie. An unknown merchant or address and a wrong password look and take the same.
#[utoipa::path(
    post,
    path = "/backoffice/v1/sign-in",
    tag = "Backoffice",
    request_body = SignInFields,
    responses((status = 200, description = "Signed in: `Set-Cookie` has the session", body = Signed), StaffSignInRefusals)
)]
pub(super) async fn sign_in(
    State(app): State<App>,
    visitor: Visitor,
    headers: HeaderMap,
    body: OwnBody<SignInFields>,
) -> Result<Response, Problem> {
    let fields = body.fields;
    let mut check = Check::new();
    let email = check.staff_email("email", &fields.email);
    let given = check.given_password("password", fields.password);
    let mid = check.mid("mid", &fields.mid);
    let (email, given, mid) = check.finish(|| Some((email?, given?, mid?)))?;

    let (found, verdict) = prove(&app, &visitor.actor(), visitor.address, &email, mid, given.clone()).await?;
    let kept_anew = kept_anew(&app, verdict, &given).await?;
    let token = OpaqueToken::generate("", &System.bytes());
    let begun = app.store.begin_staff_session(&found, kept_anew.as_ref(), &token.hash(), &visitor.actor()).await;
    if !begun.map_err(refuse_change)? {
        // It was right when it was compared, and there is another by now.
        note_wrong(&app, &visitor.actor(), visitor.address, &email, mid).await;
        return Err(failed());
    }
    // Whoever signs in on top of a session has a new one, and the old one opens nothing any more.
    if let Some(old) = app.cookies.read(COOKIE, &headers) {
        app.store.end_staff_session(&old.hash(), &signed_in_as(&found, &visitor)).await.map_err(refuse_change)?;
    }
    Ok(with_session(&app, &token, Signed { signed_in: true }))
}

/// An answer that gives a session to the browser.
pub(super) fn with_session(app: &App, token: &OpaqueToken, body: impl Serialize) -> Response {
    let mut response = Json(body).into_response();
    response.headers_mut().extend(app.cookies.set(COOKIE, token).map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// Who has this address at this merchant, and this password. Whether it is the merchant, the address or the password that
/// is wrong, nobody can tell; the audit log has it.
///
/// # Errors
/// `SIGN_IN_FAILED`, `RATE_LIMITED`, `OVERLOADED`, or that Postgres is away.
async fn prove(
    app: &App,
    by: &Actor<'_>,
    address: Address,
    email: &Email,
    mid: &str,
    given: Secret<String>,
) -> Result<(SignIn, Verdict), Problem> {
    let account: [&[u8]; 3] = [b"staff", mid.as_bytes(), email.expose().as_bytes()];
    let proving = match Proving::begin(app, address, &account).await {
        Ok(proving) => proving,
        Err(problem) => {
            if problem.reason() == Some(Reason::RateLimited) {
                note_locked_out(app, by, address, email, mid).await;
            }
            return Err(problem);
        }
    };
    let compared = compare(app, email, mid, given).await;
    proving.end(app, &compared).await;
    if compared.as_ref().is_err_and(|problem| problem.reason() == Some(Reason::SignInFailed)) {
        note_wrong(app, by, address, email, mid).await;
    }
    compared
}

/// That whoever is signed in knows the password. Counted as signing in is: a session left open is no place to find it out.
///
/// # Errors
/// `CURRENT_PASSWORD_WRONG`, and those of [`prove`].
pub(super) async fn prove_again(app: &App, desk: &Desk, given: Secret<String>) -> Result<SignIn, Problem> {
    let (session, address) = (&desk.session, desk.visitor().address);
    let compared = prove(app, &desk.actor(), address, &session.email, &session.mid, given).await;
    match compared {
        Ok((compared, _)) => Ok(compared),
        Err(problem) if problem.reason() == Some(Reason::SignInFailed) => Err(wrong_current_password()),
        Err(problem) => Err(problem),
    }
}

async fn compare(app: &App, email: &Email, mid: &str, given: Secret<String>) -> Result<(SignIn, Verdict), Problem> {
    let found = app.store.find_sign_in(email, mid).await.map_err(refuse)?;
    let verdict = app.staff_passwords.check(given, found.as_ref().map(|found| &found.password_hash)).await?;
    match (found, verdict) {
        (Some(found), Verdict::Right | Verdict::RightButOld) => Ok((found, verdict)),
        (None, Verdict::Right | Verdict::RightButOld) | (_, Verdict::Wrong) => Err(failed()),
    }
}

fn failed() -> Problem {
    Problem::because(Reason::SignInFailed).detail(
        "상점 아이디(mid), 이메일 주소, 비밀번호가 서로 일치하지 않습니다.",
        "Merchant (mid), address and password do not belong together.",
    )
}

fn signed_in_as<'a>(found: &SignIn, visitor: &'a Visitor) -> Actor<'a> {
    Actor { staff: Some(found.staff), ..visitor.actor() }
}

/// What is kept of a password that was kept by weaker rules than today's.
async fn kept_anew(app: &App, verdict: Verdict, given: &Secret<String>) -> Result<Option<Secret<String>>, Problem> {
    match (verdict, Password::parse(given.expose())) {
        (Verdict::RightButOld, Ok(password)) => app.staff_passwords.hash(password).await.map(Some),
        // Today it would not be taken. It is theirs all the same.
        (Verdict::RightButOld, Err(_)) | (Verdict::Right | Verdict::Wrong, _) => Ok(None),
    }
}

/// Signs out: the session is over at once, wherever its cookie is.
#[utoipa::path(
    post,
    path = "/backoffice/v1/sign-out",
    tag = "Backoffice",
    security(("staffSession" = [])),
    request_body = NothingToSay,
    responses((status = 200, description = "Signed out", body = Signed), ChangeRefusals)
)]
pub(super) async fn sign_out(
    State(app): State<App>,
    desk: Desk,
    _body: OwnBody<NothingToSay>,
) -> Result<Response, Problem> {
    app.store.end_staff_session(&desk.token_hash, &desk.actor()).await.map_err(refuse_change)?;
    let mut response = Json(Signed { signed_in: false }).into_response();
    response.headers_mut().extend(app.cookies.clear(COOKIE).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

impl Check {
    /// A merchant's public id, as far as it could be one.
    fn mid<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        let good = (1..=MID_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        self.require(field, text, good, "must be the merchant's id")
    }

    /// An address to sign in with.
    pub(super) fn staff_email(&mut self, field: &str, text: &str) -> Option<Email> {
        let email = Email::parse(text);
        self.require(field, (), email.is_some(), "must be an e-mail address")?;
        email
    }

    /// A password to be compared: one that nobody could have is no reason to make a processor sweat.
    pub(super) fn given_password(&mut self, field: &str, given: Secret<String>) -> Option<Secret<String>> {
        let good = (1..=PASSWORD_BYTES_MAX).contains(&given.expose().len());
        self.require(field, given, good, "must be a password")
    }

    /// A password to be taken.
    pub(super) fn new_password(&mut self, field: &str, given: &Secret<String>) -> Option<Password> {
        Password::parse(given.expose()).map_err(|why| self.wrong(field, why.to_string())).ok()
    }

    /// What somebody or something is called: one line of 1 to 100 characters.
    pub(super) fn name_of<'a>(&mut self, field: &str, text: &'a str) -> Option<&'a str> {
        self.person_name(field, text)
    }
}

//! `/backoffice/v1/me`, `sign-in`, `sign-out`: who is signed in.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use naru_shared::clock::Random as _;
use naru_shared::domain::staff::{Act, Role};
use naru_shared::secret::{Email, OpaqueToken, Password, Secret, Verdict};
use naru_shared::store::SignIn;
use naru_shared::system::System;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::NothingToSay;
use super::desk::{COOKIE, Desk, Visitor, refuse_change};
use super::merchant::MerchantView;
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::{ChangeRefusals, StaffLookRefusals, StaffSignInRefusals};
use crate::problem::{Problem, Reason};
use crate::rates::{SIGN_IN_FROM_ADDRESS, SIGN_IN_OF_STAFF, Who};
use crate::unavailable::refuse;
use crate::view::seoul;

/// Most bytes of a password that is compared at all.
const PASSWORD_BYTES_MAX: usize = 4 * Password::CHARACTERS_MAX;

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
    /// The merchant's id. Only needed when several merchants know the address.
    mid: Option<String>,
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

/// Signs in: the answer sets a cookie. An unknown address and a wrong password look and take the same.
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
    let mid = check.optional(fields.mid.as_deref(), |check, mid| {
        check.require("mid", mid.to_owned(), mid.len() <= 40 && !mid.is_empty(), "must be 1 to 40 characters")
    });
    let (email, given, mid) = check.finish(|| Some((email?, given?, mid?)))?;

    let tries = Tries::count(&app, &visitor, &email).await?;
    let found = app.store.find_sign_in(&email, mid.as_deref()).await.map_err(refuse)?;
    let kept = found.as_ref().map(|found| Secret::new(found.password_hash.clone()));
    let verdict = app.passwords.check(given.clone(), kept.as_ref()).await?;
    let by = visitor.actor();
    let failed = || Problem::because(Reason::SignInFailed).detail(FAILED_KO, FAILED_EN);
    let (Some(found), Verdict::Right | Verdict::RightButOld) = (&found, verdict) else {
        let person = found.map(|found| (found.merchant, found.staff));
        app.store.note_refused_sign_in(person, &by).await.map_err(refuse_change)?;
        return Err(failed());
    };
    let kept_anew = kept_anew(&app, verdict, &given).await?;
    let token = OpaqueToken::generate("", &System.bytes());
    let anew = kept_anew.as_ref().map(|kept| kept.expose().as_str());
    if !app.store.begin_staff_session(found, anew, &token.hash(), &by).await.map_err(refuse_change)? {
        return Err(failed());
    }
    tries.were_right(&app).await;
    // Whoever signs in on top of a session has a new one, and the old one opens nothing any more.
    if let Some(old) = app.cookies.read(COOKIE, &headers) {
        app.store.end_staff_session(&old.hash(), &signed_in_as(found, &visitor)).await.map_err(refuse_change)?;
    }
    let mut response = Json(Signed { signed_in: true }).into_response();
    response.headers_mut().extend(app.cookies.set(COOKIE, &token).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

const FAILED_KO: &str = "이메일 주소 또는 비밀번호가 일치하지 않습니다. 같은 주소로 여러 상점에서 일한다면 상점 아이디(mid)도 입력해 주세요.";
const FAILED_EN: &str = "Address and password do not belong together. If you work for several merchants under it, name the merchant (mid), too.";

fn signed_in_as<'a>(found: &SignIn, visitor: &'a Visitor) -> naru_shared::store::Actor<'a> {
    naru_shared::store::Actor { staff: Some(found.staff), ..visitor.actor() }
}

/// What is kept of a password that was kept by weaker rules than today's.
async fn kept_anew(app: &App, verdict: Verdict, given: &Secret<String>) -> Result<Option<Secret<String>>, Problem> {
    match (verdict, Password::parse(given.expose())) {
        (Verdict::RightButOld, Ok(password)) => app.passwords.hash(password).await.map(Some),
        // Today it would not be taken. It is theirs all the same.
        (Verdict::RightButOld, Err(_)) | (Verdict::Right | Verdict::Wrong, _) => Ok(None),
    }
}

/// Tries of a password, counted before it is looked at: of the address that it is said to belong to, known or not, and from
/// the place where it comes from.
pub(super) struct Tries {
    person: Who,
    place: Who,
}

impl Tries {
    /// Counts one more.
    ///
    /// # Errors
    /// `RATE_LIMITED`, or that Postgres is away.
    pub(super) async fn count(app: &App, visitor: &Visitor, email: &Email) -> Result<Self, Problem> {
        let tries = Self {
            person: app.rates.who(&[b"staff", email.expose().as_bytes()]),
            place: app.rates.at(visitor.address),
        };
        app.rates.count(SIGN_IN_FROM_ADDRESS, &tries.place).await?;
        app.rates.count(SIGN_IN_OF_STAFF, &tries.person).await?;
        Ok(tries)
    }

    /// The password was right: only wrong ones count.
    pub(super) async fn were_right(self, app: &App) {
        app.rates.give_back(SIGN_IN_FROM_ADDRESS, &self.place).await;
        app.rates.forget(SIGN_IN_OF_STAFF, &self.person).await;
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

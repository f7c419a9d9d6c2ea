//! What the audit log has of refusals: as much as is worth knowing, and no more than a little of it in any quarter of an hour,
//! so that nobody who is refused over and over can flood it.

use naru_shared::secret::Email;
use naru_shared::store::{Actor, Refused, StoreError};

use crate::app::App;
use crate::browser::Address;
use crate::rates::{NOTED_LOCK_OUTS_FROM_ADDRESS, NOTED_ONCE, NOTED_WRONG_FROM_ADDRESS};

use super::desk::Desk;

/// Notes what somebody who is signed in may not do: once.
pub(super) async fn note_at(app: &App, desk: &Desk, refused: Refused, subject: &str) {
    let who =
        app.rates.who(&[b"noted", refused.as_str().as_bytes(), subject.as_bytes(), desk.session.staff.0.as_bytes()]);
    if app.rates.is_news(NOTED_ONCE, &who).await {
        warn(app.store.note_refusal(refused, Some(desk.merchant()), subject, &desk.actor()).await);
    }
}

/// Notes a password that was wrong, of an account or of none; twenty from an address.
pub(super) async fn note_wrong(app: &App, by: &Actor<'_>, address: Address, email: &Email, mid: &str) {
    if app.rates.is_news_at(NOTED_WRONG_FROM_ADDRESS, address).await {
        let refused = if by.staff.is_some() { Refused::Password } else { Refused::SignIn };
        note_of(app, by, refused, email, mid).await;
    }
}

/// Notes that an account was tried too often: once from each address, and twenty from one.
pub(super) async fn note_locked_out(app: &App, by: &Actor<'_>, address: Address, email: &Email, mid: &str) {
    let account = app.rates.who(&[b"noted", mid.as_bytes(), email.expose().as_bytes()]);
    let here = app.rates.of_account_at(&account, address);
    if app.rates.is_news(NOTED_ONCE, &here).await && app.rates.is_news_at(NOTED_LOCK_OUTS_FROM_ADDRESS, address).await {
        let refused = if by.staff.is_some() { Refused::PasswordTooOften } else { Refused::SignInTooOften };
        note_of(app, by, refused, email, mid).await;
    }
}

/// As whose, if there is such a person. Where there is none it takes as long.
async fn note_of(app: &App, by: &Actor<'_>, refused: Refused, email: &Email, mid: &str) {
    let noted = async {
        let found = app.store.find_sign_in(email, mid).await?;
        let subject = found.as_ref().map_or_else(|| "nobody".to_owned(), |found| found.staff.to_string());
        app.store.note_refusal(refused, found.map(|found| found.merchant), &subject, by).await
    };
    warn(noted.await);
}

/// Refused it is all the same.
fn warn(noted: Result<(), StoreError>) {
    if let Err(error) = noted {
        tracing::warn!(%error, "a refusal is not in the audit log");
    }
}

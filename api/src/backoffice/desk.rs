//! Who sits at the backoffice, and what they may do there.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use naru_shared::domain::id::{MerchantId, Mode, Tenant};
use naru_shared::domain::staff::Act;
use naru_shared::store::{Actor, Refused, StaffSession, StoreError, Written};

use super::refusals::note_at;
use crate::app::App;
use crate::browser::{Address, OwnPage, SessionCookie, written};
use crate::context::RequestContext;
use crate::problem::{Code, MoneyState, Problem, Reason};
use crate::unavailable::refuse;

/// The cookie of whoever is signed in. Its session ends sooner when it is not used.
pub(super) const COOKIE: SessionCookie = SessionCookie { name: "naru_staff", lasts: Duration::from_secs(12 * 60 * 60) };

/// Somebody who is signed in. A call that changes something came from a page of ours, or there is no desk.
pub(crate) struct Desk {
    /// Who, and whose.
    pub(super) session: StaffSession,
    /// Which session it is, for signing out.
    pub(super) token_hash: [u8; 32],
    visitor: Visitor,
}

/// Somebody who comes from a page of ours, and of whom no more is known.
pub(crate) struct Visitor {
    /// From where.
    pub(super) address: Address,
    written_address: Option<String>,
    trace_id: String,
}

impl Desk {
    /// Who does it, for the audit log.
    pub(super) fn actor(&self) -> Actor<'_> {
        Actor { staff: Some(self.session.staff), ..self.visitor.actor() }
    }

    /// From where they come.
    pub(super) fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    /// Whose people they are.
    pub(super) fn merchant(&self) -> MerchantId {
        self.session.merchant
    }

    /// Insists that their role may do that.
    ///
    /// # Errors
    /// `ROLE_NOT_ALLOWED`.
    pub(super) async fn insist(&self, app: &App, act: Act) -> Result<(), Problem> {
        if self.session.role.may(act) {
            return Ok(());
        }
        note_at(app, self, Refused::Role, act.as_str()).await;
        Err(Problem::because(Reason::RoleNotAllowed).with("act", act.as_str()))
    }

    /// Insists that they proved their password not long ago: whoever has a cookie, or finds a desk without anybody, is not to
    /// have the merchant for good.
    ///
    /// # Errors
    /// `PROOF_TOO_OLD`.
    pub(super) async fn insist_on_proof(&self, app: &App, act: Act) -> Result<(), Problem> {
        if self.session.is_proved {
            return Ok(());
        }
        note_at(app, self, Refused::Proof, act.as_str()).await;
        Err(Problem::because(Reason::ProofTooOld).with("act", act.as_str()))
    }

    /// The merchant in the world that the path names. Every query of the world's things carries it.
    ///
    /// # Errors
    /// `NOT_FOUND`: there is no other world.
    pub(super) fn tenant(&self, mode: &str) -> Result<Tenant, Problem> {
        let mode = Mode::parse(mode).ok_or_else(|| Problem::of(Code::NotFound))?;
        Ok(Tenant { merchant: self.session.merchant, mode })
    }
}

impl Visitor {
    /// Who does it, for the audit log: nobody that we know.
    pub(super) fn actor(&self) -> Actor<'_> {
        Actor { staff: None, address: self.written_address.as_deref(), trace_id: &self.trace_id }
    }

    async fn of(parts: &mut Parts, app: &App) -> Self {
        let Ok(address) = Address::from_request_parts(parts, app).await;
        let trace_id = RequestContext::of(&parts.extensions).trace.request_hex();
        Self { address, written_address: written(&address.place()), trace_id }
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        OwnPage::from_request_parts(parts, app).await?;
        Ok(Self::of(parts, app).await)
    }
}

impl FromRequestParts<App> for Desk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if !parts.method.is_safe() {
            OwnPage::from_request_parts(parts, app).await?;
        }
        let nobody = || Problem::because(Reason::SignInRequired);
        let token_hash = app.cookies.read(COOKIE, &parts.headers).ok_or_else(nobody)?.hash();
        let session = app.store.find_staff_session(&token_hash).await.map_err(refuse)?.ok_or_else(nobody)?;
        Ok(Self { session, token_hash, visitor: Visitor::of(parts, app).await })
    }
}

/// The problem of a change that failed in Postgres. No money hangs on it; what may have been done can be looked at.
pub(crate) fn refuse_change(error: StoreError) -> Problem {
    let perhaps = matches!(error, StoreError::Unavailable { written: Written::Perhaps, .. });
    let problem = refuse(error).money(MoneyState::NotMoved);
    match perhaps {
        true => problem.detail(
            "변경되었는지 아직 알 수 없습니다. 목록을 다시 확인해 주세요.",
            "Whether it was changed is not known yet. Look, and do it again if it was not.",
        ),
        false => problem,
    }
}

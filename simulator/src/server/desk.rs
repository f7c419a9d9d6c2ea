//! The desk where requests are taken: plan, wait, act, make durable, wait, deliver.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::callback::Caller;
use super::deliver;
use super::deposits::Armed;
use super::refuse::Refused;
use super::wire::Line;
use crate::behaviour::{Holds, Plan, Scripts, Wait, faults, specimens};
use crate::company::{Answer, Around, Ask, Company, Done, Id, Mode, Request, Timestamp};
use crate::journal::Journal;

/// Everything a request may meet.
#[derive(Debug)]
pub struct Desk {
    state: Mutex<State>,
    pub(super) journal: Journal,
    pub(super) holds: Holds,
    pub(super) caller: Caller,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) company: Company,
    pub(super) scripts: Scripts,
    pub(super) settings: Settings,
    /// Deposits that wait for a virtual account's issue.
    pub(super) armed: Vec<Armed>,
}

/// What can be set while running.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// How known references are treated.
    pub mode: Mode,
    /// Inquiries find nothing for so long.
    pub inquiry_lag_ms: u64,
    /// Every request takes at least so long.
    pub latency_ms: u64,
    /// A callback that was not taken is tried again after so long, then twice as long, and so on.
    pub callback_backoff_ms: u64,
}

impl Desk {
    /// A desk with these books.
    pub fn new(company: Company, journal: Journal, settings: Settings, caller: Caller) -> Self {
        let state = State { company, scripts: Scripts::default(), settings, armed: Vec::new() };
        Self { state: Mutex::new(state), journal, holds: Holds::default(), caller }
    }

    /// The books. Hold it briefly, never over an await.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that is done under the lock panics; if it did, the books would still be those of the journal's entries.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes one request of the company's API from its arrival to its (mis)delivered answer.
    pub(super) async fn take(
        self: Arc<Self>,
        ask: Ask,
        trace_id: Option<Id>,
        line: Line,
    ) -> Result<axum::response::Response, Refused> {
        let plan = self.plan(&ask);
        if let Some(fault) = plan.name.as_deref() {
            let trace_id = trace_id.as_ref().map(tracing::field::display);
            tracing::info!(fault, call = ask.call().as_str(), trace_id, "a request is treated unusually");
        }
        let deliver = plan.deliver;
        let is_issue = matches!(ask.request, Request::Issue(_));
        let answer = if plan.before.is_empty() && plan.after.is_empty() && !is_issue {
            self.act(&ask, plan, trace_id).await?
        } else {
            // A request that was received takes its course, even when the other side hangs up while it waits.
            let desk = Arc::clone(&self);
            let act = tokio::spawn(async move { desk.act_with_waits(&ask, plan, trace_id).await });
            act.await.map_err(|error| Refused::broken(&error))??
        };
        deliver::answer(answer, deliver, &line).await
    }

    /// Decides how a request that has just arrived is treated: by the newest script that matches, or else by its card
    /// (account, phone, member, customer), or else by its amount.
    fn plan(&self, ask: &Ask) -> Plan {
        let mut state = self.state();
        let State { company, scripts, settings, .. } = &mut *state;
        let nth = company.arrived(ask);
        let scripted = if scripts.is_empty() { None } else { scripts.next(&company.sight(ask)) };
        let mut plan = scripted.unwrap_or_else(|| {
            let plan = faults::by_name(company.behaviour_of(ask)).plan(ask.method, ask.call(), nth);
            if plan.is_plain() { by_amount(ask).unwrap_or(plan) } else { plan }
        });
        plan.lag_ms = plan.lag_ms.max(settings.inquiry_lag_ms);
        if settings.latency_ms > 0 {
            plan.before.insert(0, Wait::For(Duration::from_millis(settings.latency_ms)));
        }
        plan
    }

    async fn act_with_waits(
        self: &Arc<Self>,
        ask: &Ask,
        mut plan: Plan,
        trace_id: Option<Id>,
    ) -> Result<Answer, Refused> {
        let after = std::mem::take(&mut plan.after);
        for wait in std::mem::take(&mut plan.before) {
            self.wait(wait).await;
        }
        let answer = self.act(ask, plan, trace_id).await?;
        if let Request::Issue(issue) = &ask.request {
            self.deposit_before_answer(issue).await?;
        }
        for wait in after {
            self.wait(wait).await;
        }
        Ok(answer)
    }

    /// Changes the books and makes the change durable.
    async fn act(&self, ask: &Ask, plan: Plan, trace_id: Option<Id>) -> Result<Answer, Refused> {
        let (answer, receipt) = {
            let mut state = self.state();
            let mode = state.settings.mode;
            let around = Around { now: now(), mode, lag_ms: plan.lag_ms, fault: plan.name, trace_id };
            let Done { answer, entries } = state.company.handle(ask, plan.act, around)?;
            // Handed over under the lock: the journal's order is the order of the books.
            (answer, self.journal.append(entries))
        };
        receipt.durable().await?;
        Ok(answer)
    }

    async fn wait(&self, wait: Wait) {
        match wait {
            Wait::For(time) => tokio::time::sleep(time).await,
            Wait::Hold(id) => self.holds.park(&id).await,
        }
    }
}

/// What the amount of a charge, an issue or a pay-out does.
fn by_amount(ask: &Ask) -> Option<Plan> {
    let amount = match &ask.request {
        Request::Approve(approve) => approve.amount,
        Request::Issue(issue) => issue.amount,
        Request::PayOut(pay_out) => pay_out.amount,
        Request::Verify(_)
        | Request::Register(_)
        | Request::Subscribe(_)
        | Request::Balance(_)
        | Request::Change(..)
        | Request::NetCancel(_)
        | Request::Inquire(_)
        | Request::Close(_) => return None,
    };
    specimens::of_amount(amount.get())
}

/// The one place where the clock is read.
#[expect(clippy::disallowed_methods, reason = "the process' clock is read here, and handed on from here")]
pub(super) fn now() -> Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

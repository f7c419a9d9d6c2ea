//! Deposits into virtual accounts, by the tests' hand.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::counters::new_id;
use super::desk::{Desk, now};
use super::refuse::{Body, Named, Refused, not_found};
use crate::company::virtual_account::{Arrival, Callback, Issue};
use crate::company::{Amount, Answer, Around, Company, Decision, Done, Id, Mode, Name};

type At = State<Arc<Desk>>;

/// `POST /admin/deposits`
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Paid {
    account_number: Option<Id>,
    reference: Option<Id>,
    order_id: Option<Id>,
    amount: Option<Amount>,
    depositor_name: Option<Name>,
    #[serde(default)]
    callback: Callback,
    #[serde(default)]
    on_its_way: bool,
}

/// `POST /admin/deposits/{transactionKey}/take-back`
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct TakeBack {
    callback: Callback,
    /// Whether it is taken back though it was paid out.
    paid_out: bool,
}

/// A deposit that waits for the issue of an account.
#[derive(Clone, Debug)]
pub(super) struct Armed(Paid);

/// The answer to a deposit that waits for its account.
#[derive(Debug, Serialize)]
pub(super) struct Waits {
    armed: bool,
}

/// What came of a deposit.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Came {
    Of(Box<Decision>),
    Waits(Waits),
}

impl Armed {
    fn is_for(&self, issue: &Issue) -> bool {
        let agrees = |wanted: &Option<Id>, seen: &Id| wanted.as_ref().is_none_or(|wanted| wanted == seen);
        agrees(&self.0.reference, &issue.reference) && agrees(&self.0.order_id, &issue.order_id)
    }
}

/// `POST /admin/deposits`: somebody pays into a virtual account.
pub(super) async fn pay_in(State(desk): At, Body(paid): Body<Paid>) -> Result<Json<Came>, Refused> {
    if paid.callback == Callback::BeforeIssueAnswer {
        if paid.on_its_way || paid.account_number.is_some() || (paid.order_id.is_none() && paid.reference.is_none()) {
            return Err(Refused::bad("before_issue_answer needs an orderId or reference whose account is not issued"));
        }
        desk.state().armed.push(Armed(paid));
        return Ok(Json(Came::Waits(Waits { armed: true })));
    }
    let account = account_of(&desk.state().company, &paid)?;
    let Some(account_number) = account else { return Err(not_found().await) };
    let arrival = arrival(paid, account_number)?;
    enter(&desk, |company, around| company.deposit(&arrival, around)).await
}

/// `POST /admin/deposits/{transactionKey}/land`: what was on its way arrives.
pub(super) async fn land(State(desk): At, Named(key): Named) -> Result<Json<Came>, Refused> {
    enter(&desk, |company, around| company.deposit_ends(&key, true, around)).await
}

/// `POST /admin/deposits/{transactionKey}/vanish`: what was on its way never arrives.
pub(super) async fn vanish(State(desk): At, Named(key): Named) -> Result<Json<Came>, Refused> {
    enter(&desk, |company, around| company.deposit_ends(&key, false, around)).await
}

/// `POST /admin/deposits/{transactionKey}/take-back`: a deposit was a mistake.
pub(super) async fn take_back(
    State(desk): At,
    Named(key): Named,
    Body(how): Body<TakeBack>,
) -> Result<Json<Came>, Refused> {
    enter(&desk, |company, around| company.take_back(&key, how.callback, how.paid_out, around)).await
}

impl Desk {
    /// Makes the deposits that were waiting for this issue, and calls back, before the issue is answered.
    pub(super) async fn deposit_before_answer(self: &Arc<Self>, issue: &Issue) -> Result<(), Refused> {
        let due: Vec<Armed> = self.state().armed.extract_if(.., |armed| armed.is_for(issue)).collect();
        for Armed(paid) in due {
            let of_issue = Paid { reference: Some(issue.reference.clone()), order_id: None, ..paid };
            let account = account_of(&self.state().company, &of_issue)?;
            // It was not issued after all.
            let Some(account_number) = account else { return Ok(()) };
            let arrival = arrival(of_issue, account_number)?;
            let (_, notice) = self.entered(|company, around| company.deposit(&arrival, around)).await?;
            if let Some(notice) = notice {
                self.call_back_once(notice).await;
            }
        }
        Ok(())
    }

    /// Changes the books, makes the change durable, and says what is to be called back.
    async fn entered(
        &self,
        change: impl FnOnce(&mut Company, Around) -> Option<Done>,
    ) -> Result<(Answer, Option<crate::company::virtual_account::Notice>), Refused> {
        let entered = {
            let mut state = self.state();
            let around = Around { now: now(), mode: Mode::D, lag_ms: 0, fault: None, trace_id: None };
            change(&mut state.company, around).map(|Done { answer, entries }| {
                let notice = state.company.callback_of(&entries);
                (answer, notice, self.journal.append(entries))
            })
        };
        let Some((answer, notice, receipt)) = entered else { return Err(not_found().await) };
        receipt.durable().await?;
        Ok((answer, notice))
    }
}

async fn enter(
    desk: &Arc<Desk>,
    change: impl FnOnce(&mut Company, Around) -> Option<Done>,
) -> Result<Json<Came>, Refused> {
    let (answer, notice) = desk.entered(change).await?;
    if let Some(notice) = notice {
        desk.call_back(notice);
    }
    match answer {
        Answer::Decision(decision) => Ok(Json(Came::Of(decision))),
        Answer::Token(_) | Answer::NoToken(_) => Err(Refused::broken(&"a deposit is answered by a decision")),
    }
}

fn account_of(company: &Company, paid: &Paid) -> Result<Option<Id>, Refused> {
    match (&paid.account_number, &paid.reference, &paid.order_id) {
        (Some(number), None, None) => Ok(Some(number.clone())),
        (None, Some(reference), None) => Ok(company.account_of_reference(reference)),
        (None, None, Some(order_id)) => Ok(company.account_of_order(order_id)),
        _ => Err(Refused::bad("name one of accountNumber, reference and orderId")),
    }
}

fn arrival(paid: Paid, account_number: Id) -> Result<Arrival, Refused> {
    Ok(Arrival {
        key: new_id("dep")?,
        account_number,
        amount: paid.amount,
        depositor_name: paid.depositor_name,
        callback: paid.callback,
        is_on_its_way: paid.on_its_way,
    })
}

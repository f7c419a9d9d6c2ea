//! One claim, carried through: ask the acquirer, hear, ask on, until the domain has decided.
//!
//! No transaction is open meanwhile, and nothing new is sent unless the worker's lease holds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use naru_shared::acquirer::{Acquirer, Order, PayOut};
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::crash::hold_point;
use naru_shared::domain::attempt::{
    Answer, ApproveAnswer, Because, Call, ChangeAnswer, InquiryAnswer, NetCancelAnswer,
};
use naru_shared::domain::course::{Decision, Doubt, Step};
use naru_shared::domain::id::{AttemptId, PayeeId, Reference};
use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::operation::OperationKind;
use naru_shared::domain::virtual_account::{IssueAnswer, IssueInquiry};
use naru_shared::retry::RetrySchedule;
use naru_shared::store::{Answered, Late, NewAttempt, Outcome};
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use crate::Worker;
use crate::connectors::Connectors;
use crate::gate::Breaker;
use crate::job::{Finished, Held};
use crate::payee::{self, Terms};

/// Steps of one conversation at most, besides asking about each earlier reference of a change before it is sent again, and once more
/// when it is refused. The longest honest one is inquire, approve again, net-cancel.
const STEPS_MAX: usize = 6;

/// Carries a claim through and hands over what came of it. Runs to its end whatever happens to the broker.
pub(crate) async fn hold(
    worker: Worker,
    connectors: Arc<Connectors>,
    mut held: Held,
    finished: mpsc::Sender<Finished>,
) {
    let trace = TraceContext::continue_or_start(Some(&held.claimed.operation.trace_parent), &System);
    let span = tracing::info_span!(
        "operation",
        trace_id = tracing::field::Empty,
        operation = %held.claimed.operation.id,
        payment = %held.claimed.payment.id,
        fence = held.claimed.operation.fence,
    );
    trace.attach(&span);
    let traceparent = trace.outgoing(&span, &System).to_header();
    let attempt = held.claimed.operation.attempt_count;
    let talk = Talk {
        acquirer: connectors.acquirer(held.claimed.operation.connector),
        connectors: &connectors,
        worker: &worker,
        held: &mut held,
        traceparent: &traceparent,
        trace_id: trace.trace_hex(),
        answered: None,
    };
    let decided = tracing::Instrument::instrument(talk.run(), span.clone()).await;
    let outcome =
        decided.map(|(decision, answered)| Outcome::new(&held.claimed, decision, answered, trace.trace_hex()));
    hold_point("answered").await;
    let done = Finished {
        outcome,
        queue: held.queue,
        attempt,
        traceparent: held.claimed.operation.trace_parent.clone(),
        receipt: held.receipt,
    };
    // The committer outlives every conversation.
    let _ = finished.send(done).await;
}

struct Talk<'a> {
    acquirer: &'a dyn Acquirer,
    connectors: &'a Connectors,
    worker: &'a Worker,
    held: &'a mut Held,
    traceparent: &'a str,
    trace_id: String,
    /// The answer of the approval that was sent, until it is written somewhere.
    answered: Option<Answered>,
}

impl Talk<'_> {
    /// Nothing when the claim was lost before anything was sent.
    async fn run(mut self) -> Option<(Decision, Option<Answered>)> {
        let claimed = &self.held.claimed;
        let mut step = claimed.first_step(self.now(), &mut delays);
        for _ in 0..STEPS_MAX + 2 * claimed.earlier.len() {
            step = match step {
                Step::Decide(decision) => return Some((*decision, self.answered)),
                Step::Approve { reference, written } => self.approve(reference, written).await?,
                Step::Issue { again } => self.issue(again).await?,
                Step::Change { call, again } => self.change(call, again).await?,
                Step::Inquire { reference } => self.inquire(reference, None).await?,
                Step::Verify(doubt) => self.inquire(doubt.reference.clone(), Some(doubt)).await?,
                Step::NetCancel { reference, because } => self.net_cancel(reference, because).await?,
            };
        }
        tracing::error!("a conversation that does not end is broken off; it goes on with an inquiry");
        None
    }

    async fn approve(&mut self, reference: Reference, written: bool) -> Option<Step> {
        let (attempt, written_at) = match (&self.held.claimed.fresh, written) {
            // The claim was asked for at that moment, and written down after it.
            (Some(fresh), true) => (fresh.id, self.held.claimed_at.1),
            _ => self.write_down(Call::Approve, &reference, None).await?,
        };
        let claimed = &self.held.claimed;
        let breaker = self.breaker();
        let started = System.monotonic();
        let ago = started.duration_since(written_at).try_into().unwrap_or(time::Duration::MAX);
        let withheld = self.withheld(ago, started);
        let answer = match withheld {
            Some(why) => ApproveAnswer::Busy(why.into()),
            None => {
                let answer = self.acquirer.approve(self.order(), &reference).await;
                let failed = matches!(answer, ApproveAnswer::NotSent(_) | ApproveAnswer::Unknown(_));
                breaker.heard(!failed, System.monotonic());
                answer
            }
        };
        hold_point("heard").await;
        let heard = self.heard(attempt, &Answer::Approve(answer.clone()), started, withheld);
        let step = claimed.after_approve(&reference, &answer, self.now(), &mut delays);
        match step {
            // Recorded with the decision, in one commit.
            Step::Decide(_) => self.answered = Some(heard),
            // There is more to say, which may take long: the evidence first.
            Step::Approve { .. }
            | Step::Issue { .. }
            | Step::Change { .. }
            | Step::Verify(_)
            | Step::Inquire { .. }
            | Step::NetCancel { .. } => self.keep(heard).await,
        }
        Some(step)
    }

    /// Why what was written down so long `ago` is not sent, if it isn't. To be asked when nothing is left to wait for.
    fn withheld(&self, ago: time::Duration, now: Instant) -> Option<&'static str> {
        let claimed = &self.held.claimed;
        if !self.worker.lease.holds() {
            // Somebody may already be asking about this reference: it stays unsent, and the claim is given back.
            Some("lease_lost")
        } else if let Some(why) = claimed.unsendable(ago, self.now()) {
            Some(why)
        } else if !self.breaker().lets_through(now) {
            Some("breaker_open")
        } else {
            None
        }
    }

    fn breaker(&self) -> &Breaker {
        let claimed = &self.held.claimed;
        self.connectors.breaker(claimed.operation.connector, claimed.payment.tenant.mode)
    }

    /// Asks for a change of an approval, under a reference that was used before or a new one.
    async fn change(&mut self, call: Call, again: Option<Reference>) -> Option<Step> {
        // What has to be waited for is waited for before the call is written down: everybody counts from then.
        let terms = self.terms(call, again.as_ref()).await?;
        let payee = match &terms {
            Terms::Lost => return Some(self.held.claimed.payee_lost(self.now())),
            Terms::PayOut(pay_out) => Some(pay_out.payee),
            Terms::Approval | Terms::Account(_) => None,
        };
        let id = AttemptId(System.ordered());
        let reference = again.unwrap_or_else(|| Reference::of(id));
        let (attempt, written_at) = self.write_down_as(id, call, &reference, None, payee).await?;
        let claimed = &self.held.claimed;
        let breaker = self.breaker();
        let started = System.monotonic();
        let ago = started.duration_since(written_at).try_into().unwrap_or(time::Duration::MAX);
        let withheld = self.withheld(ago, started);
        let answer = match withheld {
            Some(why) => ChangeAnswer::Busy(why.into()),
            None => {
                let answer = self.ask_change(call, &reference, &terms).await;
                let failed = matches!(answer, ChangeAnswer::NotSent(_) | ChangeAnswer::Unknown(_));
                breaker.heard(!failed, System.monotonic());
                answer
            }
        };
        hold_point("heard").await;
        let heard = self.heard(attempt, &Answer::Change(call, answer.clone()), started, withheld);
        let step = claimed.after_change(call, &reference, &answer, self.now(), &mut delays);
        match step {
            Step::Decide(_) => self.answered = Some(heard),
            Step::Approve { .. }
            | Step::Issue { .. }
            | Step::Change { .. }
            | Step::Verify(_)
            | Step::Inquire { .. }
            | Step::NetCancel { .. } => self.keep(heard).await,
        }
        Some(step)
    }

    /// What a change is asked with, however long it takes to know; nothing when it can't be known under this claim.
    async fn terms(&self, call: Call, again: Option<&Reference>) -> Option<Terms> {
        let claimed = &self.held.claimed;
        if self.acquirer.accounts().is_none() {
            return Some(Terms::Approval);
        }
        loop {
            match payee::terms(self.worker, claimed, call, again).await {
                Ok(terms) => return Some(terms),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "where the money goes back to can't be read yet");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => {
                    tracing::error!(error = format!("{error:?}"), "where the money goes back to can't be read");
                    return None;
                }
            }
        }
    }

    /// Asks for the change; of a virtual account in the words of its bank.
    async fn ask_change(&self, call: Call, reference: &Reference, terms: &Terms) -> ChangeAnswer {
        match (self.acquirer.accounts(), terms) {
            (Some(bank), Terms::Account(account)) => bank.close(self.order(), account, reference).await,
            (Some(bank), Terms::PayOut(out)) => {
                let (account, is_refund) = (&out.account, call == Call::Refund);
                let pay_out = PayOut { account, deposit: &out.deposit, is_refund, to: &out.to };
                bank.pay_out(self.order(), pay_out, reference).await
            }
            (_, _) => self.acquirer.change(self.order(), call, reference).await,
        }
    }

    /// Asks for an account to pay into, under a reference that was used before or a new one.
    async fn issue(&mut self, again: Option<Reference>) -> Option<Step> {
        let id = AttemptId(System.ordered());
        let reference = again.unwrap_or_else(|| Reference::of(id));
        let (attempt, written_at) = self.write_down_as(id, Call::Issue, &reference, None, None).await?;
        let claimed = &self.held.claimed;
        let breaker = self.breaker();
        let started = System.monotonic();
        let ago = started.duration_since(written_at).try_into().unwrap_or(time::Duration::MAX);
        let withheld = self.withheld(ago, started);
        let answer = match (withheld, self.acquirer.accounts(), claimed.payment.state.instrument()) {
            (Some(why), _, _) => IssueAnswer::Busy(why.into()),
            (None, Some(bank), Some(Instrument::VirtualAccount(terms))) => {
                let callback = self.worker.callback.as_deref();
                let answer = bank.issue(self.order(), terms, callback, &reference).await;
                let failed = matches!(answer, IssueAnswer::NotSent(_) | IssueAnswer::Unknown(_));
                breaker.heard(!failed, System.monotonic());
                answer
            }
            (None, _, _) => IssueAnswer::NotSent("no_accounts".into()),
        };
        hold_point("heard").await;
        let heard = self.heard(attempt, &Answer::Issue(answer.clone()), started, withheld);
        let step = claimed.after_issue(&reference, &answer, self.now(), &mut delays);
        match step {
            Step::Decide(_) => self.answered = Some(heard),
            Step::Approve { .. }
            | Step::Issue { .. }
            | Step::Change { .. }
            | Step::Verify(_)
            | Step::Inquire { .. }
            | Step::NetCancel { .. } => self.keep(heard).await,
        }
        Some(step)
    }

    /// Asks what became of an account that was asked for.
    async fn inquire_issue(&mut self, reference: Reference) -> Option<Step> {
        let (attempt, _) = self.write_down(Call::Inquire, &reference, None).await?;
        let (started, asked) = (System.monotonic(), self.now());
        let answer = match self.acquirer.accounts() {
            Some(bank) => bank.look(self.order(), &reference).await,
            None => IssueInquiry::NoAnswer("no_accounts".into()),
        };
        let heard = self.heard(attempt, &Answer::Inquire(answer.kept()), started, None);
        self.keep(heard).await;
        Some(self.held.claimed.after_issue_inquiry(&reference, &answer, asked, self.now(), &mut delays))
    }

    /// Asks what became of a reference; in `doubt` whether that change was done after all.
    async fn inquire(&mut self, reference: Reference, doubt: Option<Doubt>) -> Option<Step> {
        if self.held.claimed.operation.kind == OperationKind::IssueAccount {
            return self.inquire_issue(reference).await;
        }
        let (attempt, _) = self.write_down(Call::Inquire, &reference, None).await?;
        let (started, asked) = (System.monotonic(), self.now());
        let answer: InquiryAnswer = self.acquirer.inquire(self.order(), &reference).await;
        let heard = self.heard(attempt, &Answer::Inquire(answer.clone()), started, None);
        self.keep(heard).await;
        let claimed = &self.held.claimed;
        Some(match (claimed.operation.kind, doubt) {
            (_, Some(doubt)) => claimed.after_doubt(&doubt, &answer, asked, self.now(), &mut delays),
            (
                OperationKind::Cancel
                | OperationKind::Capture
                | OperationKind::CloseAccount
                | OperationKind::ReturnDeposit,
                None,
            ) => claimed.after_change_inquiry(&reference, &answer, asked, self.now(), &mut delays),
            (OperationKind::Approve | OperationKind::NetCancel | OperationKind::IssueAccount, None) => {
                claimed.after_inquiry(&reference, &answer, asked, self.now(), &mut delays)
            }
        })
    }

    async fn net_cancel(&mut self, reference: Reference, because: Because) -> Option<Step> {
        let (attempt, _) = self.write_down(Call::NetCancel, &reference, Some(because)).await?;
        let (started, asked) = (System.monotonic(), self.now());
        let answer: NetCancelAnswer = self.acquirer.net_cancel(self.order(), &Reference::of(attempt), &reference).await;
        let heard = self.heard(attempt, &Answer::NetCancel(answer.clone()), started, None);
        self.keep(heard).await;
        let claimed = &self.held.claimed;
        Some(match claimed.operation.kind {
            OperationKind::Approve => {
                claimed.after_net_cancel(&reference, because, &answer, asked, self.now(), &mut delays)
            }
            // Nothing asks for the net-cancel of a change; a net-cancel by itself is all that is left.
            OperationKind::Cancel
            | OperationKind::Capture
            | OperationKind::IssueAccount
            | OperationKind::CloseAccount
            | OperationKind::ReturnDeposit
            | OperationKind::NetCancel => claimed.after_reversal(&reference, &answer, asked, self.now(), &mut delays),
        })
    }

    /// Writes a call down before it is made, as long as the claim holds; nothing when it no longer does. Returns a moment
    /// before it was written, too; what was known of the reference by then is known to the claim from now on.
    async fn write_down(
        &mut self,
        call: Call,
        reference: &Reference,
        because: Option<Because>,
    ) -> Option<(AttemptId, Instant)> {
        self.write_down_as(AttemptId(System.ordered()), call, reference, because, None).await
    }

    /// The same, under this id if it is free; of a pay-out with where it goes to.
    async fn write_down_as(
        &mut self,
        mut id: AttemptId,
        call: Call,
        reference: &Reference,
        because: Option<Because>,
        payee: Option<PayeeId>,
    ) -> Option<(AttemptId, Instant)> {
        let (operation, fence) = (self.held.claimed.operation.id, self.held.claimed.operation.fence);
        loop {
            let asked = System.monotonic();
            let attempt = NewAttempt { id, operation, fence, worker: self.worker.id, call, reference, because };
            let begun = match payee {
                Some(to) => self.worker.store.begin_pay_out(&attempt, to).await,
                None => self.worker.store.begin_attempt(&attempt).await,
            };
            match begun {
                Ok(Some(begun)) => {
                    self.held.claimed.learn(reference, begun.condemned, begun.sent_at);
                    return Some((id, asked));
                }
                Ok(None) => {
                    tracing::info!(call = call.as_str(), "the claim is somebody else's by now");
                    return None;
                }
                // An earlier try went through though we were not told. Under another id it is asked again whether the
                // claim still holds; the row that was written first stays without an answer.
                Err(error) if error.is_constraint("attempts_pkey") => id = AttemptId(System.ordered()),
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, call = call.as_str(), "a call waits to be written down");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => {
                    tracing::error!(error = format!("{error:?}"), call = call.as_str(), "a call can't be written down");
                    return None;
                }
            }
        }
    }

    /// Keeps an answer that no decision goes with yet, however long that takes: should the claim be lost before there is
    /// a decision, nobody else knows what was heard here.
    async fn keep(&self, answered: Answered) {
        loop {
            match self.worker.store.answer_attempt(&answered, &self.trace_id).await {
                Ok(Late::Nothing | Late::Kept | Late::Looked) => return hold_point("kept").await,
                Ok(Late::Reversing(operation)) => {
                    metrics::counter!("naru_worker_late_approvals_total").increment(1);
                    tracing::warn!(reversal = %operation, "an answer about something that was done with: it is reversed");
                    return hold_point("kept").await;
                }
                Ok(Late::Case) => {
                    metrics::counter!("naru_worker_late_changes_total").increment(1);
                    tracing::warn!("an answer about a change that was given up: a person has to look");
                    return hold_point("kept").await;
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, answer = answered.word.as_str(), "an answer waits to be kept");
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => {
                    tracing::error!(error = format!("{error:?}"), "an answer can't be kept");
                    return;
                }
            }
        }
    }

    /// An answer as it is kept. `withheld`: why it is our own, in the acquirer's stead; such a one is not counted as an answer.
    fn heard(&self, attempt: AttemptId, answer: &Answer, started: Instant, withheld: Option<&'static str>) -> Answered {
        let latency_ms = i32::try_from(System.monotonic().duration_since(started).as_millis()).unwrap_or(i32::MAX);
        let (call, word) = (answer.call(), answer.word());
        let code = answer.code().map(str::to_owned);
        match withheld {
            Some(why) => {
                tracing::info!(why, call = call.as_str(), "a call is withheld: the acquirer is not asked");
                metrics::counter!("naru_worker_withheld_total", "why" => why).increment(1);
            }
            None => {
                tracing::info!(answer = word.as_str(), code = code.as_deref(), latency_ms, "the acquirer answered");
                metrics::counter!("naru_worker_answers_total", "answer" => word.as_str()).increment(1);
            }
        }
        Answered { attempt, call, word, code, latency_ms }
    }

    fn order(&self) -> Order<'_> {
        let claimed = &self.held.claimed;
        let amount = claimed.amount().unwrap_or(claimed.operation.amount);
        Order { payment: &claimed.payment, amount, traceparent: self.traceparent }
    }

    /// The database's time: the claim's, and what has passed since on our own clock.
    fn now(&self) -> OffsetDateTime {
        let (database, ours) = self.held.claimed_at;
        database + System.monotonic().duration_since(ours)
    }
}

/// The retry schedule with dice. `tries` before this one.
fn delays(tries: i32) -> time::Duration {
    let attempt = u32::try_from(tries).unwrap_or(0).saturating_add(1);
    let delay = RetrySchedule::OPERATIONS.delay(attempt, &mut naru_shared::system::dice());
    delay.try_into().unwrap_or(time::Duration::MAX)
}

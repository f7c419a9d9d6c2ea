//! The course of having an account opened, and what is particular to closing it and to paying out of it: the rest is as of any
//! change ([`super::super::change`]).

use time::OffsetDateTime;

use super::super::attempt::{Call, ChangeRefusal, RefusedBecause, Resolution};
use super::super::course::{Claimed, Decision, Delays, Next, Step, decide};
use super::super::event::PaymentEvent;
use super::super::failure::{Failure, FailureCode, FailureReason};
use super::super::id::Reference;
use super::super::operation::{
    CLAIMED_EARLY_BY, Connector, LetterKind, LetterReason, Operation, OperationKind, OperationResult, OperationStatus,
};
use super::super::payment::{MoneyState, Payment, Stage, Work};
use super::{Account, AccountEvent, AccountFacts, DepositStanding, IssueAnswer, IssueInquiry};

pub(in crate::domain) fn first_step(claimed: &Claimed, now: OffsetDateTime) -> Step {
    if let Some(open) = claimed.open.first() {
        return Step::Inquire { reference: open.reference.clone() };
    }
    if claimed.is_past_deadline(now) {
        return decide(not_issued(claimed));
    }
    Step::Issue { again: None }
}

/// What is decided about a change of an account before anything is sent, if anything is.
pub(in crate::domain) fn decided_before(claimed: &Claimed, now: OffsetDateTime) -> Option<Decision> {
    let state = &claimed.payment.state;
    let operation = claimed.operation.id;
    match claimed.operation.kind {
        OperationKind::Cancel if claimed.operation.connector == Connector::VirtualAccount => {
            let cancel = state.cancel(operation)?;
            let whole = state.account.as_ref().is_some_and(|account| account.amount == cancel.amount);
            let waits = matches!(state.stage, Stage::WaitingForDeposit { .. });
            let reason = match waits {
                true if !whole => FailureReason::DepositTakenBack,
                true if state.owed_deposits().next().is_some() => FailureReason::DepositedMeanwhile,
                false if cancel.payee.is_none() => FailureReason::DepositedMeanwhile,
                false if state.taken_deposit().is_none() => FailureReason::DepositTakenBack,
                true | false => return None,
            };
            Some(claimed.change_failed(Failure::ours(FailureCode::RefundRejected, reason), now))
        }
        OperationKind::ReturnDeposit => {
            let deposit = state.returned_by(operation)?;
            if deposit.standing == DepositStanding::TakenBack {
                return Some(nothing_to_return(claimed));
            }
            // Somebody must say where to: their saying so sends it back to work.
            state.payee.is_none().then(|| for_a_person(claimed, LetterReason::PayeeMissing))
        }
        OperationKind::Cancel
        | OperationKind::IssueAccount
        | OperationKind::CloseAccount
        | OperationKind::Approve
        | OperationKind::Capture
        | OperationKind::NetCancel => None,
    }
}

fn nothing_to_return(claimed: &Claimed) -> Decision {
    let failure = Failure::ours(FailureCode::RefundRejected, FailureReason::DepositTakenBack);
    let event = PaymentEvent::Account(AccountEvent::NothingToReturn { operation: claimed.operation.id });
    let result = OperationResult::Failed { failure, money_state: MoneyState::NotMoved };
    Decision { event: Some(event), ..Decision::of(Next::Settled(result)) }
}

/// Given up until somebody says where the money goes, or does otherwise what the bank declined.
fn for_a_person(claimed: &Claimed, reason: LetterReason) -> Decision {
    claimed.change_died(false).with_letter(LetterKind::NeedsPerson, reason)
}

impl Decision {
    /// The same of a return that was given up for want of a good account, when one was given meanwhile: it goes on at once.
    #[must_use]
    pub fn with_another_payee(mut self, now: OffsetDateTime) -> Self {
        if let Some(PaymentEvent::WorkDied { work, .. }) = self.event.take() {
            let work = Work { status: OperationStatus::Waiting, next_attempt_at: Some(now), ..work };
            self.event = Some(PaymentEvent::RetryScheduled { work, reversed: false });
        }
        self.next = Next::Waiting { due_at: now, spent: true };
        self.letter = None;
        self
    }
}

/// Too late. Nothing more is sent; the letter tells, it can't be replayed: nobody waits for that account any more.
fn not_issued(claimed: &Claimed) -> Decision {
    let failure = Failure::ours(FailureCode::ProviderError, FailureReason::IssueDeadlinePassed);
    claimed.failed(failure, false).with_letter(LetterKind::Information, LetterReason::OutOfTime)
}

/// After so many looks for what the bank refused a change for, none of which told it, a person has to.
const LOOKS_BEFORE_A_CASE: i32 = 5;

impl Claimed {
    /// What is decided when where the money goes back to can't be read, and never will be: it has to be said again.
    #[must_use]
    pub fn payee_lost(&self, now: OffsetDateTime) -> Step {
        decide(match self.operation.kind {
            OperationKind::ReturnDeposit => for_a_person(self, LetterReason::PayeeMissing),
            OperationKind::Cancel => {
                self.change_failed(Failure::ours(FailureCode::RefundRejected, FailureReason::RefundAccountLost), now)
            }
            OperationKind::CloseAccount
            | OperationKind::IssueAccount
            | OperationKind::Approve
            | OperationKind::Capture
            | OperationKind::NetCancel => self.change_died(false),
        })
    }

    /// Whether what was sent and never came there is still there to be sent: of a pay-out, its deposit.
    pub(in crate::domain) fn can_be_sent_again(&self, call: Call) -> bool {
        let state = &self.payment.state;
        match (self.operation.connector, call) {
            (Connector::VirtualAccount, Call::Refund) => state.taken_deposit().is_some(),
            (Connector::VirtualAccount, Call::Return) => {
                let deposit = state.returned_by(self.operation.id);
                deposit.is_some_and(|deposit| deposit.standing == DepositStanding::Owed)
            }
            (_, _) => true,
        }
    }

    /// What an answer to [`Step::Issue`] means.
    #[must_use]
    pub fn after_issue(
        &self,
        reference: &Reference,
        answer: &IssueAnswer,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            IssueAnswer::Issued(facts) => self.issued(reference, facts, now, delays),
            IssueAnswer::Declined(failure) => {
                decide(self.failed(failure.clone(), false).resolving(reference, Resolution::Declined))
            }
            IssueAnswer::Busy(_) | IssueAnswer::NotSent(_) if self.was_sent(reference) => {
                self.unknown(now, None, delays, None)
            }
            IssueAnswer::Busy(_) => self.change_again(reference, false, now, delays),
            IssueAnswer::NotSent(_) => self.change_again(reference, true, now, delays),
            IssueAnswer::Pending | IssueAnswer::Unknown(_) => self.unknown(now, None, delays, None),
        }
    }

    /// What an answer to [`Step::Inquire`] means for an account that was asked for. "Not found" is believed by when it was `asked`,
    /// however long the answer took.
    #[must_use]
    pub fn after_issue_inquiry(
        &self,
        reference: &Reference,
        answer: &IssueInquiry,
        asked: OffsetDateTime,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        match answer {
            IssueInquiry::Issued(facts) => self.issued(reference, facts, now, delays),
            IssueInquiry::Declined(failure) => {
                decide(self.failed(failure.clone(), false).resolving(reference, Resolution::Declined))
            }
            IssueInquiry::NotFound if self.manners.dedupes_by_reference && !self.is_past_deadline(now) => {
                Step::Issue { again: Some(reference.clone()) }
            }
            IssueInquiry::NotFound => match self.believable_at(reference) {
                Some(believable_at) if asked < believable_at => self.unknown(now, Some(believable_at), delays, None),
                Some(_) | None => {
                    decide(self.at_once(OperationStatus::Waiting, now).resolving(reference, Resolution::NotMoved))
                }
            },
            IssueInquiry::Pending | IssueInquiry::NoAnswer(_) => self.unknown(now, None, delays, None),
        }
    }

    fn issued(&self, reference: &Reference, facts: &AccountFacts, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        let due_at = self.payment.state.instrument().and_then(|instrument| instrument.due_at());
        let (true, Some(due_at)) = (facts.money == Some(self.operation.amount), due_at) else {
            // An account with other terms than ours: a person finds out; looks at it go on.
            return self.unknown(now, None, delays, Some(LetterReason::AmountMismatch));
        };
        let account = Account {
            reference: reference.clone(),
            number: facts.number.clone(),
            amount: self.operation.amount.amount(),
            due_at,
            operation: self.operation.id,
            expired: false,
            closed: false,
        };
        decide(
            Decision {
                event: Some(PaymentEvent::Account(AccountEvent::Issued { account })),
                ..Decision::of(Next::Settled(OperationResult::Succeeded))
            }
            .resolving(reference, Resolution::Approved),
        )
    }

    /// The same change again when what stands in its way may be gone, after a look at the account.
    pub(in crate::domain) fn after_a_look(
        &self,
        reference: &Reference,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        let due_at =
            (now + delays(self.operation.look_count + 1)).min(self.operation.deadline_at.max(now) + CLAIMED_EARLY_BY);
        let work = self.work(OperationStatus::Waiting, Some(due_at), 1);
        decide(
            Decision {
                event: Some(PaymentEvent::RetryScheduled { work, reversed: false }),
                looks: true,
                ..Decision::of(Next::Waiting { due_at, spent: true })
            }
            .resolving(reference, Resolution::Declined),
        )
    }

    /// What a refusal of an account's change means.
    pub(in crate::domain) fn account_refused(
        &self,
        reference: &Reference,
        refusal: &ChangeRefusal,
        now: OffsetDateTime,
        delays: Delays<'_>,
    ) -> Step {
        use RefusedBecause as R;
        let operation = self.operation.id;
        match (self.operation.kind, refusal.why) {
            (OperationKind::CloseAccount, R::NotEmpty) => {
                let failure = Failure::ours(FailureCode::RefundRejected, FailureReason::DepositedMeanwhile);
                let result = OperationResult::Failed { failure, money_state: MoneyState::NotMoved };
                decide(
                    Decision {
                        event: Some(PaymentEvent::Account(AccountEvent::NotClosed { operation })),
                        looks: true,
                        ..Decision::of(Next::Settled(result))
                    }
                    .resolving(reference, Resolution::Declined),
                )
            }
            // It was looked at often enough: the bank's books are others than ours.
            (_, R::NotEmpty | R::Disagrees | R::AlreadyCanceled)
                if self.operation.look_count >= LOOKS_BEFORE_A_CASE =>
            {
                decide(self.disagreed(reference))
            }
            // There is, or was, a deposit that we have not seen: whoever looks at the account tells the payment.
            (_, R::NotEmpty | R::Disagrees | R::AlreadyCanceled) => self.after_a_look(reference, now, delays),
            (OperationKind::ReturnDeposit | OperationKind::CloseAccount, _) => {
                decide(for_a_person(self, LetterReason::AcquirerDeclined).resolving(reference, Resolution::Declined))
            }
            (
                OperationKind::Cancel
                | OperationKind::IssueAccount
                | OperationKind::Approve
                | OperationKind::Capture
                | OperationKind::NetCancel,
                why,
            ) => {
                let code = match why {
                    R::WrongBank => FailureCode::InvalidBank,
                    R::WrongNumber => FailureCode::InvalidRefundAccountNumber,
                    R::WrongHolder => FailureCode::InvalidRefundAccountInfo,
                    R::AlreadyCaptured
                    | R::AlreadyCanceled
                    | R::Disagrees
                    | R::NotEmpty
                    | R::MonthOver
                    | R::Declined => FailureCode::RefundRejected,
                };
                let failure = Failure::declined(code, refusal.code.clone());
                decide(self.change_failed(failure, now).resolving(reference, Resolution::Declined))
            }
        }
    }
}

/// The event that a change of an account was made with; nothing when it is no such change.
pub(in crate::domain) fn changed(operation: &Operation, payment: &Payment) -> Option<AccountEvent> {
    let id = operation.id;
    let own = |account: &Account| operation.target.as_ref() == Some(&account.reference);
    match operation.kind {
        OperationKind::ReturnDeposit => Some(AccountEvent::Returned { operation: id }),
        OperationKind::CloseAccount => {
            Some(AccountEvent::Closed { operation: Some(id), own: payment.state.account.as_ref().is_some_and(own) })
        }
        OperationKind::IssueAccount
        | OperationKind::Approve
        | OperationKind::Cancel
        | OperationKind::Capture
        | OperationKind::NetCancel => None,
    }
}

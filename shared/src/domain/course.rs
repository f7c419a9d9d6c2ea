//! The course of one claim: what is known, what to do next, what is decided.
//!
//! A claim is a short conversation: take a [`Step`], hear an [`super::attempt::Answer`], until a step is a
//! [`Decision`]. [`super::approve`], [`super::change`] and [`super::net_cancel`] hold the rules.

use time::{Duration, OffsetDateTime};

use super::attempt::{
    ApprovalFacts, Because, Call, ChangeRefusal, Earlier, Manners, OpenAttempt, Resolution, SENT_WITHIN,
};
use super::event::{Course, PaymentEvent};
use super::failure::Failure;
use super::id::Reference;
use super::operation::{
    CLAIMED_EARLY_BY, CRASH_BUDGET, LetterKind, LetterOwed, LetterReason, NEEDS_PERSON_AFTER, Operation, OperationKind,
    OperationResult, OperationStatus,
};
use super::payment::{MoneyState, Payment, PaymentState, Work};
use super::{approve, change, net_cancel, virtual_account};
use crate::words::words;

/// What a claim knows. `now` is the database's time: the claim's, plus what has passed on the worker's own clock.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The work, as claimed.
    pub operation: Operation,
    /// The payment, as the claim saw it.
    pub payment: Payment,
    /// Earlier attempts of this operation whose outcome is open, the oldest first.
    pub open: Vec<OpenAttempt>,
    /// References under which this change was asked for before and, as was decided, nothing was done; the oldest first.
    pub earlier: Vec<Earlier>,
    /// The attempt that the claim wrote down, to be sent now.
    pub fresh: Option<OpenAttempt>,
    /// The acquirer's manners.
    pub manners: Manners,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ask for the money under this reference.
    Approve {
        /// Our name for it.
        reference: Reference,
        /// Whether the claim wrote the attempt down; if not it must be, first.
        written: bool,
    },
    /// Ask for an account to pay into.
    Issue {
        /// Under a reference that was used before and of which the bank knows nothing; nothing for a new one.
        again: Option<Reference>,
    },
    /// Ask for a change of the approval: its capture, or giving money back.
    Change {
        /// [`Call::Capture`], [`Call::Cancel`], [`Call::Refund`], [`Call::Close`] or [`Call::Return`].
        call: Call,
        /// Under a reference that was used before and of which the acquirer knows nothing; nothing for a new one.
        again: Option<Reference>,
    },
    /// Ask whether this change was done after all.
    Verify(Doubt),
    /// Ask what became of this reference.
    Inquire {
        /// Which.
        reference: Reference,
    },
    /// Reverse whatever was done under this reference.
    NetCancel {
        /// Which.
        reference: Reference,
        /// Why, for what follows.
        because: Because,
    },
    /// Nothing: this is how it stands.
    Decide(Box<Decision>),
}

/// Whether a change was done after all under one of our references, asked before it is done anew or given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    /// What was asked under it.
    pub call: Call,
    /// Which.
    pub reference: Reference,
    /// What is asked about next, should it not have been done under this one.
    pub rest: Vec<Earlier>,
    /// What the acquirer refused, and why, as its books are not as ours; nothing when it was not asked yet.
    pub refused: Option<(Reference, ChangeRefusal)>,
}

words! {
    /// What a person should see through.
    CaseKind {
        /// Another amount than ours was approved.
        AmountMismatch = "amount_mismatch",
        /// The acquirer would not net-cancel.
        NetCancelRefused = "net_cancel_refused",
        /// The acquirer's books of an approval differ from ours: more was given back, or less is left.
        BooksDisagree = "books_disagree",
        /// Money went back, or a slip was bought, under a reference that we had taken for one under which nothing was done.
        LateChange = "late_change",
        /// There may be something in an account to pay into that is not recorded: the bank does not say it, or there is no place.
        AccountUnread = "account_unread",
    }
}

/// What one claim came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of the operation.
    pub next: Next,
    /// What happened to the payment; nothing when only the operation is concerned.
    pub event: Option<PaymentEvent>,
    /// What became of the attempts under a reference.
    pub resolved: Option<(Reference, Resolution)>,
    /// A reference that the acquirer refused, because it had done the same under the one that is resolved.
    pub refused: Option<Reference>,
    /// A letter to the operators.
    pub letter: Option<LetterOwed>,
    /// A case for a person.
    pub case: Option<(Reference, CaseKind)>,
    /// Whether the accounts of the payment are looked at at once: what is in them may be news.
    pub looks: bool,
}

/// What becomes of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// It is done.
    Settled(OperationResult),
    /// Tried again.
    Waiting {
        /// When.
        due_at: OffsetDateTime,
        /// Whether this try used up an attempt.
        spent: bool,
    },
    /// Inquired after.
    Unknown {
        /// When.
        due_at: OffsetDateTime,
    },
    /// Given up, with a letter.
    Dead,
}

impl Next {
    /// The status it gets.
    #[must_use]
    pub const fn status(&self) -> OperationStatus {
        match self {
            Self::Settled(OperationResult::Succeeded) => OperationStatus::Succeeded,
            Self::Settled(OperationResult::Failed { .. }) => OperationStatus::Failed,
            Self::Waiting { .. } => OperationStatus::Waiting,
            Self::Unknown { .. } => OperationStatus::Unknown,
            Self::Dead => OperationStatus::Dead,
        }
    }

    /// When it is claimed next, if it is.
    #[must_use]
    pub const fn due_at(&self) -> Option<OffsetDateTime> {
        match self {
            Self::Waiting { due_at, .. } | Self::Unknown { due_at } => Some(*due_at),
            Self::Settled(_) | Self::Dead => None,
        }
    }
}

/// Jittered delays, by how many tries there were: the retry schedule with its randomness, handed in.
pub type Delays<'a> = &'a mut dyn FnMut(i32) -> Duration;

/// After this many inquiries the schedule has reached its cap of 512 s; from then on once an hour.
const INQUIRIES_BEFORE_HOURLY: i32 = 14;

impl Claimed {
    /// The first step of a claim. What was sent and not answered is inquired after before anything is sent.
    #[must_use]
    pub fn first_step(&self, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        if self.operation.claim_count > CRASH_BUDGET {
            return self.buried(now, delays);
        }
        match self.operation.kind {
            OperationKind::Approve => approve::first_step(self, now),
            OperationKind::IssueAccount => virtual_account::first_step(self, now),
            OperationKind::Cancel
            | OperationKind::Capture
            | OperationKind::CloseAccount
            | OperationKind::ReturnDeposit => change::first_step(self, now),
            OperationKind::NetCancel => net_cancel::first_step(self),
        }
    }

    /// The row has crashed its workers too often: give it up, or, when money may have moved, only inquire from now on.
    fn buried(&self, now: OffsetDateTime, delays: Delays<'_>) -> Step {
        if self.open.is_empty() && self.operation.kind != OperationKind::NetCancel {
            let work = self.work(OperationStatus::Dead, None, 0);
            return decide(Decision {
                event: Some(PaymentEvent::WorkDied { work, disputed: false }),
                letter: Some(LetterOwed { kind: LetterKind::Replayable, reason: LetterReason::CrashedItsWorkers }),
                ..Decision::of(Next::Dead)
            });
        }
        self.unknown(now, None, delays, Some(LetterReason::CrashedItsWorkers))
    }

    /// The work as a waiting client sees it after this claim. `more` counts what this claim used up.
    pub(super) fn work(&self, status: OperationStatus, next: Option<OffsetDateTime>, more: i32) -> Work {
        Work {
            id: self.operation.id,
            kind: self.operation.kind,
            status,
            attempt: self.operation.attempt_count.saturating_add(more),
            next_attempt_at: next,
        }
    }

    /// Whether nothing new may be sent any more.
    pub(super) fn is_past_deadline(&self, now: OffsetDateTime) -> bool {
        now >= self.operation.deadline_at
    }

    /// Why an approval that was written down so long `ago` may not be sent any more, in a word for its row; nothing when it
    /// may. To be asked when nothing is left to wait for.
    #[must_use]
    pub fn unsendable(&self, ago: Duration, now: OffsetDateTime) -> Option<&'static str> {
        if self.is_past_deadline(now) {
            Some("too_late")
        } else if ago > SENT_WITHIN {
            Some("written_long_ago")
        } else {
            None
        }
    }

    /// Whether what the acquirer says it took is what we asked for.
    pub(super) fn is_ours(&self, facts: &ApprovalFacts) -> bool {
        facts.money == Some(self.operation.amount)
    }

    /// From when on "not found" may be believed of a reference. It is what the acquirer saw when it was *asked*: the answer may
    /// have been long on its way, and longer in our hands, while what it did not see took effect.
    pub(super) fn believable_at(&self, reference: &Reference) -> Option<OffsetDateTime> {
        self.attempts(reference).map(|attempt| self.manners.believable_at(attempt.sent_at)).max()
    }

    /// Adds what was found out about a reference after the claim: why its reversal was asked for, and when it was last
    /// written down that it would be sent.
    pub fn learn(&mut self, reference: &Reference, condemned: Option<Because>, sent_at: Option<OffsetDateTime>) {
        for attempt in self.open.iter_mut().chain(&mut self.fresh).filter(|attempt| attempt.reference == *reference) {
            attempt.condemned = attempt.condemned.or(condemned);
            attempt.sent_at = sent_at.map_or(attempt.sent_at, |sent_at| sent_at.max(attempt.sent_at));
        }
    }

    /// Why a net-cancel of this reference was asked for before, if it was.
    pub(super) fn condemned(&self, reference: &Reference) -> Option<Because> {
        self.attempts(reference).find_map(|attempt| attempt.condemned)
    }

    /// Whether this reference was sent, or may have been, before this claim.
    #[must_use]
    pub fn was_sent(&self, reference: &Reference) -> bool {
        self.open.iter().any(|attempt| attempt.reference == *reference)
    }

    /// What was asked under this reference.
    pub(super) fn call_of(&self, reference: &Reference) -> Option<Call> {
        self.attempts(reference).map(|attempt| attempt.call).next()
    }

    fn attempts(&self, reference: &Reference) -> impl Iterator<Item = &OpenAttempt> {
        self.open.iter().chain(&self.fresh).filter(move |attempt| attempt.reference == *reference)
    }

    /// We don't know: ask again later, at `at_latest` if that is sooner. Asks for a person, once, when it has been long
    /// or when there is a `reason` for a letter anyway.
    pub(super) fn unknown(
        &self,
        now: OffsetDateTime,
        at_latest: Option<OffsetDateTime>,
        delays: Delays<'_>,
        reason: Option<LetterReason>,
    ) -> Step {
        let asked = self.operation.inquiry_count;
        let mut delay = if asked >= INQUIRIES_BEFORE_HOURLY { Duration::hours(1) } else { delays(asked) };
        let late_by = now - self.operation.deadline_at;
        if late_by >= Duration::ZERO {
            // The schedule may have grown long while there was hope; undoing begins with a short one of its own.
            delay = delay.min(late_by.max(Duration::SECOND));
        }
        let mut due_at = now + delay;
        // At the deadline the question changes from "what became of it" to "undo it": be there.
        // What could be believed by now if it were asked again is asked again at once.
        let limits = at_latest.map(|limit| limit.max(now)).into_iter();
        for limit in limits.chain(Some(self.operation.deadline_at).filter(|deadline| *deadline > now)) {
            due_at = due_at.min(limit + CLAIMED_EARLY_BY);
        }
        let sent_at = self.open.iter().map(|attempt| attempt.sent_at).min();
        let since = sent_at.into_iter().chain(self.operation.unknown_since).min();
        let long = since.is_some_and(|since| now - since >= NEEDS_PERSON_AFTER);
        let reason = reason.or(long.then_some(LetterReason::OutcomeUnknown));
        let letter = reason.map(|reason| LetterOwed { kind: LetterKind::NeedsPerson, reason });
        let letter = letter.filter(|_| self.operation.letter.is_none());
        let work = self.work(OperationStatus::Unknown, Some(due_at), 0);
        // Twelve lines that say the same on a payer's screen are noise: tell when it began and when it is late.
        let told = self.payment.state.told_of(self.operation.id) == Some(OperationStatus::Unknown);
        decide(Decision {
            event: (!told || letter.is_some()).then_some(PaymentEvent::OutcomeUnknown { work }),
            letter,
            ..Decision::of(Next::Unknown { due_at })
        })
    }

    /// Failed for good.
    pub(super) fn failed(&self, failure: Failure, reversed: bool) -> Decision {
        let event = PaymentEvent::ApprovalFailed { failure: failure.clone(), reversed };
        // Should the payment not take it, it is decided again on how it stands by then.
        let money_state = self.payment.state.on(&event).map_or(MoneyState::Unknown, |after| after.money_state);
        Decision { event: Some(event), ..Decision::of(Next::Settled(OperationResult::Failed { failure, money_state })) }
    }
}

impl Decision {
    /// A decision about the operation alone.
    #[must_use]
    pub const fn of(next: Next) -> Self {
        Self { next, event: None, resolved: None, refused: None, letter: None, case: None, looks: false }
    }

    /// How the operation ended, once it has, given how its payment stands afterwards. A failure says where the money is by
    /// then, which may be less certain than it was when the work was claimed: an approval that nobody wants may have
    /// been heard of meanwhile.
    #[must_use]
    pub fn result_after(&self, standing: &PaymentState) -> Option<OperationResult> {
        match &self.next {
            Next::Settled(OperationResult::Succeeded) => Some(OperationResult::Succeeded),
            Next::Settled(OperationResult::Failed { failure, money_state }) => {
                // Of a change it says what that request did: nothing. Where the rest is, the payment says.
                let of_approval = self.event.as_ref().is_none_or(|event| event.course() == Course::Own);
                let money_state = if of_approval { standing.money_state } else { *money_state };
                Some(OperationResult::Failed { failure: failure.clone(), money_state })
            }
            Next::Waiting { .. } | Next::Unknown { .. } | Next::Dead => None,
        }
    }

    /// Whether it says that no money is out under a reference.
    #[must_use]
    pub fn denies(&self) -> Option<&Reference> {
        match &self.resolved {
            Some((reference, Resolution::Declined | Resolution::NotMoved)) => Some(reference),
            Some((_, Resolution::Approved | Resolution::Reversed | Resolution::Reversing)) | None => None,
        }
    }

    /// The same, with what became of a reference.
    #[must_use]
    pub fn resolving(mut self, reference: &Reference, resolution: Resolution) -> Self {
        self.resolved = Some((reference.clone(), resolution));
        self
    }

    /// The same, with a letter.
    #[must_use]
    pub fn with_letter(mut self, kind: LetterKind, reason: LetterReason) -> Self {
        self.letter = Some(LetterOwed { kind, reason });
        self
    }

    /// The same, with a case for a person.
    #[must_use]
    pub fn with_case(mut self, reference: &Reference, kind: CaseKind) -> Self {
        self.case = Some((reference.clone(), kind));
        self
    }
}

pub(super) fn decide(decision: Decision) -> Step {
    Step::Decide(Box::new(decision))
}

impl Step {
    /// The same step, with another reference that the acquirer refused if it is a decision that one was done.
    pub(super) fn refusing(self, refused: Option<&Reference>) -> Self {
        match self {
            Self::Decide(mut decision) if matches!(decision.resolved, Some((_, Resolution::Approved))) => {
                decision.refused = refused.cloned();
                Self::Decide(decision)
            }
            Self::Decide(_)
            | Self::Approve { .. }
            | Self::Issue { .. }
            | Self::Change { .. }
            | Self::Verify(_)
            | Self::Inquire { .. }
            | Self::NetCancel { .. } => self,
        }
    }

    /// The same step, with a case for a person if it is a decision.
    pub(super) fn with_case(self, reference: &Reference, kind: CaseKind) -> Self {
        match self {
            Self::Decide(decision) => decide(decision.with_case(reference, kind)),
            Self::Approve { .. }
            | Self::Issue { .. }
            | Self::Change { .. }
            | Self::Verify(_)
            | Self::Inquire { .. }
            | Self::NetCancel { .. } => self,
        }
    }
}

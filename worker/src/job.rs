//! One piece of work on its way through a worker.

use std::time::Instant;

use naru_shared::broker::{Delivery, Hint, WorkQueue};
use naru_shared::domain::course::Claimed;
use naru_shared::domain::operation::LetterKind;
use naru_shared::store::Outcome;
use time::OffsetDateTime;

/// The message that brought a job, to be settled when the job ends; an orphan that its finder keeps came without one.
pub(crate) struct Receipt(Option<Delivery>);

impl Receipt {
    /// Of an orphan.
    pub(crate) const fn none() -> Self {
        Self(None)
    }

    /// The message has done what it was for.
    pub(crate) fn done(self) {
        if let Some(delivery) = self.0 {
            delivery.done();
        }
    }

    /// The message goes to the dead letters. Without one the letter is written by upkeep.
    pub(crate) fn reject(self) {
        if let Some(delivery) = self.0 {
            delivery.reject();
        }
    }
}

impl From<Delivery> for Receipt {
    fn from(delivery: Delivery) -> Self {
        Self(Some(delivery))
    }
}

/// A hint that is on time, with what came with it.
pub(crate) struct Job {
    pub(crate) hint: Hint,
    pub(crate) queue: WorkQueue,
    pub(crate) receipt: Receipt,
}

/// A row that this worker holds.
pub(crate) struct Held {
    pub(crate) claimed: Claimed,
    /// The database's time when it was claimed, and ours.
    pub(crate) claimed_at: (OffsetDateTime, Instant),
    pub(crate) queue: WorkQueue,
    pub(crate) receipt: Receipt,
}

/// What a conversation came to.
pub(crate) struct Finished {
    /// What is to be recorded; nothing when the claim was lost before anything was sent.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) queue: WorkQueue,
    pub(crate) attempt: i32,
    pub(crate) traceparent: String,
    pub(crate) receipt: Receipt,
}

/// How a job ends. One place turns this into what the broker is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Nothing more is owed for this message.
    Done,
    /// Another hint is owed at this time.
    RetryAfter(OffsetDateTime),
    /// It died, and a letter is owed.
    Reject(LetterKind, Option<OffsetDateTime>),
}

impl End {
    /// How a recorded outcome ends its job.
    pub(crate) fn of(outcome: &Outcome) -> Self {
        let due_at = outcome.decision.next.due_at();
        match (outcome.decision.letter, due_at) {
            (Some(letter), due_at) => Self::Reject(letter.kind, due_at),
            (None, Some(due_at)) => Self::RetryAfter(due_at),
            (None, None) => Self::Done,
        }
    }
}

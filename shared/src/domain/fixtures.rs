//! Payments and events for the domain's tests.

use time::macros::datetime;
use uuid::Uuid;

use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::OperationId;
use super::instrument::{Card, CardType, Instrument, OwnerType};
use super::operation::{OperationKind, OperationStatus};
use super::payment::{Approval, PaymentState, Work};

pub(super) fn card() -> Instrument {
    Instrument::Card(Card {
        token: "tok_1".into(),
        bin: "433012".into(),
        last4: "1234".into(),
        fingerprint: "00".into(),
        issuer_code: "61".into(),
        acquirer_code: "61".into(),
        card_type: CardType::Credit,
        owner_type: OwnerType::Person,
        installment_months: 0,
    })
}

pub(super) fn work(kind: OperationKind, status: OperationStatus) -> Work {
    Work { id: OperationId(Uuid::from_u128(7)), kind, status, attempt: 1, next_attempt_at: None }
}

fn approval() -> Approval {
    Approval {
        number: "12345678".into(),
        approved_at: datetime!(2026-11-22 12:00 UTC),
        operation: OperationId(Uuid::from_u128(7)),
    }
}

/// One event of each kind.
pub(super) fn events() -> Vec<PaymentEvent> {
    use OperationKind::{Approve, NetCancel};
    use OperationStatus as S;
    vec![
        PaymentEvent::Authenticated { instrument: card() },
        PaymentEvent::PayerCanceled,
        PaymentEvent::Expired,
        PaymentEvent::ApprovalQueued { work: work(Approve, S::Queued) },
        PaymentEvent::RetryScheduled { work: work(Approve, S::Waiting), reversed: false },
        PaymentEvent::OutcomeUnknown { work: work(Approve, S::Unknown) },
        PaymentEvent::WorkDied { work: work(Approve, S::Dead) },
        PaymentEvent::WorkRearmed { work: work(Approve, S::Queued) },
        PaymentEvent::Approved { approval: approval() },
        PaymentEvent::ApprovalFailed {
            failure: Failure::declined(FailureCode::RejectCardPayment, "51"),
            reversed: false,
        },
        PaymentEvent::LateApproval { work: work(NetCancel, S::Queued) },
        PaymentEvent::ReversalFinished { reversed: true },
    ]
}

/// Every standing a payment can be in, reached through events only.
pub(super) fn standings() -> Vec<(&'static str, PaymentState)> {
    use OperationKind::{Approve, NetCancel};
    use OperationStatus as S;
    let after = |start: &PaymentState, events: &[PaymentEvent]| {
        events.iter().fold(start.clone(), |state, event| state.on(event).unwrap())
    };
    let ready = PaymentState::ready();
    let idle = after(&ready, &[PaymentEvent::Authenticated { instrument: card() }]);
    let queued = after(&idle, &[PaymentEvent::ApprovalQueued { work: work(Approve, S::Queued) }]);
    let waiting = after(&queued, &[PaymentEvent::RetryScheduled { work: work(Approve, S::Waiting), reversed: false }]);
    let again = after(&queued, &[PaymentEvent::RetryScheduled { work: work(Approve, S::Waiting), reversed: true }]);
    let unknown = after(&queued, &[PaymentEvent::OutcomeUnknown { work: work(Approve, S::Unknown) }]);
    let dead = after(&queued, &[PaymentEvent::WorkDied { work: work(Approve, S::Dead) }]);
    let done = after(&queued, &[PaymentEvent::Approved { approval: approval() }]);
    let failure = Failure::ours(FailureCode::ProviderError, FailureReason::ApprovalDeadlinePassed);
    let aborted = after(&unknown, &[PaymentEvent::ApprovalFailed { failure: failure.clone(), reversed: false }]);
    let reversed = after(&unknown, &[PaymentEvent::ApprovalFailed { failure, reversed: true }]);
    let expired = after(&idle, &[PaymentEvent::Expired]);
    let late = PaymentEvent::LateApproval { work: work(NetCancel, S::Queued) };
    let done_late = after(&done, std::slice::from_ref(&late));
    let aborted_late = after(&aborted, std::slice::from_ref(&late));
    vec![
        ("ready", ready),
        ("in progress", idle),
        ("in progress, queued", queued),
        ("in progress, retrying", waiting),
        ("in progress, retrying, reversed", again),
        ("in progress, unknown", unknown),
        ("in progress, dead", dead),
        ("done", done),
        ("done, second charge reversing", done_late),
        ("aborted", aborted),
        ("aborted, reversed", reversed),
        ("aborted, late approval reversing", aborted_late),
        ("expired", expired),
    ]
}

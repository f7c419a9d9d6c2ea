//! Payments and events for the domain's tests.

use std::collections::{BTreeSet, HashSet};

use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::cancel::{Cancel, CancelKind};
use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::{CheckoutId, MerchantId, Mode, OperationId, PaymentId, PaymentKey, Reference, Tenant};
use super::instrument::{Card, CardType, Instrument, Mobile, OwnerType, Points, Transfer};
use super::money::{Currency, Money};
use super::operation::{APPROVE_WITHIN, Connector, Operation, OperationKind, OperationStatus};
use super::payment::{Approval, Payment, PaymentDetails, PaymentSource, PaymentState, Work};

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

/// One instrument of each method.
pub(super) fn instruments() -> [Instrument; 4] {
    let token = || "tok_1".to_owned();
    let last4 = || "1234".to_owned();
    let fingerprint = || "00".to_owned();
    [
        card(),
        Instrument::Transfer(Transfer {
            token: token(),
            bank_code: "88".into(),
            last4: last4(),
            fingerprint: fingerprint(),
        }),
        Instrument::Mobile(Mobile { token: token(), carrier: "SKT".into(), last4: last4() }),
        Instrument::Points(Points {
            token: token(),
            provider: "나루포인트".into(),
            last4: last4(),
            fingerprint: fingerprint(),
        }),
    ]
}

/// A payment of 15,000 won whose approval is queued, with this instrument.
pub(super) fn queued_with(instrument: Instrument) -> Payment {
    Payment { state: PaymentState::key_in(instrument, own(OperationStatus::Queued)), ..payment() }
}

/// Its approval.
pub(super) fn approved() -> PaymentEvent {
    PaymentEvent::Approved { approval: approval() }
}

/// The work of the payment's own course.
pub(super) fn own(status: OperationStatus) -> Work {
    Work { id: id(7), kind: OperationKind::Approve, status, attempt: 1, next_attempt_at: None }
}

/// The work of one of its reversals.
pub(super) fn reversal(number: u128, status: OperationStatus) -> Work {
    Work { id: id(number), kind: OperationKind::NetCancel, status, attempt: 0, next_attempt_at: None }
}

/// The work of a cancel, by its number from 20, or of the capture, 10.
pub(super) fn later(number: u128, kind: OperationKind, status: OperationStatus) -> Work {
    Work { id: id(number), kind, status, attempt: 0, next_attempt_at: None }
}

/// A cancel of so much.
pub(super) fn cancel(number: u128, amount: i64) -> Cancel {
    Cancel {
        work: later(number, OperationKind::Cancel, OperationStatus::Queued),
        amount,
        tax_free: 0,
        reason: "changed their mind".into(),
        payee: None,
        requested_at: START,
        end: None,
    }
}

pub(super) fn id(number: u128) -> OperationId {
    OperationId(Uuid::from_u128(number))
}

fn approval() -> Approval {
    Approval {
        number: "12345678".into(),
        approved_at: datetime!(2026-11-22 12:00 UTC),
        operation: OperationId(Uuid::from_u128(7)),
        reference: Reference("ref-7".into()),
        amount: 15_000,
        interest_payer: None,
    }
}

/// One event of each kind, with what tells it apart.
pub(super) fn events() -> Vec<(&'static str, PaymentEvent)> {
    use OperationStatus as S;
    let failure = Failure::declined(FailureCode::RejectCardPayment, "51");
    vec![
        ("authenticated", PaymentEvent::Authenticated { instrument: card() }),
        ("scanned", PaymentEvent::Scanned { at: START }),
        ("delayed", PaymentEvent::Delayed { operation: id(7) }),
        ("cancel delayed", PaymentEvent::Delayed { operation: id(20) }),
        ("payer canceled", PaymentEvent::PayerCanceled),
        ("expired", PaymentEvent::Expired),
        ("approval queued", PaymentEvent::ApprovalQueued { work: own(S::Queued) }),
        ("retry", PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: false }),
        ("retry, reversed", PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: true }),
        ("unknown", PaymentEvent::OutcomeUnknown { work: own(S::Unknown) }),
        ("dead", PaymentEvent::WorkDied { work: own(S::Dead), disputed: false }),
        ("rearmed", PaymentEvent::WorkRearmed { work: own(S::Queued) }),
        ("approved", PaymentEvent::Approved { approval: approval() }),
        ("failed", PaymentEvent::ApprovalFailed { failure: failure.clone(), reversed: false }),
        ("failed, reversed", PaymentEvent::ApprovalFailed { failure, reversed: true }),
        ("late approval", PaymentEvent::LateApproval { work: reversal(9, S::Queued) }),
        ("reversal unknown", PaymentEvent::OutcomeUnknown { work: reversal(8, S::Unknown) }),
        ("reversal done", PaymentEvent::ReversalFinished { operation: id(8), reversed: true }),
        ("reversal done, no original", PaymentEvent::ReversalFinished { operation: id(8), reversed: false }),
        ("cancel of 5,000", PaymentEvent::CancelQueued { cancel: cancel(21, 5_000) }),
        ("cancel of 15,000", PaymentEvent::CancelQueued { cancel: cancel(22, 15_000) }),
        (
            "cancel retried",
            PaymentEvent::RetryScheduled { work: later(20, OperationKind::Cancel, S::Waiting), reversed: false },
        ),
        ("cancel unknown", PaymentEvent::OutcomeUnknown { work: later(20, OperationKind::Cancel, S::Unknown) }),
        ("cancel dead", PaymentEvent::WorkDied { work: later(20, OperationKind::Cancel, S::Dead), disputed: false }),
        ("cancel rearmed", PaymentEvent::WorkRearmed { work: later(20, OperationKind::Cancel, S::Queued) }),
        ("cancel done", PaymentEvent::CancelDone { operation: id(20), kind: CancelKind::Cancel, at: START }),
        ("cancel failed", PaymentEvent::CancelFailed { operation: id(20), failure: rejected() }),
        ("capture queued", PaymentEvent::CaptureQueued { work: later(10, OperationKind::Capture, S::Queued) }),
        ("capture unknown", PaymentEvent::OutcomeUnknown { work: later(10, OperationKind::Capture, S::Unknown) }),
        ("capture dead", PaymentEvent::WorkDied { work: later(10, OperationKind::Capture, S::Dead), disputed: false }),
        ("capture rearmed", PaymentEvent::WorkRearmed { work: later(10, OperationKind::Capture, S::Queued) }),
        ("captured", PaymentEvent::Captured { operation: Some(id(10)), at: START }),
        ("captured, found", PaymentEvent::Captured { operation: None, at: START }),
        ("capture done", PaymentEvent::CaptureDone { operation: id(10) }),
        ("capture failed", PaymentEvent::CaptureFailed { operation: id(10), failure: rejected(), at: START }),
    ]
}

fn rejected() -> Failure {
    Failure::declined(FailureCode::RefundRejected, "05")
}

/// Every standing a payment can be in, reached through events only.
pub(super) fn standings() -> Vec<(&'static str, PaymentState)> {
    use OperationStatus as S;
    let after = |start: &PaymentState, event: PaymentEvent| start.on(&event).unwrap();
    let late = |start: &PaymentState| after(start, PaymentEvent::LateApproval { work: reversal(8, S::Queued) });
    let failure = || Failure::ours(FailureCode::ProviderError, FailureReason::ApprovalDeadlinePassed);
    let failed = |reversed| PaymentEvent::ApprovalFailed { failure: failure(), reversed };

    let ready = PaymentState::ready();
    let scanned = after(&ready, PaymentEvent::Scanned { at: START });
    let idle = after(&ready, PaymentEvent::Authenticated { instrument: card() });
    let queued = after(&idle, PaymentEvent::ApprovalQueued { work: own(S::Queued) });
    let delayed = after(&queued, PaymentEvent::Delayed { operation: id(7) });
    let waiting = after(&queued, PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: false });
    let again = after(&queued, PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: true });
    let unknown = after(&queued, PaymentEvent::OutcomeUnknown { work: own(S::Unknown) });
    let dead = after(&queued, PaymentEvent::WorkDied { work: own(S::Dead), disputed: false });
    let done = after(&queued, PaymentEvent::Approved { approval: approval() });
    let aborted = after(&unknown, failed(false));
    let reversed = after(&unknown, failed(true));
    let expired = after(&idle, PaymentEvent::Expired);
    let canceling =
        |start: &PaymentState, amount| after(start, PaymentEvent::CancelQueued { cancel: cancel(20, amount) });
    let canceled =
        |start: &PaymentState, kind| after(start, PaymentEvent::CancelDone { operation: id(20), kind, at: START });
    let of_cancel = |status| later(20, OperationKind::Cancel, status);
    let part = canceling(&done, 5_000);
    let whole = canceling(&done, 15_000);
    let doubtful = after(&whole, PaymentEvent::OutcomeUnknown { work: of_cancel(S::Unknown) });
    let stuck = after(&part, PaymentEvent::WorkDied { work: of_cancel(S::Dead), disputed: false });
    let refused = after(&part, PaymentEvent::CancelFailed { operation: id(20), failure: rejected() });
    let partly = canceled(&part, CancelKind::Cancel);
    let wholly = canceled(&whole, CancelKind::Refund);
    let capturing = after(&done, PaymentEvent::CaptureQueued { work: later(10, OperationKind::Capture, S::Queued) });
    let captured = after(&capturing, PaymentEvent::Captured { operation: Some(id(10)), at: START });
    let kept = after(&capturing, PaymentEvent::CaptureFailed { operation: id(10), failure: rejected(), at: START });
    let capture_dead =
        after(&capturing, PaymentEvent::WorkDied { work: later(10, OperationKind::Capture, S::Dead), disputed: false });
    let found = after(&part, PaymentEvent::Captured { operation: None, at: START });
    let behind = canceling(&capturing, 15_000);
    let next = after(&part, PaymentEvent::CaptureQueued { work: later(10, OperationKind::Capture, S::Queued) });
    let next = after(&next, PaymentEvent::Captured { operation: None, at: START });
    vec![
        ("done, part canceling", part),
        ("done, all canceling", whole),
        ("done, all canceling, unknown", doubtful),
        ("done, cancel dead", stuck),
        ("done, cancel refused", refused),
        ("done, capturing", capturing),
        ("done, captured", captured),
        ("done, capture failed", kept),
        ("done, capture dead", capture_dead),
        ("done, part canceling, found captured", found),
        ("done, capturing, all canceling", behind),
        ("done, found captured before its capture", canceled(&next, CancelKind::Refund)),
        ("partly canceled, late", late(&partly)),
        ("partly canceled", partly),
        ("canceled, late", late(&wholly)),
        ("canceled", wholly),
        ("in progress, retrying, late", late(&waiting)),
        ("in progress, dead, late", late(&dead)),
        ("done, late", late(&done)),
        ("aborted, late", late(&aborted)),
        ("aborted, reversed, late", late(&reversed)),
        ("expired, late", late(&expired)),
        ("ready", ready),
        ("ready, scanned", scanned),
        ("in progress", idle),
        ("in progress, queued", queued),
        ("in progress, queued, delayed", delayed),
        ("in progress, retrying", waiting),
        ("in progress, retrying, reversed", again),
        ("in progress, unknown", unknown),
        ("in progress, dead", dead),
        ("done", done),
        ("aborted", aborted),
        ("aborted, reversed", reversed),
        ("expired", expired),
    ]
}

/// `before event after`, a line each, of every status that these events lead to from these standings and from what is up to two
/// steps further.
pub(super) fn transitions(mut reached: Vec<PaymentState>, events: &[PaymentEvent]) -> String {
    let mut transitions = BTreeSet::new();
    for _ in 0..3 {
        let mut next: Vec<PaymentState> = Vec::new();
        let mut seen = HashSet::new();
        for state in &reached {
            for event in events {
                if let Ok(after) = state.on(event) {
                    transitions.insert(format!("{} {} {}", state.status(), event.name(), after.status()));
                    if seen.insert(format!("{after:?}")) {
                        next.push(after);
                    }
                }
            }
        }
        reached = next;
    }
    transitions.into_iter().collect::<Vec<_>>().join("\n")
}

/// When everything begins.
pub(super) const START: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

pub(super) fn won(amount: i64) -> Money {
    Money::new(amount, Currency::Krw).unwrap()
}

/// A payment of 15,000 won that was keyed in at [`START`].
pub(super) fn payment() -> Payment {
    Payment {
        id: PaymentId(Uuid::from_u128(1)),
        key: PaymentKey("pay_1".into()),
        checkout_id: CheckoutId("chk_1".into()),
        tenant: Tenant { merchant: MerchantId(Uuid::from_u128(2)), mode: Mode::Test },
        mid: "shop".into(),
        source: PaymentSource::KeyIn,
        order_id: "order-1".into(),
        order_name: "socks".into(),
        total: won(15_000),
        tax_free: 0,
        details: PaymentDetails::default(),
        operation_count: 1,
        version: 1,
        state: PaymentState::key_in(card(), own(OperationStatus::Queued)),
        created_at: START,
        ahead: Duration::ZERO,
    }
}

/// Its approval, never claimed.
pub(super) fn approval_of(payment: &Payment) -> Operation {
    Operation {
        id: id(7),
        payment: payment.id,
        number: 1,
        kind: OperationKind::Approve,
        connector: Connector::Card,
        amount: payment.total,
        target: None,
        status: OperationStatus::Queued,
        fence: 0,
        claim_count: 0,
        attempt_count: 0,
        inquiry_count: 0,
        look_count: 0,
        due_at: START,
        deadline_at: START + APPROVE_WITHIN,
        result: None,
        result_version: None,
        letter: None,
        unknown_since: None,
        rearmed: false,
        trace_parent: String::new(),
        created_at: START,
    }
}

//! Payments and events for the domain's tests.

use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

use super::event::PaymentEvent;
use super::failure::{Failure, FailureCode, FailureReason};
use super::id::{CheckoutId, MerchantId, Mode, OperationId, PaymentId, PaymentKey, Tenant};
use super::instrument::{Card, CardType, Instrument, OwnerType};
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

/// The work of the payment's own course.
pub(super) fn own(status: OperationStatus) -> Work {
    Work { id: id(7), kind: OperationKind::Approve, status, attempt: 1, next_attempt_at: None }
}

/// The work of one of its reversals.
pub(super) fn reversal(number: u128, status: OperationStatus) -> Work {
    Work { id: id(number), kind: OperationKind::NetCancel, status, attempt: 0, next_attempt_at: None }
}

fn id(number: u128) -> OperationId {
    OperationId(Uuid::from_u128(number))
}

fn approval() -> Approval {
    Approval {
        number: "12345678".into(),
        approved_at: datetime!(2026-11-22 12:00 UTC),
        operation: OperationId(Uuid::from_u128(7)),
    }
}

/// One event of each kind, with what tells it apart.
pub(super) fn events() -> Vec<(&'static str, PaymentEvent)> {
    use OperationStatus as S;
    let failure = Failure::declined(FailureCode::RejectCardPayment, "51");
    vec![
        ("authenticated", PaymentEvent::Authenticated { instrument: card() }),
        ("payer canceled", PaymentEvent::PayerCanceled),
        ("expired", PaymentEvent::Expired),
        ("approval queued", PaymentEvent::ApprovalQueued { work: own(S::Queued) }),
        ("retry", PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: false }),
        ("retry, reversed", PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: true }),
        ("unknown", PaymentEvent::OutcomeUnknown { work: own(S::Unknown) }),
        ("dead", PaymentEvent::WorkDied { work: own(S::Dead) }),
        ("rearmed", PaymentEvent::WorkRearmed { work: own(S::Queued) }),
        ("approved", PaymentEvent::Approved { approval: approval() }),
        ("failed", PaymentEvent::ApprovalFailed { failure: failure.clone(), reversed: false }),
        ("failed, reversed", PaymentEvent::ApprovalFailed { failure, reversed: true }),
        ("late approval", PaymentEvent::LateApproval { work: reversal(9, S::Queued) }),
        ("reversal unknown", PaymentEvent::OutcomeUnknown { work: reversal(8, S::Unknown) }),
        ("reversal done", PaymentEvent::ReversalFinished { operation: id(8), reversed: true }),
        ("reversal done, no original", PaymentEvent::ReversalFinished { operation: id(8), reversed: false }),
    ]
}

/// Every standing a payment can be in, reached through events only.
pub(super) fn standings() -> Vec<(&'static str, PaymentState)> {
    use OperationStatus as S;
    let after = |start: &PaymentState, event: PaymentEvent| start.on(&event).unwrap();
    let late = |start: &PaymentState| after(start, PaymentEvent::LateApproval { work: reversal(8, S::Queued) });
    let failure = || Failure::ours(FailureCode::ProviderError, FailureReason::ApprovalDeadlinePassed);
    let failed = |reversed| PaymentEvent::ApprovalFailed { failure: failure(), reversed };

    let ready = PaymentState::ready();
    let idle = after(&ready, PaymentEvent::Authenticated { instrument: card() });
    let queued = after(&idle, PaymentEvent::ApprovalQueued { work: own(S::Queued) });
    let waiting = after(&queued, PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: false });
    let again = after(&queued, PaymentEvent::RetryScheduled { work: own(S::Waiting), reversed: true });
    let unknown = after(&queued, PaymentEvent::OutcomeUnknown { work: own(S::Unknown) });
    let dead = after(&queued, PaymentEvent::WorkDied { work: own(S::Dead) });
    let done = after(&queued, PaymentEvent::Approved { approval: approval() });
    let aborted = after(&unknown, failed(false));
    let reversed = after(&unknown, failed(true));
    let expired = after(&idle, PaymentEvent::Expired);
    vec![
        ("in progress, retrying, late", late(&waiting)),
        ("in progress, dead, late", late(&dead)),
        ("done, late", late(&done)),
        ("aborted, late", late(&aborted)),
        ("aborted, reversed, late", late(&reversed)),
        ("expired, late", late(&expired)),
        ("ready", ready),
        ("in progress", idle),
        ("in progress, queued", queued),
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
        due_at: START,
        deadline_at: START + APPROVE_WITHIN,
        result: None,
        result_version: None,
        letter: None,
        trace_parent: String::new(),
        created_at: START,
    }
}

//! What the rules of each connector come to.

use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::domain::attempt::{Call, ChangeAnswer, ChangeRefusal, Manners, RefusedBecause};
use crate::domain::cancel::{CancelKind, NotCancelable};
use crate::domain::course::{CaseKind, Claimed, Next, Step};
use crate::domain::event::PaymentEvent;
use crate::domain::failure::FailureCode;
use crate::domain::fixtures::{START, approval_of, approved, cancel, id, instruments, queued_with, won};
use crate::domain::id::Reference;
use crate::domain::instrument::Instrument;
use crate::domain::ledger::{Account, TransactionKind, posting};
use crate::domain::operation::{CHANGE_WITHIN, OperationKind, OperationResult};
use crate::domain::payment::Payment;

fn paid(instrument: Instrument) -> Payment {
    let mut payment = queued_with(instrument);
    payment.state = payment.state.on(&approved()).unwrap();
    payment
}

/// A claim of a cancel of all of it.
fn claimed(instrument: Instrument) -> Claimed {
    let mut payment = paid(instrument);
    payment.state = payment.state.on(&PaymentEvent::CancelQueued { cancel: cancel(20, 15_000) }).unwrap();
    let mut operation = approval_of(&payment);
    operation.id = id(20);
    operation.kind = OperationKind::Cancel;
    operation.connector = payment.state.instrument().unwrap().connector();
    operation.deadline_at = START + CHANGE_WITHIN;
    let manners = Manners {
        dedupes_by_reference: true,
        settle_window: Duration::seconds(1),
        total_timeout: Duration::seconds(10),
    };
    Claimed { operation, payment, open: Vec::new(), earlier: Vec::new(), fresh: None, manners }
}

fn refused(claimed: &Claimed, call: Call, why: RefusedBecause) -> Step {
    let answer = ChangeAnswer::Declined(ChangeRefusal { why, code: "57".into() });
    claimed.after_change(call, &Reference("change-1".into()), &answer, START, &mut |_| Duration::seconds(1))
}

#[test]
fn money_is_posted_where_it_is() {
    use Account::{Authorized, Payable, Receivable};
    let expected = [
        (Connector::Card, Authorized, CancelKind::Cancel),
        (Connector::Transfer, Receivable, CancelKind::Refund),
        (Connector::Mobile, Receivable, CancelKind::Cancel),
        (Connector::Points, Receivable, CancelKind::Cancel),
    ];
    for (instrument, (connector, claim, kind)) in instruments().into_iter().zip(expected) {
        assert_eq!(instrument.connector(), connector);
        let queued = queued_with(instrument.clone());
        let sold = posting(&queued, &approved()).unwrap();
        assert_eq!(
            (sold.kind, sold.debit, sold.credit, sold.amount),
            (TransactionKind::Payment, claim, Payable, 15_000)
        );
        let claimed = claimed(instrument);
        let done = PaymentEvent::CancelDone { operation: id(20), kind, at: START };
        let back = posting(&claimed.payment, &done).unwrap();
        assert_eq!((back.debit, back.credit, back.amount), (Payable, claim, 15_000), "{connector:?}");
        let first = claimed.first_step(START, &mut |_| Duration::ZERO);
        let call = if kind == CancelKind::Refund { Call::Refund } else { Call::Cancel };
        assert_eq!(first, Step::Change { call, again: None }, "{connector:?}");
        // Nothing of it waits to be bought, unless it is a card's.
        assert_eq!(
            paid(claimed.payment.state.instrument().unwrap().clone()).state.capture_at().is_some(),
            connector.captures()
        );
        let found = PaymentEvent::Captured { operation: None, at: START };
        assert_eq!(claimed.payment.state.on(&found).is_ok(), connector.captures(), "{connector:?}");
    }
}

#[test]
fn a_phones_bill_goes_back_as_a_whole_and_in_its_month() {
    for instrument in instruments() {
        let connector = instrument.connector();
        let state = paid(instrument).state;
        let part = if connector == Connector::Mobile { Err(NotCancelable::OnlyWhole) } else { Ok((5_000, 0)) };
        assert_eq!(state.cancelable(0, Some(5_000), None), part);
        assert_eq!(state.on(&PaymentEvent::CancelQueued { cancel: cancel(20, 5_000) }).is_ok(), part.is_ok());
        assert_eq!(state.cancelable(0, None, None), Ok((15_000, 0)));
        let until = (connector == Connector::Mobile).then_some(datetime!(2026-11-30 15:00 UTC));
        assert_eq!(state.cancelable_until(), until);
    }
    let until = |approved_at: OffsetDateTime| {
        let mut payment = queued_with(instruments()[2].clone());
        let PaymentEvent::Approved { mut approval } = approved() else { unreachable!() };
        approval.approved_at = approved_at;
        payment.state = payment.state.on(&PaymentEvent::Approved { approval }).unwrap();
        payment.state.cancelable_until().unwrap()
    };
    for (approved_at, month_ends) in [
        (datetime!(2026-11-30 14:59:59 UTC), datetime!(2026-11-30 15:00 UTC)),
        (datetime!(2026-11-30 15:00 UTC), datetime!(2026-12-31 15:00 UTC)),
        (datetime!(2028-01-31 15:00 UTC), datetime!(2028-02-29 15:00 UTC)),
        (datetime!(2026-12-31 20:00 UTC), datetime!(2027-01-31 15:00 UTC)),
    ] {
        assert_eq!(until(approved_at), month_ends, "{approved_at}");
    }
}

#[test]
fn a_month_that_is_over_ends_a_cancel_and_frees_what_it_reserved() {
    let claimed = claimed(instruments()[2].clone());
    let Step::Decide(decision) = refused(&claimed, Call::Cancel, RefusedBecause::MonthOver) else { panic!() };
    let Next::Settled(OperationResult::Failed { failure, .. }) = &decision.next else { panic!() };
    assert_eq!(failure.code, FailureCode::ExceedMaxRefundDue);
    let after = claimed.payment.state.on(decision.event.as_ref().unwrap()).unwrap();
    assert_eq!((after.reserved, after.refundable()), (0, 15_000));
}

/// Where nothing is captured, whoever says that it was speaks of something else: a person looks.
#[test]
fn already_captured_is_believed_of_cards_only() {
    for instrument in instruments() {
        let connector = instrument.connector();
        let claimed = claimed(instrument);
        let call = if connector.refunds() { Call::Refund } else { Call::Cancel };
        let Step::Decide(decision) = refused(&claimed, call, RefusedBecause::AlreadyCaptured) else { panic!() };
        let case = decision.case.as_ref().map(|(_, case)| *case);
        let expected = if connector == Connector::Card { None } else { Some(CaseKind::BooksDisagree) };
        assert_eq!(case, expected, "{connector:?}");
    }
}

#[test]
fn there_is_one_of_everything() {
    let of = PerConnector::make(Ok::<_, ()>).unwrap();
    for &connector in Connector::ALL {
        assert_eq!(*of.of(connector), connector);
        assert!(connector.amount_min() >= 100);
    }
    assert_eq!(won(200).amount(), Connector::Transfer.amount_min());
    assert_eq!(
        PerConnector::make(|connector| if connector == Connector::Points { Err(7) } else { Ok(()) }).err(),
        Some(7)
    );
}

//! What claims of changes of an account come to.

use super::super::super::attempt::{
    ApprovalFacts, Call, ChangeAnswer, ChangeFacts, ChangeRefusal, Earlier, InquiryAnswer, Manners, OpenAttempt,
    RefusedBecause,
};
use super::super::super::course::{CaseKind, Claimed, Doubt, Next, Step};
use super::super::super::fixtures::won;
use super::super::super::id::AttemptId;
use super::super::super::ledger::{TransactionKind, posting};
use super::super::super::operation::{Connector, OperationResult};
use super::super::super::operator::{OperatorWord, spoken};
use super::super::super::payment::{Payment, PaymentStatus};
use super::*;

/// A refund of the whole that was sent once, and of which nobody has heard, at a bank that dedupes; after so many looks for why it
/// was refused.
fn refund_of(state: PaymentState, looks: i32) -> Claimed {
    let payment = Payment { total: won(ASKED), state, ..fixtures::payment() };
    let mut operation = fixtures::approval_of(&payment);
    operation.id = id(20);
    operation.kind = OperationKind::Cancel;
    operation.connector = Connector::VirtualAccount;
    operation.deadline_at = START + Duration::hours(24);
    operation.look_count = looks;
    let open = OpenAttempt {
        id: AttemptId(uuid::Uuid::from_u128(5)),
        call: Call::Refund,
        doubted: None,
        reference: Reference("r-1".into()),
        sent_at: START,
        condemned: None,
    };
    let manners = Manners {
        dedupes_by_reference: true,
        settle_window: Duration::seconds(5),
        total_timeout: Duration::seconds(10),
    };
    Claimed { operation, payment, open: vec![open], earlier: Vec::new(), fresh: None, manners }
}

/// A slow answer may say "not found" of what was done while it was under way.
#[test]
fn that_there_is_no_account_is_believed_by_when_it_was_asked() {
    let mut claimed = refund_of(issuing(), 0);
    claimed.operation.kind = OperationKind::IssueAccount;
    claimed.open[0].call = Call::Issue;
    claimed.manners.dedupes_by_reference = false;
    let believable_at = claimed.manners.believable_at(START);
    let heard = |asked| {
        let now = believable_at + Duration::seconds(10);
        let answer = IssueInquiry::NotFound;
        let step = claimed.after_issue_inquiry(&Reference("r-1".into()), &answer, asked, now, &mut delays_of_two);
        let Step::Decide(decision) = step else { panic!("{step:?}") };
        decision.next
    };
    assert!(matches!(heard(believable_at - Duration::milliseconds(1)), Next::Unknown { .. }));
    assert!(matches!(heard(believable_at), Next::Waiting { .. }));
}

fn refunding() -> PaymentState {
    let (_, done) = standings().into_iter().find(|(name, _)| *name == "done").unwrap();
    done.on(&cancel(ASKED, Some(payee()))).unwrap()
}

#[test]
fn what_has_nothing_to_come_from_is_not_sent_again() {
    let reference = Reference("r-1".into());
    let mut delays = |_| Duration::seconds(2);
    let mut not_found = |claimed: &Claimed, seconds: i64| {
        let at = START + Duration::seconds(seconds);
        claimed.after_change_inquiry(&reference, &InquiryAnswer::NotFound, at, at, &mut delays)
    };
    let there = refund_of(refunding(), 0);
    assert!(matches!(not_found(&there, 1), Step::Change { again: Some(_), .. }));
    let gone = refund_of(after(&refunding(), AccountEvent::TakenBack { key: "d1".into() }), 0);
    let Step::Decide(early) = not_found(&gone, 1) else { panic!("nothing is sent") };
    assert!(matches!(early.next, Next::Unknown { .. }), "it may still arrive: {early:?}");
    let Step::Decide(later) = not_found(&gone, 60) else { panic!("nothing is sent") };
    assert!(matches!(later.next, Next::Waiting { .. }) && later.denies().is_some(), "it never will: {later:?}");
    // By then there is nothing that it could give back.
    let (_, part) = standings().into_iter().find(|(name, _)| *name == "refunded in part, taken back").unwrap();
    let mut queued = refund_of(part, 0);
    queued.open.clear();
    queued.operation.id = id(21);
    let mut second = queued.payment.state.cancels[0].clone();
    (second.work.id, second.end, second.amount) = (id(21), None, 1_000);
    queued.payment.state.cancels.push(second);
    let Step::Decide(decision) = queued.first_step(START, &mut delays_of_two) else { panic!("nothing is sent") };
    assert!(matches!(decision.event, Some(PaymentEvent::CancelFailed { .. })), "{decision:?}");
}

fn delays_of_two(_: i32) -> Duration {
    Duration::seconds(2)
}

#[test]
fn a_bank_whose_books_stay_others_is_a_persons_case() {
    for why in [RefusedBecause::Disagrees, RefusedBecause::AlreadyCanceled, RefusedBecause::NotEmpty] {
        let refusal = ChangeAnswer::Declined(ChangeRefusal { why, code: "61".into() });
        let heard = |looks| {
            let mut claimed = refund_of(refunding(), looks);
            // Most tries never came there, and looked for nothing.
            claimed.operation.attempt_count = 20;
            let call = Call::Refund;
            let step = claimed.after_change(call, &Reference("r-1".into()), &refusal, START, &mut delays_of_two);
            let Step::Decide(decision) = step else { panic!("{step:?}") };
            decision
        };
        assert!(heard(0).looks, "{why:?}: a look may tell why");
        let decided = heard(5);
        assert_eq!((decided.next, decided.case.map(|(_, kind)| kind)), (Next::Dead, Some(CaseKind::BooksDisagree)));
    }
}

#[test]
fn nothing_is_sent_when_it_is_not_known_where_to() {
    let refund = refund_of(refunding(), 0);
    let Step::Decide(decision) = refund.payee_lost(START) else { panic!("nothing is sent") };
    assert!(matches!(decision.event, Some(PaymentEvent::CancelFailed { .. })), "{decision:?}");
}

/// The return of a deposit that its payer's bank has taken back meanwhile, sent once.
fn return_of_what_is_gone() -> Claimed {
    let state = waiting_with("waiting, short taken back while it goes back");
    let mut claimed = refund_of(state, 0);
    claimed.operation.id = id(40);
    claimed.operation.kind = OperationKind::ReturnDeposit;
    claimed.operation.amount = won(5_000);
    claimed.operation.target = Some(Reference("d2".into()));
    claimed.open[0].call = Call::Return;
    claimed
}

fn waiting_with(standing: &str) -> PaymentState {
    standings().into_iter().find(|(name, _)| *name == standing).unwrap().1
}

/// That it was paid out is heard too late: both have it.
fn is_booked_as_gone_twice(claimed: &Claimed, step: Step) {
    let Step::Decide(decision) = step else { panic!("{step:?}") };
    assert_eq!((&decision.next, decision.looks), (&Next::Settled(OperationResult::Succeeded), true), "{decision:?}");
    let (payment, event) = (&claimed.payment, decision.event.unwrap());
    assert_eq!(
        posting(payment, &event).map(|posting| (posting.kind, posting.amount)),
        Some((TransactionKind::Return, 5_000))
    );
    assert_eq!(payment.state.went_twice(&event).map(|deposit| deposit.key.as_str()), Some("d2"));
    let after = payment.state.on(&event).unwrap();
    let deposit = &after.deposits[0];
    assert_eq!((deposit.standing, deposit.lost, &deposit.work), (DepositStanding::TakenBack, 5_000, &None));
    assert_eq!(after.money_state, MoneyState::Reversed);
}

#[test]
fn a_return_that_is_heard_of_after_its_deposit_was_taken_back_is_booked() {
    let (reference, approved) = (
        Reference("r-1".into()),
        ApprovalFacts { money: Some(won(5_000)), number: String::new(), interest_payer: None },
    );
    let made = InquiryAnswer::Approved(approved);
    let claimed = return_of_what_is_gone();
    assert_eq!(claimed.first_step(START, &mut delays_of_two), Step::Inquire { reference: reference.clone() });
    let step = claimed.after_change_inquiry(&reference, &made, START, START, &mut delays_of_two);
    is_booked_as_gone_twice(&claimed, step);
    let step = claimed.after_change(
        Call::Return,
        &reference,
        &ChangeAnswer::Done(ChangeFacts { money: Some(won(5_000)) }),
        START,
        &mut delays_of_two,
    );
    is_booked_as_gone_twice(&claimed, step);

    // What was taken for not made is asked about once more before it is said that there is nothing to return.
    let mut believed = return_of_what_is_gone();
    believed.open.clear();
    believed.earlier = vec![Earlier { call: Call::Return, reference: reference.clone() }];
    let step = believed.first_step(START, &mut delays_of_two);
    let doubt = Doubt { call: Call::Return, reference, rest: Vec::new(), refused: None };
    assert_eq!(step, Step::Verify(doubt.clone()));
    is_booked_as_gone_twice(&believed, believed.after_doubt(&doubt, &made, START, START, &mut delays_of_two));
    let step = believed.after_doubt(&doubt, &InquiryAnswer::NotFound, START, START, &mut delays_of_two);
    let Step::Decide(decision) = step else { panic!("{step:?}") };
    assert_eq!(decision.event.as_ref().map(PaymentEvent::name), Some("deposit.nothing_to_return"));
    assert!(believed.payment.state.went_twice(&decision.event.unwrap()).is_none());
}

/// An operator who has paid it back by hand is believed, and told that it went twice.
#[test]
fn a_return_that_was_settled_after_its_deposit_was_taken_back_went_twice() {
    let mut claimed = return_of_what_is_gone();
    claimed.operation.status = S::Dead;
    let Claimed { operation, payment, .. } = &claimed;
    let settled = spoken(operation, payment, OperatorWord::Settled, false, START).unwrap();
    assert!(payment.state.went_twice(&settled.event).is_some());
    assert_eq!(spoken(operation, payment, OperatorWord::Released, false, START), None);
}

#[test]
fn a_refund_that_is_heard_of_after_its_deposit_was_taken_back_is_booked() {
    let waits = after(&refunding(), AccountEvent::TakenBack { key: "d1".into() });
    assert_eq!(waits.status(), PaymentStatus::WaitingForDeposit);
    for (amount, status) in [(5_000, PaymentStatus::PartialCanceled), (ASKED, PaymentStatus::Canceled)] {
        let mut waits = waits.clone();
        (waits.cancels[0].amount, waits.reserved) = (amount, amount);
        let done = |kind| PaymentEvent::CancelDone { operation: waits.cancels[0].work.id, kind, at: START };
        let heard = done(CancelKind::Refund);
        assert_eq!(waits.went_twice(&heard).map(|deposit| &*deposit.key), Some("d1"));
        let booked = waits.on(&heard).unwrap();
        // As if it had been heard of first.
        let first = refunding();
        let mut first = PaymentState { cancels: waits.cancels.clone(), reserved: amount, ..first };
        first = first.on(&heard).unwrap();
        assert_eq!(booked, after(&first, AccountEvent::TakenBack { key: "d1".into() }));
        assert_eq!((booked.status(), booked.deposits[0].lost, booked.reserved), (status, amount, 0));
        // An account that was closed gave nothing back.
        assert!(waits.went_twice(&done(CancelKind::Cancel)).is_none());
    }
}

/// A refund that was given up, and which the bank's people say they made: it is no closing, though the payment waits again.
#[test]
fn a_refund_that_was_settled_after_its_deposit_was_taken_back_is_no_closing() {
    let mut claimed = refund_of(after(&refunding(), AccountEvent::TakenBack { key: "d1".into() }), 0);
    claimed.operation.status = S::Dead;
    let Claimed { operation, payment, .. } = &claimed;
    for (refund_sent, kind) in [(true, Some(TransactionKind::Refund)), (false, None)] {
        let settled = spoken(operation, payment, OperatorWord::Settled, refund_sent, START).unwrap();
        assert_eq!(posting(payment, &settled.event).map(|posting| posting.kind), kind);
        assert_eq!(payment.state.went_twice(&settled.event).is_some(), refund_sent);
    }
}

/// Another deposit that came and was taken back between two looks never paid it.
#[test]
fn what_never_paid_is_not_what_was_refunded() {
    let waits = after(&refunding(), AccountEvent::TakenBack { key: "d1".into() });
    let waits = after(&waits, deposited("d2", ASKED, DepositStanding::TakenBack));
    assert_eq!(waits.lapsed_deposit().map(|deposit| &*deposit.key), Some("d1"));
}

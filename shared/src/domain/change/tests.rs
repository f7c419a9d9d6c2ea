//! The decision table of a change: what is asked × what is known × what was heard × when × the acquirer's manners.

use std::fmt::Write as _;

use time::Duration;
use uuid::Uuid;

use super::super::attempt::{ApprovalFacts, Manners, OpenAttempt};
use super::super::fixtures::{START, approval_of, cancel, id, payment, standings, won};
use super::super::id::AttemptId;
use super::super::operation::CHANGE_WITHIN;
use super::*;

const SETTLES_WITHIN: Duration = Duration::seconds(3);

fn reference() -> Reference {
    Reference("change-1".into())
}

/// A claim of the cancel or capture that stands first on this payment.
fn claimed(standing: &str, dedupes: bool, open: Option<Call>, doubted: Option<RefusedBecause>) -> Claimed {
    let mut payment = payment();
    payment.state = standings().into_iter().find(|(name, _)| *name == standing).unwrap().1;
    let work = payment.state.work().unwrap().clone();
    let mut operation = approval_of(&payment);
    operation.id = work.id;
    operation.number = 2;
    operation.kind = work.kind;
    operation.amount = payment.state.cancel(work.id).map_or(payment.total, |cancel| won(cancel.amount));
    operation.deadline_at = START + CHANGE_WITHIN;
    operation.claim_count = 1;
    operation.fence = 1;
    let open = open.map(|call| OpenAttempt {
        id: AttemptId(Uuid::from_u128(5)),
        call,
        doubted,
        reference: reference(),
        sent_at: START,
        condemned: None,
    });
    let manners =
        Manners { dedupes_by_reference: dedupes, settle_window: SETTLES_WITHIN, total_timeout: Duration::seconds(10) };
    Claimed { operation, payment, open: open.into_iter().collect(), earlier: Vec::new(), fresh: None, manners }
}

fn told(claimed: &Claimed, step: &Step) -> String {
    let decision = match step {
        Step::Change { call, again: None } => return format!("{} under a new reference", call.as_str()),
        Step::Change { call, again: Some(_) } => return format!("{} under the same reference", call.as_str()),
        Step::Verify(doubt) => return format!("verify {} {}", doubt.call.as_str(), doubt.reference),
        Step::Inquire { .. } => return "inquire".into(),
        Step::Approve { .. } | Step::Issue { .. } | Step::NetCancel { .. } => {
            panic!("nothing undoes a change: {step:?}")
        }
        Step::Decide(decision) => decision,
    };
    let mut line = decision.next.status().as_str().to_owned();
    if let Some(due_at) = decision.next.due_at() {
        write!(line, " until {}", (due_at - START).whole_seconds()).unwrap();
    }
    if let Some(event) = &decision.event {
        let after = claimed.payment.state.on(event).unwrap();
        write!(line, "; {}: {} {}", event.name(), after.status(), after.money_state.as_str()).unwrap();
        for (name, amount) in [("reserved", after.reserved), ("canceled", after.canceled)] {
            if amount > 0 {
                write!(line, " {name} {amount}").unwrap();
            }
        }
    }
    if let Some((_, resolution)) = &decision.resolved {
        write!(line, "; {}", resolution.as_str()).unwrap();
    }
    if let Some(letter) = decision.letter {
        write!(line, "; letter {} {}", letter.kind.as_str(), letter.reason.as_str()).unwrap();
    }
    if let Some((_, case)) = decision.case {
        write!(line, "; case {}", case.as_str()).unwrap();
    }
    line
}

/// Whether the change was done that the acquirer refused because it had done it.
fn doubt() -> Doubt {
    let refusal = ChangeRefusal { why: RefusedBecause::AlreadyCanceled, code: "57".into() };
    Doubt { call: Call::Cancel, reference: reference(), rest: Vec::new(), refused: Some((reference(), refusal)) }
}

fn delays() -> impl FnMut(i32) -> Duration {
    |tries| Duration::seconds(2 + i64::from(tries))
}

fn done(amount: i64) -> ChangeAnswer {
    ChangeAnswer::Done(ChangeFacts { money: Some(won(amount)) })
}

fn refused(why: RefusedBecause) -> ChangeAnswer {
    ChangeAnswer::Declined(ChangeRefusal { why, code: "05".into() })
}

const PART: &str = "done, part canceling";
const FOUND: &str = "done, part canceling, found captured";
const CAPTURE: &str = "done, capturing";
const CAPTURED: &str = "done, found captured before its capture";

#[test]
fn what_is_done_first() {
    #[rustfmt::skip]
    let table = [
        // standing   open                    doubt  seconds  step
        (PART,        None,                   None,       0, "cancel under a new reference"),
        (FOUND,       None,                   None,       0, "refund under a new reference"),
        (CAPTURE,     None,                   None,       0, "capture under a new reference"),
        (CAPTURED,    None,                   None,       0, "succeeded; capture.done: PARTIAL_CANCELED MOVED canceled 5000"),
        (PART,        Some(Call::Cancel),     None,       0, "inquire"),
        (PART,        Some(Call::Cancel),     Some(RefusedBecause::AlreadyCanceled),        0, "verify cancel change-1"),
        (PART,        Some(Call::Cancel),     None,  90_000, "inquire"),
        (PART,        None,                   None,  86_400, "dead; operation.dead: DONE MOVED reserved 5000; letter replayable OUT_OF_TIME"),
        (CAPTURE,     None,                   None,  86_400, "dead; operation.dead: DONE MOVED; letter replayable OUT_OF_TIME"),
    ];
    for (standing, open, doubted, seconds, expected) in table {
        let claimed = claimed(standing, true, open, doubted);
        let step = claimed.first_step(START + Duration::seconds(seconds), &mut delays());
        assert_eq!(told(&claimed, &step), expected, "{standing} {open:?} {seconds}");
    }
}

#[test]
fn nothing_is_captured_of_what_went_back() {
    let mut claimed = claimed(CAPTURE, true, None, None);
    // A cancel of all of it was accepted before, and done.
    let mut state = standings().into_iter().find(|(name, _)| *name == "done").unwrap().1;
    for event in [
        PaymentEvent::CancelQueued { cancel: cancel(20, 15_000) },
        PaymentEvent::CaptureQueued { work: claimed.payment.state.work().unwrap().clone() },
        PaymentEvent::CancelDone { operation: id(20), kind: CancelKind::Cancel, at: START },
    ] {
        state = state.on(&event).unwrap();
    }
    claimed.payment.state = state;
    assert_eq!(claimed.amount(), None);
    let step = claimed.first_step(START, &mut delays());
    assert_eq!(told(&claimed, &step), "failed; capture.aborted: CANCELED REVERSED canceled 15000");
}

#[test]
fn what_an_answer_means() {
    use Call::{Cancel, Capture, Refund};
    use RefusedBecause::{AlreadyCanceled, AlreadyCaptured, Declined, Disagrees};
    let new = |answer| (None, answer);
    let again = |answer| (Some(Cancel), answer);
    #[rustfmt::skip]
    let table = [
        (PART,    Cancel,  new(done(5_000)),                           "succeeded; cancel.done: PARTIAL_CANCELED MOVED canceled 5000; approved"),
        (FOUND,   Refund,  new(done(5_000)),                           "succeeded; cancel.done: PARTIAL_CANCELED MOVED canceled 5000; approved"),
        (CAPTURE, Capture, new(done(15_000)),                          "succeeded; payment.captured: DONE MOVED; approved"),
        (PART,    Cancel,  new(done(5_001)),                           "unknown until 2; operation.unknown: DONE MOVED reserved 5000; letter needs_person AMOUNT_MISMATCH; case amount_mismatch"),
        (CAPTURE, Capture, new(done(14_999)),                          "unknown until 2; operation.unknown: DONE MOVED; letter needs_person AMOUNT_MISMATCH; case amount_mismatch"),
        (PART,    Cancel,  new(refused(Declined)),                     "failed; cancel.aborted: DONE MOVED; declined"),
        (CAPTURE, Capture, new(refused(Declined)),                     "failed; capture.aborted: DONE MOVED; declined; letter information ACQUIRER_DECLINED"),
        (PART,    Cancel,  new(refused(AlreadyCaptured)),              "waiting until 0; payment.captured: DONE MOVED reserved 5000; declined"),
        (CAPTURE, Capture, new(refused(AlreadyCaptured)),              "succeeded; payment.captured: DONE MOVED; declined"),
        (FOUND,   Refund,  new(refused(AlreadyCaptured)),              "dead; operation.dead: DONE UNKNOWN reserved 5000; declined; letter needs_person BOOKS_DISAGREE; case books_disagree"),
        (PART,    Cancel,  new(refused(AlreadyCanceled)),              "verify cancel change-1"),
        (FOUND,   Refund,  new(refused(AlreadyCanceled)),              "verify refund change-1"),
        (PART,    Cancel,  new(refused(Disagrees)),                    "dead; operation.dead: DONE UNKNOWN reserved 5000; declined; letter needs_person BOOKS_DISAGREE; case books_disagree"),
        (PART,    Cancel,  new(ChangeAnswer::Pending),                 "unknown until 2; operation.unknown: DONE MOVED reserved 5000"),
        (PART,    Cancel,  new(ChangeAnswer::Unknown("timeout".into())), "unknown until 2; operation.unknown: DONE MOVED reserved 5000"),
        (PART,    Cancel,  new(ChangeAnswer::Busy("M1".into())),       "waiting until 2; operation.retry_scheduled: DONE MOVED reserved 5000; not_moved"),
        (PART,    Cancel,  new(ChangeAnswer::NotSent("connect".into())), "waiting until 2; operation.retry_scheduled: DONE MOVED reserved 5000; not_moved"),
        // It was sent before under this reference: what became of that is as open as it was.
        (PART,    Cancel,  again(ChangeAnswer::Busy("M1".into())),     "unknown until 2; operation.unknown: DONE MOVED reserved 5000"),
        (PART,    Cancel,  again(ChangeAnswer::NotSent("connect".into())), "unknown until 2; operation.unknown: DONE MOVED reserved 5000"),
    ];
    for (standing, call, (open, answer), expected) in table {
        let claimed = claimed(standing, true, open, None);
        let step = claimed.after_change(call, &reference(), &answer, START, &mut delays());
        assert_eq!(told(&claimed, &step), expected, "{standing} {call:?} {answer:?}");
    }
}

#[test]
fn what_an_inquiry_means() {
    let approved = |amount| {
        InquiryAnswer::Approved(ApprovalFacts { money: Some(won(amount)), number: "1".into(), interest_payer: None })
    };
    let declined = || InquiryAnswer::Declined(Failure::declined(FailureCode::RejectCardCompany, "05"));
    let refused = |why| InquiryAnswer::Refused(ChangeRefusal { why, code: "57".into() });
    #[rustfmt::skip]
    let table = [
        // dedupes, seconds, answer                            when it was sent and not heard
        (true,        1,     approved(5_000),                  "succeeded; cancel.done: PARTIAL_CANCELED MOVED canceled 5000; approved"),
        (true,        1,     approved(4_000),                  "unknown until 3; operation.unknown: DONE MOVED reserved 5000; letter needs_person AMOUNT_MISMATCH; case amount_mismatch"),
        (true,        1,     declined(),                       "failed; cancel.aborted: DONE MOVED; declined"),
        // Its refusal was lost, and says more than no.
        (true,        1,     refused(RefusedBecause::AlreadyCaptured), "waiting until 1; payment.captured: DONE MOVED reserved 5000; declined"),
        (true,        1,     refused(RefusedBecause::AlreadyCanceled), "dead; operation.dead: DONE UNKNOWN reserved 5000; declined; letter needs_person BOOKS_DISAGREE; case books_disagree"),
        (true,        1,     refused(RefusedBecause::Disagrees),       "dead; operation.dead: DONE UNKNOWN reserved 5000; declined; letter needs_person BOOKS_DISAGREE; case books_disagree"),
        (true,        1,     InquiryAnswer::NotFound,          "cancel under the same reference"),
        (true,   90_000,     InquiryAnswer::NotFound,          "waiting until 90000; operation.retry_scheduled: DONE MOVED reserved 5000; not_moved"),
        (false,       1,     InquiryAnswer::NotFound,          "unknown until 3; operation.unknown: DONE MOVED reserved 5000"),
        (false,      14,     InquiryAnswer::NotFound,          "unknown until 15; operation.unknown: DONE MOVED reserved 5000"),
        (false,      15,     InquiryAnswer::NotFound,          "waiting until 15; operation.retry_scheduled: DONE MOVED reserved 5000; not_moved"),
        (true,        1,     InquiryAnswer::Pending,           "unknown until 3; operation.unknown: DONE MOVED reserved 5000"),
        (true,        1,     InquiryAnswer::Reversed,          "unknown until 3; operation.unknown: DONE MOVED reserved 5000"),
        (true,      700,     InquiryAnswer::NoAnswer("x".into()), "unknown until 702; operation.unknown: DONE MOVED reserved 5000; letter needs_person OUTCOME_UNKNOWN"),
    ];
    for (dedupes, seconds, answer, expected) in table {
        let claimed = claimed(PART, dedupes, Some(Call::Cancel), None);
        let now = START + Duration::seconds(seconds);
        let step = claimed.after_change_inquiry(&reference(), &answer, now, now, &mut delays());
        assert_eq!(told(&claimed, &step), expected, "dedupes: {dedupes}, {seconds}, {answer:?}");
    }
}

#[test]
fn already_cancelled_is_believed_only_of_our_own_reference_and_amount() {
    let approved = |amount| {
        InquiryAnswer::Approved(ApprovalFacts { money: Some(won(amount)), number: "1".into(), interest_payer: None })
    };
    let declined = || InquiryAnswer::Declined(Failure::declined(FailureCode::RejectCardCompany, "05"));
    #[rustfmt::skip]
    let table = [
        (approved(5_000),                  "succeeded; cancel.done: PARTIAL_CANCELED MOVED canceled 5000; approved"),
        (approved(15_000),                 "unknown until 2; operation.unknown: DONE MOVED reserved 5000; letter needs_person AMOUNT_MISMATCH; case amount_mismatch"),
        (declined(),                       "dead; operation.dead: DONE UNKNOWN reserved 5000; declined; letter needs_person BOOKS_DISAGREE; case books_disagree"),
        (InquiryAnswer::NotFound,          "dead; operation.dead: DONE UNKNOWN reserved 5000; declined; letter needs_person BOOKS_DISAGREE; case books_disagree"),
        (InquiryAnswer::NoAnswer("x".into()), "unknown until 2; operation.unknown: DONE MOVED reserved 5000"),
    ];
    for (answer, expected) in table {
        let claimed = claimed(PART, true, None, None);
        let step = claimed.after_doubt(&doubt(), &answer, START, START, &mut delays());
        assert_eq!(told(&claimed, &step), expected, "{answer:?}");
    }
}

#[test]
fn a_failed_change_says_what_it_did_itself_which_is_nothing() {
    let claimed = claimed(PART, true, None, None);
    let answer = refused(RefusedBecause::Declined);
    let Step::Decide(decision) = claimed.after_change(Call::Cancel, &reference(), &answer, START, &mut delays()) else {
        panic!("it is decided");
    };
    let after = claimed.payment.state.on(decision.event.as_ref().unwrap()).unwrap();
    assert_eq!(after.money_state, MoneyState::Moved, "the payment is still paid");
    let Some(OperationResult::Failed { money_state, failure }) = decision.result_after(&after) else {
        panic!("it failed");
    };
    assert_eq!((money_state, failure.code), (MoneyState::NotMoved, FailureCode::RefundRejected));
}

/// A try after one that took long to be found out about is not asked after as late as the next inquiry of that one would have been.
#[test]
fn a_new_try_is_asked_after_when_not_found_can_be_believed() {
    let heard = ChangeAnswer::Unknown("timeout".into());
    for (open, attempts, expected) in [(None, 1, 15), (None, 5, 3_600), (Some(Call::Cancel), 1, 3_600)] {
        let mut claimed = claimed(PART, false, open, None);
        claimed.operation.inquiry_count = 14;
        claimed.operation.attempt_count = attempts;
        let step = claimed.after_change(Call::Cancel, &reference(), &heard, START, &mut delays());
        let Step::Decide(decision) = step else { panic!("it is decided") };
        let due_at = decision.next.due_at().unwrap();
        assert_eq!((due_at - START).whole_seconds(), expected, "{open:?}, {attempts} tries before");
    }
}

/// References under which the change was asked for before.
fn earlier(numbers: &[u32]) -> Vec<Earlier> {
    let one = |number: &u32| Earlier { call: Call::Cancel, reference: Reference(format!("earlier-{number}")) };
    numbers.iter().map(one).collect()
}

fn of(step: Step) -> Doubt {
    match step {
        Step::Verify(doubt) => doubt,
        Step::Approve { .. }
        | Step::Issue { .. }
        | Step::Change { .. }
        | Step::Inquire { .. }
        | Step::NetCancel { .. }
        | Step::Decide(_) => panic!("nothing is verified: {step:?}"),
    }
}

/// What the acquirer says that it did already it may have done under a reference of ours that we believed to be unknown there.
#[test]
fn every_earlier_reference_is_asked_about_before_the_books_are_said_to_differ() {
    let approved = |amount| {
        InquiryAnswer::Approved(ApprovalFacts { money: Some(won(amount)), number: "1".into(), interest_payer: None })
    };
    for (why, own) in [(RefusedBecause::AlreadyCanceled, true), (RefusedBecause::Disagrees, false)] {
        let mut claimed = claimed(PART, false, None, None);
        claimed.earlier = earlier(&[1, 2]);
        let mut step = claimed.after_change(Call::Cancel, &reference(), &refused(why), START, &mut delays());
        let order = if own { vec!["change-1", "earlier-1", "earlier-2"] } else { vec!["earlier-1", "earlier-2"] };
        let mut doubts = Vec::new();
        for expected in order {
            assert_eq!(told(&claimed, &step), format!("verify cancel {expected}"), "{why:?}");
            doubts.push(of(step));
            step = claimed.after_doubt(doubts.last().unwrap(), &InquiryAnswer::NotFound, START, START, &mut delays());
        }
        let differ = "dead; operation.dead: DONE UNKNOWN reserved 5000; declined; \
            letter needs_person BOOKS_DISAGREE; case books_disagree";
        assert_eq!(told(&claimed, &step), differ);
        let last = doubts.last().unwrap();
        let found = claimed.after_doubt(last, &approved(5_000), START, START, &mut delays());
        let done = "succeeded; cancel.done: PARTIAL_CANCELED MOVED canceled 5000; approved";
        assert_eq!(told(&claimed, &found), done, "{why:?}");
        let Step::Decide(found) = found else { panic!("it is decided") };
        assert_eq!(found.resolved, Some((Reference("earlier-2".into()), Resolution::Approved)));
        assert_eq!(found.refused, Some(reference()), "the one that was refused is not left open");
        // Another amount than ours was not ours.
        let other = claimed.after_doubt(last, &approved(6_000), START, START, &mut delays());
        assert!(told(&claimed, &other).ends_with("letter needs_person AMOUNT_MISMATCH; case amount_mismatch"));
        // Who doesn't answer is asked again, and nothing is decided.
        let silent = claimed.after_doubt(last, &InquiryAnswer::NoAnswer("x".into()), START, START, &mut delays());
        assert!(told(&claimed, &silent).starts_with("unknown until 2"), "{}", told(&claimed, &silent));
    }
}

/// What a person sends back to work was given up because nobody knew better: first it is asked whether it was done after all. So
/// it is before anything is given up.
#[test]
fn what_was_ever_sent_is_asked_about_before_it_is_sent_again_or_given_up() {
    let mut claimed = claimed(PART, true, None, None);
    claimed.earlier = earlier(&[1, 2]);
    let first = |claimed: &Claimed, seconds| claimed.first_step(START + Duration::seconds(seconds), &mut delays());
    assert_eq!(told(&claimed, &first(&claimed, 0)), "cancel under a new reference", "they were asked about just now");
    for (rearmed, seconds, end) in [
        (true, 0, "cancel under a new reference"),
        (true, 86_400, "dead; operation.dead: DONE MOVED reserved 5000; letter replayable OUT_OF_TIME"),
        (false, 86_400, "dead; operation.dead: DONE MOVED reserved 5000; letter replayable OUT_OF_TIME"),
    ] {
        claimed.operation.rearmed = rearmed;
        let now = START + Duration::seconds(seconds);
        let mut step = first(&claimed, seconds);
        for expected in ["verify cancel earlier-1", "verify cancel earlier-2"] {
            assert_eq!(told(&claimed, &step), expected, "rearmed: {rearmed}, {seconds}");
            let declined = InquiryAnswer::Declined(Failure::declined(FailureCode::RejectCardCompany, "05"));
            step = claimed.after_doubt(&of(step), &declined, now, now, &mut delays());
        }
        assert_eq!(told(&claimed, &step), end, "rearmed: {rearmed}, {seconds}");
    }
}

/// Ten minutes unknown are ten minutes after it became so: not after a cancel was accepted that waited behind another.
#[test]
fn a_person_is_asked_when_it_has_been_unknown_for_long() {
    let silent = ChangeAnswer::Unknown("timeout".into());
    let asked = |claimed: &Claimed, minutes| {
        let now = START + Duration::minutes(minutes);
        let step = claimed.after_change(Call::Cancel, &reference(), &silent, now, &mut delays());
        told(claimed, &step).contains("letter needs_person OUTCOME_UNKNOWN")
    };
    let mut claimed = claimed(PART, false, None, None);
    assert!(!asked(&claimed, 600), "it was never unknown before");
    claimed.operation.unknown_since = Some(START + Duration::minutes(595));
    assert!(!asked(&claimed, 604));
    assert!(asked(&claimed, 605));
}

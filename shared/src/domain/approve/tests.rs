//! The decision table of an approval: what is known × what was heard × when × the acquirer's manners.

use time::Duration;
use uuid::Uuid;

use super::super::attempt::{Call, Manners, OpenAttempt};
use super::super::course::Doubt;
use super::super::fixtures::{START, approval_of, payment, won};
use super::super::id::AttemptId;
use super::super::operation::{CRASH_BUDGET, LetterOwed};
use super::*;

/// Whether the acquirer dedupes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    D,
    N,
}
use Mode::{D, N};

/// What the claim knows of earlier attempts.
#[derive(Debug, Clone, Copy)]
enum Known {
    /// Nothing was sent; the claim wrote one down.
    Fresh,
    /// One was sent at the beginning and is open.
    Open,
    /// The same, and its net-cancel was asked for.
    Condemned(Because),
}
use Known::{Condemned, Fresh, Open};

fn reference() -> Reference {
    Reference::of(AttemptId(Uuid::from_u128(5)))
}

fn claimed(mode: Mode, known: Known) -> Claimed {
    let payment = payment();
    let attempt = |condemned| OpenAttempt {
        call: Call::Approve,
        doubted: None,
        id: AttemptId(Uuid::from_u128(5)),
        reference: reference(),
        sent_at: START,
        condemned,
    };
    let (open, fresh) = match known {
        Fresh => (vec![], Some(attempt(None))),
        Open => (vec![attempt(None)], None),
        Condemned(because) => (vec![attempt(Some(because))], None),
    };
    let manners = Manners {
        dedupes_by_reference: mode == D,
        settle_window: Duration::seconds(5),
        total_timeout: Duration::seconds(10),
    };
    let operation = super::super::operation::Operation { fence: 1, claim_count: 1, ..approval_of(&payment) };
    Claimed { operation, payment, open, earlier: Vec::new(), fresh, manners }
}

/// Seconds after the beginning: 17 is when "not found" is first believed, 180 the deadline.
fn at(seconds: i64) -> OffsetDateTime {
    START + Duration::seconds(seconds)
}

fn approved(amount: i64) -> ApprovalFacts {
    ApprovalFacts { money: Some(won(amount)), number: "12345678".into(), interest_payer: None }
}

fn no() -> Failure {
    Failure::declined(FailureCode::RejectCardPayment, "51")
}

/// A step in a line: what is done next, or what becomes of operation, payment, reference, letters and cases.
fn told(claimed: &Claimed, step: &Step) -> String {
    let decision = match step {
        Step::Approve { written, .. } => return format!("approve{}", if *written { "" } else { " again" }),
        Step::Issue { .. } => return "issue".into(),
        Step::Change { call, .. } | Step::Verify(Doubt { call, .. }) => return call.as_str().into(),
        Step::Inquire { .. } => return "inquire".into(),
        Step::NetCancel { because, .. } => return format!("net-cancel {}", because.as_str()),
        Step::Decide(decision) => decision,
    };
    let after = decision.event.as_ref().map(|event| claimed.payment.state.on(event).unwrap());
    let mut words = vec![decision.next.status().as_str().to_owned()];
    if let Some(due_at) = decision.next.due_at() {
        words.push(format!("at {}", (due_at - START).as_seconds_f64()));
    }
    if let Next::Waiting { spent: false, .. } = decision.next {
        words.push("unspent".into());
    }
    if let Some(after) = after {
        words.push(format!("{} {}", after.status(), after.money_state.as_str()));
    }
    words.extend(decision.resolved.as_ref().map(|(_, resolution)| resolution.as_str().to_owned()));
    words.extend(decision.letter.map(|letter| format!("letter:{}", letter.kind.as_str())));
    words.extend(decision.case.as_ref().map(|(_, case)| format!("case:{}", case.as_str())));
    words.join(" ")
}

/// Delays without dice: 2 s, whatever the try.
fn two_seconds(_tries: i32) -> Duration {
    Duration::seconds(2)
}

#[test]
fn first_steps() {
    let aborted = "failed ABORTED NOT_MOVED";
    #[rustfmt::skip]
    let table = [
        // known                         at   step
        (Fresh,                            0, "approve".to_owned()),
        (Fresh,                          179, "approve".into()),
        (Fresh,                          180, format!("{aborted} not_moved letter:information")),
        (Open,                             1, "inquire".into()),
        (Open,                           181, "inquire".into()),
        (Condemned(Because::NotFound),     1, "inquire".into()),
    ];
    for (known, seconds, step) in table {
        for mode in [D, N] {
            let claimed = claimed(mode, known);
            let first = claimed.first_step(at(seconds), &mut two_seconds);
            assert_eq!(told(&claimed, &first), step, "{known:?} at {seconds} s, mode {mode:?}");
        }
    }
}

#[test]
fn a_claim_of_nothing_past_its_deadline_is_given_up() {
    let claimed = Claimed { fresh: None, ..claimed(D, Fresh) };
    let first = claimed.first_step(at(180), &mut two_seconds);
    assert_eq!(told(&claimed, &first), "failed ABORTED NOT_MOVED letter:information");
}

#[test]
fn a_row_that_crashes_its_workers_is_buried_or_only_inquired_after() {
    let crashed = |known| {
        let mut claimed = claimed(D, known);
        claimed.operation.claim_count = CRASH_BUDGET + 1;
        claimed
    };
    let sent = crashed(Open);
    let step = sent.first_step(at(1), &mut two_seconds);
    assert_eq!(told(&sent, &step), "unknown at 3 IN_PROGRESS UNKNOWN letter:needs_person");
    // The claim writes nothing down for such a row.
    let unsent = Claimed { fresh: None, ..crashed(Fresh) };
    let step = unsent.first_step(at(1), &mut two_seconds);
    assert_eq!(told(&unsent, &step), "dead IN_PROGRESS NOT_MOVED letter:replayable");
}

#[test]
fn after_an_approval_was_asked_for() {
    use ApproveAnswer as A;
    let unknown = "unknown at 3 IN_PROGRESS UNKNOWN";
    #[rustfmt::skip]
    let table = [
        // known  heard                          at   step
        (Fresh, A::Approved(approved(15_000)),    1, "succeeded DONE MOVED approved"),
        (Open,  A::Approved(approved(15_000)),    1, "succeeded DONE MOVED approved"),
        (Fresh, A::Approved(approved(15_000)),  180, "net-cancel too_late"),
        (Fresh, A::Approved(approved(15_001)),    1, "net-cancel wrong_amount"),
        (Fresh, A::Approved(approved(15_001)),  180, "net-cancel wrong_amount"),
        (Fresh, A::Approved(ApprovalFacts { money: None, number: "1".into(), interest_payer: None }), 1, "net-cancel wrong_amount"),
        (Fresh, A::Declined(no()),                1, "failed ABORTED NOT_MOVED declined"),
        (Open,  A::Declined(no()),                1, "failed ABORTED NOT_MOVED declined"),
        (Fresh, A::Pending,                       1, unknown),
        (Fresh, A::Unknown("timeout".into()),     1, unknown),
        (Open,  A::Unknown("timeout".into()),     1, unknown),
        // Nothing was sent under a new reference: another one is as good.
        (Fresh, A::Busy("M1".into()),             1, "waiting at 3 unspent IN_PROGRESS UNKNOWN not_moved"),
        (Fresh, A::NotSent("connect".into()),     1, "waiting at 3 IN_PROGRESS UNKNOWN not_moved"),
        (Fresh, A::Busy("M1".into()),           179, "waiting at 180.25 unspent IN_PROGRESS UNKNOWN not_moved"),
        (Fresh, A::NotSent("connect".into()),   181, "waiting at 181.25 IN_PROGRESS UNKNOWN not_moved"),
        // It was sent before: it is not done with, or the next one would be a second charge.
        (Open,  A::Busy("M1".into()),             1, unknown),
        (Open,  A::NotSent("connect".into()),     1, unknown),
        // At the deadline the question changes: be there.
        (Open,  A::Unknown("timeout".into()),   179, "unknown at 180.25 IN_PROGRESS UNKNOWN"),
    ];
    for (known, answer, seconds, step) in table {
        for mode in [D, N] {
            let claimed = claimed(mode, known);
            let next = claimed.after_approve(&reference(), &answer, at(seconds), &mut two_seconds);
            assert_eq!(told(&claimed, &next), step, "{known:?} heard {answer:?} at {seconds} s, mode {mode:?}");
        }
    }
}

#[test]
fn nothing_is_sent_past_the_deadline_nor_long_after_it_was_written_down() {
    #[rustfmt::skip]
    let table = [
        // ms ago   at
        (      0,   0, None),
        (  2_000,   2, None),
        (  2_001,   2, Some("written_long_ago")),
        (      0, 179, None),
        (      0, 180, Some("too_late")),
        (  9_000, 181, Some("too_late")),
    ];
    for (ago, seconds, why) in table {
        let told = claimed(D, Fresh).unsendable(Duration::milliseconds(ago), at(seconds));
        assert_eq!(told, why, "written {ago} ms ago, at {seconds} s");
    }
}

#[test]
fn after_an_inquiry() {
    use InquiryAnswer as A;
    let ours = || A::Approved(approved(15_000));
    let no_answer = || A::NoAnswer("timeout".into());
    let again = |seconds| format!("waiting at {seconds} IN_PROGRESS UNKNOWN reversed");
    let unknown = "unknown at 3 IN_PROGRESS UNKNOWN".to_owned();
    let too_late = "net-cancel too_late".to_owned();
    let not_found = "net-cancel not_found".to_owned();
    #[rustfmt::skip]
    let table = [
        // known                          heard          at  mode D                    mode N
        (Open,                            ours(),         1, "succeeded DONE MOVED approved".to_owned(), None),
        (Open,                            ours(),       180, too_late.clone(),         None),
        (Open,                            A::Approved(approved(1)), 1, "net-cancel wrong_amount".into(), None),
        (Open,                            A::Declined(no()), 1, "failed ABORTED NOT_MOVED declined".into(), None),
        (Open,                            A::Declined(no()), 181, "failed ABORTED NOT_MOVED declined".into(), None),
        (Open,                            A::Reversed,    1, again(1),                 None),
        (Open,                            A::Reversed,  180, "failed ABORTED REVERSED reversed letter:information".into(), None),
        (Open,                            A::Pending,     1, unknown.clone(),          None),
        (Open,                            no_answer(),    1, unknown.clone(),          None),
        (Open,                            A::Pending,   180, too_late.clone(),         None),
        (Open,                            no_answer(),  180, too_late.clone(),         None),
        // One that dedupes may be asked again at once; another only when "not found" is believed, after a net-cancel.
        (Open,                            A::NotFound,    1, "approve again".into(),   Some(unknown.clone())),
        (Open,                            A::NotFound,   16, "approve again".into(),   Some("unknown at 17.25 IN_PROGRESS UNKNOWN".into())),
        (Open,                            A::NotFound,   17, "approve again".into(),   Some(not_found.clone())),
        (Open,                            A::NotFound,  180, too_late.clone(),         None),
        // A reference that was condemned is never wanted again, whatever is heard of it.
        (Condemned(Because::NotFound),    ours(),         1, not_found.clone(),        None),
        (Condemned(Because::NotFound),    A::NotFound,    1, not_found.clone(),        None),
        (Condemned(Because::NotFound),    A::Pending,     1, not_found.clone(),        None),
        (Condemned(Because::NotFound),    no_answer(),    1, not_found.clone(),        None),
        (Condemned(Because::NotFound),    A::Reversed,    1, again(1),                 None),
        (Condemned(Because::TooLate),     A::NotFound,  190, too_late.clone(),         None),
        (Condemned(Because::WrongAmount), ours(),         1, "net-cancel wrong_amount".into(), None),
        (Condemned(Because::WrongAmount), A::Reversed,    1, "failed ABORTED REVERSED reversed case:amount_mismatch".into(), None),
    ];
    for (known, answer, seconds, d, n) in table {
        for (mode, step) in [(D, &d), (N, n.as_ref().unwrap_or(&d))] {
            let claimed = claimed(mode, known);
            let next = claimed.after_inquiry(&reference(), &answer, at(seconds), at(seconds), &mut two_seconds);
            assert_eq!(&told(&claimed, &next), step, "{known:?} heard {answer:?} at {seconds} s, mode {mode:?}");
        }
    }
}

/// A call of an earlier claim that this claim did not see.
#[test]
fn what_is_found_out_after_the_claim_counts_as_if_it_had_known() {
    let ours = InquiryAnswer::Approved(approved(15_000));
    let mut late = claimed(N, Open);
    late.learn(&Reference("NRother".into()), Some(Because::TooLate), Some(at(100)));
    assert_eq!(late, claimed(N, Open), "another reference");
    late.learn(&reference(), Some(Because::WrongAmount), None);
    late.learn(&reference(), Some(Because::TooLate), None);
    let next = late.after_inquiry(&reference(), &ours, at(1), at(1), &mut two_seconds);
    assert_eq!(told(&late, &next), "net-cancel wrong_amount", "the first reason stays");

    let mut late = claimed(N, Open);
    late.learn(&reference(), None, Some(at(10)));
    let next = late.after_inquiry(&reference(), &InquiryAnswer::NotFound, at(26), at(26), &mut two_seconds);
    assert_eq!(told(&late, &next), "unknown at 27.25 IN_PROGRESS UNKNOWN", "it may still be on its way");
    late.learn(&reference(), None, Some(START));
    let next = late.after_inquiry(&reference(), &InquiryAnswer::NotFound, at(27), at(27), &mut two_seconds);
    assert_eq!(told(&late, &next), "net-cancel not_found");
}

#[test]
fn after_a_net_cancel() {
    use Because::{NotFound, TooLate, WrongAmount};
    use NetCancelAnswer as A;
    let refused = || A::Refused("96".into());
    let unknown = "unknown at 202 IN_PROGRESS UNKNOWN";
    #[rustfmt::skip]
    let table = [
        // because     heard                           at   step
        (NotFound,    A::Reversed,                     20, "waiting at 20 IN_PROGRESS UNKNOWN reversed"),
        (NotFound,    A::NoOriginal,                   20, "waiting at 20 IN_PROGRESS UNKNOWN not_moved"),
        (NotFound,    A::Reversed,                    200, "failed ABORTED REVERSED reversed letter:information"),
        (TooLate,     A::Reversed,                    200, "failed ABORTED REVERSED reversed letter:information"),
        (TooLate,     A::NoOriginal,                  200, "failed ABORTED NOT_MOVED not_moved letter:information"),
        (TooLate,     A::NoOriginal,                   16, "unknown at 17.25 IN_PROGRESS UNKNOWN"),
        (WrongAmount, A::Reversed,                      1, "failed ABORTED REVERSED reversed case:amount_mismatch"),
        (WrongAmount, A::NoOriginal,                   17, "failed ABORTED NOT_MOVED not_moved case:amount_mismatch"),
        (WrongAmount, A::NoAnswer("timeout".into()),  200, unknown),
        (TooLate,     A::NoAnswer("timeout".into()),  200, unknown),
        (TooLate,     refused(),                      200, "unknown at 202 IN_PROGRESS UNKNOWN letter:needs_person case:net_cancel_refused"),
    ];
    for (because, answer, seconds, step) in table {
        for mode in [D, N] {
            let claimed = claimed(mode, Open);
            let next =
                claimed.after_net_cancel(&reference(), because, &answer, at(seconds), at(seconds), &mut two_seconds);
            assert_eq!(told(&claimed, &next), step, "{because:?} heard {answer:?} at {seconds} s, mode {mode:?}");
        }
    }
}

#[test]
fn a_person_is_asked_for_once() {
    let mut claimed = claimed(D, Open);
    claimed.operation.letter = Some(LetterOwed { kind: LetterKind::NeedsPerson, reason: LetterReason::OutcomeUnknown });
    let refused = NetCancelAnswer::Refused("96".into());
    let next = claimed.after_net_cancel(&reference(), Because::TooLate, &refused, at(200), at(200), &mut two_seconds);
    assert_eq!(told(&claimed, &next), "unknown at 202 IN_PROGRESS UNKNOWN case:net_cancel_refused");
}

#[test]
fn a_wait_that_is_known_is_not_told_again_until_it_is_long() {
    use super::super::payment::Work;
    let mut claimed = claimed(D, Open);
    let work = Work { status: OperationStatus::Unknown, ..super::super::fixtures::own(OperationStatus::Unknown) };
    claimed.payment.state = claimed.payment.state.on(&PaymentEvent::OutcomeUnknown { work }).unwrap();
    #[rustfmt::skip]
    let table = [
        // at  inquiries  told
        (  2,          1, "unknown at 4"),
        (599,          9, "unknown at 601"),
        (600,          9, "unknown at 602 IN_PROGRESS UNKNOWN letter:needs_person"),
        (600,         14, "unknown at 1020 IN_PROGRESS UNKNOWN letter:needs_person"),
    ];
    for (seconds, inquiries, step) in table {
        claimed.operation.inquiry_count = inquiries;
        let next = claimed.after_approve(&reference(), &ApproveAnswer::Pending, at(seconds), &mut two_seconds);
        assert_eq!(told(&claimed, &next), step, "at {seconds} s");
    }
}

#[test]
fn a_busy_acquirer_is_asked_less_and_less_often() {
    #[rustfmt::skip]
    let table = [
        // claims  tries the delay is computed from
        (      1,  0),
        (      3,  2),
        (      5,  4),
        (    500,  4),
    ];
    for (fence, tries) in table {
        let mut claimed = claimed(D, Fresh);
        claimed.operation.fence = fence;
        let mut asked = None;
        let mut delays = |tries| {
            asked = Some(tries);
            Duration::seconds(2)
        };
        let _ = claimed.after_approve(&reference(), &ApproveAnswer::Busy("M1".into()), at(1), &mut delays);
        assert_eq!(asked, Some(tries), "claim {fence}");
    }
}

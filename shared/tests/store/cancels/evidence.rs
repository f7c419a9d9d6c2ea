//! What was heard late, or contradicts what is decided.

use naru_shared::domain::attempt::{Answer, Call, ChangeAnswer, ChangeRefusal, InquiryAnswer, RefusedBecause};
use naru_shared::domain::course::{Doubt, Step};
use naru_shared::domain::id::{AttemptId, Reference};
use naru_shared::store::{Late, NewAttempt, Outcome, Recorded};
use time::Duration;
use uuid::Uuid;

use super::{accept, begin, cancel, carried_out, done, heard, paid, sent};
use crate::house::{House, TRACE, answered, decision, two_seconds};

/// A cancel was taken for never made, and then the acquirer says that it was.
#[tokio::test]
async fn a_late_answer_of_a_change_is_a_case() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (lost, call, reference, attempt) = sent(&house, operation).await;
    house.store.end_lease(house.worker).await.unwrap();
    house.store.renew_lease(house.worker, "one").await.unwrap();
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;

    // Whoever takes it over finds nothing, long after it can have been sent.
    let claimed = house.claims(house.worker, operation).await.unwrap();
    let open = claimed.open.first().unwrap();
    assert_eq!((open.call, &open.reference, open.doubted), (Call::Cancel, &reference, None));
    let mut naive = claimed.clone();
    naive.manners.dedupes_by_reference = false;
    let later = claimed.operation.created_at + Duration::minutes(1);
    let step = naive.after_change_inquiry(&reference, &InquiryAnswer::NotFound, later, later, &mut two_seconds);
    let outcome = Outcome::new(&naive, decision(step), None, TRACE.into());
    assert!(!outcome.is_plain(), "somebody else may have heard otherwise");
    assert!(matches!(house.store.record_one(&outcome).await.unwrap(), Recorded::Stands { late: Late::Nothing, .. }));

    let late = heard(&lost, call, &reference, attempt, &done(4_000));
    assert_eq!(house.store.record_one(&late).await.unwrap(), Recorded::Refused { late: Late::Case });
    let case = format!("select kind || ' ' || reference = 'late_change {reference}' from cases");
    assert_eq!(house.ask(case.as_str()).await, "true");
    // Told again it adds nothing; and nothing is reversed, for nothing can be.
    let again = answered(attempt, &Answer::Change(call, done(4_000)));
    assert_eq!(house.store.answer_attempt(&again, TRACE).await.unwrap(), Late::Kept);
    assert_eq!(house.ask("select count(*) from cases").await, "1");
    assert_eq!(house.ask("select count(*) from operations where kind = 'net_cancel'").await, "0");
    // Before anything is sent again, it is asked after.
    let claimed = house.claims(house.worker, operation).await.unwrap();
    assert_eq!(claimed.open.first().map(|open| &open.reference), Some(&reference));
    house.leave().await;
}

/// Once it has ended otherwise, the same answer is a person's.
#[tokio::test]
async fn an_answer_about_an_attempt_that_nobody_knew_of_is_a_case() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, call, _, attempt) = sent(&house, operation).await;
    // As if its claim had not seen it: another one of the same operation settles it.
    house.run("update attempts set resolution = 'not_moved' where call = 'cancel'").await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    carried_out(&house, operation, &done(4_000)).await;
    let hidden = format!("update attempts set resolution = null where id = '{}'", attempt.0);
    assert_eq!(house.run(hidden.as_str()).await, 1);
    let late = answered(attempt, &Answer::Change(call, done(4_000)));
    assert_eq!(house.store.answer_attempt(&late, TRACE).await.unwrap(), Late::Case);
    assert_eq!(house.ask("select count(*) from cases where kind = 'late_change'").await, "1");
    house.leave().await;
}

/// A claim that has not seen what an earlier one wrote down does not send the same under another name.
#[tokio::test]
async fn a_change_is_not_begun_while_another_of_it_is_open() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, call, reference, _) = sent(&house, operation).await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    let claimed = house.claims(house.worker, operation).await.unwrap();
    let id = AttemptId(Uuid::now_v7());
    let (another, fence) = (Reference::of(id), claimed.operation.fence);
    let new = |reference| NewAttempt { id, operation, fence, worker: house.worker, call, reference, because: None };
    assert_eq!(house.store.begin_attempt(&new(&another)).await.unwrap(), None);
    assert!(house.store.begin_attempt(&new(&reference)).await.unwrap().is_some(), "the same may be sent again");
    house.leave().await;
}

/// The other way round: the answer came first, and whoever decides that nothing was done hears of it.
#[tokio::test]
async fn a_decision_that_nothing_was_done_is_weighed_against_what_others_heard() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, call, reference, attempt) = sent(&house, operation).await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    let mut claimed = house.claims(house.worker, operation).await.unwrap();
    let early = answered(attempt, &Answer::Change(call, done(4_000)));
    assert_eq!(house.store.answer_attempt(&early, TRACE).await.unwrap(), Late::Kept);
    claimed.manners.dedupes_by_reference = false;
    let later = claimed.operation.created_at + Duration::minutes(1);
    let step = claimed.after_change_inquiry(&reference, &InquiryAnswer::NotFound, later, later, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    let recorded = house.store.record_one(&outcome).await.unwrap();
    assert_eq!(recorded, Recorded::Doubted);
    assert_eq!(house.ask("select count(*) from cases where kind = 'late_change'").await, "1");
    // It is as open as it was, and is asked after again.
    assert_eq!(
        house.ask("select status || ' ' || (due_at > now()) from operations where kind = 'cancel'").await,
        "unknown true"
    );
    assert_eq!(house.ask("select count(*) from attempts where call = 'cancel' and resolution is null").await, "1");
    house.leave().await;
}

/// What was asked about a reference before is known to whoever asks next.
#[tokio::test]
async fn a_resend_is_counted_from_its_newest_sending() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (claimed, call, reference, _) = sent(&house, operation).await;
    begin(&house, &claimed, AttemptId(Uuid::now_v7()), call, &reference, None).await;
    house.run("update attempts set sent_at = now() + interval '3 seconds' where call = 'cancel' and id = (select max(id::text)::uuid from attempts where call = 'cancel')").await;
    let (operation, fence) = (claimed.operation.id, claimed.operation.fence);
    let inquiry = NewAttempt {
        id: AttemptId(Uuid::now_v7()),
        operation,
        fence,
        worker: house.worker,
        call: Call::Inquire,
        reference: &reference,
        because: None,
    };
    let begun = house.store.begin_attempt(&inquiry).await.unwrap().unwrap();
    assert!(begun.sent_at > Some(claimed.operation.created_at + Duration::seconds(2)), "{begun:?}");
    house.leave().await;
}

/// "Already cancelled", or less left, is doubted by whoever comes next; any other refusal is only asked after.
#[tokio::test]
async fn a_refusal_that_was_heard_and_not_decided_is_asked_after() {
    let house = House::enter().await;
    for why in [
        RefusedBecause::AlreadyCanceled,
        RefusedBecause::Disagrees,
        RefusedBecause::AlreadyCaptured,
        RefusedBecause::Declined,
    ] {
        let sold = paid(&house).await;
        let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
        let (_, call, reference, attempt) = sent(&house, operation).await;
        let refusal = ChangeRefusal { why, code: "57".into() };
        let told = answered(attempt, &Answer::Change(call, ChangeAnswer::Declined(refusal)));
        house.store.answer_attempt(&told, TRACE).await.unwrap();
        house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
        let claimed = house.claims(house.worker, operation).await.unwrap();
        let expected = match why {
            RefusedBecause::AlreadyCanceled | RefusedBecause::Disagrees => Step::Verify(Doubt {
                call: Call::Cancel,
                reference: reference.clone(),
                rest: Vec::new(),
                refused: Some((reference, ChangeRefusal { why, code: why.as_str().into() })),
            }),
            RefusedBecause::AlreadyCaptured
            | RefusedBecause::MonthOver
            | RefusedBecause::NotEmpty
            | RefusedBecause::WrongBank
            | RefusedBecause::WrongNumber
            | RefusedBecause::WrongHolder
            | RefusedBecause::Declined => Step::Inquire { reference },
        };
        assert_eq!(claimed.first_step(claimed.operation.created_at, &mut two_seconds), expected, "{why:?}");
    }
    house.leave().await;
}

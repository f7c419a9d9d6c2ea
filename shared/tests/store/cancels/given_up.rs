//! What is given up, and what people do about it.

use naru_shared::domain::attempt::{
    Answer, ApprovalFacts, Call, ChangeAnswer, ChangeRefusal, Earlier, InquiryAnswer, RefusedBecause,
};
use naru_shared::domain::course::Step;
use naru_shared::domain::id::{OperationId, Reference};
use naru_shared::domain::operation::CHANGE_WITHIN;
use naru_shared::domain::operator::OperatorWord;
use naru_shared::domain::payment::{MoneyState, PaymentStatus};
use naru_shared::store::{Heeded, Outcome, Rearmed, Recorded, Said};
use uuid::Uuid;

use super::{POSTINGS, accept, cancel, carried_out, done, heard, paid, sent};
use crate::house::{House, TRACE, answered, decision, two_seconds, won};

/// What was given up because its time was over is tried for as long again when a person sends it back; and it holds up
/// nobody meanwhile.
#[tokio::test]
async fn a_cancel_that_was_given_up_lets_others_go_first_and_can_be_sent_back() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (other, _) = accept(&house, sold, &cancel(1_000)).await.unwrap();
    house.run(format!("update operations set deadline_at = now() where id = '{operation}'")).await;
    let claimed = house.claims(house.worker, operation).await.unwrap();
    assert!(claimed.operation.deadline_at > claimed.operation.created_at + CHANGE_WITHIN, "it never had a turn before");
    let step = claimed.first_step(claimed.operation.deadline_at, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    let next = house.store.record_batch(&[outcome]).await.unwrap();
    let letter = "select letter || ' ' || letter_reason from operations where letter is not null";
    assert_eq!(house.ask(letter).await, "replayable OUT_OF_TIME");
    assert_eq!(next.iter().map(|hint| hint.operation).collect::<Vec<_>>(), [other]);
    carried_out(&house, other, &done(1_000)).await;
    assert_eq!(house.ask("select canceled_amount || ' ' || reserved_amount from payments").await, "1000 4000");

    assert_eq!(house.store.rearm(operation, TRACE).await.unwrap(), Rearmed::Yes);
    let time = format!("select deadline_at > now() + interval '23 hours' from operations where id = '{operation}'");
    assert_eq!(house.ask(time).await, "true");
    carried_out(&house, operation, &done(4_000)).await;
    assert_eq!(house.ask("select canceled_amount || ' ' || reserved_amount from payments").await, "5000 0");
    house.leave().await;
}

/// A turn: the change is sent, and refused because the acquirer's books are not as ours.
pub(super) async fn disputed(house: &House, operation: OperationId) -> Reference {
    let (claimed, call, reference, attempt) = sent(house, operation).await;
    let refused = ChangeAnswer::Declined(ChangeRefusal { why: RefusedBecause::Disagrees, code: "57".into() });
    let outcome = heard(&claimed, call, &reference, attempt, &refused);
    assert!(!outcome.is_plain(), "it opens a case");
    assert!(matches!(house.store.record_one(&outcome).await.unwrap(), Recorded::Stands { .. }));
    reference
}

fn said(operation: OperationId, word: OperatorWord, transaction_key: Option<&'static str>) -> Said<'static> {
    let (operator, reason) = ("kim", "the company's people say so");
    Said { operation, word, operator, reason, transaction_key, address: None, trace_id: TRACE, request: TRACE }
}

/// All that was ever sent for it is known to whoever claims what a person sent back to work; what never left us is not.
#[tokio::test]
async fn what_is_sent_back_to_work_knows_every_earlier_reference() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (claimed, call, unsent, attempt) = sent(&house, operation).await;
    assert!(claimed.earlier.is_empty() && !claimed.operation.rearmed);
    let busy = heard(&claimed, call, &unsent, attempt, &ChangeAnswer::Busy("M1".into()));
    house.store.record_batch(&[busy]).await.unwrap();
    house.run("update operations set due_at = now() where status = 'waiting'").await;
    let first = disputed(&house, operation).await;
    assert_eq!(house.payment(sold.payment).await.state.money_state, MoneyState::Unknown, "whose books are right?");
    let letter = "select status || ' ' || letter || ' ' || letter_reason from operations where kind = 'cancel'";
    assert_eq!(house.ask(letter).await, "dead needs_person BOOKS_DISAGREE");

    assert_eq!(house.store.rearm(operation, TRACE).await.unwrap(), Rearmed::Yes);
    let claimed = house.claims(house.worker, operation).await.unwrap();
    assert_eq!(claimed.earlier, [Earlier { call: Call::Cancel, reference: first.clone() }]);
    let now = claimed.operation.created_at;
    let Step::Verify(doubt) = claimed.first_step(now, &mut two_seconds) else { panic!("it is sent blindly") };
    // It was done after all, by then.
    let found = ApprovalFacts { money: Some(won(4_000)), number: "1".into(), interest_payer: None };
    let step = claimed.after_doubt(&doubt, &InquiryAnswer::Approved(found), now, now, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    house.store.record_batch(&[outcome]).await.unwrap();
    let payment = house.payment(sold.payment).await;
    assert_eq!((payment.state.canceled, payment.state.money_state), (4_000, MoneyState::Moved));
    let resolution = format!("select resolution from attempts where reference = '{first}' and call = 'cancel'");
    assert_eq!(house.ask(resolution.as_str()).await, "approved");
    assert_eq!(house.ask("select count(*) from cases where closed_at is null").await, "1");
    house
        .store
        .archive_letter(Uuid::now_v7(), operation, "BOOKS_DISAGREE", None, None, &serde_json::json!({}))
        .await
        .unwrap();
    house.run("update dead_letters set kind = 'needs_person'").await;
    assert_eq!(house.store.resolve_settled_letters(10).await.unwrap(), 1);
    assert_eq!(house.ask("select count(*) from cases where closed_at is null").await, "0");
    house.leave().await;
}

/// The one that was refused because an earlier one had done it is not left open.
#[tokio::test]
async fn two_references_are_done_with_at_once() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    let (_, _, first, _) = sent(&house, operation).await;
    house.run("update attempts set resolution = 'not_moved', answer = 'unknown', answered_at = now() where call = 'cancel'").await;
    house.run("update operations set claimed_at = now() - interval '61 seconds' where status = 'processing'").await;
    let (claimed, call, second, attempt) = sent(&house, operation).await;
    let now = claimed.operation.created_at;
    let refused = ChangeAnswer::Declined(ChangeRefusal { why: RefusedBecause::Disagrees, code: "57".into() });
    let Step::Verify(doubt) = claimed.after_change(call, &second, &refused, now, &mut two_seconds) else {
        panic!("the earlier one is asked about")
    };
    assert_eq!(doubt.reference, first);
    house.store.answer_attempt(&answered(attempt, &Answer::Change(call, refused)), TRACE).await.unwrap();
    let found = ApprovalFacts { money: Some(won(4_000)), number: "1".into(), interest_payer: None };
    let step = claimed.after_doubt(&doubt, &InquiryAnswer::Approved(found), now, now, &mut two_seconds);
    let outcome = Outcome::new(&claimed, decision(step), None, TRACE.into());
    assert!(matches!(house.store.record_one(&outcome).await.unwrap(), Recorded::Stands { .. }));
    let resolutions = "select string_agg(resolution, ' ' order by sent_at) from attempts where call = 'cancel'";
    assert_eq!(house.ask(resolutions).await, "approved declined");
    house.leave().await;
}

/// What an operator says is booked as the acquirer's word would be, once, with who said it.
#[tokio::test]
async fn an_operators_word_is_booked() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let mut dead = Vec::new();
    for amount in [4_000, 3_000, 2_000] {
        let (operation, _) = accept(&house, sold, &cancel(amount)).await.unwrap();
        disputed(&house, operation).await;
        dead.push(operation);
    }
    let [settled, released, other] = dead[..] else { panic!("three are dead") };
    house
        .store
        .archive_letter(Uuid::now_v7(), settled, "BOOKS_DISAGREE", None, None, &serde_json::json!({}))
        .await
        .unwrap();

    let heeded = house.store.heed(&said(settled, OperatorWord::Settled, Some("T-1"))).await.unwrap();
    assert!(matches!(heeded, Heeded::Booked { .. }), "{heeded:?}");
    let payment = house.payment(sold.payment).await;
    assert_eq!(
        (payment.state.canceled, payment.state.reserved, payment.state.status()),
        (4_000, 5_000, PaymentStatus::PartialCanceled)
    );
    assert_eq!(payment.state.money_state, MoneyState::Unknown, "the books of two others differ");
    assert_eq!(house.ask(POSTINGS).await, "PAYMENT authorized payable 15000, CANCEL payable authorized 4000");
    assert_eq!(house.store.heed(&said(settled, OperatorWord::Settled, None)).await.unwrap(), Heeded::NothingToDo);
    assert_eq!(house.store.heed(&said(settled, OperatorWord::Released, None)).await.unwrap(), Heeded::NothingToDo);
    assert_eq!(house.ask("select resolution from dead_letters where resolved_at is not null").await, "settled");

    let again = house.store.heed(&said(other, OperatorWord::Settled, Some("T-1"))).await.unwrap_err();
    assert!(again.is_constraint("operator_words_transaction"), "{again:?}");
    assert_eq!(house.payment(sold.payment).await.version, payment.version, "nothing of it is booked");

    house.store.heed(&said(released, OperatorWord::Released, None)).await.unwrap();
    let state = house.payment(sold.payment).await.state;
    assert_eq!((state.canceled, state.reserved, state.refundable()), (4_000, 2_000, 9_000));
    let result =
        format!("select status || ' ' || (result #>> '{{failure,reason}}') from operations where id = '{released}'");
    assert_eq!(house.ask(result.as_str()).await, "failed RELEASED_BY_OPERATOR");
    assert_eq!(house.store.rearm(released, TRACE).await.unwrap(), Rearmed::NothingToDo);
    house.store.heed(&said(other, OperatorWord::Settled, None)).await.unwrap();
    assert_eq!(house.payment(sold.payment).await.state.money_state, MoneyState::Moved);
    let closed = "select bool_and(closed_at is not null) from cases where kind = 'books_disagree'";
    assert_eq!(house.ask(closed).await, "true");
    let log = "select string_agg(action, ' ' order by id) from audit_log";
    assert_eq!(house.ask(log).await, "operation.settled operation.released operation.settled");
    let word = house.store.word_about(settled).await.unwrap().unwrap();
    assert_eq!(
        (word.operator.as_str(), word.transaction_key.as_deref(), word.version),
        ("kim", Some("T-1"), payment.version)
    );
    house.leave().await;
}

/// While what was sent can still be asked after, nobody's word takes its place.
#[tokio::test]
async fn a_word_does_not_take_the_place_of_an_answer() {
    let house = House::enter().await;
    let sold = paid(&house).await;
    let (operation, _) = accept(&house, sold, &cancel(4_000)).await.unwrap();
    assert_eq!(house.store.heed(&said(operation, OperatorWord::Settled, None)).await.unwrap(), Heeded::NothingToDo);
    disputed(&house, operation).await;
    house.run("update attempts set resolution = null where call = 'cancel'").await;
    for word in [OperatorWord::Settled, OperatorWord::Released] {
        assert_eq!(house.store.heed(&said(operation, word, None)).await.unwrap(), Heeded::StillOpen);
    }
    // Nor while something else of the payment is at work.
    house.run("update attempts set resolution = 'declined' where call = 'cancel'").await;
    let (other, _) = accept(&house, sold, &cancel(1_000)).await.unwrap();
    for word in [OperatorWord::Settled, OperatorWord::Released] {
        assert_eq!(house.store.heed(&said(operation, word, None)).await.unwrap(), Heeded::Busy);
    }
    carried_out(&house, other, &done(1_000)).await;
    let nobody = OperationId(Uuid::now_v7());
    assert_eq!(house.store.heed(&said(nobody, OperatorWord::Settled, None)).await.unwrap(), Heeded::NothingToDo);
    assert_eq!(house.ask("select count(*) from operator_words").await, "0");
    house.leave().await;
}

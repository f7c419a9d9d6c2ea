//! Letters: one for each decision that owes one, with its message if that ever comes.

use naru_shared::domain::operation::LetterKind;
use naru_shared::store::LetterFilter;
use serde_json::json;
use uuid::Uuid;

use crate::house::House;

fn all() -> LetterFilter {
    LetterFilter { resolved: true, limit: 10, ..LetterFilter::default() }
}

#[tokio::test]
async fn one_letter_for_an_operation_and_a_fence() {
    let house = House::enter().await;
    let sold = house.sells().await;
    house
        .run("update operations set letter = 'replayable', letter_reason = 'OUT_OF_TIME', letter_fence = 3, fence = 4")
        .await;
    assert_eq!(house.store.operations_owing_a_letter(10).await.unwrap(), [sold.operation]);
    let archive = async |body: Option<&'static [u8]>| {
        let id = Uuid::now_v7();
        house
            .store
            .archive_letter(id, sold.operation, "X", body.map(|_| "work.pay.card"), body, &json!({}))
            .await
            .unwrap()
    };
    assert_eq!(archive(None).await, Some(true), "the sweeper was faster than the message");
    assert_eq!(house.store.operations_owing_a_letter(10).await.unwrap(), []);
    assert_eq!(archive(Some(b"the message")).await, Some(false), "which is added");
    assert_eq!(archive(Some(b"another")).await, Some(false), "but never replaced");
    let letters = house.store.letters(&all()).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].kind.as_str(), letters[0].operation),
        (LetterKind::Replayable.as_str(), Some(sold.operation.0))
    );
    let (_, body, _) = house.store.letter(letters[0].id).await.unwrap().unwrap();
    assert_eq!(body.as_deref(), Some(b"the message".as_slice()));

    house.run("update operations set letter_fence = 5").await;
    assert_eq!(archive(None).await, Some(true), "another decision, another letter");
    let unknown = naru_shared::domain::id::OperationId(Uuid::now_v7());
    let none = house.store.archive_letter(Uuid::now_v7(), unknown, "X", None, None, &json!({})).await.unwrap();
    assert_eq!(none, None);
    house.leave().await;
}

#[tokio::test]
async fn poison_is_kept_to_the_byte_and_once() {
    let house = House::enter().await;
    let bytes = [0, 159, 146, 150, 255];
    for _ in 0..2 {
        house
            .store
            .archive_poison(Uuid::now_v7(), "not_utf8", Some("work.pay.card"), &bytes, &json!({}))
            .await
            .unwrap();
    }
    let letters = house.store.letters(&all()).await.unwrap();
    assert_eq!(letters.len(), 1);
    let (letter, body, _) = house.store.letter(letters[0].id).await.unwrap().unwrap();
    assert_eq!((letter.kind.as_str(), body.unwrap().as_slice()), ("poison", bytes.as_slice()));
    house.leave().await;
}

#[tokio::test]
async fn what_is_for_information_only_is_not_among_the_open_ones() {
    let house = House::enter().await;
    let sold = house.sells().await;
    let headers = json!({});
    for (fence, kind) in [(1, "information"), (2, "needs_person")] {
        house.run(&format!("update operations set letter = '{kind}', letter_reason = 'OUT_OF_TIME', letter_fence = {fence}, fence = {fence}")).await;
        house.store.archive_letter(Uuid::now_v7(), sold.operation, "X", None, None, &headers).await.unwrap();
    }
    let kinds = async |filter: LetterFilter| {
        let letters = house.store.letters(&LetterFilter { limit: 10, ..filter }).await.unwrap();
        letters.into_iter().map(|letter| letter.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(LetterFilter::default()).await, ["needs_person"]);
    let asked_for = LetterFilter { kind: Some("information".to_owned()), ..LetterFilter::default() };
    assert_eq!(kinds(asked_for).await, ["information"]);
    assert_eq!(kinds(all()).await, ["needs_person", "information"]);
    house.leave().await;
}

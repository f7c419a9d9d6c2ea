//! The cards that a payer keeps.

use naru_testbed::{Account, Answer, Gateway, cards};

use super::with;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cards_are_offered_forgotten_and_kept_once() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let first = payer.register("4242 4242-4242 4242").await.expecting(200);
    let again = payer.register(cards::number("approve")).await.expecting(200);
    assert_eq!(again.body, first.body, "the same card is one");
    let second = payer.keeps("slow").await;
    let listed = |answer: &Answer| -> Vec<(String, bool)> {
        let all = answer.at("data").as_array().cloned().unwrap_or_default();
        all.iter()
            .map(|card| (card["cardId"].as_str().unwrap_or_default().to_owned(), card["isDefault"] == true))
            .collect()
    };
    let first = first.text("cardId").to_owned();
    assert_eq!(listed(&payer.cards().await), [(second.clone(), false), (first.clone(), true)]);
    assert_eq!(listed(&payer.prefer(&second).await), [(second.clone(), true), (first.clone(), false)]);
    assert_eq!(listed(&payer.forget(&second).await), [(first.clone(), false)]);
    let _ = payer.prefer(&second).await.expecting_problem(404, "NOT_FOUND");
    for wrong in ["4242424242424242", "card_", "..", "%00"] {
        let gone = payer.forget(wrong).await;
        assert!(matches!(gone.status, 404 | 405), "{wrong}: {gone:?}");
    }
    let named =
        payer.post("/payer/v1/cards", &with(Account::card(cards::number("approve")), "nickname", "빨간 카드")).await;
    assert_eq!((named.text("nickname"), named.text("cardId")), ("빨간 카드", first.as_str()));
    let numbered = with(Account::card(cards::number("approve")), "nickname", "4242 4242 4242 4242");
    let _ = payer.post("/payer/v1/cards", &numbered).await.expecting_problem(400, "INVALID_REQUEST");
    assert_eq!(listed(&payer.cards().await).len(), 1);
    // The card company refuses one, and another can't be asked about: neither is kept.
    let unlucky = gateway.payer().await;
    let _ = unlucky.register(cards::number("refuse_token_82")).await.expecting_problem(400, "INVALID_CARD_NUMBER");
    let away = unlucky.register(cards::number("token_error")).await;
    assert_eq!(away.expecting_problem(503, "FAILED_CARD_COMPANY_RESPONSE").at("retryable"), true);
    assert_eq!(listed(&unlucky.cards().await).len(), 0);
}

//! Paying with an account and a card that is kept, and looking at it afterwards.

use std::future::IntoFuture as _;

use naru_testbed::{Account, Answer, Gateway, Payment, cards};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_signs_up_keeps_a_card_and_pays_with_it() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    assert_eq!(payer.me().await.expecting(200).text("email"), payer.email);
    let card = payer.keeps("approve").await;
    let payment = Payment::of(12_000);
    let created = gateway.shop.create(&payment).await.expecting(200);
    let authenticated = payer.authenticate(&created, &card).await.expecting(200);
    assert_eq!(authenticated.text("status"), "IN_PROGRESS");
    assert_eq!(authenticated.text("cardNumber"), "424242******4242");
    assert!(authenticated.text("nextUrl").contains(created.payment_key()), "{authenticated:?}");
    gateway.bank.expect(&payment.order_id).never_charged().await;
    let confirmed = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
    assert_eq!((confirmed.text("status"), confirmed.text("moneyState")), ("DONE", "MOVED"));
    assert!(!confirmed.text.contains(&payer.email) && !confirmed.text.contains("card_"), "{confirmed:?}");
    gateway.bank.expect(&payment.order_id).charged_once().await;
    let look = payer.look(&created).await.expecting(200);
    assert_eq!((look.text("status"), look.text("orderId")), ("DONE", payment.order_id.as_str()));
    assert!(!look.text("approvedAt").is_empty());
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_payers_at_once_one_authenticates() {
    let gateway = Gateway::start().await;
    let (kim, lee) = (gateway.payer().await, gateway.payer().await);
    let (kims, lees) = (kim.keeps("approve").await, lee.keeps("approve").await);
    for _ in 0..5 {
        let payment = Payment::of(12_000);
        let created = gateway.shop.create(&payment).await.expecting(200);
        let guest = gateway.shop.payer_of(&created);
        let answers = tokio::join!(
            kim.authenticate(&created, &kims).into_future(),
            lee.authenticate(&created, &lees).into_future(),
            guest.authenticate(&payment).into_future(),
        );
        let statuses = [answers.0.status, answers.1.status, answers.2.status];
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
        for (payer, status) in [(&kim, statuses[0]), (&lee, statuses[1])] {
            let expected = if status == 200 { 200 } else { 404 };
            assert_eq!(payer.look(&created).await.status, expected, "whoever authenticated it sees it");
        }
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instalments_are_chosen_with_the_card() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let order = |amount| gateway.shop.create(&Payment::of(amount)).into_future();
    let small = order(49_999).await;
    let refused = payer.authenticate_in(&small, &card, 3).await.expecting_problem(400, "INVALID_CARD_INSTALLMENT_PLAN");
    assert_eq!(refused.text("reason"), "INSTALLMENT_BELOW_AMOUNT");
    for (months, code) in [
        (1, "INVALID_CARD_INSTALLMENT_PLAN"),
        (13, "EXCEED_MAX_CARD_INSTALLMENT_PLAN"),
        (-1, "INVALID_CARD_INSTALLMENT_PLAN"),
    ] {
        let refused = payer.authenticate_in(&small, &card, months).await.expecting_problem(400, code);
        assert!(refused.text.contains("cardInstallmentPlan"), "{refused:?}");
    }
    let _ = payer.authenticate_in(&small, &card, 0).await.expecting(200);

    let payment = Payment::of(50_000);
    let large = gateway.shop.create(&payment).await.expecting(200);
    let _ = payer.authenticate_in(&large, &card, 12).await.expecting(200);
    let paid = gateway.shop.confirm(large.payment_key(), &payment.order_id, 50_000).await.expecting(200);
    assert_eq!(paid.number("card.installmentPlanMonths"), 12);
    assert_eq!(payer.look(&large).await.number("installmentPlanMonths"), 12);

    // A guest chooses in the same way.
    let page = |created: &Answer| {
        let id = created.text("checkout.url").rsplit('/').next().unwrap_or_default().to_owned();
        format!("/checkout/v1/{id}/authenticate")
    };
    let mut typed = Account::card(cards::number("approve"));
    typed["cardInstallmentPlan"] = 3.into();
    let refused = gateway.shop.post(&page(&order(49_999).await), &typed).await;
    let _ = refused.expecting_problem(400, "INVALID_CARD_INSTALLMENT_PLAN");
    let _ = gateway.shop.post(&page(&order(50_000).await), &typed).await.expecting(200);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payer_leafs_through_the_history_and_cancels_before_it_is_confirmed() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        let payment = Payment::of(12_000);
        let _ = gateway.authenticated_by(&payer, &card, &payment).await;
        keys.insert(0, payment.order_id);
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = payer.history(&format!("limit=2&cursor={cursor}")).await.expecting(200);
        let data = page.at("data").as_array().cloned().unwrap_or_default();
        seen.extend(data.iter().map(|payment| payment["orderId"].as_str().unwrap_or_default().to_owned()));
        page.text("nextCursor").clone_into(&mut cursor);
        if page.at("hasMore") == false {
            break;
        }
    }
    assert_eq!(seen, keys);

    let created = gateway.authenticated_by(&payer, &card, &Payment::of(12_000)).await;
    let canceled = payer.cancel(&created).await.expecting(200);
    assert_eq!((canceled.text("status"), canceled.text("moneyState")), ("ABORTED", "NOT_MOVED"));
    let again = payer.cancel(&created).await.expecting(200);
    assert_eq!(again.body, canceled.body);
    let late = gateway.shop.confirm(created.payment_key(), created.text("orderId"), 12_000).await;
    assert_eq!(late.expecting_problem(404, "NOT_FOUND_PAYMENT_SESSION").text("reason"), "PAYMENT_ABORTED");
    // Its card may go, and it still shows what it was to be paid with.
    let _ = payer.forget(&card).await.expecting(200);
    assert_eq!(payer.look(&created).await.expecting(200).text("cardNumber"), "424242******4242");
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_whose_card_was_forgotten_is_still_paid() {
    let gateway = Gateway::start().await;
    let payer = gateway.payer().await;
    let card = payer.keeps("approve").await;
    let payment = Payment::of(12_000);
    let created = gateway.authenticated_by(&payer, &card, &payment).await;
    assert_eq!(payer.forget(&card).await.expecting(200).at("data"), &json!([]));
    let other = gateway.shop.create(&Payment::of(12_000)).await.expecting(200);
    let _ = payer.authenticate(&other, &card).await.expecting_problem(404, "NOT_FOUND");
    let _ = gateway.shop.confirm(created.payment_key(), &payment.order_id, 12_000).await.expecting(200);
    gateway.bank.expect(&payment.order_id).charged_once().await;
    gateway.check().await;
}

//! A client that was written for Toss Payments, `tosspayments-rs`, as its users have it: nothing is changed but the base
//! address. What it does not understand is listed in `docs/toss-compatibility.md`.

use naru_testbed::{Gateway, Means, Payment, Shop, cards};
use serde_json::json;
use tosspayments::api::{
    CancelPayment, CancelPaymentBody, ConfirmBilling, ConfirmBillingBody, ConfirmKeyinPayment, ConfirmPayment,
    GetPayment, IssueBillingByAuthKey, IssueBillingCustomerKeyBody, IssueVirtualAccount, ListTransactions,
};
use tosspayments::data::{
    Account, BankCode, CardCode, CardType, ErrorCode, OwnerType, PaymentMethod, PaymentStatus, PaymentType,
    RefundStatus, SettlementStatus, VirtualAccountType,
};
use tosspayments::{Client, Error};

const CUSTOMER: &str = "c0a8012e-6f3b-4b5e-9b1d-2d8c1f0e7a55";

fn client(shop: &Shop) -> Client {
    Client::from_url(shop.url(""), shop.secret_key.as_str())
}

/// What it makes of a refusal: status and code.
fn refusal<T: std::fmt::Debug>(answer: Result<T, Error>) -> (u16, ErrorCode) {
    match answer {
        Err(Error::Tosspayments(error)) => {
            assert!(!error.message.is_empty());
            (error.http_status, error.code)
        }
        other => panic!("is no refusal that it understands: {other:?}"),
    }
}

/// The same order by its way of asking.
fn key_in(order: &Payment) -> ConfirmKeyinPayment {
    ConfirmKeyinPayment::builder()
        .amount(usize::try_from(order.amount).unwrap_or_default())
        .order_id(order.order_id.clone())
        .order_name("토스 티셔츠 외 2건".to_owned())
        .card_number(order.card_number.clone())
        .card_expiration_year("39".to_owned())
        .card_expiration_month("12".to_owned())
        .customer_identity_number(naru_testbed::canary::IDENTITY_NUMBER.to_owned())
        .build()
}

fn cancel(payment_key: &str, amount: Option<i32>, key: Option<&str>) -> CancelPayment {
    let body = CancelPaymentBody::builder().cancel_reason("고객 변심".to_owned()).cancel_amount(amount).build();
    CancelPayment::builder()
        .payment_key(payment_key.to_owned())
        .body(body)
        .idempotency_key(key.map(str::to_owned))
        .build()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_typed_in_card_is_paid_found_and_given_back() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    let order = Payment::of(15_000);
    let paid = client.execute(&key_in(&order)).await.expect("paid");
    assert_eq!(
        (paid.status, paid.r#type, paid.method),
        (PaymentStatus::Done, PaymentType::Normal, Some(PaymentMethod::Card))
    );
    assert_eq!((paid.total_amount, paid.supplied_amount, paid.vat), (15_000, 13_636, 1_364));
    assert_eq!((paid.version.as_str(), paid.m_id.as_str()), ("2022-11-16", gateway.shop.mid.as_str()));
    let card = paid.card.as_ref().expect("a card");
    assert_eq!(
        (card.issuer_code.clone(), card.card_type.clone(), card.owner_type.clone()),
        (CardCode::현대카드, CardType::Credit, OwnerType::Personal)
    );
    for find in [GetPayment::PaymentKey(paid.payment_key.clone()), GetPayment::OrderId(order.order_id.clone())] {
        let found = client.execute(&find).await.expect("found");
        assert_eq!((found.payment_key, found.status), (paid.payment_key.clone(), PaymentStatus::Done));
    }
    // Five equal parts one after another, as its own tests do.
    for nth in 1..=5 {
        let part = client.execute(&cancel(&paid.payment_key, Some(1_000), None)).await.expect("a part goes back");
        assert_eq!((part.status, part.balance_amount), (PaymentStatus::PartialCanceled, 15_000 - nth * 1_000));
        assert_eq!(part.cancels.map(|cancels| cancels.len()), usize::try_from(nth).ok());
    }
    let too_much = refusal(client.execute(&cancel(&paid.payment_key, Some(10_001), None)).await);
    assert_eq!(too_much, (403, ErrorCode::NotCancelableAmount));
    for _ in 0..2 {
        let rest =
            client.execute(&cancel(&paid.payment_key, None, Some("the rest"))).await.expect("the rest goes back");
        assert_eq!((rest.status, rest.balance_amount), (PaymentStatus::Canceled, 0));
    }
    let again = refusal(client.execute(&cancel(&paid.payment_key, None, None)).await);
    assert_eq!(again, (400, ErrorCode::AlreadyCanceledPayment));
    for find in [GetPayment::PaymentKey(paid.payment_key.clone()), GetPayment::OrderId(order.order_id.clone())] {
        let found = client.execute(&find).await.expect("found");
        assert_eq!((found.status, found.balance_amount), (PaymentStatus::Canceled, 0));
        let cancels = found.cancels.expect("they are told");
        assert_eq!(
            cancels.iter().map(|cancel| cancel.cancel_amount).collect::<Vec<_>>(),
            [1_000, 1_000, 1_000, 1_000, 1_000, 10_000]
        );
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_confirmed_once() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    let order = Payment::of(15_000);
    let created = gateway.shop.create(&order).await.expecting(200);
    let confirm = ConfirmPayment::builder()
        .payment_key(created.payment_key().to_owned())
        .order_id(order.order_id.clone())
        .amount(15_000)
        .build();
    let unauthenticated = refusal(client.execute(&confirm).await);
    assert_eq!(unauthenticated, (404, ErrorCode::NotFoundPaymentSession));
    let waiting = client.execute(&GetPayment::OrderId(order.order_id.clone())).await.expect("found");
    assert_eq!((waiting.status, waiting.method), (PaymentStatus::Ready, None));
    let _ = gateway.shop.payer_of(&created).authenticate(&order).await.expecting(200);
    let paid = client.execute(&confirm).await.expect("confirmed");
    assert_eq!(paid.status, PaymentStatus::Done);
    assert_eq!(refusal(client.execute(&confirm).await), (400, ErrorCode::AlreadyProcessedPayment));
    gateway.bank.expect(&order.order_id).charged_once().await;
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_understood() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    for (card, status, code) in [
        ("decline_05", 403, ErrorCode::RejectCardCompany),
        ("decline_51", 403, ErrorCode::RejectCardPayment),
        ("decline_54", 400, ErrorCode::InvalidCardExpiration),
        ("decline_41", 400, ErrorCode::InvalidCardLostOrStolen),
        ("refuse_token_14", 400, ErrorCode::InvalidCardNumber),
    ] {
        let order = Payment::of(12_000).card(card);
        assert_eq!(refusal(client.execute(&key_in(&order)).await), (status, code), "{card}");
        if card.starts_with("decline") {
            let failed = client.execute(&GetPayment::OrderId(order.order_id)).await.expect("found");
            assert_eq!(failed.status, PaymentStatus::Aborted);
            assert_eq!(failed.failure.map(|failure| failure.code), Some(code));
        }
    }
    let nothing = GetPayment::PaymentKey("naru_0000000000000000000000000000000000000000".to_owned());
    assert_eq!(refusal(client.execute(&nothing).await), (404, ErrorCode::NotFoundPayment));
    let cheap = refusal(client.execute(&key_in(&Payment::of(99))).await);
    assert_eq!(cheap, (400, ErrorCode::BelowMinimumAmount));
    let order = Payment::of(12_000);
    let _ = client.execute(&key_in(&order)).await.expect("paid");
    assert_eq!(refusal(client.execute(&key_in(&order)).await), (400, ErrorCode::DuplicatedOrderId));
    for wrong in ["test_sk_wrong", "test_sk_docs_OaPz8L5KdmQXkzRz3y47BMw6"] {
        let stranger = Client::from_url(gateway.shop.url(""), wrong);
        assert_eq!(refusal(stranger.execute(&key_in(&order)).await), (401, ErrorCode::UnauthorizedKey));
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn billing_keys_are_issued_and_charged() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    let by_card = IssueBillingCustomerKeyBody::builder()
        .customer_key(CUSTOMER.to_owned())
        .card_number(cards::number("approve").to_owned())
        .card_expiration_year("39".to_owned())
        .card_expiration_month("12".to_owned())
        .customer_identity_number(naru_testbed::canary::IDENTITY_NUMBER.to_owned())
        .build();
    let by_card = client.execute(&by_card).await.expect("issued");
    let auth_key = gateway.shop.auth_key(CUSTOMER, "approve").await;
    let by_auth_key = IssueBillingByAuthKey::builder().auth_key(auth_key).customer_key(CUSTOMER.to_owned()).build();
    let by_auth_key = client.execute(&by_auth_key).await.expect("issued");
    for issued in [by_card, by_auth_key] {
        assert_eq!((issued.customer_key.as_str(), issued.method), (CUSTOMER, PaymentMethod::Card));
        assert_eq!(issued.card.issuer_code, CardCode::현대카드);
        let charge = |customer: &str| {
            let body = ConfirmBillingBody::builder()
                .amount(4_900)
                .customer_key(customer.to_owned())
                .order_id(Payment::of(1).order_id)
                .order_name("토스 프라임 구독".to_owned())
                .build();
            ConfirmBilling::builder().billing_key(issued.billing_key.clone()).body(body).build()
        };
        let paid = client.execute(&charge(CUSTOMER)).await.expect("charged");
        assert_eq!((paid.status, paid.r#type, paid.total_amount), (PaymentStatus::Done, PaymentType::Billing, 4_900));
        let other = refusal(client.execute(&charge("another-customer")).await);
        assert_eq!(other, (403, ErrorCode::NotMatchesCustomerKey));
        let _ = gateway.shop.delete_billing_key(&issued.billing_key).await.expecting(200);
        assert_eq!(refusal(client.execute(&charge(CUSTOMER)).await), (400, ErrorCode::InvalidBillKeyRequest));
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_are_listed() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    let paid = client.execute(&key_in(&Payment::of(15_000))).await.expect("paid");
    let _ = client.execute(&cancel(&paid.payment_key, Some(5_000), None)).await.expect("a part goes back");
    // They are shown when they are ten seconds old.
    let _ = gateway.shop.advance(11).await.expecting(200);
    let all = ListTransactions::builder().start_date("2020-01-01".to_owned()).end_date("2099-12-31".to_owned()).build();
    let listed = client.execute(&all).await.expect("listed");
    let told: Vec<_> = listed.iter().map(|one| (one.status, one.amount, one.method)).collect();
    let card = PaymentMethod::Card;
    assert_eq!(told, [(PaymentStatus::Done, 15_000, card), (PaymentStatus::PartialCanceled, -5_000, card)]);
    let first = listed[0].transaction_key.clone();
    let rest = ListTransactions { starting_after: Some(first), limit: Some(5_000), ..all };
    assert_eq!(client.execute(&rest).await.expect("listed").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_virtual_account_is_paid_into_and_refunded() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    let order = Payment::of(15_000);
    let issue = IssueVirtualAccount::builder()
        .amount(15_000)
        .order_id(order.order_id.clone())
        .order_name("토스 티셔츠 외 2건".to_owned())
        .customer_name("김토스".to_owned())
        .bank(BankCode::신한은행)
        .valid_hours(Some(24))
        .build();
    let issued = client.execute(&issue).await.expect("issued");
    assert_eq!((issued.status, issued.method), (PaymentStatus::WaitingForDeposit, Some(PaymentMethod::VirtualAccount)));
    let account = issued.virtual_account.expect("an account");
    assert_eq!(
        (account.account_type, account.bank_code, account.refund_status, account.expired),
        (VirtualAccountType::Normal, BankCode::신한은행, RefundStatus::None, false)
    );
    assert!(issued.secret.is_some_and(|secret| secret.len() <= 50));

    let _ = gateway.bank.deposit(&order.order_id, json!({})).await;
    let _ = gateway.shop.until_status(&issued.payment_key, "DONE").await;
    let nowhere = refusal(client.execute(&cancel(&issued.payment_key, None, None)).await);
    assert_eq!(nowhere, (400, ErrorCode::InvalidRefundAccountInfo));
    let to = Account {
        bank_code: BankCode::신한은행,
        account_number: "110123456789".to_owned(),
        holder_name: "김토스".to_owned(),
    };
    for (amount, status, refunded) in [
        (Some(5_000), PaymentStatus::PartialCanceled, RefundStatus::Completed),
        (None, PaymentStatus::Canceled, RefundStatus::Completed),
    ] {
        let body = CancelPaymentBody::builder()
            .cancel_reason("고객 변심".to_owned())
            .cancel_amount(amount)
            .refund_receive_account(Some(to.clone()))
            .build();
        let refund = CancelPayment::builder().payment_key(issued.payment_key.clone()).body(body).build();
        let given_back = client.execute(&refund).await.expect("refunded");
        assert_eq!(given_back.status, status);
        let account = given_back.virtual_account.expect("an account");
        assert_eq!(account.refund_status, refunded);
        assert_eq!(account.refund_receive_account.map(|to| to.holder_name), Some("김토스".to_owned()));
    }
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transfers_and_phones_are_read_too() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    let read = async |means: &Means| {
        let order = Payment::of(12_000);
        let _ = gateway.shop.pay_with(&order, means).await.expecting(200);
        client.execute(&GetPayment::OrderId(order.order_id)).await
    };
    let transfer = read(&Means::transfer("approve")).await.expect("read");
    assert_eq!(transfer.method, Some(PaymentMethod::Transfer));
    let settled = transfer.transfer.map(|transfer| transfer.settlement_status);
    assert_eq!(settled, Some(SettlementStatus::Incompleted));
    let phone = read(&Means::mobile("approve")).await.expect("read");
    assert_eq!(phone.method, Some(PaymentMethod::MobilePhone));
    assert!(phone.mobile_phone.is_some_and(|phone| !phone.receipt_url.is_empty()));
    // Its list of wallets is closed, and our issuer of points is none of them.
    let points = read(&Means::points("approve")).await;
    assert!(matches!(points, Err(Error::Reqwest(error)) if error.is_decode()), "it has learned more: say so");
}

/// Its list of codes is closed and has no word for a payer who goes back, though Toss Payments has: it loses the payment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_it_can_not_read() {
    let gateway = Gateway::start().await;
    let client = client(&gateway.shop);
    let order = Payment::of(15_000);
    let created = gateway.shop.create(&order).await.expecting(200);
    let _ = gateway.shop.payer_of(&created).cancel().await.expecting(200);
    let lost = client.execute(&GetPayment::OrderId(order.order_id.clone())).await;
    assert!(matches!(lost, Err(Error::Reqwest(error)) if error.is_decode()), "it has learned more: say so");
}

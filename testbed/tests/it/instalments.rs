//! 할부: 2 to 12 months, from 50,000 won, by credit card; and which company a card is of.

use naru_testbed::{Gateway, Payment};

/// Of KB, and what kind it is.
const CREDIT: &str = "9400010000000006";

/// Numbers of the kind `9400 II KK`, with their check digit.
fn number(issuer: &str, kind: &str) -> String {
    let body = format!("9400{issuer}{kind}0000000");
    let digits = body.bytes().rev().map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 if digit >= 5 => digit * 2 - 9,
            0 => digit * 2,
            _ => digit,
        })
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn months_amounts_and_cards_that_fit() {
    assert_eq!(number("01", "00"), CREDIT);
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let (check, gift) = (number("06", "10"), number("09", "20"));
    #[rustfmt::skip]
    let table = [
        (CREDIT,  50_000,  0, ""),
        (CREDIT,  50_000,  2, ""),
        (CREDIT,  50_000, 12, ""),
        (CREDIT,  49_999,  0, ""),
        (CREDIT,  49_999,  2, "INVALID_CARD_INSTALLMENT_PLAN"),
        (CREDIT,  50_000,  1, "INVALID_CARD_INSTALLMENT_PLAN"),
        (CREDIT,  50_000, -1, "INVALID_CARD_INSTALLMENT_PLAN"),
        (CREDIT,  50_000, 13, "EXCEED_MAX_CARD_INSTALLMENT_PLAN"),
        (CREDIT,  50_000, i64::MAX, "EXCEED_MAX_CARD_INSTALLMENT_PLAN"),
        (&check,  50_000,  0, ""),
        (&check,  50_000,  2, "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN"),
        (&gift,  100_000, 12, "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN"),
    ];
    for (card, amount, months, code) in table {
        let order = || Payment::of(amount).card_number(card).with("cardInstallmentPlan", months);
        let typed = order();
        let key_in = shop.key_in(&typed).await;
        let issued =
            shop.post("/v1/billing/authorizations/card", &naru_testbed::Shop::billing_card("customer-1", card));
        let issued = issued.await.expecting(200);
        let charged = order();
        let billing = shop.charge(issued.text("billingKey"), "customer-1", &charged).await;
        for (answer, order) in [(key_in, typed), (billing, charged)] {
            let what = format!("{card} {amount} {months}: {answer:?}");
            assert_eq!(answer.text("code"), code, "{what}");
            if code.is_empty() {
                assert_eq!((answer.status, answer.number("card.installmentPlanMonths")), (200, months), "{what}");
            } else {
                assert_eq!((answer.status, answer.text("moneyState")), (400, "NOT_MOVED"), "{what}");
                let _ = shop.get_order(&order.order_id).await.expecting(404);
            }
        }
    }
    gateway.check().await;
}

/// Who pays the interest, as the card company says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn interest_is_paid_by_whom_the_company_says() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let (kb, shinhan, samsung) = (number("01", "00"), number("06", "00"), number("07", "00"));
    for (card, months, payer, is_free) in [
        (&kb, 0, None, false),
        (&kb, 3, Some("BUYER"), false),
        (&shinhan, 0, None, false),
        (&shinhan, 2, Some("CARD_COMPANY"), true),
        (&samsung, 3, Some("CARD_COMPANY"), true),
        (&samsung, 4, Some("BUYER"), false),
    ] {
        let order = Payment::of(50_000).card_number(card).with("cardInstallmentPlan", months);
        let paid = shop.key_in(&order).await.expecting(200);
        let told = (paid.at("card.interestPayer").as_str(), paid.at("card.isInterestFree").as_bool());
        assert_eq!(told, (payer, Some(is_free)), "{card} {months}: {paid:?}");
    }
    gateway.check().await;
}

/// Issuer, acquirer, and what the company is called.
#[rustfmt::skip]
const COMPANIES: [(&str, &str, &str); 19] = [
    ("01", "11", "국민"), ("02", "21", "하나"), ("03", "31", "BC"), ("04", "33", "우리"), ("05", "W1", "우리"),
    ("06", "41", "신한"), ("07", "51", "삼성"), ("08", "61", "현대"), ("09", "71", "롯데"), ("10", "91", "농협"),
    ("11", "15", "카카오뱅크"), ("12", "3A", "케이뱅크"), ("13", "24", "토스뱅크"), ("14", "36", "씨티"),
    ("15", "46", "광주"), ("16", "35", "전북"), ("17", "42", "제주"), ("18", "34", "수협"), ("19", "3C", "유니온페이"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_company_has_its_code() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    for (nth, (issuer, code, name)) in COMPANIES.iter().enumerate() {
        let kinds = [("00", "신용", "개인"), ("01", "신용", "법인"), ("10", "체크", "개인"), ("20", "기프트", "개인")];
        let (kind, card_type, owner_type) = kinds[nth % kinds.len()];
        let card = number(issuer, kind);
        let paid = shop.key_in(&Payment::of(1_000).card_number(&card)).await.expecting(200);
        let member = |name: &str| paid.text(&format!("card.{name}"));
        assert_eq!(
            [member("issuerCode"), member("cardType"), member("ownerType")],
            [*code, card_type, owner_type],
            "{paid:?}"
        );
        assert_eq!(member("acquirerCode").len(), 2, "{paid:?}");
        let body = naru_testbed::Shop::billing_card("customer-1", &card);
        let issued = shop.post("/v1/billing/authorizations/card", &body).await.expecting(200);
        assert_eq!((issued.text("card.issuerCode"), issued.text("cardCompany")), (*code, *name), "{issued:?}");
    }
    gateway.check().await;
}

//! Every answer has every documented member, of the documented type, null where it may be: as it is served over HTTP, and as the
//! description says.

use std::time::Duration;

use naru_testbed::{Answer, Gateway, Means, Payment};
use reqwest::Method;
use serde_json::Value;

/// What a member may be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Any text but an empty one.
    Text,
    /// At most so many characters.
    Short(usize),
    /// `yyyy-MM-dd'T'HH:mm:ss+09:00`.
    Time,
    /// A whole number, in won or months.
    Whole,
    /// True or false.
    Flag,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An object with these members.
    Object(&'static [Member]),
    /// A list of objects with these members.
    List(&'static [Member]),
    /// An object of the merchant's own.
    Own,
    /// What we have none of: null.
    Nothing,
}

/// A member, what it may be, and whether it may be null.
type Member = (&'static str, Kind, Null);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Null {
    No,
    Yes,
}

use Kind::{Flag, List, Nothing, Object, Own, Short, Text, Time, Whole, Word};
use Null::{No, Yes};

const METHODS: &[&str] =
    &["카드", "가상계좌", "간편결제", "휴대폰", "계좌이체", "문화상품권", "도서문화상품권", "게임문화상품권"];
const STATUSES: &[&str] =
    &["READY", "IN_PROGRESS", "WAITING_FOR_DEPOSIT", "DONE", "CANCELED", "PARTIAL_CANCELED", "ABORTED", "EXPIRED"];
const CARD_TYPES: &[&str] = &["신용", "체크", "기프트", "미확인"];
const SETTLEMENTS: &[&str] = &["INCOMPLETED", "COMPLETED"];
const OWNER_TYPES: &[&str] = &["개인", "법인", "미확인"];

const CARD: &[Member] = &[
    ("amount", Whole, No),
    ("issuerCode", Short(2), No),
    ("acquirerCode", Short(2), Yes),
    ("number", Short(20), No),
    ("installmentPlanMonths", Whole, No),
    ("approveNo", Short(8), No),
    ("useCardPoint", Flag, No),
    ("cardType", Word(CARD_TYPES), No),
    ("ownerType", Word(OWNER_TYPES), No),
    ("acquireStatus", Word(&["READY", "REQUESTED", "COMPLETED", "CANCEL_REQUESTED", "CANCELED"]), No),
    ("isInterestFree", Flag, No),
    ("interestPayer", Word(&["BUYER", "CARD_COMPANY", "MERCHANT"]), Yes),
];

const CANCEL: &[Member] = &[
    ("cancelAmount", Whole, No),
    ("cancelReason", Short(200), No),
    ("taxFreeAmount", Whole, No),
    ("taxExemptionAmount", Whole, No),
    ("refundableAmount", Whole, No),
    ("cardDiscountAmount", Whole, No),
    ("transferDiscountAmount", Whole, No),
    ("easyPayDiscountAmount", Whole, No),
    ("canceledAt", Time, No),
    ("transactionKey", Short(64), No),
    ("receiptKey", Text, Yes),
    ("cancelStatus", Word(&["IN_PROGRESS", "DONE", "ABORTED"]), No),
    ("cancelRequestId", Text, Yes),
];

const TRANSFER: &[Member] = &[("bankCode", Short(2), No), ("settlementStatus", Word(SETTLEMENTS), No)];

const MOBILE_PHONE: &[Member] =
    &[("customerMobilePhone", Short(15), No), ("settlementStatus", Word(SETTLEMENTS), No), ("receiptUrl", Text, No)];

const EASY_PAY: &[Member] = &[("provider", Text, No), ("amount", Whole, No), ("discountAmount", Whole, No)];

const VIRTUAL_ACCOUNT: &[Member] = &[
    ("accountType", Word(&["일반", "고정"]), No),
    ("accountNumber", Short(20), No),
    ("bankCode", Short(2), No),
    ("customerName", Short(100), No),
    ("depositorName", Short(100), Yes),
    ("dueDate", Time, No),
    ("refundStatus", Word(&["NONE", "PENDING", "FAILED", "PARTIAL_FAILED", "COMPLETED"]), No),
    ("expired", Flag, No),
    ("settlementStatus", Word(SETTLEMENTS), No),
    ("refundReceiveAccount", Object(REFUND_ACCOUNT), Yes),
];

const REFUND_ACCOUNT: &[Member] =
    &[("bankCode", Short(2), No), ("accountNumber", Short(20), No), ("holderName", Short(60), No)];

const PAYMENT: &[Member] = &[
    ("version", Word(&["2022-11-16"]), No),
    ("mId", Text, No),
    ("paymentKey", Short(200), No),
    ("lastTransactionKey", Short(64), Yes),
    ("type", Word(&["NORMAL", "BILLING", "BRANDPAY"]), No),
    ("orderId", Short(64), No),
    ("orderName", Short(100), No),
    ("currency", Word(&["KRW"]), No),
    ("method", Word(METHODS), Yes),
    ("status", Word(STATUSES), No),
    ("requestedAt", Time, No),
    ("approvedAt", Time, Yes),
    ("useEscrow", Flag, Yes),
    ("totalAmount", Whole, No),
    ("balanceAmount", Whole, No),
    ("suppliedAmount", Whole, No),
    ("vat", Whole, No),
    ("taxFreeAmount", Whole, No),
    ("taxExemptionAmount", Whole, No),
    ("cultureExpense", Flag, Yes),
    ("isPartialCancelable", Flag, No),
    ("cancels", List(CANCEL), Yes),
    ("card", Object(CARD), Yes),
    ("virtualAccount", Object(VIRTUAL_ACCOUNT), Yes),
    ("transfer", Object(TRANSFER), Yes),
    ("mobilePhone", Object(MOBILE_PHONE), Yes),
    ("giftCertificate", Nothing, Yes),
    ("easyPay", Object(EASY_PAY), Yes),
    ("cashReceipt", Nothing, Yes),
    ("cashReceipts", Nothing, Yes),
    ("discount", Nothing, Yes),
    ("secret", Short(50), Yes),
    ("receipt", Object(&[("url", Text, No)]), Yes),
    ("checkout", Object(&[("url", Text, No)]), Yes),
    ("country", Short(2), No),
    ("failure", Object(&[("code", Text, No), ("message", Short(510), No)]), Yes),
    ("metadata", Own, Yes),
];

const BILLING: &[Member] = &[
    ("mId", Text, No),
    ("customerKey", Short(300), No),
    ("authenticatedAt", Time, No),
    ("method", Word(&["카드"]), No),
    ("billingKey", Short(200), No),
    ("cardCompany", Text, Yes),
    ("cardNumber", Short(20), No),
    (
        "card",
        Object(&[
            ("issuerCode", Short(2), No),
            ("acquirerCode", Short(2), No),
            ("number", Short(20), No),
            ("cardType", Word(CARD_TYPES), No),
            ("ownerType", Word(OWNER_TYPES), No),
        ]),
        No,
    ),
];

const TRANSACTION: &[Member] = &[
    ("mId", Text, No),
    ("transactionKey", Short(64), No),
    ("paymentKey", Short(200), No),
    ("orderId", Short(64), No),
    ("method", Word(METHODS), No),
    ("customerKey", Short(300), Yes),
    ("receiptUrl", Text, No),
    ("transactionAt", Time, No),
    ("currency", Word(&["KRW"]), No),
    ("useEscrow", Flag, No),
    ("status", Word(STATUSES), No),
    ("amount", Whole, No),
];

/// What we add to a payment, wherever it stands in it.
const OURS: &[&str] =
    &["moneyState", "sequence", "operation", "checkoutToken", "deposits", "cancels.type", "failure.reason"];

/// What an object tells of how it is paid; the others are null.
const INSTRUMENTS: &[&str] = &["card", "virtualAccount", "transfer", "mobilePhone", "giftCertificate", "easyPay"];

/// Complains of each member of `object` that is not as documented.
fn compare(what: &str, object: &Value, documented: &[Member], ours: &[String]) -> Vec<String> {
    let Some(members) = object.as_object() else { return vec![format!("{what} is no object: {object}")] };
    let mut complaints = Vec::new();
    for (name, kind, null) in documented {
        let place = format!("{what}.{name}");
        match members.get(*name) {
            None => complaints.push(format!("{place} is missing")),
            Some(Value::Null) if *null == Yes => {}
            Some(value) => complaints.extend(wrong(&place, value, *kind, ours)),
        }
    }
    let known = |name: &str| documented.iter().any(|(known, ..)| *known == name) || ours.iter().any(|own| own == name);
    complaints
        .extend(members.keys().filter(|name| !known(name)).map(|name| format!("{what}.{name} is not documented")));
    complaints
}

fn wrong(place: &str, value: &Value, kind: Kind, ours: &[String]) -> Vec<String> {
    let name = place.rsplit('.').next().unwrap_or_default();
    let inner: Vec<String> =
        ours.iter().filter_map(|own| own.strip_prefix(name)?.strip_prefix('.')).map(str::to_owned).collect();
    let text = value.as_str();
    let good = match kind {
        Text => text.is_some_and(|text| !text.is_empty()),
        Short(most) => text.is_some_and(|text| (1..=most).contains(&text.chars().count())),
        Time => text.is_some_and(|text| {
            let digits_as_zeros: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
            digits_as_zeros == "0000-00-00T00:00:00+00:00" && text.ends_with("+09:00")
        }),
        Whole => value.is_i64(),
        Flag => value.is_boolean(),
        Word(words) => text.is_some_and(|text| words.contains(&text)),
        Own => value.is_object(),
        Nothing => false,
        Object(members) => return compare(place, value, members, &inner),
        List(members) => {
            let Some(list) = value.as_array().filter(|list| !list.is_empty()) else {
                return vec![format!("{place} is no list, or an empty one: {value}")];
            };
            return list.iter().flat_map(|one| compare(place, one, members, &inner)).collect();
        }
    };
    if good { Vec::new() } else { vec![format!("{place} should be {kind:?}: {value}")] }
}

/// Payments of every method and in every status, as they are served, each with the member that tells how it is paid. A method
/// that is added adds a line.
async fn served(gateway: &Gateway) -> Vec<(&'static str, Answer, Option<&'static str>)> {
    let shop = &gateway.shop;
    let mut all = Vec::new();
    let order =
        Payment::of(60_000).with("taxFreeAmount", 6_000).with("metadata", serde_json::json!({ "color": "red" }));
    let created = shop.create(&order).await.expecting(200);
    all.push(("created", created.clone(), None));
    let _ = shop.payer_of(&created).authenticate(&order).await.expecting(200);
    all.push(("authenticated", shop.get(created.payment_key()).await, Some("card")));
    all.push(("confirmed", shop.confirm(created.payment_key(), &order.order_id, 60_000).await, Some("card")));
    all.push(("canceled in part", shop.cancel_part(created.payment_key(), 1_000).await, Some("card")));
    all.push(("captured", shop.capture(created.payment_key()).await, Some("card")));
    all.push(("refunded", shop.cancel(created.payment_key()).await, Some("card")));
    all.push(("typed in", shop.key_in(&Payment::of(60_000).with("cardInstallmentPlan", 3)).await, Some("card")));
    let declined = Payment::of(12_000).card("decline_51");
    let _ = shop.key_in(&declined).await.expecting_problem(403, "REJECT_CARD_PAYMENT");
    all.push(("declined", shop.get_order(&declined.order_id).await, Some("card")));
    let left = shop.create(&Payment::of(12_000)).await.expecting(200);
    let _ = shop.payer_of(&left).cancel().await.expecting(200);
    all.push(("left by its payer", shop.get(left.payment_key()).await, None));
    let waiting = Payment::of(12_000);
    let held = gateway.bank.hold(&waiting.order_id, "approve", "before").await;
    all.push(("waiting", shop.key_in(&waiting).prefer("respond-async").await, Some("card")));
    held.release().await;
    let key = shop.billing_key("customer-1", "approve").await;
    all.push(("charged", shop.charge(&key, "customer-1", &Payment::of(4_900)).await, Some("card")));
    for (means, instrument) in Means::each("approve").into_iter().zip(["transfer", "mobilePhone", "easyPay"]) {
        let paid = shop.pay_with(&Payment::of(12_000), &means).await;
        all.push(("paid in another way", paid.clone(), Some(instrument)));
        all.push(("all of that went back", shop.cancel(paid.payment_key()).await, Some(instrument)));
    }
    all.extend(deposited(gateway).await);
    all
}

/// A virtual account from its opening to the refund of all of it, and those that nothing is paid into; and what nobody paid.
async fn deposited(gateway: &Gateway) -> Vec<(&'static str, Answer, Option<&'static str>)> {
    let (shop, order_id) = (&gateway.shop, Payment::of(1).order_id);
    let payee = serde_json::json!({ "bank": "88", "accountNumber": "110-123-456789", "holderName": "홍길동" });
    let opened = shop.virtual_account(&order_id, 60_000, serde_json::json!({})).await;
    let key = opened.payment_key().to_owned();
    let _ = gateway.bank.deposit(&order_id, serde_json::json!({})).await;
    let paid = shop.until_status(&key, "DONE").await;
    let cancel =
        serde_json::json!({ "cancelReason": "고객 변심", "cancelAmount": 1_000, "refundReceiveAccount": payee });
    let part = shop.cancel_with(&key, &cancel).await;
    // The bank knows no such account.
    let nowhere = serde_json::json!({ "cancelReason": "고객 변심", "cancelAmount": 1_000,
        "refundReceiveAccount": { "bank": "88", "accountNumber": "999000000614", "holderName": "홍길동" } });
    let _ = shop.cancel_with(&key, &nowhere).await.expecting_problem(400, "INVALID_REFUND_ACCOUNT_NUMBER");
    let refused = shop.get(&key).await;
    assert_eq!(refused.text("virtualAccount.refundStatus"), "PARTIAL_FAILED", "{refused:?}");
    let rest = serde_json::json!({ "cancelReason": "고객 변심", "refundReceiveAccount": payee });
    let refunded = shop.cancel_with(&key, &rest).await;
    assert_eq!(refunded.text("status"), "CANCELED", "{refunded:?}");
    let unwanted = shop.virtual_account(&Payment::of(1).order_id, 60_000, serde_json::json!({})).await.expecting(200);
    let unwanted = shop.cancel(unwanted.payment_key()).await;

    let forgotten = shop.create(&Payment::of(12_000)).await.expecting(200);
    let in_a_day = serde_json::json!({ "validHours": 24 });
    let unpaid = shop.virtual_account(&Payment::of(1).order_id, 60_000, in_a_day).await.expecting(200);
    let _ = shop.advance(25 * 3_600).await.expecting(200);
    let forgotten = shop.until_status(forgotten.payment_key(), "EXPIRED").await;
    let is_over = |read: &Answer| read.at("virtualAccount.expired") == true;
    let overdue = shop.until(unpaid.payment_key(), "it is overdue", Duration::from_secs(15), is_over).await;
    let told = Some("virtualAccount");
    vec![
        ("waiting for a deposit", opened, told),
        ("paid into", paid, told),
        ("a part went back", part, told),
        ("another part did not", refused, told),
        ("all of it went back", refunded, told),
        ("canceled before anybody paid", unwanted, told),
        ("overdue", overdue, told),
        ("expired", forgotten, None),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_payment_has_every_member() {
    let gateway = Gateway::start().await;
    let ours: Vec<String> = OURS.iter().map(|name| (*name).to_owned()).collect();
    let mut complaints = Vec::new();
    for (what, answer, paid_with) in served(&gateway).await {
        assert!(matches!(answer.status, 200 | 202), "{what}: {answer:?}");
        complaints.extend(compare(what, &answer.body, PAYMENT, &ours));
        for instrument in INSTRUMENTS {
            let is_told = !answer.at(instrument).is_null();
            if is_told != (paid_with == Some(*instrument)) {
                complaints.push(format!("{what}.{instrument}: {}", answer.at(instrument)));
            }
        }
        let parts = ["suppliedAmount", "vat", "taxFreeAmount"].map(|member| answer.number(member));
        assert_eq!(parts.iter().sum::<i64>(), answer.number("balanceAmount"), "{what}: {answer:?}");
    }
    crate::problem::insist_on_none(&complaints);
    gateway.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn billing_keys_and_transactions_too() {
    let gateway = Gateway::start().await;
    let shop = &gateway.shop;
    let issued = shop.authorize("customer-1", "approve").await.expecting(200);
    let mut complaints = compare("by card", &issued.body, BILLING, &[]);
    let auth_key = shop.auth_key("customer-2", "approve").await;
    complaints.extend(compare("by authKey", &shop.issue(&auth_key, "customer-2").await.body, BILLING, &[]));
    let paid = shop.charge(issued.text("billingKey"), "customer-1", &Payment::of(4_900)).await.expecting(200);
    let _ = shop.cancel(paid.payment_key()).await.expecting(200);
    let _ = shop.key_in(&Payment::of(4_900)).await.expecting(200);
    let order_id = Payment::of(1).order_id;
    let opened = shop.virtual_account(&order_id, 4_900, serde_json::json!({})).await.expecting(200);
    let deposit = gateway.bank.deposit(&order_id, serde_json::json!({})).await;
    let _ = shop.until_status(opened.payment_key(), "DONE").await;
    let deposit = deposit["transactionKey"].as_str().expect("the bank names it");
    let _ = gateway.bank.move_deposit(deposit, "take-back", serde_json::json!({})).await;
    let _ = shop.until_status(opened.payment_key(), "WAITING_FOR_DEPOSIT").await;
    // They are shown when they are ten seconds old.
    let _ = shop.advance(11).await.expecting(200);
    let listed =
        shop.call(Method::GET, "/v1/transactions?startDate=2020-01-01&endDate=2099-12-31").await.expecting(200);
    let transactions = listed.body.as_array().cloned().unwrap_or_default();
    assert_eq!(transactions.len(), 5);
    let ours = ["type".to_owned()];
    complaints.extend(transactions.iter().flat_map(|one| compare("transaction", one, TRANSACTION, &ours)));
    let types: Vec<&Value> = transactions.iter().map(|one| &one["type"]).collect();
    assert_eq!(types, ["PAYMENT", "CANCEL", "PAYMENT", "PAYMENT", "DEPOSIT_ERROR"]);
    crate::problem::insist_on_none(&complaints);
}

/// What the description says of an object, and what is documented of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_description_says_the_same() {
    let gateway = Gateway::start().await;
    let document = gateway.shop.anonymous(Method::GET, "/openapi.json").await.expecting(200).body;
    let mut complaints = Vec::new();
    for (schema, documented) in [
        ("PaymentView", PAYMENT),
        ("CardView", CARD),
        ("TransferView", TRANSFER),
        ("MobilePhoneView", MOBILE_PHONE),
        ("EasyPayView", EASY_PAY),
        ("VirtualAccountView", VIRTUAL_ACCOUNT),
        ("RefundAccountView", REFUND_ACCOUNT),
        ("CancelView", CANCEL),
        ("BillingView", BILLING),
        ("TransactionView", TRANSACTION),
    ] {
        let properties = &document["components"]["schemas"][schema]["properties"];
        for (name, kind, null) in documented {
            let property = &properties[*name];
            if property.is_null() {
                complaints.push(format!("{schema} has no {name}"));
                continue;
            }
            let of = &property["type"];
            let several = of.as_array().into_iter().flatten();
            let types: Vec<&str> = of.as_str().into_iter().chain(several.filter_map(Value::as_str)).collect();
            let wanted = match kind {
                Whole => Some("integer"),
                Flag => Some("boolean"),
                Text | Short(_) | Time | Word(_) => Some("string"),
                List(_) => Some("array"),
                Object(_) | Own | Nothing => None,
            };
            if wanted.is_some_and(|wanted| !types.contains(&wanted)) {
                complaints.push(format!("{schema}.{name} is described as {types:?}, and should be {wanted:?}"));
            }
            if *null == No && types.contains(&"null") {
                complaints.push(format!("{schema}.{name} is described as what may be null"));
            }
        }
    }
    crate::problem::insist_on_none(&complaints);
}

//! A payment as merchants see it: Toss Payments' v1 object, every member always there, and ours beside it.

mod account;
mod means;

use naru_shared::domain::cancel::{Cancel, CancelEnd, CancelKind};
use naru_shared::domain::failure::{Failure, FailureCode};
use naru_shared::domain::id::OperationId;
use naru_shared::domain::installment::InterestPayer;
use naru_shared::domain::instrument::{CardType, Instrument, OwnerType};
use naru_shared::domain::money::TaxSplit;
use naru_shared::domain::payment::{Payment, PaymentSource, PaymentState, PaymentStatus, Stage};
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset};
use utoipa::ToSchema;

pub use self::account::{DepositView, RefundAccountView, VirtualAccountView};
use self::means::{EasyPayView, MobilePhoneView, TransferView};
use crate::app::App;
use crate::headers::Language;
use crate::problem::Code;

/// The version of Toss Payments' API whose wire form this is.
const API_VERSION: &str = "2022-11-16";
const SECONDS: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second][offset_hour sign:mandatory]:[offset_minute]");
const MILLIS: &[BorrowedFormatItem<'_>] = format_description!(
    "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3][offset_hour sign:mandatory]:[offset_minute]"
);

/// A time as Toss Payments writes it: seconds, at +09:00.
#[must_use]
pub fn seoul(at: OffsetDateTime) -> String {
    at.to_offset(offset!(+9)).format(SECONDS).unwrap_or_default()
}

/// The same to the millisecond, for what happens several times a second.
#[must_use]
pub fn seoul_millis(at: OffsetDateTime) -> String {
    at.to_offset(offset!(+9)).format(MILLIS).unwrap_or_default()
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentView {
    /// Version of the wire form.
    pub version: &'static str,
    /// The merchant's id.
    pub m_id: String,
    /// The last transaction on it.
    pub last_transaction_key: Option<String>,
    /// What it is called everywhere.
    pub payment_key: String,
    /// The merchant's name for the order.
    pub order_id: String,
    /// What is bought.
    pub order_name: String,
    /// `NORMAL`, or `BILLING` when a billing key was charged.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Where it stands: `READY`, `IN_PROGRESS`, `WAITING_FOR_DEPOSIT`, `DONE`, `PARTIAL_CANCELED`, `CANCELED`, `ABORTED`, `EXPIRED`.
    pub status: &'static str,
    /// When it was created, at +09:00.
    pub requested_at: String,
    /// When it was approved, at +09:00.
    pub approved_at: Option<String>,
    /// Never.
    pub use_escrow: bool,
    /// Never.
    pub culture_expense: bool,
    /// ISO 4217.
    pub currency: &'static str,
    /// `카드`, `계좌이체`, `휴대폰`, `간편결제` or `가상계좌`; null until the payer has chosen.
    pub method: Option<&'static str>,
    /// What it costs, in minor units. Never changes.
    pub total_amount: i64,
    /// What has not been cancelled of it.
    pub balance_amount: i64,
    /// 공급가액 of the balance.
    pub supplied_amount: i64,
    /// 부가세 of the balance.
    pub vat: i64,
    /// 면세 금액 of the balance.
    pub tax_free_amount: i64,
    /// 과세 제외 금액.
    pub tax_exemption_amount: i64,
    /// Whether a part of it can be cancelled.
    pub is_partial_cancelable: bool,
    /// The card it is paid with.
    pub card: Option<CardView>,
    /// The account to pay into, once there is one.
    pub virtual_account: Option<VirtualAccountView>,
    /// The account it is paid from.
    pub transfer: Option<TransferView>,
    /// The phone on whose bill it is.
    pub mobile_phone: Option<MobilePhoneView>,
    /// Null.
    pub gift_certificate: Option<Value>,
    /// The points it is paid with.
    pub easy_pay: Option<EasyPayView>,
    /// Null.
    pub cash_receipt: Option<Value>,
    /// Null.
    pub cash_receipts: Option<Value>,
    /// Null.
    pub discount: Option<Value>,
    /// What was asked to go back of it, in order; null when nothing ever was.
    pub cancels: Option<Vec<CancelView>>,
    /// Of a virtual account: with what news of its deposit is told from somebody else's.
    pub secret: Option<String>,
    /// Null.
    pub receipt: Option<Value>,
    /// Where the payer pays.
    pub checkout: CheckoutView,
    /// `KR`.
    pub country: &'static str,
    /// Why it came to nothing, if it did.
    pub failure: Option<FailureView>,
    /// The merchant's own.
    #[schema(value_type = Object)]
    pub metadata: Option<Map<String, Value>>,
    /// Where the payer's money is: `NOT_MOVED`, `MOVED`, `REVERSED`, `UNKNOWN`.
    pub money_state: &'static str,
    /// Raised by one with every change: the id of its newest event.
    pub sequence: i64,
    /// The work that is queued on it.
    pub operation: Option<OperationView>,
    /// What was paid into its virtual account, in the order in which it was found; null when nothing ever was. Of more than 100
    /// the oldest that went back are left out.
    pub deposits: Option<Vec<DepositView>>,
}

/// A card, masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CardView {
    /// How much of the payment it pays.
    pub amount: i64,
    /// Two-character code of the issuer.
    pub issuer_code: String,
    /// Two-character code of who buys the sales slips.
    pub acquirer_code: String,
    /// First six and last four digits.
    pub number: String,
    /// 0 for a single payment.
    pub installment_plan_months: u8,
    /// 승인번호; `00000000` until there is one.
    pub approve_no: String,
    /// Never.
    pub use_card_point: bool,
    /// `신용`, `체크`, `기프트` or `미확인`.
    pub card_type: &'static str,
    /// `개인`, `법인` or `미확인`.
    pub owner_type: &'static str,
    /// 매입 상태: `READY`, `REQUESTED`, `COMPLETED`, `CANCEL_REQUESTED` or `CANCELED`.
    pub acquire_status: &'static str,
    /// Whether somebody else than the payer pays the interest of instalments.
    pub is_interest_free: bool,
    /// Who does: `BUYER`, `CARD_COMPANY` or `MERCHANT`; null for a single payment, and until it is approved.
    pub interest_payer: Option<&'static str>,
}

/// Money that goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CancelView {
    /// How much, in minor units.
    pub cancel_amount: i64,
    /// Why, in the merchant's words.
    pub cancel_reason: String,
    /// How much of that bears no tax.
    pub tax_free_amount: i64,
    /// 과세 제외 금액.
    pub tax_exemption_amount: i64,
    /// What could still be cancelled after it; until it is done, and when it was refused, what can be cancelled beside it.
    pub refundable_amount: i64,
    /// Nothing: there are no discounts.
    pub card_discount_amount: i64,
    /// Nothing: there are no discounts.
    pub transfer_discount_amount: i64,
    /// Nothing: there are no discounts.
    pub easy_pay_discount_amount: i64,
    /// When it was done, at +09:00; when it was asked for, until then.
    pub canceled_at: String,
    /// What it is called.
    pub transaction_key: String,
    /// Null.
    pub receipt_key: Option<String>,
    /// `IN_PROGRESS`, `DONE`, or `ABORTED`: the money stays where it is.
    pub cancel_status: &'static str,
    /// What it is called, too.
    pub cancel_request_id: String,
    /// `CANCEL` before capture, `REFUND` after it; null until it is done.
    #[serde(rename = "type")]
    pub kind: Option<&'static str>,
}

impl CancelView {
    /// `left`: what can be cancelled as the payment stands.
    fn of(cancel: &Cancel, left: i64) -> Self {
        let (status, at, refundable, kind) = match &cancel.end {
            None => ("IN_PROGRESS", cancel.requested_at, left, None),
            Some(CancelEnd::Done { kind, canceled_at, refundable }) => ("DONE", *canceled_at, *refundable, Some(*kind)),
            Some(CancelEnd::Aborted { .. }) => ("ABORTED", cancel.requested_at, left, None),
        };
        Self {
            cancel_amount: cancel.amount,
            cancel_reason: cancel.reason.clone(),
            tax_free_amount: cancel.tax_free,
            tax_exemption_amount: 0,
            refundable_amount: refundable,
            card_discount_amount: 0,
            transfer_discount_amount: 0,
            easy_pay_discount_amount: 0,
            canceled_at: seoul(at),
            transaction_key: transaction_key(cancel.work.id),
            receipt_key: None,
            cancel_status: status,
            cancel_request_id: transaction_key(cancel.work.id),
            kind: kind.map(CancelKind::as_str),
        }
    }
}

/// What a transaction is called on the wire.
#[must_use]
pub fn transaction_key(operation: OperationId) -> String {
    operation.0.simple().to_string()
}

/// Where the sales slip is.
fn acquire_status(state: &PaymentState) -> &'static str {
    let wanted = state.capture.as_ref().is_some_and(|capture| capture.work.is_some());
    match (state.status(), state.is_captured()) {
        (PaymentStatus::Canceled, _) => "CANCELED",
        (_, true) if state.reserved > 0 => "CANCEL_REQUESTED",
        (_, true) => "COMPLETED",
        (_, false) if wanted => "REQUESTED",
        (_, false) => "READY",
    }
}

/// Where the payer pays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckoutView {
    /// The address of the payment's page.
    pub url: String,
}

/// Why a payment came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FailureView {
    /// As Toss Payments calls it.
    pub code: &'static str,
    /// For a person.
    pub message: &'static str,
    /// Our finer cause.
    pub reason: &'static str,
}

/// Queued work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationView {
    /// `approve`, `cancel`, `capture` or `net_cancel`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// `queued`, `waiting`, `unknown` or `dead`.
    pub status: &'static str,
    /// Tries so far.
    pub attempt: i32,
    /// When it is tried next, at +09:00; null when that is now.
    pub next_attempt_at: Option<String>,
    /// Whether it takes longer than usual.
    pub delayed: bool,
}

impl PaymentView {
    /// How a payment looks to a reader of this language.
    #[must_use]
    pub fn of(app: &App, payment: &Payment, language: Language) -> Self {
        let state = &payment.state;
        let total = payment.total.amount();
        let balance = state.balance(total);
        // What was cancelled of it no longer counts, for the tax office neither.
        let tax = TaxSplit::of(balance, payment.tax_free - state.tax_free_returned());
        let approval = state.approval();
        let interest = approval.and_then(|approval| approval.interest_payer);
        let failure = match &state.stage {
            Stage::Aborted { failure, .. } => Some(failure),
            Stage::Ready
            | Stage::InProgress { .. }
            | Stage::WaitingForDeposit { .. }
            | Stage::Done { .. }
            | Stage::PartialCanceled { .. }
            | Stage::Canceled { .. }
            | Stage::Expired { .. } => None,
        };
        Self {
            version: API_VERSION,
            m_id: payment.mid.clone(),
            last_transaction_key: state.last_transaction().map(transaction_key),
            payment_key: payment.key.to_string(),
            order_id: payment.order_id.clone(),
            order_name: payment.order_name.clone(),
            kind: match payment.source {
                PaymentSource::Checkout | PaymentSource::KeyIn | PaymentSource::VirtualAccount => "NORMAL",
                PaymentSource::Billing => "BILLING",
            },
            status: state.status().as_str(),
            requested_at: seoul(payment.created_at),
            approved_at: approval.map(|approval| seoul(approval.approved_at)),
            use_escrow: false,
            culture_expense: false,
            currency: payment.total.currency().code(),
            method: state.instrument().map(|instrument| instrument.method().as_str()),
            total_amount: total,
            balance_amount: balance,
            supplied_amount: tax.supplied,
            vat: tax.vat,
            tax_free_amount: tax.tax_free,
            tax_exemption_amount: 0,
            is_partial_cancelable: state
                .instrument()
                .is_none_or(|instrument| instrument.connector().cancels_in_parts()),
            card: state.instrument().and_then(Instrument::card).map(|card| CardView {
                amount: total,
                issuer_code: card.issuer_code.clone(),
                acquirer_code: card.acquirer_code.clone(),
                number: card.masked(),
                installment_plan_months: card.installment_months,
                approve_no: approval.map_or_else(|| "00000000".to_owned(), |approval| approval.number.clone()),
                use_card_point: false,
                card_type: match card.card_type {
                    CardType::Credit => "신용",
                    CardType::Check => "체크",
                    CardType::Gift => "기프트",
                    CardType::Unknown => "미확인",
                },
                owner_type: match card.owner_type {
                    OwnerType::Person => "개인",
                    OwnerType::Company => "법인",
                    OwnerType::Unknown => "미확인",
                },
                acquire_status: acquire_status(state),
                is_interest_free: interest.is_some_and(|payer| payer != InterestPayer::Buyer),
                interest_payer: interest.map(InterestPayer::as_str),
            }),
            virtual_account: state.instrument().and_then(|account| VirtualAccountView::of(account, payment)),
            deposits: Some(state.deposits.iter().map(DepositView::of).collect::<Vec<_>>())
                .filter(|all| !all.is_empty()),
            transfer: state.instrument().and_then(TransferView::of),
            mobile_phone: state.instrument().and_then(|phone| MobilePhoneView::of(app, payment, phone)),
            gift_certificate: None,
            easy_pay: state.instrument().and_then(|points| EasyPayView::of(points, total)),
            cash_receipt: None,
            cash_receipts: None,
            discount: None,
            cancels: Some(
                state.cancels.iter().map(|cancel| CancelView::of(cancel, state.refundable())).collect::<Vec<_>>(),
            )
            .filter(|all| !all.is_empty()),
            secret: state.account.as_ref().map(|_| app.keys.payment_secret(payment.id)),
            receipt: None,
            checkout: CheckoutView { url: app.checkout_url(&payment.checkout_id) },
            country: "KR",
            failure: failure.map(|failure| FailureView::of(failure, language)),
            metadata: Some(payment.details.metadata.clone()).filter(|metadata| !metadata.is_empty()),
            money_state: state.money_state.as_str(),
            sequence: payment.version,
            operation: state.work().map(|work| OperationView {
                kind: work.kind.as_str(),
                status: work.status.as_str(),
                attempt: work.attempt,
                next_attempt_at: work.next_attempt_at.map(seoul_millis),
                delayed: state.delayed == Some(work.id),
            }),
        }
    }
}

impl FailureView {
    /// How a failure looks to a reader of this language.
    #[must_use]
    pub fn of(failure: &Failure, language: Language) -> Self {
        let message = match (Code::named(failure.code.as_str()), language) {
            (Some(code), Language::Korean) => code.korean(),
            (Some(code), Language::English) => code.english(),
            // The one failure that is no error of a call: it is told where the payer is sent back.
            (None, Language::Korean) => "사용자가 결제를 취소하였습니다.",
            (None, Language::English) => "The payer cancelled the payment.",
        };
        Self { code: failure.code.as_str(), message, reason: failure.reason.as_str() }
    }
}

/// The code of the problem that a failure is answered with.
#[must_use]
pub fn problem_code(failure: FailureCode) -> Code {
    Code::named(failure.as_str()).unwrap_or(Code::UnknownPaymentError)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_korean_to_the_second() {
        assert_eq!(seoul(datetime!(2026-11-22 15:30:00.123 UTC)), "2026-11-23T00:30:00+09:00");
        assert_eq!(seoul_millis(datetime!(2026-11-22 15:30:00.123 UTC)), "2026-11-23T00:30:00.123+09:00");
    }

    #[test]
    fn every_failure_but_the_payers_own_has_a_problem() {
        for &failure in FailureCode::ALL {
            let expected = failure != FailureCode::PayProcessCanceled;
            assert_eq!(Code::named(failure.as_str()).is_some(), expected, "{}", failure.as_str());
        }
    }
}

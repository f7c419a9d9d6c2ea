//! What a payment is paid with, as merchants see it, where it is no card.

use naru_shared::domain::instrument::Instrument;
use naru_shared::domain::payment::Payment;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;

/// Nothing is paid out yet.
const NOT_SETTLED: &str = "INCOMPLETED";

/// 계좌이체.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TransferView {
    /// Two-digit code of the bank.
    bank_code: String,
    /// Whether it was paid out to the merchant: `INCOMPLETED` or `COMPLETED`.
    settlement_status: &'static str,
}

/// 휴대폰.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MobilePhoneView {
    /// Its number, of which only the last four digits are shown.
    customer_mobile_phone: String,
    /// Whether it was paid out to the merchant: `INCOMPLETED` or `COMPLETED`.
    settlement_status: &'static str,
    /// Where the payer sees what was paid.
    receipt_url: String,
}

/// 간편결제: points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EasyPayView {
    /// Who issues them.
    provider: String,
    /// How much of the payment they pay.
    amount: i64,
    /// Nothing: there are no discounts.
    discount_amount: i64,
}

impl TransferView {
    pub(super) fn of(instrument: &Instrument) -> Option<Self> {
        let Instrument::Transfer(account) = instrument else { return None };
        Some(Self { bank_code: account.bank_code.clone(), settlement_status: NOT_SETTLED })
    }
}

impl MobilePhoneView {
    pub(super) fn of(app: &App, payment: &Payment, instrument: &Instrument) -> Option<Self> {
        let Instrument::Mobile(phone) = instrument else { return None };
        Some(Self {
            customer_mobile_phone: phone.masked(),
            settlement_status: NOT_SETTLED,
            receipt_url: app.checkout_url(&payment.checkout_id),
        })
    }
}

impl EasyPayView {
    pub(super) fn of(instrument: &Instrument, total: i64) -> Option<Self> {
        let Instrument::Points(member) = instrument else { return None };
        Some(Self { provider: member.provider.clone(), amount: total, discount_amount: 0 })
    }
}

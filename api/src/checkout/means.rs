//! What a payer pays with, by method: from the request to the acquirer's token. It lives for one request.

use naru_shared::acquirer::{TypedAccount, TypedCard, TypedCode, TypedMember};
use naru_shared::domain::installment;
use naru_shared::domain::instrument::{Instrument, Method};
use naru_shared::domain::payment::Payment;
use naru_shared::secret::Secret;
use naru_shared::telemetry::TraceContext;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::authenticate::{in_months, no_installments};
use crate::app::App;
use crate::body::{Check, own_fields};
use crate::merchant::{CardFields, exchange, register};
use crate::problem::{Code, Problem};

/// What to pay with: the fields of one method, which `method` names by either of Toss Payments' words (`TRANSFER`,
/// `계좌이체`). Without it, it is a card.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "method")]
pub(super) enum MeansFields {
    #[serde(rename = "CARD")]
    Card(CardFields),
    #[serde(rename = "TRANSFER")]
    Transfer(AccountFields),
    #[serde(rename = "MOBILE_PHONE")]
    Mobile(CodeFields),
    #[serde(rename = "EASY_PAY")]
    Points(MemberFields),
}

/// 계좌이체: a bank account that is drawn from. Forgotten as soon as the bank has given a token for it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountFields {
    /// The code or the Korean name of the bank.
    #[schema(example = "88")]
    bank: String,
    /// 8 to 16 digits; spaces and hyphens are tolerated.
    #[schema(example = "110123456789")]
    account_number: String,
    /// Whose it is.
    #[schema(example = "김토스")]
    holder_name: String,
    /// A birthday of six digits, or a business registration number of ten.
    identity_number: Option<String>,
}

/// 휴대폰: the code that came to the phone.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodeFields {
    /// From `phone-verification`.
    verification_id: String,
    /// Six digits.
    #[schema(example = "000000")]
    code: String,
}

/// 포인트: a membership. Forgotten as soon as the issuer has given a token for it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct MemberFields {
    /// 8 to 16 digits; spaces and hyphens are tolerated.
    #[schema(example = "2026000012345678")]
    member_number: String,
    /// Four or six digits.
    password: Option<String>,
}

/// What was typed, checked.
pub(super) enum TypedMeans {
    Card(TypedCard),
    Transfer(TypedAccount),
    Mobile(TypedCode),
    Points(TypedMember),
}

impl MeansFields {
    fn read(mut object: Map<String, Value>) -> Result<Self, Problem> {
        let method = match object.remove("method") {
            None | Some(Value::Null) => Some(Method::Card),
            Some(Value::String(word)) => Method::named(&word),
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => None,
        };
        let mut check = Check::new();
        if method.is_none() {
            check.wrong("method", "must be CARD, TRANSFER, MOBILE_PHONE or EASY_PAY");
        }
        match check.finish(|| method)? {
            Method::Card => own_fields(&object).map(Self::Card),
            Method::Transfer => own_fields(&object).map(Self::Transfer),
            Method::Mobile => own_fields(&object).map(Self::Mobile),
            Method::Points => own_fields(&object).map(Self::Points),
            // It is the merchant's server that asks for one.
            Method::VirtualAccount => Err(Problem::of(Code::NotSupportedMethod)),
        }
    }
}

impl TypedMeans {
    /// Reads and checks every field.
    pub(super) fn read(object: Map<String, Value>) -> Result<Self, Problem> {
        let fields = MeansFields::read(object)?;
        let mut check = Check::new();
        let means = match fields {
            MeansFields::Card(card) => card.check(&mut check).map(Self::Card),
            MeansFields::Transfer(account) => account.check(&mut check).map(Self::Transfer),
            MeansFields::Mobile(code) => code.check(&mut check).map(Self::Mobile),
            MeansFields::Points(member) => member.check(&mut check).map(Self::Points),
        };
        check.finish(|| means)
    }

    const fn method(&self) -> Method {
        match self {
            Self::Card(_) => Method::Card,
            Self::Transfer(_) => Method::Transfer,
            Self::Mobile(_) => Method::Mobile,
            Self::Points(_) => Method::Points,
        }
    }

    /// Whether this payment can be paid with it at all, whoever it belongs to.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn suits(&self, payment: &Payment) -> Result<(), Problem> {
        refuse_method(payment, self.method())?;
        match self {
            Self::Card(card) => installment::allowed(card.installment_months, payment.total).map_err(no_installments),
            Self::Transfer(_) | Self::Mobile(_) | Self::Points(_) => Ok(()),
        }
    }

    /// Exchanges it for the acquirer's token, at once.
    ///
    /// # Errors
    /// As [`exchange`].
    pub(super) async fn register(
        &self,
        app: &App,
        payment: &Payment,
        trace: TraceContext,
    ) -> Result<Instrument, Problem> {
        let mid = &payment.mid;
        Ok(match self {
            Self::Card(card) => Instrument::Card(register(app, mid, card, trace).await?),
            Self::Transfer(account) => Instrument::Transfer(exchange(&*app.accounts, mid, account, trace).await?),
            Self::Mobile(code) => Instrument::Mobile(exchange(&*app.codes, mid, code, trace).await?),
            Self::Points(member) => Instrument::Points(exchange(&*app.members, mid, member, trace).await?),
        })
    }

    /// What was registered, on the terms that the payer asked for.
    ///
    /// # Errors
    /// When the card does not allow for them.
    pub(super) fn on_its_terms(months: u8, instrument: Instrument, payment: &Payment) -> Result<Instrument, Problem> {
        Ok(match instrument {
            Instrument::Card(card) => Instrument::Card(in_months(card, months, payment.total)?),
            Instrument::Transfer(_) | Instrument::Mobile(_) | Instrument::Points(_) | Instrument::VirtualAccount(_) => {
                instrument
            }
        })
    }

    /// In how many months it is to be paid back: 0 at once.
    pub(super) const fn installment_months(&self) -> u8 {
        match self {
            Self::Card(card) => card.installment_months,
            Self::Transfer(_) | Self::Mobile(_) | Self::Points(_) => 0,
        }
    }
}

/// Whether a payment can be paid by this method.
///
/// # Errors
/// `NOT_SUPPORTED_METHOD` when the merchant has chosen another, `BELOW_MINIMUM_AMOUNT`.
pub(crate) fn refuse_method(payment: &Payment, method: Method) -> Result<(), Problem> {
    if let Some(chosen) = payment.details.method
        && chosen != method
    {
        return Err(Problem::of(Code::NotSupportedMethod).with("method", chosen.as_str()));
    }
    if payment.total.amount() < method.connector().amount_min() {
        return Err(Problem::of(Code::BelowMinimumAmount));
    }
    Ok(())
}

impl AccountFields {
    fn check(self, check: &mut Check) -> Option<TypedAccount> {
        let bank = check.bank("bank", &self.bank);
        let number = check.account_number("accountNumber", &self.account_number);
        let holder = check.person_name("holderName", &self.holder_name).map(str::to_owned);
        let identity = check
            .optional(self.identity_number.as_deref(), |check, text| check.identity_number("identityNumber", text));
        Some(TypedAccount { bank: bank?, number: number?, holder: Secret::new(holder?), identity: identity? })
    }
}

impl CodeFields {
    fn check(self, check: &mut Check) -> Option<TypedCode> {
        let good = (1..=100).contains(&self.verification_id.len())
            && self.verification_id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
        let verification =
            check.require("verificationId", self.verification_id, good, "must be what phone-verification answered");
        let code = check.sms_code("code", &self.code);
        Some(TypedCode { verification: verification?, code: code? })
    }
}

impl MemberFields {
    fn check(self, check: &mut Check) -> Option<TypedMember> {
        let number = check.member_number("memberNumber", &self.member_number);
        let password = check.optional(self.password.as_deref(), |check, text| check.member_password("password", text));
        Some(TypedMember { number: number?, password: password? })
    }
}

//! The card company. Its wire form is described in `simulator/README.md`, which stands in for it in the sandbox.

mod client;
mod codes;
mod wire;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::Method;

use self::client::{Client, Heard};
use super::{Acquirer, NoClient, Order, RegisterError, Registers, TypedCard};
use crate::domain::attempt::{
    ApprovalFacts, ApproveAnswer, Call, ChangeAnswer, ChangeFacts, InquiryAnswer, Manners, NetCancelAnswer,
};
use crate::domain::id::Reference;
use crate::domain::instrument::{Card, Instrument};
use crate::domain::money::{Currency, Money};

/// How long one whole call may take.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a registration may take: a person is waiting, and nothing is lost by giving up.
const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(3);

/// What must be known about a card company.
#[derive(Debug, Clone)]
pub struct CardConfig {
    /// Its base address.
    pub url: url::Url,
    /// Whether the same reference again gives the first answer and has no second effect.
    pub dedupes_by_reference: bool,
    /// How long after it took effect a call may still be missing from an inquiry.
    pub settle_window: Duration,
    /// Keys the hash that tells two cards apart.
    pub fingerprint_key: [u8; 32],
}

/// The connector.
pub struct CardCompany {
    client: Client,
    manners: Manners,
    fingerprint_key: [u8; 32],
}

impl CardCompany {
    /// A connector to this card company. Connects when first used.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots, say).
    pub fn new(config: &CardConfig) -> Result<Self, NoClient> {
        Ok(Self {
            client: Client::new(config.url.clone())?,
            manners: Manners {
                dedupes_by_reference: config.dedupes_by_reference,
                settle_window: config.settle_window.try_into().unwrap_or(time::Duration::MAX),
                total_timeout: TOTAL_TIMEOUT.try_into().unwrap_or(time::Duration::MAX),
            },
            fingerprint_key: config.fingerprint_key,
        })
    }

    async fn register(&self, mid: &str, card: &TypedCard, traceparent: &str) -> Result<Card, RegisterError> {
        let body = wire::Register {
            number: card.number.expose(),
            expiry_year: &card.expiry.year_digits(),
            expiry_month: &card.expiry.month_digits(),
            cvc: card.cvc.as_ref().map(|cvc| cvc.expose()),
            password: card.password.as_ref().map(|password| password.expose()),
            identity_number: card.identity.as_ref().map(|identity| identity.expose()),
            merchant_id: mid,
        };
        let heard = self
            .client
            .call::<_, wire::Registered>(Method::POST, "v1/cards", Some(&body), traceparent, REGISTRATION_TIMEOUT)
            .await;
        match heard {
            Heard::Answer(token) if !token.is_sound() => Err(RegisterError::Unavailable("malformed".into())),
            Heard::Answer(token) => Ok(Card {
                token: token.token,
                bin: card.number.bin().to_owned(),
                last4: card.number.last4().to_owned(),
                fingerprint: hex(&card.number.fingerprint(&self.fingerprint_key)),
                issuer_code: token.issuer_code,
                acquirer_code: token.acquirer_code,
                card_type: codes::card_type(&token.card_type),
                owner_type: codes::owner_type(&token.owner_type),
                installment_months: card.installment_months,
            }),
            Heard::Said { status: 422, code } => Err(RegisterError::Declined(codes::decline(&code))),
            Heard::Said { status, .. } => Err(RegisterError::Unavailable(format!("http_{status}"))),
            Heard::NotSent(fault) | Heard::Lost(fault) => Err(RegisterError::Unavailable(fault)),
        }
    }

    async fn approve(&self, order: Order<'_>, reference: &Reference) -> ApproveAnswer {
        let Some(Instrument::Card(card)) = order.payment.state.instrument() else {
            return ApproveAnswer::NotSent("no_card".into());
        };
        let body = wire::Approve {
            reference: reference.as_str(),
            merchant_id: &order.payment.mid,
            order_id: &order.payment.order_id,
            token: &card.token,
            amount: order.amount.amount(),
            currency: order.amount.currency().code(),
            installment_months: card.installment_months,
        };
        let heard = self
            .client
            .call::<_, wire::Transaction>(Method::POST, "v1/approvals", Some(&body), order.traceparent, TOTAL_TIMEOUT)
            .await;
        match heard {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                ApproveAnswer::Unknown("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => match facts(&answer) {
                    Some(facts) => ApproveAnswer::Approved(facts),
                    None => ApproveAnswer::Unknown("approval_without_number".into()),
                },
                "declined" => ApproveAnswer::Declined(codes::decline(&answer.response_code)),
                "pending" => ApproveAnswer::Pending,
                // It was reversed before: only an inquiry can say when and why.
                _ => ApproveAnswer::Unknown("unknown_result".into()),
            },
            Heard::Said { status: 503, code } if code == codes::BUSY => ApproveAnswer::Busy(code),
            Heard::Said { status: 429, .. } => ApproveAnswer::Busy("http_429".into()),
            Heard::Said { status, .. } => ApproveAnswer::Unknown(format!("http_{status}")),
            Heard::NotSent(fault) => ApproveAnswer::NotSent(fault),
            Heard::Lost(fault) => ApproveAnswer::Unknown(fault),
        }
    }

    async fn change(&self, order: Order<'_>, call: Call, reference: &Reference) -> ChangeAnswer {
        let path = match call {
            Call::Capture => "v1/captures",
            Call::Cancel => "v1/cancels",
            Call::Refund => "v1/refunds",
            Call::Approve | Call::Inquire | Call::NetCancel | Call::Issue | Call::Close | Call::Return => return ChangeAnswer::NotSent("no_change".into()),
        };
        let Some(approval) = order.payment.state.approval() else {
            return ChangeAnswer::NotSent("no_approval".into());
        };
        let body = wire::Change {
            reference: reference.as_str(),
            original_reference: approval.reference.as_str(),
            merchant_id: &order.payment.mid,
            order_id: &order.payment.order_id,
            amount: order.amount.amount(),
            currency: order.amount.currency().code(),
        };
        let heard = self
            .client
            .call::<_, wire::Transaction>(Method::POST, path, Some(&body), order.traceparent, TOTAL_TIMEOUT)
            .await;
        match heard {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                ChangeAnswer::Unknown("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => ChangeAnswer::Done(ChangeFacts { money: money(&answer) }),
                "declined" => ChangeAnswer::Declined(codes::refusal(answer.reason.as_deref(), &answer.response_code)),
                "pending" => ChangeAnswer::Pending,
                _ => ChangeAnswer::Unknown("unknown_result".into()),
            },
            Heard::Said { status: 503, code } if code == codes::BUSY => ChangeAnswer::Busy(code),
            Heard::Said { status: 429, .. } => ChangeAnswer::Busy("http_429".into()),
            Heard::Said { status, .. } => ChangeAnswer::Unknown(format!("http_{status}")),
            Heard::NotSent(fault) => ChangeAnswer::NotSent(fault),
            Heard::Lost(fault) => ChangeAnswer::Unknown(fault),
        }
    }

    async fn inquire(&self, order: Order<'_>, reference: &Reference) -> InquiryAnswer {
        let path = format!("v1/transactions/{reference}");
        let heard =
            self.client.call::<(), wire::Transaction>(Method::GET, &path, None, order.traceparent, TOTAL_TIMEOUT).await;
        match heard {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                InquiryAnswer::NoAnswer("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => facts(&answer)
                    .map_or_else(|| InquiryAnswer::NoAnswer("approval_without_number".into()), InquiryAnswer::Approved),
                "declined" => match answer.reason.as_deref() {
                    None => InquiryAnswer::Declined(codes::decline(&answer.response_code)),
                    reason => InquiryAnswer::Refused(codes::refusal(reason, &answer.response_code)),
                },
                "pending" => InquiryAnswer::Pending,
                "reversed" => InquiryAnswer::Reversed,
                "not_found" => InquiryAnswer::NotFound,
                _ => InquiryAnswer::NoAnswer("unknown_result".into()),
            },
            Heard::Said { status, .. } => InquiryAnswer::NoAnswer(format!("http_{status}")),
            Heard::NotSent(fault) | Heard::Lost(fault) => InquiryAnswer::NoAnswer(fault),
        }
    }

    async fn net_cancel(&self, order: Order<'_>, reference: &Reference, target: &Reference) -> NetCancelAnswer {
        let body = wire::NetCancel {
            reference: reference.as_str(),
            original_reference: target.as_str(),
            merchant_id: &order.payment.mid,
            amount: order.amount.amount(),
            currency: order.amount.currency().code(),
        };
        let heard = self
            .client
            .call::<_, wire::Reversal>(Method::POST, "v1/net-cancels", Some(&body), order.traceparent, TOTAL_TIMEOUT)
            .await;
        match heard {
            Heard::Answer(answer) if answer.original_reference != target.as_str() => {
                NetCancelAnswer::NoAnswer("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "reversed" | "already_reversed" => NetCancelAnswer::Reversed,
                "no_original" => NetCancelAnswer::NoOriginal,
                "refused" => {
                    NetCancelAnswer::Refused(codes::code(&answer.response_code.unwrap_or_else(|| "refused".into())))
                }
                _ => NetCancelAnswer::NoAnswer("unknown_result".into()),
            },
            Heard::Said { status, .. } => NetCancelAnswer::NoAnswer(format!("http_{status}")),
            Heard::NotSent(fault) | Heard::Lost(fault) => NetCancelAnswer::NoAnswer(fault),
        }
    }
}

/// What an approval says, if it says enough to be one. An amount that is no money of ours stays without one, and
/// is then never taken for ours.
fn facts(answer: &wire::Transaction) -> Option<ApprovalFacts> {
    // It goes into receipts and into Postgres, which stores no NUL: what is no number is no approval.
    let is_number = |n: &&str| (1..=8).contains(&n.len()) && n.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = answer.approval_number.as_deref().filter(is_number)?;
    Some(ApprovalFacts { money: money(answer), number: number.to_owned() })
}

/// The amount that an answer names, if it is money of ours.
fn money(answer: &wire::Transaction) -> Option<Money> {
    Money::new(answer.amount?, Currency::from_code(answer.currency.as_deref()?)?)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Registers for CardCompany {
    fn register<'a>(
        &'a self,
        mid: &'a str,
        card: &'a TypedCard,
        traceparent: &'a str,
    ) -> BoxFuture<'a, Result<Card, RegisterError>> {
        self.register(mid, card, traceparent).boxed()
    }
}

impl Acquirer for CardCompany {
    fn manners(&self) -> Manners {
        self.manners
    }

    fn approve<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, ApproveAnswer> {
        self.approve(order, reference).boxed()
    }

    fn change<'a>(&'a self, order: Order<'a>, call: Call, reference: &'a Reference) -> BoxFuture<'a, ChangeAnswer> {
        self.change(order, call, reference).boxed()
    }

    fn inquire<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, InquiryAnswer> {
        self.inquire(order, reference).boxed()
    }

    fn net_cancel<'a>(
        &'a self,
        order: Order<'a>,
        reference: &'a Reference,
        target: &'a Reference,
    ) -> BoxFuture<'a, NetCancelAnswer> {
        self.net_cancel(order, reference, target).boxed()
    }
}

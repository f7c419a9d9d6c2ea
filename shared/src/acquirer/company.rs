//! What every acquirer is asked in the same words: approvals, changes, inquiries, net-cancels. A connector adds what only
//! its acquirer is told: what stands for the payer's means, and what a refusal means.

use std::future::ready;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::client::{Client, Heard};
use super::codes::{BUSY, Meaning, code, decline, refusal};
use super::wire::{self, Transaction};
use super::{Acquirer, AcquirerConfig, NoClient, Order, RegisterError};
use crate::domain::attempt::{
    ApprovalFacts, ApproveAnswer, Call, ChangeAnswer, ChangeFacts, InquiryAnswer, Manners, NetCancelAnswer,
};
use crate::domain::failure::Failure;
use crate::domain::id::Reference;
use crate::domain::installment::InterestPayer;
use crate::domain::instrument::Instrument;
use crate::domain::money::{Currency, Money};

/// How long one whole call may take.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a registration may take: a person is waiting, and nothing is lost by giving up.
const REGISTRATION_TIMEOUT: Duration = Duration::from_secs(3);

/// What an acquirer is told of what the payer pays with.
pub(super) struct Means<'a> {
    token: &'a str,
    terms: Map<String, Value>,
}

impl<'a> Means<'a> {
    /// Its token.
    pub(super) fn of(token: &'a str) -> Self {
        Self { token, terms: Map::new() }
    }

    /// And this, of which only this acquirer knows.
    pub(super) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.terms.insert(member.to_owned(), value.into());
        self
    }
}

/// A connector whose acquirer is asked in these words.
pub(super) trait Speaks: Send + Sync {
    /// Its acquirer.
    fn company(&self) -> &Company;

    /// What it is told of what the payer pays with; nothing when that is none of its business.
    fn means<'a>(&self, instrument: &'a Instrument) -> Option<Means<'a>>;
}

impl<T: Speaks> Acquirer for T {
    fn manners(&self) -> Manners {
        self.company().manners
    }

    fn approve<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, ApproveAnswer> {
        let means = order.payment.state.instrument().and_then(|instrument| self.means(instrument));
        match means {
            Some(means) => self.company().approve(order, reference, means).boxed(),
            None => ready(ApproveAnswer::NotSent("not_its_means".into())).boxed(),
        }
    }

    fn change<'a>(&'a self, order: Order<'a>, call: Call, reference: &'a Reference) -> BoxFuture<'a, ChangeAnswer> {
        self.company().change(order, call, reference).boxed()
    }

    fn inquire<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, InquiryAnswer> {
        self.company().inquire(order, reference).boxed()
    }

    fn net_cancel<'a>(
        &'a self,
        order: Order<'a>,
        reference: &'a Reference,
        target: &'a Reference,
    ) -> BoxFuture<'a, NetCancelAnswer> {
        self.company().net_cancel(order, reference, target).boxed()
    }
}

/// One acquirer, by the words that all have in common.
pub(super) struct Company {
    client: Client,
    path: &'static str,
    meaning: Meaning,
    manners: Manners,
}

impl Company {
    /// The acquirer whose calls are below `path`, such as `v1`. Connects when first used.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots, say).
    pub(super) fn new(config: &AcquirerConfig, path: &'static str, meaning: Meaning) -> Result<Self, NoClient> {
        Ok(Self {
            client: Client::new(config.url.clone())?,
            path,
            meaning,
            manners: Manners {
                dedupes_by_reference: config.dedupes_by_reference,
                settle_window: config.settle_window.try_into().unwrap_or(time::Duration::MAX),
                total_timeout: TOTAL_TIMEOUT.try_into().unwrap_or(time::Duration::MAX),
            },
        })
    }

    /// Hands over what a payer typed, at `path` (`cards`), for what stands for it: 3 seconds in all.
    pub(super) async fn register<B: Serialize, A: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        traceparent: &str,
    ) -> Result<A, RegisterError> {
        let path = format!("{}/{path}", self.path);
        match self.client.call(Method::POST, &path, Some(body), traceparent, REGISTRATION_TIMEOUT).await {
            Heard::Answer(answer) => Ok(answer),
            Heard::Said { status: 422, code } => Err(RegisterError::Declined(self.declined(&code))),
            Heard::Said { status, .. } => Err(RegisterError::Unavailable(format!("http_{status}"))),
            Heard::NotSent(fault) | Heard::Lost(fault) => Err(RegisterError::Unavailable(fault)),
        }
    }

    async fn approve(&self, order: Order<'_>, reference: &Reference, means: Means<'_>) -> ApproveAnswer {
        let body = wire::Approve {
            reference: reference.as_str(),
            merchant_id: &order.payment.mid,
            order_id: &order.payment.order_id,
            token: means.token,
            amount: order.amount.amount(),
            currency: order.amount.currency().code(),
            terms: &means.terms,
        };
        match self.ask::<_, Transaction>("approvals", &body, order).await {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                ApproveAnswer::Unknown("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => match facts(&answer) {
                    Some(facts) => ApproveAnswer::Approved(facts),
                    None => ApproveAnswer::Unknown("approval_without_number".into()),
                },
                "declined" => ApproveAnswer::Declined(self.declined(&answer.response_code)),
                "pending" => ApproveAnswer::Pending,
                // It was reversed before: only an inquiry can say when and why.
                _ => ApproveAnswer::Unknown("unknown_result".into()),
            },
            Heard::Said { status: 503, code } if code == BUSY => ApproveAnswer::Busy(code),
            Heard::Said { status: 429, .. } => ApproveAnswer::Busy("http_429".into()),
            Heard::Said { status, .. } => ApproveAnswer::Unknown(format!("http_{status}")),
            Heard::NotSent(fault) => ApproveAnswer::NotSent(fault),
            Heard::Lost(fault) => ApproveAnswer::Unknown(fault),
        }
    }

    async fn change(&self, order: Order<'_>, call: Call, reference: &Reference) -> ChangeAnswer {
        let path = match call {
            Call::Capture => "captures",
            Call::Cancel => "cancels",
            Call::Refund => "refunds",
            Call::Approve | Call::Inquire | Call::NetCancel | Call::Issue | Call::Close | Call::Return => {
                return ChangeAnswer::NotSent("no_change".into());
            }
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
        match self.ask::<_, Transaction>(path, &body, order).await {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                ChangeAnswer::Unknown("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => ChangeAnswer::Done(ChangeFacts { money: money(&answer) }),
                "declined" => ChangeAnswer::Declined(refusal(answer.reason.as_deref(), &answer.response_code)),
                "pending" => ChangeAnswer::Pending,
                _ => ChangeAnswer::Unknown("unknown_result".into()),
            },
            Heard::Said { status: 503, code } if code == BUSY => ChangeAnswer::Busy(code),
            Heard::Said { status: 429, .. } => ChangeAnswer::Busy("http_429".into()),
            Heard::Said { status, .. } => ChangeAnswer::Unknown(format!("http_{status}")),
            Heard::NotSent(fault) => ChangeAnswer::NotSent(fault),
            Heard::Lost(fault) => ChangeAnswer::Unknown(fault),
        }
    }

    async fn inquire(&self, order: Order<'_>, reference: &Reference) -> InquiryAnswer {
        let path = format!("{}/transactions/{reference}", self.path);
        let heard =
            self.client.call::<(), Transaction>(Method::GET, &path, None, order.traceparent, TOTAL_TIMEOUT).await;
        match heard {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                InquiryAnswer::NoAnswer("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => facts(&answer)
                    .map_or_else(|| InquiryAnswer::NoAnswer("approval_without_number".into()), InquiryAnswer::Approved),
                "declined" => {
                    let reason = answer.reason.as_deref();
                    // Of a change a reason says more than no; of an approval it is no all the same.
                    if reason.is_none() || answer.kind.as_deref() == Some("approve") {
                        InquiryAnswer::Declined(self.declined(&answer.response_code))
                    } else {
                        InquiryAnswer::Refused(refusal(reason, &answer.response_code))
                    }
                }
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
        match self.ask::<_, wire::Reversal>("net-cancels", &body, order).await {
            Heard::Answer(answer) if answer.original_reference != target.as_str() => {
                NetCancelAnswer::NoAnswer("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "reversed" | "already_reversed" => NetCancelAnswer::Reversed,
                "no_original" => NetCancelAnswer::NoOriginal,
                "refused" => NetCancelAnswer::Refused(code(&answer.response_code.unwrap_or_else(|| "refused".into()))),
                _ => NetCancelAnswer::NoAnswer("unknown_result".into()),
            },
            Heard::Said { status, .. } => NetCancelAnswer::NoAnswer(format!("http_{status}")),
            Heard::NotSent(fault) | Heard::Lost(fault) => NetCancelAnswer::NoAnswer(fault),
        }
    }

    async fn ask<B: Serialize, A: DeserializeOwned>(&self, path: &str, body: &B, order: Order<'_>) -> Heard<A> {
        let path = format!("{}/{path}", self.path);
        self.client.call(Method::POST, &path, Some(body), order.traceparent, TOTAL_TIMEOUT).await
    }

    fn declined(&self, code: &str) -> Failure {
        decline(self.meaning, code)
    }
}

/// What an approval says, if it says enough to be one. An amount that is no money of ours stays without one, and
/// is then never taken for ours.
fn facts(answer: &Transaction) -> Option<ApprovalFacts> {
    // It goes into receipts and into Postgres, which stores no NUL: what is no number is no approval.
    let is_number = |n: &&str| (1..=8).contains(&n.len()) && n.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = answer.approval_number.as_deref().filter(is_number)?;
    let interest_payer = answer.interest_payer.as_deref().and_then(InterestPayer::parse);
    Some(ApprovalFacts { money: money(answer), number: number.to_owned(), interest_payer })
}

/// The amount that an answer names, if it is money of ours.
fn money(answer: &Transaction) -> Option<Money> {
    Money::new(answer.amount?, Currency::from_code(answer.currency.as_deref()?)?)
}

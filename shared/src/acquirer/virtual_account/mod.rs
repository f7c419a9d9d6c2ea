//! The bank of virtual accounts 가상계좌. Its wire form is described in `simulator/README.md`, which stands in for it in the
//! sandbox.

mod wire;

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::client::{Client, Heard};
use super::codes::{BUSY, code};
use super::wire::Transaction;
use super::{Acquirer, AcquirerConfig, HoldsAccounts, NoClient, Order, PayOut};
use crate::domain::attempt::{
    ApprovalFacts, ApproveAnswer, Call, ChangeAnswer, ChangeFacts, ChangeRefusal, InquiryAnswer, Manners,
    NetCancelAnswer, RefusedBecause,
};
use crate::domain::failure::{Failure, FailureCode};
use crate::domain::id::Reference;
use crate::domain::money::{Currency, Money};
use crate::domain::virtual_account::{AccountFacts, FoundDeposit, IssueAnswer, IssueInquiry, VirtualAccount};

/// How long one whole call may take.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(10);
/// Below which its calls are.
const PATH: &str = "virtual-accounts/v1";

/// The connector.
pub struct AccountBank {
    client: Client,
    manners: Manners,
}

impl AccountBank {
    /// A connector to this bank. Connects when first used.
    ///
    /// # Errors
    /// When no HTTP client can be made (no TLS roots, say).
    pub fn new(config: &AcquirerConfig) -> Result<Self, NoClient> {
        Ok(Self {
            client: Client::new(config.url.clone())?,
            manners: Manners {
                dedupes_by_reference: config.dedupes_by_reference,
                settle_window: config.settle_window.try_into().unwrap_or(time::Duration::MAX),
                total_timeout: TOTAL_TIMEOUT.try_into().unwrap_or(time::Duration::MAX),
            },
        })
    }

    async fn post<B: Serialize, A: DeserializeOwned>(&self, path: &str, body: &B, order: Order<'_>) -> Heard<A> {
        let path = format!("{PATH}/{path}");
        self.client.call(Method::POST, &path, Some(body), order.traceparent, TOTAL_TIMEOUT).await
    }

    async fn ask_after<A: DeserializeOwned>(&self, order: Order<'_>, reference: &Reference) -> Heard<A> {
        let path = format!("{PATH}/transactions/{reference}");
        self.client.call::<(), A>(Method::GET, &path, None, order.traceparent, TOTAL_TIMEOUT).await
    }

    async fn issue(
        &self,
        order: Order<'_>,
        terms: &VirtualAccount,
        callback: Option<&str>,
        reference: &Reference,
    ) -> IssueAnswer {
        let body = wire::Issue {
            reference: reference.as_str(),
            merchant_id: &order.payment.mid,
            order_id: &order.payment.order_id,
            bank_code: terms.bank.as_str(),
            amount: order.amount.amount(),
            currency: order.amount.currency().code(),
            customer_name: &terms.customer_name,
            due_at: terms.due_at,
            callback_url: callback,
        };
        match self.post::<_, wire::Account>("accounts", &body, order).await {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                IssueAnswer::Unknown("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => facts(answer)
                    .map_or_else(|| IssueAnswer::Unknown("account_without_number".into()), IssueAnswer::Issued),
                "declined" => IssueAnswer::Declined(declined(&answer.response_code)),
                "pending" => IssueAnswer::Pending,
                _ => IssueAnswer::Unknown("unknown_result".into()),
            },
            Heard::Said { status: 503, code } if code == BUSY => IssueAnswer::Busy(code),
            Heard::Said { status: 429, .. } => IssueAnswer::Busy("http_429".into()),
            Heard::Said { status, .. } => IssueAnswer::Unknown(format!("http_{status}")),
            Heard::NotSent(fault) => IssueAnswer::NotSent(fault),
            Heard::Lost(fault) => IssueAnswer::Unknown(fault),
        }
    }

    async fn look(&self, order: Order<'_>, reference: &Reference) -> IssueInquiry {
        match self.ask_after::<wire::Account>(order, reference).await {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                IssueInquiry::NoAnswer("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => facts(answer)
                    .map_or_else(|| IssueInquiry::NoAnswer("account_without_number".into()), IssueInquiry::Issued),
                "declined" => IssueInquiry::Declined(declined(&answer.response_code)),
                "pending" => IssueInquiry::Pending,
                "not_found" => IssueInquiry::NotFound,
                _ => IssueInquiry::NoAnswer("unknown_result".into()),
            },
            Heard::Said { status, .. } => IssueInquiry::NoAnswer(format!("http_{status}")),
            Heard::NotSent(fault) | Heard::Lost(fault) => IssueInquiry::NoAnswer(fault),
        }
    }

    async fn change<B: Serialize>(
        &self,
        path: &str,
        body: &B,
        order: Order<'_>,
        reference: &Reference,
    ) -> ChangeAnswer {
        match self.post::<_, Transaction>(path, body, order).await {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                ChangeAnswer::Unknown("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                "approved" => ChangeAnswer::Done(ChangeFacts { money: money(answer.amount, answer.currency) }),
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
        match self.ask_after::<Transaction>(order, reference).await {
            Heard::Answer(answer) if answer.reference != reference.as_str() => {
                InquiryAnswer::NoAnswer("answer_of_another_reference".into())
            }
            Heard::Answer(answer) => match answer.result.as_str() {
                // A bank gives no number to a closing.
                "approved" => InquiryAnswer::Approved(ApprovalFacts {
                    money: money(answer.amount, answer.currency),
                    number: answer.approval_number.map(|number| code(&number)).unwrap_or_default(),
                    interest_payer: None,
                }),
                "declined" => InquiryAnswer::Refused(refusal(answer.reason.as_deref(), &answer.response_code)),
                "pending" => InquiryAnswer::Pending,
                "reversed" => InquiryAnswer::Reversed,
                "not_found" => InquiryAnswer::NotFound,
                _ => InquiryAnswer::NoAnswer("unknown_result".into()),
            },
            Heard::Said { status, .. } => InquiryAnswer::NoAnswer(format!("http_{status}")),
            Heard::NotSent(fault) | Heard::Lost(fault) => InquiryAnswer::NoAnswer(fault),
        }
    }
}

/// What an answer says of an account, if it says enough to be one.
fn facts(answer: wire::Account) -> Option<AccountFacts> {
    // It is shown to payers and goes into Postgres, which stores no NUL.
    let is_number = |n: &String| (6..=20).contains(&n.len()) && n.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let number = answer.account_number.filter(is_number)?;
    let deposits: Option<Vec<FoundDeposit>> = answer.deposits.into_iter().map(deposit).collect();
    Some(AccountFacts {
        number,
        money: money(answer.amount, answer.currency),
        is_closed: answer.state.as_deref() == Some("closed"),
        balance: answer.balance,
        deposits: deposits?,
    })
}

/// A deposit, if it is told as one. What can't be read makes the whole answer unreadable: no deposit is passed over.
fn deposit(found: wire::Deposit) -> Option<FoundDeposit> {
    let is_key = (1..=100).contains(&found.transaction_key.len())
        && found.transaction_key.bytes().all(|byte| byte.is_ascii_graphic());
    let is_taken_back = match found.state.as_str() {
        "deposited" => false,
        "taken_back" => true,
        _ => return None,
    };
    (is_key && found.amount > 0).then(|| FoundDeposit {
        key: found.transaction_key,
        amount: found.amount,
        depositor_name: found.depositor_name.chars().filter(|c| !c.is_control()).take(100).collect(),
        at: found.at,
        is_taken_back,
    })
}

fn money(amount: Option<i64>, currency: Option<String>) -> Option<Money> {
    Money::new(amount?, Currency::from_code(&currency?)?)
}

/// What the refusal of an account means to a merchant.
fn declined(code: &str) -> Failure {
    let meaning = match code {
        "15" => FailureCode::InvalidBank,
        "90" => FailureCode::NotAvailableBank,
        // 05 "do not honor", and whatever else it may say: it said no.
        _ => FailureCode::ProviderError,
    };
    Failure::declined(meaning, self::code(code))
}

/// Why it would not close an account or pay out of one.
fn refusal(reason: Option<&str>, code: &str) -> ChangeRefusal {
    let why = match (reason, code) {
        (Some("not_empty"), _) => RefusedBecause::NotEmpty,
        (Some("already_cancelled"), _) => RefusedBecause::AlreadyCanceled,
        (Some("insufficient_balance" | "no_original" | "no_such_deposit"), _) => RefusedBecause::Disagrees,
        (_, "15") => RefusedBecause::WrongBank,
        (_, "14") => RefusedBecause::WrongNumber,
        (_, "N1") => RefusedBecause::WrongHolder,
        (Some(_) | None, _) => RefusedBecause::Declined,
    };
    ChangeRefusal { why, code: self::code(code) }
}

impl Acquirer for AccountBank {
    fn manners(&self) -> Manners {
        self.manners
    }

    fn approve<'a>(&'a self, _: Order<'a>, _: &'a Reference) -> BoxFuture<'a, ApproveAnswer> {
        // Nobody asks it to take money: payers bring it.
        async { ApproveAnswer::NotSent("no_approvals".into()) }.boxed()
    }

    fn change<'a>(&'a self, _: Order<'a>, _: Call, _: &'a Reference) -> BoxFuture<'a, ChangeAnswer> {
        // What it is asked to change needs more than that: see `HoldsAccounts`.
        async { ChangeAnswer::NotSent("no_change".into()) }.boxed()
    }

    fn inquire<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, InquiryAnswer> {
        self.inquire(order, reference).boxed()
    }

    fn net_cancel<'a>(&'a self, _: Order<'a>, _: &'a Reference, _: &'a Reference) -> BoxFuture<'a, NetCancelAnswer> {
        async { NetCancelAnswer::NoAnswer("no_net_cancels".into()) }.boxed()
    }

    fn accounts(&self) -> Option<&dyn HoldsAccounts> {
        Some(self)
    }
}

impl HoldsAccounts for AccountBank {
    fn issue<'a>(
        &'a self,
        order: Order<'a>,
        terms: &'a VirtualAccount,
        callback: Option<&'a str>,
        reference: &'a Reference,
    ) -> BoxFuture<'a, IssueAnswer> {
        self.issue(order, terms, callback, reference).boxed()
    }

    fn look<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, IssueInquiry> {
        self.look(order, reference).boxed()
    }

    fn close<'a>(
        &'a self,
        order: Order<'a>,
        account: &'a Reference,
        reference: &'a Reference,
    ) -> BoxFuture<'a, ChangeAnswer> {
        async move {
            let body = wire::Close {
                reference: reference.as_str(),
                original_reference: account.as_str(),
                merchant_id: &order.payment.mid,
            };
            match self.change("closures", &body, order, reference).await {
                // It says what was asked for with the account, of which nothing moved.
                ChangeAnswer::Done(_) => ChangeAnswer::Done(ChangeFacts { money: Some(order.amount) }),
                other @ (ChangeAnswer::Declined(_)
                | ChangeAnswer::Pending
                | ChangeAnswer::Busy(_)
                | ChangeAnswer::NotSent(_)
                | ChangeAnswer::Unknown(_)) => other,
            }
        }
        .boxed()
    }

    fn pay_out<'a>(
        &'a self,
        order: Order<'a>,
        pay_out: PayOut<'a>,
        reference: &'a Reference,
    ) -> BoxFuture<'a, ChangeAnswer> {
        async move {
            let body = wire::PayOut {
                reference: reference.as_str(),
                original_reference: pay_out.account.as_str(),
                merchant_id: &order.payment.mid,
                order_id: &order.payment.order_id,
                amount: order.amount.amount(),
                currency: order.amount.currency().code(),
                purpose: if pay_out.is_refund { "refund" } else { "return_deposit" },
                transaction_key: pay_out.deposit,
                bank_code: pay_out.to.bank().as_str(),
                account_number: pay_out.to.number(),
                holder_name: pay_out.to.holder(),
            };
            self.change("pay-outs", &body, order, reference).await
        }
        .boxed()
    }
}

//! Acquirers: who moves the money. One folder per connector.
//!
//! A connector is an HTTP client behind two traits. [`Registers`] turns what a payer types into a token, at once, for
//! the API; [`Acquirer`] carries out operations, for the workers. What a caller hears is always one of the domain's
//! answers: a connector decides what its acquirer *said*, never what follows from it. What they have in common is in
//! `company.rs`.

pub mod card;
mod client;
mod codes;
mod company;
pub mod mobile;
pub mod points;
pub mod transfer;
mod typed;
pub mod virtual_account;
mod wire;

use std::time::Duration;

use futures::future::BoxFuture;

use crate::connectors::every_connector;

use crate::domain::attempt::{ApproveAnswer, Call, ChangeAnswer, InquiryAnswer, Manners, NetCancelAnswer};
use crate::domain::connector::Connector;
use crate::domain::failure::Failure;
use crate::domain::id::Reference;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::virtual_account::{IssueAnswer, IssueInquiry, VirtualAccount};
use crate::secret::TypedPayee;

pub use typed::{PhoneCompany, Typed, TypedAccount, TypedCard, TypedCode, TypedMember, TypedPhone, Verification};

/// What acquirers know us by, as the company that the merchants' contracts are with. A card that a payer keeps is registered
/// under it, because it is good for every merchant; no merchant may be called so (`merchants_mid_not_ours`).
pub const PLATFORM_MID: &str = "naru";

/// What must be known about an acquirer.
#[derive(Debug, Clone)]
pub struct AcquirerConfig {
    /// Its base address.
    pub url: url::Url,
    /// Whether the same reference again gives the first answer and has no second effect.
    pub dedupes_by_reference: bool,
    /// How long after it took effect a call may still be missing from an inquiry.
    pub settle_window: Duration,
    /// Keys the hash that tells two cards (accounts, phones, members) apart.
    pub fingerprint_key: [u8; 32],
}

/// Why what was typed was not registered. In either case nothing was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RegisterError {
    /// The acquirer does not take it.
    Declined(Failure),
    /// The acquirer could not be asked.
    Unavailable(String),
}

/// No HTTP client could be made: the machine's TLS is not as it should be. For start-up.
#[derive(Debug, thiserror::Error)]
#[error("no HTTP client can be made")]
pub struct NoClient(#[source] reqwest::Error);

/// Turns what a payer types into a token.
pub trait Registers<T: Typed>: Send + Sync {
    /// Registers it with the acquirer: 3 seconds in all.
    fn register<'a>(
        &'a self,
        mid: &'a str,
        typed: &'a T,
        traceparent: &'a str,
    ) -> BoxFuture<'a, Result<T::Kept, RegisterError>>;
}

/// What one call to an acquirer is about.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The payment it is for, which knows what it is paid with.
    pub payment: &'a Payment,
    /// How much.
    pub amount: Money,
    /// W3C `traceparent` to send along.
    pub traceparent: &'a str,
}

/// Carries out operations. Connect 1 s, total 10 s per call; the caller bounds how many there are at once.
pub trait Acquirer: Send + Sync {
    /// What it promises.
    fn manners(&self) -> Manners;

    /// Asks for the money, under our reference.
    fn approve<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, ApproveAnswer>;

    /// Asks what became of a reference.
    fn inquire<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, InquiryAnswer>;

    /// Asks for a change of the payment's approval, under our reference: [`Call::Capture`] 매입, [`Call::Cancel`] 취소 before
    /// it or [`Call::Refund`] 환불 after it.
    fn change<'a>(&'a self, order: Order<'a>, call: Call, reference: &'a Reference) -> BoxFuture<'a, ChangeAnswer>;

    /// Reverses whatever was done under `target`. `reference` names this call.
    fn net_cancel<'a>(
        &'a self,
        order: Order<'a>,
        reference: &'a Reference,
        target: &'a Reference,
    ) -> BoxFuture<'a, NetCancelAnswer>;

    /// What it does with accounts that payers pay into, if it does.
    fn accounts(&self) -> Option<&dyn HoldsAccounts> {
        None
    }
}

/// Money that leaves an account.
#[derive(Debug, Clone, Copy)]
pub struct PayOut<'a> {
    /// Our name for the account.
    pub account: &'a Reference,
    /// The deposit that it comes from, by the bank's name: one that was taken back is not refunded with another's money.
    pub deposit: &'a str,
    /// Whether the payment is refunded; else the deposit goes back that it could not take.
    pub is_refund: bool,
    /// Where to.
    pub to: &'a TypedPayee,
}

/// Opens accounts for payers to pay into, says what is in them, pays out of them and closes them.
pub trait HoldsAccounts: Send + Sync {
    /// Asks for an account, under our reference. Deposits are called back to `callback`, if there is such an address.
    fn issue<'a>(
        &'a self,
        order: Order<'a>,
        terms: &'a VirtualAccount,
        callback: Option<&'a str>,
        reference: &'a Reference,
    ) -> BoxFuture<'a, IssueAnswer>;

    /// Asks after an account, and what was paid into it.
    fn look<'a>(&'a self, order: Order<'a>, reference: &'a Reference) -> BoxFuture<'a, IssueInquiry>;

    /// Asks that an account be closed, under our reference: done when it is closed and empty.
    fn close<'a>(
        &'a self,
        order: Order<'a>,
        account: &'a Reference,
        reference: &'a Reference,
    ) -> BoxFuture<'a, ChangeAnswer>;

    /// Pays out of an account, under our reference.
    fn pay_out<'a>(
        &'a self,
        order: Order<'a>,
        pay_out: PayOut<'a>,
        reference: &'a Reference,
    ) -> BoxFuture<'a, ChangeAnswer>;
}

macro_rules! open {
    ($($(#[$doc:meta])* $name:ident $field:ident $word:literal $variable:literal $company:path,)+) => {
        /// The acquirer that workers ask for a connector. Connects when first used.
        ///
        /// # Errors
        /// When no HTTP client can be made (no TLS roots, say).
        pub fn open(connector: Connector, config: &AcquirerConfig) -> Result<Box<dyn Acquirer>, NoClient> {
            Ok(match connector { $(Connector::$name => Box::new(<$company>::new(config)?),)+ })
        }
    };
}

every_connector!(open);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

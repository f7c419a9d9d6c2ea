//! What payers type, by method, and what is kept of it. Each lives for one call; none is stored or printed.

use time::OffsetDateTime;

use crate::domain::bank::Bank;
use crate::domain::instrument::{Card, Mobile, Points, Transfer};
use crate::secret::{
    AccountNumber, BirthDate, CardExpiry, CardNumber, CardPassword, Cvc, IdentityNumber, MemberNumber, MemberPassword,
    PhoneNumber, Secret, SmsCode,
};
use crate::words::words;

/// What a payer types, and what stands for it afterwards.
pub trait Typed {
    /// What is kept of it.
    type Kept;
}

/// A card as somebody typed it.
#[derive(Debug)]
pub struct TypedCard {
    /// Its number.
    pub number: CardNumber,
    /// Until when it is good.
    pub expiry: CardExpiry,
    /// The three or four digits on its back.
    pub cvc: Option<Cvc>,
    /// The first two digits of its password.
    pub password: Option<CardPassword>,
    /// Birth date, or the company's number.
    pub identity: Option<IdentityNumber>,
    /// 0 for a single payment, else 2 to 12.
    pub installment_months: u8,
}

impl Typed for TypedCard {
    type Kept = Card;
}

/// A bank account as somebody typed it.
#[derive(Debug)]
pub struct TypedAccount {
    /// Where it is.
    pub bank: Bank,
    /// Its number.
    pub number: AccountNumber,
    /// Whose it is.
    pub holder: Secret<String>,
    /// Birth date, or the company's number.
    pub identity: Option<IdentityNumber>,
}

impl Typed for TypedAccount {
    type Kept = Transfer;
}

words! {
    /// 통신사: whose phone it is.
    PhoneCompany {
        /// SK텔레콤.
        Skt = "SKT",
        /// KT.
        Kt = "KT",
        /// LG유플러스.
        Lgu = "LGU",
        /// 알뜰폰, on whosever network.
        Mvno = "MVNO",
    }
}

/// A phone as somebody typed it: the carrier sends it a code.
#[derive(Debug)]
pub struct TypedPhone {
    /// Whose it is.
    pub carrier: PhoneCompany,
    /// Its number.
    pub number: PhoneNumber,
    /// When its owner was born.
    pub birth: BirthDate,
}

impl Typed for TypedPhone {
    type Kept = Verification;
}

/// A code that is on its way to a phone.
#[derive(Debug)]
pub struct Verification {
    /// The carrier's name for it.
    pub id: String,
    /// Until when the code is good.
    pub expires_at: OffsetDateTime,
}

/// The code that came to the phone.
#[derive(Debug)]
pub struct TypedCode {
    /// The carrier's name for the verification.
    pub verification: String,
    /// The code.
    pub code: SmsCode,
}

impl Typed for TypedCode {
    type Kept = Mobile;
}

/// A membership as somebody typed it.
#[derive(Debug)]
pub struct TypedMember {
    /// Its number.
    pub number: MemberNumber,
    /// Its password.
    pub password: Option<MemberPassword>,
}

impl Typed for TypedMember {
    type Kept = Points;
}

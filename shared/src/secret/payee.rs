//! The bank account that money goes back to. Typed by a merchant or payer, it rests sealed until the money is there.

use std::borrow::Cow;
use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{REDACTED, Secret};
use crate::domain::bank::Bank;
use crate::domain::id::PayeeId;
use crate::domain::virtual_account::Payee;

/// Fewest and most digits of an account number.
const DIGITS: std::ops::RangeInclusive<usize> = 8..=16;

/// Sealed with it, so that nothing else under the same key can be taken for it.
const PURPOSE: &[u8] = b"naru payee 1";

/// A bank account to pay to, with its number. Never printed, and stored sealed only.
pub struct TypedPayee {
    bank: Bank,
    number: Secret<String>,
    holder: String,
}

/// As it is sealed.
#[derive(Serialize, Deserialize)]
struct Plain<'a> {
    bank: Bank,
    #[serde(borrow)]
    number: Cow<'a, str>,
    #[serde(borrow)]
    holder: Cow<'a, str>,
}

impl TypedPayee {
    /// The account of this number: 8 to 16 digits, hyphens and spaces between them tolerated. Nothing when it is none.
    #[must_use]
    pub fn parse(bank: Bank, number: &str, holder: &str) -> Option<Self> {
        let is_one = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-' || byte == b' ');
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let digits = Secret::new(digits);
        (is_one && DIGITS.contains(&digits.expose().len())).then(|| Self {
            bank,
            number: digits,
            holder: holder.to_owned(),
        })
    }

    /// The bank.
    #[must_use]
    pub const fn bank(&self) -> Bank {
        self.bank
    }

    /// The digits. For the bank only.
    #[must_use]
    pub fn number(&self) -> &str {
        self.number.expose()
    }

    /// Whose it is.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// What may be shown and kept of it, when it rests under this id.
    #[must_use]
    pub fn shown(&self, id: PayeeId) -> Payee {
        let digits = self.number.expose();
        let last4 = digits.get(digits.len().saturating_sub(4)..).unwrap_or_default().to_owned();
        Payee { id, bank: self.bank, last4, holder: self.holder.clone() }
    }

    /// Seals it under an id. `nonce` is random and used once.
    #[must_use]
    pub fn seal(&self, key: &[u8; 32], id: PayeeId, nonce: [u8; NONCE_LEN]) -> Option<Vec<u8>> {
        let plain = Plain { bank: self.bank, number: self.number().into(), holder: self.holder().into() };
        let mut sealed = serde_json::to_vec(&plain).ok()?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad(id), &mut sealed).ok()?;
        Some([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed under this id; nothing when it was not, or was changed since.
    #[must_use]
    pub fn open(sealed: &[u8], key: &[u8; 32], id: PayeeId) -> Option<Self> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).ok()?);
        let mut opened = Zeroizing::new(sealed.to_vec());
        let plain = key.open_in_place(Nonce::try_assume_unique_for_key(nonce).ok()?, aad(id), &mut opened).ok()?;
        let Plain { bank, number, holder } = serde_json::from_slice(plain).ok()?;
        Some(Self { bank, number: Secret::new(number.into_owned()), holder: holder.into_owned() })
    }
}

fn aad(id: PayeeId) -> Aad<Vec<u8>> {
    Aad::from([PURPOSE, id.0.as_bytes()].concat())
}

impl fmt::Debug for TypedPayee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn id(number: u128) -> PayeeId {
        PayeeId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn what_is_sealed_is_opened_under_its_id_only() {
        let payee = TypedPayee::parse(Bank::Shinhan, "110-1234-56789", "홍\"길동").unwrap();
        let sealed = payee.seal(&KEY, id(1), [9; NONCE_LEN]).unwrap();
        let opened = TypedPayee::open(&sealed, &KEY, id(1)).unwrap();
        assert_eq!((opened.bank(), opened.number(), opened.holder()), (Bank::Shinhan, "110123456789", "홍\"길동"));
        assert!(TypedPayee::open(&sealed, &KEY, id(2)).is_none(), "another id");
        assert!(TypedPayee::open(&sealed, &[8; 32], id(1)).is_none(), "another key");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(TypedPayee::open(&changed, &KEY, id(1)).is_none(), "byte {place}");
        }
        assert!(TypedPayee::open(&sealed[..5], &KEY, id(1)).is_none());
    }

    #[test]
    fn no_digit_of_the_number_is_seen() {
        let payee = TypedPayee::parse(Bank::Kb, "9999888877", "Kim").unwrap();
        let sealed = payee.seal(&KEY, id(1), [1; NONCE_LEN]).unwrap();
        assert!(!sealed.windows(4).any(|bytes| bytes == b"9999" || bytes == b"8888"));
        assert_eq!((payee.shown(id(1)).masked(), format!("{payee:?}")), ("****8877".to_owned(), REDACTED.to_owned()));
    }

    #[test]
    fn a_number_has_eight_to_sixteen_digits() {
        for (number, is_one) in [
            ("1234567", false),
            ("12345678", true),
            ("1234 5678-90123456", true),
            ("12345678901234567", false),
            ("1234567a", false),
            ("１２３４５６７８", false),
            ("", false),
        ] {
            assert_eq!(TypedPayee::parse(Bank::Kb, number, "Kim").is_some(), is_one, "{number}");
        }
    }
}

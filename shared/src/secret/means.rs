//! What a payer types who does not pay by card: of an account, a phone, a membership. It is exchanged for the acquirer's
//! token at once and then forgotten.

use std::fmt;

use super::card::{Digits, redacted};
use super::{NotACardField, REDACTED, keyed_hash_of_parts};

redacted!(AccountNumber, PhoneNumber, BirthDate, SmsCode, MemberNumber, MemberPassword);

/// The last four of some digits.
fn last4(digits: &str) -> &str {
    &digits[digits.len().saturating_sub(4)..]
}

/// The number of a bank account.
#[derive(Clone)]
pub struct AccountNumber(Digits<16>);

impl AccountNumber {
    /// Reads 8 to 16 digits, with single spaces or hyphens between them.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        Digits::parse(text, 8, b" -").map(Self)
    }

    /// All digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The last four digits, by which a person knows the account.
    #[must_use]
    pub fn last4(&self) -> &str {
        last4(self.expose())
    }

    /// The same account gives the same value, and only the holder of `key` can tell which it is.
    #[must_use]
    pub fn fingerprint(&self, key: &[u8; 32], bank_code: &str) -> [u8; 32] {
        keyed_hash_of_parts(key, &[bank_code.as_bytes(), self.expose().as_bytes()])
    }
}

/// The number of a mobile phone in Korea.
#[derive(Clone)]
pub struct PhoneNumber(Digits<11>);

impl PhoneNumber {
    /// Reads 10 or 11 digits that begin with `01`, with single spaces or hyphens between them.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        let digits = Digits::parse(text, 10, b" -")?;
        if digits.as_str().starts_with("01") { Ok(Self(digits)) } else { Err(NotACardField::Character) }
    }

    /// All digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// A birthday, `YYMMDD`.
#[derive(Clone)]
pub struct BirthDate(Digits<6>);

impl BirthDate {
    /// Reads exactly six digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        Digits::parse(text, 6, b"").map(Self)
    }

    /// The digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// The code that a carrier sent to a phone.
#[derive(Clone)]
pub struct SmsCode(Digits<6>);

impl SmsCode {
    /// Reads exactly six digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        Digits::parse(text, 6, b"").map(Self)
    }

    /// The digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// The number of a member who has points.
#[derive(Clone)]
pub struct MemberNumber(Digits<16>);

impl MemberNumber {
    /// Reads 8 to 16 digits, with single spaces or hyphens between them.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        Digits::parse(text, 8, b" -").map(Self)
    }

    /// All digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The last four digits, by which a person knows the membership.
    #[must_use]
    pub fn last4(&self) -> &str {
        last4(self.expose())
    }

    /// The same member gives the same value, and only the holder of `key` can tell which it is.
    #[must_use]
    pub fn fingerprint(&self, key: &[u8; 32]) -> [u8; 32] {
        keyed_hash_of_parts(key, &[self.expose().as_bytes()])
    }
}

/// The password of a member who has points.
#[derive(Clone)]
pub struct MemberPassword(Digits<6>);

impl MemberPassword {
    /// Reads four or six digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        let digits = Digits::parse(text, 4, b"")?;
        match digits.as_str().len() {
            4 | 6 => Ok(Self(digits)),
            _ => Err(NotACardField::Length),
        }
    }

    /// The digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_and_what_cannot() {
        #[rustfmt::skip]
        let accounts = [("12345678", true), ("110-123-456789", true), ("1234567890123456", true), ("1234567", false), ("12345678901234567", false), ("110--123456", false), ("X1234567890123", false)];
        for (text, good) in accounts {
            assert_eq!(AccountNumber::parse(text).is_ok(), good, "{text}");
            assert_eq!(MemberNumber::parse(text).is_ok(), good, "{text}");
        }
        #[rustfmt::skip]
        let phones = [("010-1234-5678", true), ("0111234567", true), ("02-1234-5678", false), ("010123456789", false), ("+821012345678", false)];
        for (text, good) in phones {
            assert_eq!(PhoneNumber::parse(text).is_ok(), good, "{text}");
        }
        for (text, good) in [("0000", true), ("000000", true), ("00000", false), ("000", false), ("abcd", false)] {
            assert_eq!(MemberPassword::parse(text).is_ok(), good, "{text}");
        }
        assert!(
            SmsCode::parse("000000").is_ok() && SmsCode::parse("00000").is_err() && BirthDate::parse("90010").is_err()
        );
    }

    #[test]
    fn nothing_is_printed_and_fingerprints_tell_banks_apart() {
        let number = AccountNumber::parse("110-123-456789").unwrap();
        assert_eq!(format!("{number:?}"), "AccountNumber([secret])");
        assert_eq!((number.expose(), number.last4()), ("110123456789", "6789"));
        let key = [7; 32];
        assert_ne!(number.fingerprint(&key, "88"), number.fingerprint(&key, "20"));
    }
}

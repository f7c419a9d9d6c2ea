//! What a payer reads off a card. It is exchanged for the acquirer's token at once and then forgotten.

use std::fmt;

use time::{Date, Month, OffsetDateTime, UtcOffset};
use zeroize::Zeroize;

use super::{REDACTED, keyed_hash};

/// Why a card field is refused. Never says what was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotACardField {
    /// A character that does not belong there.
    #[error("has a character that is not allowed")]
    Character,
    /// Too few or too many digits.
    #[error("has the wrong number of digits")]
    Length,
    /// The check digit does not fit: most likely mistyped.
    #[error("has a wrong check digit")]
    CheckDigit,
    /// A month other than 01 to 12.
    #[error("is not a month")]
    Month,
}

/// Up to `MAX` decimal digits, kept where they are and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Digits<const MAX: usize> {
    ascii: [u8; MAX],
    count: usize,
}

impl<const MAX: usize> Digits<MAX> {
    /// Reads ASCII digits; `separators` may stand singly between two of them.
    pub(super) fn parse(text: &str, min: usize, separators: &[u8]) -> Result<Self, NotACardField> {
        let mut digits = Self { ascii: [0; MAX], count: 0 };
        let mut after_digit = false;
        for character in text.trim().bytes() {
            if character.is_ascii_digit() {
                let place = digits.ascii.get_mut(digits.count).ok_or(NotACardField::Length)?;
                *place = character;
                digits.count += 1;
                after_digit = true;
            } else if after_digit && separators.contains(&character) {
                after_digit = false;
            } else {
                return Err(NotACardField::Character);
            }
        }
        if digits.count < min {
            return Err(NotACardField::Length);
        }
        if !after_digit {
            return Err(NotACardField::Character);
        }
        Ok(digits)
    }

    pub(super) fn as_str(&self) -> &str {
        // Only ASCII digits were written.
        std::str::from_utf8(&self.ascii[..self.count]).unwrap_or_default()
    }
}

impl<const MAX: usize> Drop for Digits<MAX> {
    fn drop(&mut self) {
        self.ascii.zeroize();
        self.count.zeroize();
    }
}

/// Debug for types whose content nobody may see.
macro_rules! redacted {
    ($($name:ident),+) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                f.write_str(REDACTED)?;
                f.write_str(")")
            }
        }
    )+};
}
pub(super) use redacted;
redacted!(CardNumber, Cvc, CardPassword, IdentityNumber, CardExpiry);

/// A card number (PAN): 12 to 19 digits with a right check digit.
#[derive(Clone, PartialEq, Eq)]
pub struct CardNumber(Digits<19>);

impl CardNumber {
    /// Reads 12 to 19 digits, with single spaces or hyphens between them.
    ///
    /// # Errors
    /// Other characters, another count of digits, or a check digit (Luhn) that does not fit.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        let digits = Digits::parse(text, 12, b" -")?;
        if luhn(digits.as_str().bytes()) { Ok(Self(digits)) } else { Err(NotACardField::CheckDigit) }
    }

    /// All digits, without separators. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }

    /// The first six digits, which name the issuer.
    #[must_use]
    pub fn bin(&self) -> &str {
        &self.expose()[..6]
    }

    /// The last four digits, by which a person knows the card.
    #[must_use]
    pub fn last4(&self) -> &str {
        let digits = self.expose();
        &digits[digits.len() - 4..]
    }

    /// First six, stars, last four: the only truncation used anywhere, since several would rebuild the number.
    #[must_use]
    pub fn masked(&self) -> String {
        let stars = "*".repeat(self.expose().len() - 10);
        format!("{}{stars}{}", self.bin(), self.last4())
    }

    /// The same card gives the same value, and only the holder of `key` can tell which card it is.
    #[must_use]
    pub fn fingerprint(&self, key: &[u8; 32]) -> [u8; 32] {
        keyed_hash(key, self.expose().as_bytes())
    }
}

/// The three or four digits on the card's back. Never stored, not even encrypted.
#[derive(Clone)]
pub struct Cvc(Digits<4>);

impl Cvc {
    /// Reads three or four digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        Digits::parse(text, 3, b"").map(Self)
    }

    /// The digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// The first two digits of the card's password, as Korean key-in payments ask for.
#[derive(Clone)]
pub struct CardPassword(Digits<2>);

impl CardPassword {
    /// Reads exactly two digits.
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        Digits::parse(text, 2, b"").map(Self)
    }

    /// The digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// Who owns the card: a birthday (YYMMDD) or a business registration number (ten digits).
#[derive(Clone)]
pub struct IdentityNumber(Digits<10>);

impl IdentityNumber {
    /// Reads six digits, or ten with optional hyphens (`123-45-67890`).
    ///
    /// # Errors
    /// Anything else.
    pub fn parse(text: &str) -> Result<Self, NotACardField> {
        let digits = Digits::parse(text, 6, b"-")?;
        match digits.count {
            6 | 10 => Ok(Self(digits)),
            _ => Err(NotACardField::Length),
        }
    }

    /// The digits. Only the acquirer may see them.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.as_str()
    }
}

/// The month a card is good through.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CardExpiry {
    /// Years after 2000: 0 to 99.
    pub year: u8,
    /// 1 to 12.
    pub month: u8,
}

impl CardExpiry {
    /// Reads the two fields of the wire: year `"YY"` and month `"MM"`.
    ///
    /// # Errors
    /// Anything but two digits each, or a month that isn't one.
    pub fn parse(year: &str, month: &str) -> Result<Self, NotACardField> {
        let (year, month) = (two_digits(year)?, two_digits(month)?);
        if (1..=12).contains(&month) { Ok(Self { year, month }) } else { Err(NotACardField::Month) }
    }

    /// The year as the wire writes it, `"YY"`.
    #[must_use]
    pub fn year_digits(&self) -> String {
        format!("{:02}", self.year)
    }

    /// The month as the wire writes it, `"MM"`.
    #[must_use]
    pub fn month_digits(&self) -> String {
        format!("{:02}", self.month)
    }

    /// Whether the last day of the month is over in Korea.
    #[must_use]
    pub fn is_past(&self, now: OffsetDateTime) -> bool {
        let Ok(seoul) = UtcOffset::from_hms(9, 0, 0) else {
            return false;
        };
        let today: Date = now.to_offset(seoul).date();
        let this_month = (today.year(), u8::from(today.month()));
        (2000 + i32::from(self.year), self.month) < this_month
    }

    /// The month, for arithmetic.
    #[must_use]
    pub fn month(&self) -> Option<Month> {
        Month::try_from(self.month).ok()
    }
}

fn two_digits(text: &str) -> Result<u8, NotACardField> {
    match text.trim().as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Ok((tens - b'0') * 10 + (ones - b'0')),
        bytes if bytes.iter().all(u8::is_ascii_digit) => Err(NotACardField::Length),
        _ => Err(NotACardField::Character),
    }
}

/// Whether the last of these ASCII digits is the right check digit for the ones before (ISO/IEC 7812).
pub(crate) fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .map(|digit| u32::from(digit - b'0'))
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, doubled @ 0..=9) => doubled,
            (_, doubled) => doubled - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    #[test]
    fn card_numbers() {
        use NotACardField::{Character, CheckDigit, Length};
        let table = [
            ("4242424242424242", Ok("424242******4242")),
            ("4242 4242 4242 4242", Ok("424242******4242")),
            ("4242-4242-4242-4242", Ok("424242******4242")),
            (" 378282246310005 ", Ok("378282*****0005")),
            ("676770000006", Err(CheckDigit)),
            ("676770000005", Ok("676770**0005")),
            ("6304000000000000", Ok("630400******0000")),
            ("4242424242424241", Err(CheckDigit)),
            ("42424242424", Err(Length)),
            ("42424242424242424242", Err(Length)),
            ("4242--4242-4242-4242", Err(Character)),
            ("-4242424242424242", Err(Character)),
            ("4242424242424242-", Err(Character)),
            ("4242424242424242a", Err(Character)),
            ("4242\u{0}4242424242424", Err(Character)),
            ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", Err(Character)),
            ("", Err(Length)),
        ];
        for (text, expected) in table {
            let masked = CardNumber::parse(text).map(|card| card.masked());
            assert_eq!(masked.as_deref(), expected.as_ref().map(|m| &**m), "{text}");
        }
    }

    #[test]
    fn parts_of_a_card_number() {
        let card = CardNumber::parse("4000 0566 5566 5556").unwrap();
        assert_eq!((card.bin(), card.last4()), ("400005", "5556"));
        assert_eq!(card.fingerprint(&[1; 32]), card.clone().fingerprint(&[1; 32]));
        assert_ne!(card.fingerprint(&[1; 32]), card.fingerprint(&[2; 32]));
    }

    #[test]
    fn nothing_prints_its_digits() {
        let all = format!(
            "{:?} {:?} {:?} {:?} {:?}",
            CardNumber::parse("4242424242424242").unwrap(),
            Cvc::parse("987").unwrap(),
            CardPassword::parse("65").unwrap(),
            IdentityNumber::parse("900101").unwrap(),
            CardExpiry::parse("30", "12").unwrap(),
        );
        assert!(all.bytes().all(|c| !c.is_ascii_digit()), "{all}");
    }

    #[test]
    fn the_small_fields_take_exactly_their_digits() {
        for (text, ok) in
            [("123", true), ("1234", true), ("12", false), ("12345", false), ("12a", false), ("1-23", false)]
        {
            assert_eq!(Cvc::parse(text).is_ok(), ok, "{text}");
        }
        for (text, ok) in [("12", true), ("1", false), ("123", false), ("1a", false)] {
            assert_eq!(CardPassword::parse(text).is_ok(), ok, "{text}");
        }
        for (text, ok) in
            [("900101", true), ("123-45-67890", true), ("1234567890", true), ("1234567", false), ("90010", false)]
        {
            assert_eq!(IdentityNumber::parse(text).is_ok(), ok, "{text}");
        }
    }

    #[test]
    fn a_card_is_good_through_the_last_day_of_its_month_in_korea() {
        let card = CardExpiry::parse("26", "11").unwrap();
        assert!(!card.is_past(datetime!(2026-11-30 14:59:59 UTC)));
        assert!(card.is_past(datetime!(2026-11-30 15:00:00 UTC)));
        assert!(!CardExpiry::parse("27", "01").unwrap().is_past(datetime!(2026-12-31 23:00 UTC)));
        assert_eq!(CardExpiry::parse("26", "13"), Err(NotACardField::Month));
        assert_eq!(CardExpiry::parse("26", "00"), Err(NotACardField::Month));
        assert_eq!(CardExpiry::parse("2026", "01"), Err(NotACardField::Length));
        assert_eq!((card.year_digits(), card.month_digits()), ("26".into(), "11".into()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = (CardNumber::parse(&text), Cvc::parse(&text), CardPassword::parse(&text), IdentityNumber::parse(&text));
            let _ = CardExpiry::parse(&text, &text);
        }

        #[test]
        fn one_wrong_digit_is_always_noticed(digits in "[0-9]{11,18}", place in 0_usize..11, change in 1_u8..10) {
            let check = (b'0'..=b'9').find(|c| luhn(digits.bytes().chain([*c])));
            let whole = format!("{digits}{}", char::from(check.unwrap()));
            prop_assert!(CardNumber::parse(&whole).is_ok());
            let mut wrong = whole.into_bytes();
            wrong[place] = (wrong[place] - b'0' + change) % 10 + b'0';
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assert_eq!(CardNumber::parse(&wrong).err(), Some(NotACardField::CheckDigit));
        }
    }
}

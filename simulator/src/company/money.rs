//! Money as the card company counts it: whole minor units of a named currency.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// An amount in the currency's minor unit (won have none), 1 to 999,999,999,999: the twelve digits of ISO 8583 field 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64")]
pub struct Amount(i64);

impl Amount {
    /// The largest amount.
    pub const MAX: i64 = 999_999_999_999;

    /// The amount as a number of minor units.
    pub fn get(self) -> i64 {
        self.0
    }
}

/// A number that is no amount.
#[derive(Debug, thiserror::Error)]
#[error("must be a whole number of minor units from 1 to 999999999999")]
pub struct NotAnAmount;

impl TryFrom<i64> for Amount {
    type Error = NotAnAmount;

    fn try_from(units: i64) -> Result<Self, NotAnAmount> {
        if (1..=Self::MAX).contains(&units) { Ok(Self(units)) } else { Err(NotAnAmount) }
    }
}

/// A currency's three capital letters (ISO 4217).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Currency([u8; 3]);

/// A text that is no currency.
#[derive(Debug, thiserror::Error)]
#[error("must be three capital letters")]
pub struct NotACurrency;

impl Currency {
    /// A currency that is not this one, for answers that lie.
    pub fn another(self) -> Self {
        if self.0 == *b"USD" { Self(*b"JPY") } else { Self(*b"USD") }
    }

    fn as_str(&self) -> &str {
        // Only ASCII capitals get in.
        std::str::from_utf8(&self.0).unwrap_or("???")
    }
}

impl TryFrom<String> for Currency {
    type Error = NotACurrency;

    fn try_from(text: String) -> Result<Self, NotACurrency> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| NotACurrency)?;
        if letters.iter().all(u8::is_ascii_uppercase) { Ok(Self(letters)) } else { Err(NotACurrency) }
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

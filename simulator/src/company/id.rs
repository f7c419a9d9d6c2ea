//! The names others give to things: references, order ids, merchant ids, tokens.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A name: 1 to 200 of the characters `A–Z a–z 0–9 - _ . : = @ +`. Cheap to copy.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Id(Arc<str>);

/// A text that can't be a name. Says the rule, never the text.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to 200 of the characters A-Z a-z 0-9 - _ . : = @ +")]
pub struct NotAnId;

impl Id {
    /// Longest name, in bytes.
    pub const LENGTH_MAX: usize = 200;

    /// A name made of characters that are known to be allowed; what isn't is left out.
    pub(super) fn plain(text: &str) -> Self {
        let kept: String = text.chars().filter(char::is_ascii_alphanumeric).take(Self::LENGTH_MAX).collect();
        Self(kept.into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Id {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        let fits = (1..=Self::LENGTH_MAX).contains(&text.len());
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:=@+".contains(&b);
        if fits && text.bytes().all(plain) { Ok(Self(text.into())) } else { Err(NotAnId) }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

//! What people are called, and addresses to call back: texts that are kept as they came.

use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// A person's name: 1 to 100 characters, none of them a control character.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Name(Arc<str>);

/// A text that is nobody's name. Says the rule, never the text.
#[derive(Debug, thiserror::Error)]
#[error("must be 1 to 100 characters without control characters")]
pub struct NotAName;

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;

    fn try_from(text: String) -> Result<Self, NotAName> {
        let fits = (1..=100).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.into())) } else { Err(NotAName) }
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// An address to call back: `http://` or `https://`, at most 2,000 printable ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Address(Arc<str>);

/// A text that is no address.
#[derive(Debug, thiserror::Error)]
#[error("must be an http or https address of at most 2000 characters")]
pub struct NotAnAddress;

impl Address {
    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Address {
    type Error = NotAnAddress;

    fn try_from(text: String) -> Result<Self, NotAnAddress> {
        let known = text.starts_with("http://") || text.starts_with("https://");
        let plain = text.len() <= 2_000 && text.bytes().all(|b| b.is_ascii_graphic());
        if known && plain { Ok(Self(text.into())) } else { Err(NotAnAddress) }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

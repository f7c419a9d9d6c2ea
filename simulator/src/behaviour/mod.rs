//! Misbehaviour: what a number, a name, an amount or a script makes the company do with a request.
//!
//! Every behaviour is a [`Plan`]: wait, act, wait, deliver. A script outranks a number or name, and that an amount.

pub mod cards;
pub mod faults;
mod holds;
mod script;
pub mod specimens;
mod step;

use std::borrow::Cow;
use std::time::Duration;

pub use holds::{Held, Holds};
pub use script::{Added, After, Match, Script, Scripts};
pub use step::Step;

use crate::company::{Act, Code};

/// How one request is treated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The behaviour's name, for the journal; none when nothing is unusual.
    pub name: Option<Cow<'static, str>>,
    /// Before the books are touched.
    pub before: Vec<Wait>,
    /// What happens to the books.
    pub act: Act,
    /// Inquiries don't find it for so long, beyond the general lag.
    pub lag_ms: u64,
    /// After the books are durable, before the answer.
    pub after: Vec<Wait>,
    /// What the other side gets to see.
    pub deliver: Deliver,
}

/// A pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// For a time.
    For(Duration),
    /// Until `POST /admin/holds/{id}/release`.
    Hold(String),
}

/// How the true answer is (mis)delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// As it is.
    Faithfully,
    /// As this HTTP status (500 to 599) with a code and no more.
    Status(u16, Code),
    /// Not at all: silence until the other side gives up.
    Never,
    /// Not at all: the connection is reset.
    Cut,
    /// As 200 with a body that is not JSON.
    Malformed,
    /// Half of it, then the connection closes.
    Truncated,
    /// With 8 MiB of padding.
    Huge,
    /// With so much added to the amount.
    OtherAmount(i64),
    /// With another currency.
    OtherCurrency,
}

impl Plan {
    /// Nothing unusual.
    pub fn plain() -> Self {
        Self {
            name: None,
            before: Vec::new(),
            act: Act::Normally,
            lag_ms: 0,
            after: Vec::new(),
            deliver: Deliver::Faithfully,
        }
    }

    /// An unusual act, honestly answered.
    pub fn acting(act: Act) -> Self {
        Self { act, ..Self::plain() }
    }

    /// A usual act whose answer suffers.
    pub fn delivering(deliver: Deliver) -> Self {
        Self { deliver, ..Self::plain() }
    }

    /// Nothing is done, and the answer suffers.
    pub fn nothing(deliver: Deliver) -> Self {
        Self { act: Act::Nothing, ..Self::delivering(deliver) }
    }

    /// Whether there is anything unusual.
    pub fn is_plain(&self) -> bool {
        self.name.is_none()
    }

    /// The same under a name.
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }
}

impl Deliver {
    /// The maintenance answer.
    pub const BUSY: Self = Self::Status(503, Code::BUSY);

    /// A server error.
    pub fn error(status: u16) -> Self {
        Self::Status(status, Code::MALFUNCTION)
    }
}

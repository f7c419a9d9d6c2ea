//! One type per kind of id, so that they can't be mixed.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    )*};
}

ids! {
    /// A merchant account. Merchants see its `mid` instead.
    MerchantId;
    /// Somebody who works for a merchant.
    StaffId;
    /// An invitation to work for a merchant.
    InvitationId;
    /// An API key of a merchant; not the key itself.
    ApiKeyId;
    /// A payment inside Naru. Merchants see its [`PaymentKey`] instead.
    PaymentId;
    /// One unit of queued work on a payment.
    OperationId;
    /// One call to an acquirer.
    AttemptId;
    /// One run of a worker program: a restarted worker is another worker.
    WorkerId;
    /// A payer's account, in one of the two worlds.
    PayerId;
    /// A card that a payer keeps.
    CardId;
    /// A card that a merchant may charge again. Merchants see its `billingKey` instead.
    BillingKeyId;
    /// A bank account that money goes back to, as it was said once: its number rests sealed under this.
    PayeeId;
}

macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text as it goes over the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

texts! {
    /// What merchants call a payment (`paymentKey`, at most 200 characters). Random.
    PaymentKey;
    /// What a payer's page calls a payment. Random, and good for that payment only.
    CheckoutId;
    /// Our name for an attempt at an acquirer: what it dedupes by, and what we inquire and net-cancel by.
    Reference;
}

impl Reference {
    /// The reference of the attempt that used it first. 34 characters, well inside what card networks carry.
    #[must_use]
    pub fn of(attempt: AttemptId) -> Self {
        Self(format!("NR{}", attempt.0.simple()))
    }
}

/// The two worlds of a merchant, which never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The sandbox: no money moves.
    Test,
    /// Real money.
    Live,
}

impl Mode {
    /// As it is stored and as it prefixes keys.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Live => "live",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Test, Self::Live].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// Which merchant, in which of its two worlds. Every read and write of a merchant's things carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The merchant.
    pub merchant: MerchantId,
    /// Its sandbox or its live world.
    pub mode: Mode,
}

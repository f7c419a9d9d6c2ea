//! Who carries out operations, and what can be said of each without asking it.

use crate::connectors::every_connector;
use crate::words::words;

macro_rules! declare {
    ($($(#[$doc:meta])* $name:ident $field:ident $word:literal $variable:literal $company:path,)+) => {
        words! {
            /// Who carries out operations. One folder in `shared/src/acquirer/`, one family of work queues.
            Connector {
                $($(#[$doc])* $name = $word,)+
            }
        }

        /// One of something for every connector.
        #[derive(Debug, Clone)]
        pub struct PerConnector<T> {
            $($field: T,)+
        }

        impl<T> PerConnector<T> {
            /// What `make` makes for each.
            ///
            /// # Errors
            /// The first of `make`.
            pub fn make<E>(mut make: impl FnMut(Connector) -> Result<T, E>) -> Result<Self, E> {
                Ok(Self { $($field: make(Connector::$name)?,)+ })
            }

            /// That of one.
            pub const fn of(&self, connector: Connector) -> &T {
                match connector { $(Connector::$name => &self.$field,)+ }
            }
        }
    };
}

every_connector!(declare);

impl Connector {
    /// Whether its acquirer buys sales slips in a call of its own (매입); until then money is given back without a trace.
    #[must_use]
    pub const fn captures(self) -> bool {
        match self {
            Self::Card => true,
            Self::Transfer | Self::Mobile | Self::Points | Self::VirtualAccount => false,
        }
    }

    /// Whether money moves with the approval itself, so that giving it back is a refund 환불 from the first moment on.
    #[must_use]
    pub const fn refunds(self) -> bool {
        match self {
            Self::Transfer => true,
            // Of an account that nobody paid into there is nothing to refund: its own course tells the two apart.
            Self::Card | Self::Mobile | Self::Points | Self::VirtualAccount => false,
        }
    }

    /// Whether its acquirer gives back a part of what was paid.
    #[must_use]
    pub const fn cancels_in_parts(self) -> bool {
        match self {
            Self::Card | Self::Transfer | Self::Points | Self::VirtualAccount => true,
            Self::Mobile => false,
        }
    }

    /// Whether its acquirer gives back only before the bill is written: in the calendar month, in Korea, of the approval.
    #[must_use]
    pub const fn cancels_within_the_month(self) -> bool {
        match self {
            Self::Mobile => true,
            Self::Card | Self::Transfer | Self::Points | Self::VirtualAccount => false,
        }
    }

    /// The least that can be paid with it, in won (Toss Payments: 100 by card, 200 by account).
    #[must_use]
    pub const fn amount_min(self) -> i64 {
        match self {
            Self::Transfer | Self::VirtualAccount => 200,
            Self::Card | Self::Mobile | Self::Points => 100,
        }
    }
}

#[cfg(test)]
mod tests;

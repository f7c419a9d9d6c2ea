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
            Self::VirtualAccount => false,
        }
    }

    /// Whether its acquirer gives back a part of what was paid.
    #[must_use]
    pub const fn cancels_in_parts(self) -> bool {
        match self {
            Self::Card | Self::VirtualAccount => true,
        }
    }
}

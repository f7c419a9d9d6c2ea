//! The connectors, one line each: whatever there is one of for every connector is made from this list. That is the enum
//! [`Connector`](crate::domain::operation::Connector), its settings, the acquirer that workers ask, its breaker and its
//! consumers.
//!
//! A line has the connector's name, its field, its word (in Postgres, in the names of its queues), its word in the names of
//! environment variables, and who speaks to its acquirer.

macro_rules! every_connector {
    ($make:ident) => {
        $make! {
            /// 카드: the card company.
            Card card "card" "CARD" card::CardCompany,
            /// 가상계좌: the bank that opens accounts for payers to pay into.
            VirtualAccount virtual_account "virtual_account" "VIRTUAL_ACCOUNT" virtual_account::AccountBank,
        }
    };
}
pub(crate) use every_connector;

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
            /// 계좌이체: the bank that draws from the payer's account.
            Transfer transfer "transfer" "TRANSFER" transfer::Bank,
            /// 휴대폰: the carrier that puts it on the payer's bill.
            Mobile mobile "mobile" "MOBILE" mobile::Carrier,
            /// 포인트: the issuer of the payer's points.
            Points points "points" "POINTS" points::Issuer,
            /// 가상계좌: the bank that opens accounts for payers to pay into.
            VirtualAccount virtual_account "virtual_account" "VIRTUAL_ACCOUNT" virtual_account::AccountBank,
        }
    };
}
pub(crate) use every_connector;

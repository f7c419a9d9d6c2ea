//! 빌링키: a card that a merchant may charge again without its payer being there.

use time::{Duration, OffsetDateTime};

use super::id::BillingKeyId;
use super::instrument::Card;

/// How long after its acceptance a charge may still be sent: nobody stands at a till.
pub const CHARGE_WITHIN: Duration = Duration::hours(1);
/// How long a customer has to type the card in.
pub const REQUEST_FOR: Duration = Duration::minutes(30);
/// How long the merchant has to exchange an authKey for the billing key.
pub const AUTH_KEY_FOR: Duration = Duration::minutes(10);

/// A billing key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillingKey {
    /// Its id inside Naru.
    pub id: BillingKeyId,
    /// What the merchant calls it.
    pub key: String,
    /// The merchant's name for whose card it is, 2 to 300 characters.
    pub customer_key: String,
    /// As it is charged, in one payment unless said otherwise. Without a token once the key is deleted.
    pub card: Card,
    /// When its customer authenticated, by the merchant's clock.
    pub authenticated_at: OffsetDateTime,
    /// Whether the merchant has deleted it.
    pub is_deleted: bool,
}

/// Why a billing key can't be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCharge {
    /// It is another customer's.
    AnotherCustomer,
    /// It was deleted.
    Deleted,
}

impl BillingKey {
    /// The card to be charged for this customer.
    ///
    /// # Errors
    /// Whose key it is comes before whether it still is one: nobody learns that of another customer's.
    pub fn charged_for(self, customer_key: &str) -> Result<Card, NoCharge> {
        if self.customer_key != customer_key {
            return Err(NoCharge::AnotherCustomer);
        }
        if self.is_deleted { Err(NoCharge::Deleted) } else { Ok(self.card) }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;
    use uuid::Uuid;

    use super::*;
    use crate::domain::instrument::{CardType, OwnerType};

    #[test]
    fn a_key_is_charged_for_its_customer_until_it_is_deleted() {
        let card = Card {
            token: "tok".into(),
            bin: "433012".into(),
            last4: "1234".into(),
            fingerprint: "00".into(),
            issuer_code: "11".into(),
            acquirer_code: "11".into(),
            card_type: CardType::Credit,
            owner_type: OwnerType::Person,
            installment_months: 0,
        };
        let key = |is_deleted| BillingKey {
            id: BillingKeyId(Uuid::nil()),
            key: "naru_bk_1".into(),
            customer_key: "customer-1".into(),
            card: card.clone(),
            authenticated_at: datetime!(2026-11-22 12:00 UTC),
            is_deleted,
        };
        assert_eq!(key(false).charged_for("customer-1"), Ok(card.clone()));
        assert_eq!(key(false).charged_for("customer-2"), Err(NoCharge::AnotherCustomer));
        assert_eq!(key(true).charged_for("customer-2"), Err(NoCharge::AnotherCustomer));
        assert_eq!(key(true).charged_for("customer-1"), Err(NoCharge::Deleted));
    }
}

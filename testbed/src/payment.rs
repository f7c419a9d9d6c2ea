//! What a shop orders.

use serde_json::{Value, json};

use crate::canary;
use crate::cards;

/// An order with a card typed in, as `POST /v1/payments/key-in` takes it. Each has an order id of its own.
#[derive(Debug, Clone)]
pub struct Payment {
    /// The merchant's name for the order.
    pub order_id: String,
    /// In won.
    pub amount: i64,
    /// The card's number.
    pub card_number: String,
    /// Members beside those, or in their place.
    more: serde_json::Map<String, Value>,
}

impl Payment {
    /// An order over so many won, with a card that is approved.
    #[must_use]
    pub fn of(amount: i64) -> Self {
        let order_id = format!("order-{}", crate::run::unique());
        Self { order_id, amount, card_number: cards::number("approve").to_owned(), more: serde_json::Map::new() }
    }

    /// With the test card of this name.
    #[must_use]
    pub fn card(mut self, name: &str) -> Self {
        cards::number(name).clone_into(&mut self.card_number);
        self
    }

    /// With this card number.
    #[must_use]
    pub fn card_number(mut self, number: &str) -> Self {
        number.clone_into(&mut self.card_number);
        self
    }

    /// With this order id.
    #[must_use]
    pub fn order(mut self, order_id: &str) -> Self {
        order_id.clone_into(&mut self.order_id);
        self
    }

    /// With this member, instead of what it would be otherwise.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.more.insert(member.to_owned(), value.into());
        self
    }

    /// The body of `POST /v1/payments/key-in`.
    #[must_use]
    pub fn key_in_body(&self) -> Value {
        self.body(json!({ "amount": self.amount, "orderId": self.order_id, "orderName": "a pair of socks",
            "cardNumber": self.card_number, "cardExpirationYear": "39", "cardExpirationMonth": "12",
            "customerIdentityNumber": canary::IDENTITY_NUMBER }))
    }

    /// The body of `POST /v1/payments`.
    #[must_use]
    pub fn create_body(&self) -> Value {
        self.body(json!({ "amount": self.amount, "orderId": self.order_id, "orderName": "a pair of socks",
            "successUrl": format!("{ORIGIN}/paid"), "failUrl": format!("{ORIGIN}/failed") }))
    }

    /// The body of `POST /v1/billing/{billingKey}`.
    #[must_use]
    pub fn charge_body(&self, customer_key: &str) -> Value {
        self.body(json!({ "customerKey": customer_key, "amount": self.amount, "orderId": self.order_id,
            "orderName": "a pair of socks a month" }))
    }

    fn body(&self, mut body: Value) -> Value {
        if let Some(members) = body.as_object_mut() {
            members.extend(self.more.clone());
        }
        body
    }
}

/// The origin that the test's merchant registered.
pub(crate) const ORIGIN: &str = "https://shop.example";

//! Billing keys, as a shop uses them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::http::{CALL_LIMIT, Call, client};
use crate::payment::ORIGIN;
use crate::shop::basic;
use crate::{Answer, Payment, Shop, canary};

impl Shop {
    /// `POST /v1/billing/authorizations/card` with the test card of this name.
    pub fn authorize(&self, customer_key: &str, card: &str) -> Call {
        self.post("/v1/billing/authorizations/card", &Self::billing_card(customer_key, crate::cards::number(card)))
    }

    /// Its body, with this card number.
    #[must_use]
    pub fn billing_card(customer_key: &str, number: &str) -> Value {
        json!({ "customerKey": customer_key, "cardNumber": number, "cardExpirationYear": "39",
            "cardExpirationMonth": "12", "customerIdentityNumber": canary::IDENTITY_NUMBER })
    }

    /// A billing key for the test card of this name.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn billing_key(&self, customer_key: &str, card: &str) -> String {
        self.authorize(customer_key, card).await.expecting(200).text("billingKey").to_owned()
    }

    /// `POST /v1/billing/{billingKey}` for an order.
    pub fn charge(&self, billing_key: &str, customer_key: &str, payment: &Payment) -> Call {
        self.post(&format!("/v1/billing/{billing_key}"), &payment.charge_body(customer_key))
    }

    /// `DELETE /v1/billing/{billingKey}`
    pub fn delete_billing_key(&self, billing_key: &str) -> Call {
        self.call(Method::DELETE, &format!("/v1/billing/{billing_key}"))
    }

    /// `POST /checkout/v1/billing`, as the shop's page does it.
    pub fn request_billing(&self, customer_key: &str) -> Call {
        let body = json!({ "customerKey": customer_key, "successUrl": format!("{ORIGIN}/kept"),
            "failUrl": format!("{ORIGIN}/failed") });
        let request = self.anonymous_request(Method::POST, "/checkout/v1/billing");
        Call::new(request.header("authorization", basic(&self.client_key)).header("origin", ORIGIN).json(&body))
    }

    /// What the customer sends from the page that a request leads to.
    pub fn authenticate_billing(&self, requested: &Answer, card: &str) -> Call {
        let mut body = Self::billing_card("", crate::cards::number(card));
        if let Some(fields) = body.as_object_mut() {
            fields.remove("customerKey");
        }
        Call::new(client(CALL_LIMIT).post(format!("{}/authenticate", requested.text("url"))).json(&body))
    }

    /// The authKey that a customer comes back with, who authenticated the test card of this name.
    ///
    /// # Panics
    /// When anything is refused.
    pub async fn auth_key(&self, customer_key: &str, card: &str) -> String {
        let requested = self.request_billing(customer_key).await.expecting(200);
        let authenticated = self.authenticate_billing(&requested, card).await.expecting(200);
        let next = authenticated.text("nextUrl");
        let key = next.split(['?', '&']).find_map(|pair| pair.strip_prefix("authKey="));
        key.unwrap_or_else(|| panic!("no authKey: {authenticated:?}")).to_owned()
    }

    /// `POST /v1/billing/authorizations/issue`
    pub fn issue(&self, auth_key: &str, customer_key: &str) -> Call {
        let body = json!({ "authKey": auth_key, "customerKey": customer_key });
        self.post("/v1/billing/authorizations/issue", &body)
    }
}

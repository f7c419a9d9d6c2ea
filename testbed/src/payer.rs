//! The payer's page of one payment.

use reqwest::Client;
use serde_json::json;

use crate::http::{CALL_LIMIT, Call, client};
use crate::{Payment, canary};

/// Somebody with the link of one checkout.
pub struct Payer {
    url: String,
    http: Client,
}

impl Payer {
    pub(crate) fn new(base: String, checkout_id: String) -> Self {
        Self { url: format!("{base}/checkout/v1/{checkout_id}"), http: client(CALL_LIMIT) }
    }

    /// `GET /checkout/v1/{checkoutId}`
    pub fn look(&self) -> Call {
        Call::new(self.http.get(&self.url))
    }

    /// `POST /checkout/v1/{checkoutId}/authenticate` with the order's card.
    pub fn authenticate(&self, payment: &Payment) -> Call {
        let body = json!({ "cardNumber": payment.card_number, "cardExpirationYear": "39", "cardExpirationMonth": "12",
            "customerIdentityNumber": canary::IDENTITY_NUMBER });
        Call::new(self.http.post(format!("{}/authenticate", self.url)).json(&body))
    }

    /// `POST /checkout/v1/{checkoutId}/scanned`
    pub fn scanned(&self) -> Call {
        Call::new(self.http.post(format!("{}/scanned", self.url)).json(&json!({})))
    }

    /// `POST /checkout/v1/{checkoutId}/cancel`
    pub fn cancel(&self) -> Call {
        Call::new(self.http.post(format!("{}/cancel", self.url)).json(&json!({})))
    }
}

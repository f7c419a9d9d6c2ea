//! The payer's page of one payment.

use reqwest::Client;
use serde_json::{Value, json};

use crate::http::{CALL_LIMIT, Call, client};
use crate::{Answer, Means, Payment, canary};

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

    /// The same, with a body of the test's own.
    pub fn authenticate_with(&self, body: &Value) -> Call {
        Call::new(self.http.post(format!("{}/authenticate", self.url)).json(body))
    }

    /// `POST /checkout/v1/{checkoutId}/phone-verification`
    pub fn verify_phone(&self, body: &Value) -> Call {
        Call::new(self.http.post(format!("{}/phone-verification", self.url)).json(body))
    }

    /// Authenticates with an account, a phone (and the code that comes to it) or a membership; answers what the first call that
    /// is refused answered.
    pub async fn pay_with(&self, means: &Means) -> Answer {
        let mut verification = String::new();
        if means.needs_code() {
            let sent = self.verify_phone(&means.phone_body()).await;
            if sent.status != 200 {
                return sent;
            }
            sent.text("verificationId").clone_into(&mut verification);
        }
        self.authenticate_with(&means.authenticate_body(&verification)).await
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

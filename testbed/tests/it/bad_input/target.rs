//! A good request for each call, of which one thing at a time is made wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine as _;
use naru_shared::api_key::KeyKind;
use naru_shared::clock::{Clock as _, Ids as _};
use naru_shared::domain::id::Mode;
use naru_shared::domain::staff::Role;
use naru_shared::system::System;
use naru_testbed::{Account, Answer, Company, Desk, Gateway, Means, PASSWORD, Payer, Payment, canary, cards};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;

use super::document::{Described, Kind};
use super::wrong::Wrong;

/// A call with everything it needs to succeed.
pub(crate) struct Target {
    pub(crate) call: Described,
    /// The path, filled in.
    path: String,
    /// Fields of the good body, as JSON text.
    good: Vec<(String, String)>,
    /// What stands for each parameter of the path.
    places: Vec<(&'static str, String)>,
    /// What the payment's creation answered.
    created: Answer,
    /// Whether it is paid by now.
    pub(crate) is_paid: bool,
    /// Who is signed in, for the calls of payers.
    account: Option<Arc<Account>>,
    /// Where it is a call of the backoffice: the merchant, and an owner who makes it.
    backoffice: Option<(Company, Desk)>,
}

/// A merchant as the backoffice's calls need one: somebody to change, a key to roll, an invitation to accept or withdraw.
struct Furnished {
    company: Company,
    owner: Desk,
    somebody: Desk,
    key_id: String,
    invitation: (String, String),
}

impl Furnished {
    async fn of(gateway: &Gateway) -> Self {
        let company = gateway.company().await;
        company.origin(Mode::Test, "https://shop.example").await;
        Self {
            owner: company.person(Role::Owner).await,
            somebody: company.person(Role::Staff).await,
            key_id: company.key(Mode::Test, KeyKind::Secret).await.id,
            invitation: company.invite("invited@shop.example").await,
            company,
        }
    }

    fn places(&self) -> Vec<(&'static str, String)> {
        vec![
            ("mode", "test".to_owned()),
            ("keyId", self.key_id.clone()),
            ("staffId", self.somebody.id.to_string()),
            ("invitationId", self.invitation.0.clone()),
        ]
    }

    /// A good value of a field of the backoffice's.
    fn good(&self, call: &Described, field: &str) -> Option<Value> {
        Some(match field {
            "email" if call.path.ends_with("/sign-in") => self.somebody.email.as_str().into(),
            "email" => "new@shop.example".into(),
            "password" if ["/sign-in", "/prove"].iter().any(|end| call.path.ends_with(end)) => PASSWORD.into(),
            "password" | "newPassword" => "another password of nobody".into(),
            "currentPassword" => PASSWORD.into(),
            "mid" => self.company.mid.as_str().into(),
            "name" => "김나루".into(),
            "role" => "read-only".into(),
            "token" => self.invitation.1.as_str().into(),
            "origin" if call.path.ends_with("/remove") => "https://shop.example".into(),
            "origin" => "https://new.example".into(),
            "kind" => "client".into(),
            "overlapHours" => 24.into(),
            _ => return None,
        })
    }
}

/// Whose card is charged.
const CUSTOMER: &str = "customer-of-every-test";

/// What the calls about billing keys need, each its own.
#[derive(Default)]
struct Billing {
    key: String,
    request_id: String,
    auth_key: String,
}

impl Billing {
    async fn of(gateway: &Gateway, call: &Described) -> Self {
        let shop = &gateway.shop;
        let mut all = Self::default();
        if call.path.contains("{billingKey}") {
            all.key = shop.billing_key(CUSTOMER, "approve").await;
        }
        if call.path.contains("{requestId}") {
            let requested = shop.request_billing(CUSTOMER).await.expecting(200);
            requested.text("requestId").clone_into(&mut all.request_id);
        }
        if call.path.ends_with("/authorizations/issue") {
            all.auth_key = shop.auth_key(CUSTOMER, "approve").await;
        }
        all
    }
}

impl Target {
    /// Prepares a payment that this call would succeed with.
    ///
    /// # Panics
    /// When the call has a parameter or field that this does not know: say what a good one is.
    pub(crate) async fn prepare(gateway: &Gateway, call: Described) -> Self {
        let order = Payment::of(12_000);
        let confirms =
            call.path == "/v1/payments/confirm" || (call.path == "/v1/payments/{paymentKey}" && call.body.is_some());
        let is_paid = ["/v1/payments/{paymentKey}/cancel", "/v1/payments/{paymentKey}/capture"].contains(&&*call.path);
        let mut created = if confirms || is_paid {
            gateway.shop.authenticated(&order).await
        } else {
            gateway.shop.create(&order).await.expecting(200)
        };
        if call.path.starts_with("/v1/virtual-accounts/{paymentKey}") {
            // Its own token is never handed out; whoever comes with another comes to nothing either.
            let token = created.body["checkoutToken"].clone();
            let account =
                gateway.shop.virtual_account(&Payment::of(1).order_id, 12_000, Value::Object(serde_json::Map::new()));
            created = account.await.expecting(200);
            created.body["checkoutToken"] = token;
        }
        if is_paid {
            let _ = gateway.shop.confirm(created.payment_key(), &order.order_id, order.amount).await.expecting(200);
        }
        let account = match call.is_of_payers() {
            true => Some(Arc::new(gateway.payer().await)),
            false => None,
        };
        let mut card_id = String::new();
        if let Some(account) = account.as_ref().filter(|_| call.needs_card()) {
            card_id = account.keeps("approve").await;
            // Nobody sees or cancels a payment but who authenticated it.
            if call.path.contains("{checkoutId}") && !call.path.ends_with("/authenticate") {
                let _ = account.authenticate(&created, &card_id).await.expecting(200);
            }
        }
        let billing = Billing::of(gateway, &call).await;
        let stranger = gateway.stranger("test");
        let email = match &account {
            Some(account) if !call.path.ends_with("/sign-up") => account.email.clone(),
            Some(_) | None => stranger.email,
        };
        let password = account.as_ref().map_or(stranger.password, |account| account.password.clone());
        let checkout_id = created.text("checkout.url").rsplit('/').next().unwrap_or_default();
        let mut places = vec![
            ("paymentKey", created.payment_key().to_owned()),
            ("orderId", order.order_id.clone()),
            ("checkoutId", checkout_id.to_owned()),
            ("cardId", card_id.clone()),
            ("billingKey", billing.key),
            ("requestId", billing.request_id),
        ];
        let furnished = if call.is_backoffice() { Some(Furnished::of(gateway).await) } else { None };
        places.extend(furnished.iter().flat_map(Furnished::places));
        let path = filled_in(&call.path, &places);
        assert!(!path.contains('{'), "say what {path} is filled in with");
        let phone = Means::mobile("approve").number(&format!("0105{:07}", System.unguessable().as_u128() % 10_000_000));
        let mut verification = String::new();
        if call.means.as_deref() == Some("MOBILE_PHONE") {
            let sent = gateway.shop.payer_of(&created).verify_phone(&phone.phone_body()).await.expecting(200);
            sent.text("verificationId").clone_into(&mut verification);
        }
        let order_id = if confirms { order.order_id.clone() } else { Payment::of(1).order_id };
        let fields = call.body.iter().flatten();
        let good = fields.map(|field| {
            let of_backoffice = furnished.as_ref().and_then(|furnished| furnished.good(&call, &field.name));
            let value: Value = of_backoffice.unwrap_or_else(|| match field.name.as_str() {
                "amount" => 12_000.into(),
                "orderId" => order_id.as_str().into(),
                "paymentKey" => created.payment_key().into(),
                "orderName" => "양말 한 켤레".into(),
                "currency" => "KRW".into(),
                "taxFreeAmount" => 0.into(),
                "customerName" => "홍길동".into(),
                "customerEmail" => "hong@shop.example".into(),
                "metadata" => serde_json::json!({ "color": "red" }),
                "method" => "카드".into(),
                "successUrl" => "https://shop.example/paid".into(),
                "failUrl" => "https://shop.example/failed".into(),
                "cardNumber" => cards::number("approve").into(),
                "cardExpirationYear" => "39".into(),
                "cardExpirationMonth" => "12".into(),
                "cardPassword" => "12".into(),
                "bank" => "신한".into(),
                "bankCode" => "88".into(),
                "accountNumber" => "110123456789".into(),
                "holderName" => "홍길동".into(),
                "refundReceiveAccount" => {
                    serde_json::json!({ "bank": "88", "accountNumber": "110123456789", "holderName": "홍길동" })
                }
                // One of the two; the other is tried by `virtual_accounts.rs`.
                "validHours" => 24.into(),
                "dueDate" => Value::Null,
                "customerIdentityNumber" => canary::IDENTITY_NUMBER.into(),
                "cvc" => "123".into(),
                "cardInstallmentPlan" => 0.into(),
                "cancelReason" => "고객 변심".into(),
                "cancelAmount" => 5_000.into(),
                "refundableAmount" => order.amount.into(),
                "email" => email.as_str().into(),
                "password" if call.means.is_some() => "482915".into(),
                "identityNumber" => canary::IDENTITY_NUMBER.into(),
                "carrier" | "phoneNumber" | "birthDate" => phone.phone_body()[&field.name].clone(),
                "verificationId" => verification.as_str().into(),
                "code" => "000000".into(),
                "memberNumber" => "2026000012345678".into(),
                "password" | "currentPassword" => password.as_str().into(),
                "newPassword" => "another horse battery".into(),
                "mode" => "test".into(),
                "nickname" => "빨간 카드".into(),
                "cardId" => card_id.as_str().into(),
                "approveBefore" => "2999-12-31T23:59:59+09:00".into(),
                "customerKey" => CUSTOMER.into(),
                "authKey" => billing.auth_key.as_str().into(),
                "now" => ahead_of_all().into(),
                "advanceSeconds" => 0.into(),
                other => panic!("{}: say what a good {other} is", call.name()),
            });
            (field.name.clone(), value.to_string())
        });
        let means = call.means.iter().map(|means| ("method".to_owned(), Value::from(means.as_str()).to_string()));
        let good = good.chain(means).collect();
        let backoffice = furnished.map(|furnished| (furnished.company, furnished.owner));
        Self { good, call: call.clone(), path, places, created, is_paid, account, backoffice }
    }

    /// The same call about a payment that there is not.
    pub(crate) fn of_nobody(&self) -> Self {
        let key = self.payment_key();
        let stranger = format!("naru_{}", "0".repeat(40));
        let order = self.created.text("orderId");
        let replaced = |text: &str| text.replace(key, &stranger).replace(order, "order-of-nobody");
        Self {
            call: self.call.clone(),
            path: replaced(&self.path),
            good: self.good.iter().map(|(name, value)| (name.clone(), replaced(value))).collect(),
            places: self.places.clone(),
            created: self.created.clone(),
            is_paid: self.is_paid,
            account: self.account.clone(),
            backoffice: self.backoffice.clone(),
        }
    }

    /// Who is signed in.
    ///
    /// # Panics
    /// When it is no call of payers.
    pub(crate) fn account(&self) -> &Account {
        self.account.as_ref().expect("a call of payers has one")
    }

    /// The merchant whose backoffice it is.
    pub(crate) fn company(&self) -> Option<&Company> {
        self.backoffice.as_ref().map(|(company, _)| company)
    }

    /// The path with something else in one place.
    pub(crate) fn path_with(&self, place: &str, value: &str) -> String {
        let others: Vec<_> = self.places.iter().filter(|(name, _)| *name != place).cloned().collect();
        filled_in(&self.call.path, &others).replace(&format!("{{{place}}}"), value)
    }

    /// What the merchant calls the payment.
    pub(crate) fn payment_key(&self) -> &str {
        self.created.payment_key()
    }

    /// The token to watch it by.
    pub(crate) fn checkout_token(&self) -> &str {
        self.created.text("checkoutToken")
    }

    /// Its payer.
    pub(crate) fn payer(&self, gateway: &Gateway) -> Payer {
        gateway.shop.payer_of(&self.created)
    }

    /// The address, without a query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// The address, with what its query must have.
    pub(crate) fn address(&self) -> String {
        let required = self.call.query.iter().filter(|field| field.required).map(|field| match &*field.name {
            "startDate" => "startDate=2026-01-01",
            "endDate" => "endDate=2026-01-31",
            other => panic!("{}: say what a good {other} is", self.call.name()),
        });
        let query: Vec<&str> = required.collect();
        if query.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, query.join("&")) }
    }

    /// The good body with this instead of one field.
    pub(crate) fn body_with(&self, name: &str, wrong: &Wrong) -> Vec<u8> {
        let mut members: Vec<Vec<u8>> = Vec::new();
        for (good, value) in &self.good {
            let value = match good == name {
                true => wrong.raw.as_deref(),
                false => Some(value.as_bytes()),
            };
            if let Some(value) = value {
                members.push([format!("\"{good}\":").as_bytes(), value].concat());
            }
        }
        [b"{".as_slice(), &members.join(b",".as_slice()), b"}"].concat()
    }

    /// The good body as strangely as Toss Payments takes it: what need not be said is null, whole numbers are digits in
    /// a string, and there is something that nobody asked for.
    pub(crate) fn strange_body(&self) -> Vec<u8> {
        let fields = self.call.body.iter().flatten();
        let mut members: Vec<String> = fields
            .map(|field| {
                let good = self.good.iter().find(|(name, _)| *name == field.name).map_or("null", |(_, value)| value);
                let value = match (field.required, field.kind) {
                    (false, _) => "null".to_owned(),
                    (true, Kind::Integer) => format!("\"{good}\""),
                    (true, Kind::Text | Kind::Object) => good.to_owned(),
                };
                format!("\"{}\":{value}", field.name)
            })
            .collect();
        members.push("\"zq9\":{\"deep\":[1]}".to_owned());
        format!("{{{}}}", members.join(",")).into_bytes()
    }

    /// The good body.
    pub(crate) fn body(&self) -> Vec<u8> {
        self.body_with("", &Wrong { what: "nothing", raw: None })
    }

    /// The call with some body; the checkout's calls need no key and are made without one.
    pub(crate) fn request(&self, gateway: &Gateway, body: Vec<u8>) -> RequestBuilder {
        self.bare(gateway).header("content-type", "application/json").body(body)
    }

    /// The call without body and content type.
    pub(crate) fn bare(&self, gateway: &Gateway) -> RequestBuilder {
        self.at(gateway, self.call.method.clone(), &self.path)
    }

    /// Another path or method by the same: a payer or an owner who is signed in, or a merchant's server.
    pub(crate) fn at(&self, gateway: &Gateway, method: Method, path: &str) -> RequestBuilder {
        match (&self.account, &self.backoffice) {
            (Some(account), _) => account.request(method, path),
            (None, Some((_, owner))) => owner.request(method, path).header("origin", owner.own_origin()),
            (None, None) => gateway.shop.request(method, path),
        }
    }

    /// Some other call by who may make this one.
    pub(crate) fn elsewhere(&self, gateway: &Gateway, method: Method, path: &str) -> RequestBuilder {
        self.at(gateway, method, path).header("content-type", "application/json")
    }

    /// What the call needs beside a key, as lines of a request that is written by hand.
    pub(crate) fn header_lines(&self) -> Vec<String> {
        let payer = self.account.iter().flat_map(|account| account.headers());
        let owner = self
            .backoffice
            .iter()
            .flat_map(|(_, owner)| [("cookie", owner.cookie().to_owned()), ("origin", owner.own_origin().to_owned())]);
        payer.chain(owner).map(|(name, value)| format!("{name}: {value}")).collect()
    }
}

/// A time that no clock shows yet, ten seconds after the last one that was asked for: a test's few dozen must not make other
/// payments expire.
fn ahead_of_all() -> String {
    static ASKED: AtomicI64 = AtomicI64::new(0);
    let steps = ASKED.fetch_add(1, Ordering::Relaxed) + 1;
    let time = System.now() + time::Duration::seconds(10 * steps);
    time.format(&Rfc3339).expect("a time has a form")
}

fn filled_in(path: &str, places: &[(&'static str, String)]) -> String {
    places.iter().fold(path.to_owned(), |path, (name, value)| path.replace(&format!("{{{name}}}"), value))
}

/// `Basic` credentials of a key.
pub(crate) fn basic(key: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:")))
}

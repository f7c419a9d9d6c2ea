//! What a test pays with, where it is no card.

use naru_simulator::behaviour::faults::TABLE;
use serde_json::{Value, json};

use crate::canary;

/// A bank account, a phone or a membership, with one of the simulator's faults.
#[derive(Debug, Clone)]
pub struct Means {
    method: &'static str,
    number: String,
    more: serde_json::Map<String, Value>,
}

impl Means {
    /// A bank account that is drawn from, with the fault of this name (`approve`, `decline_51`, `timeout_after` …).
    #[must_use]
    pub fn transfer(fault: &str) -> Self {
        Self::of("TRANSFER", format!("99900000{}", digits(fault)))
    }

    /// A phone on whose bill it is put.
    #[must_use]
    pub fn mobile(fault: &str) -> Self {
        Self::of("MOBILE_PHONE", format!("0100000{}", digits(fault)))
    }

    /// A membership whose points pay.
    #[must_use]
    pub fn points(fault: &str) -> Self {
        Self::of("EASY_PAY", format!("99900000{}", digits(fault)))
    }

    /// One of each kind, with this fault.
    #[must_use]
    pub fn each(fault: &str) -> [Self; 3] {
        [Self::transfer(fault), Self::mobile(fault), Self::points(fault)]
    }

    fn of(method: &'static str, number: String) -> Self {
        Self { method, number, more: serde_json::Map::new() }
    }

    /// With this number.
    #[must_use]
    pub fn number(mut self, number: &str) -> Self {
        number.clone_into(&mut self.number);
        self
    }

    /// With this member, instead of what it would be otherwise.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.more.insert(member.to_owned(), value.into());
        self
    }

    /// As newer clients call the method: `TRANSFER`, `MOBILE_PHONE`, `EASY_PAY`.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        self.method
    }

    /// Whether a code must come to a phone first.
    pub(crate) fn needs_code(&self) -> bool {
        self.method == "MOBILE_PHONE"
    }

    /// The body of `POST …/phone-verification`.
    #[must_use]
    pub fn phone_body(&self) -> Value {
        self.body(json!({ "carrier": "SKT", "phoneNumber": self.number, "birthDate": "900101" }))
    }

    /// The body of `POST …/authenticate`; `verification` is what `phone-verification` answered.
    #[must_use]
    pub fn authenticate_body(&self, verification: &str) -> Value {
        match self.method {
            "TRANSFER" => self.body(json!({ "method": self.method, "bank": "88", "accountNumber": self.number,
                "holderName": "김토스", "identityNumber": canary::IDENTITY_NUMBER })),
            "EASY_PAY" => {
                self.body(json!({ "method": self.method, "memberNumber": self.number, "password": "482915" }))
            }
            _ => json!({ "method": self.method, "verificationId": verification, "code": "000000" }),
        }
    }

    fn body(&self, mut body: Value) -> Value {
        if let Some(members) = body.as_object_mut() {
            members.extend(self.more.clone());
        }
        body
    }
}

/// The four digits that a fault's numbers end with.
fn digits(fault: &str) -> &'static str {
    let found = TABLE.iter().find(|known| known.name == fault);
    found.unwrap_or_else(|| panic!("the simulator has no fault {fault:?}")).digits
}

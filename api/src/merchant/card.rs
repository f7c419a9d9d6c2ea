//! Card fields, from the request to the acquirer's token. They live for one request.

use naru_shared::acquirer::{RegisterError, Registers, Typed, TypedCard};
use naru_shared::clock::Clock as _;
use naru_shared::domain::instrument::Card;
use naru_shared::system::System;
use naru_shared::telemetry::TraceContext;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::Check;
use crate::problem::{Problem, Reason};
use crate::view::problem_code;

/// What is typed from a card. Forgotten as soon as the acquirer has given a token for it.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CardFields {
    /// 12 to 19 digits; spaces and hyphens are tolerated.
    #[schema(example = "4242424242424242")]
    pub(crate) card_number: String,
    /// Two digits.
    #[schema(example = "30")]
    pub(crate) card_expiration_year: String,
    /// Two digits.
    #[schema(example = "12")]
    pub(crate) card_expiration_month: String,
    /// The first two digits of the card's password.
    pub(crate) card_password: Option<String>,
    /// A birthday of six digits, or a business registration number of ten.
    pub(crate) customer_identity_number: Option<String>,
    /// The three or four digits on the card.
    pub(crate) cvc: Option<String>,
    /// 0 for a single payment, or 2 to 12 months.
    pub(crate) card_installment_plan: Option<i64>,
}

impl CardFields {
    /// Checks every field and notes what is wrong.
    pub(crate) fn check(&self, check: &mut Check) -> Option<TypedCard> {
        let number = check.card_number("cardNumber", &self.card_number);
        let expiry = check.card_expiry(
            ["cardExpirationYear", "cardExpirationMonth"],
            &self.card_expiration_year,
            &self.card_expiration_month,
            System.now(),
        );
        let password =
            check.optional(self.card_password.as_deref(), |check, text| check.card_password("cardPassword", text));
        let identity = check.optional(self.customer_identity_number.as_deref(), |check, text| {
            check.identity_number("customerIdentityNumber", text)
        });
        let cvc = check.optional(self.cvc.as_deref(), |check, text| check.cvc("cvc", text));
        let months = check.instalments("cardInstallmentPlan", self.card_installment_plan.unwrap_or(0));
        Some(TypedCard {
            number: number?,
            expiry: expiry?,
            cvc: cvc?,
            password: password?,
            identity: identity?,
            installment_months: months?,
        })
    }
}

/// Exchanges a card for the acquirer's token, at once.
///
/// # Errors
/// As [`exchange`].
pub(crate) async fn register(app: &App, mid: &str, card: &TypedCard, trace: TraceContext) -> Result<Card, Problem> {
    exchange(&*app.cards, mid, card, trace).await
}

/// Exchanges what a payer typed for the acquirer's token, at once.
///
/// # Errors
/// What the acquirer has against it, or `ACQUIRER_UNAVAILABLE`. Nothing was charged in either case.
pub(crate) async fn exchange<T: Typed>(
    acquirer: &dyn Registers<T>,
    mid: &str,
    typed: &T,
    trace: TraceContext,
) -> Result<T::Kept, Problem> {
    let registered = acquirer.register(mid, typed, &trace.to_header()).await;
    let outcome = match &registered {
        Ok(_) => "registered",
        Err(RegisterError::Declined(_)) => "declined",
        Err(RegisterError::Unavailable(_)) => "unavailable",
    };
    metrics::counter!("naru_card_registrations_total", "outcome" => outcome).increment(1);
    registered.map_err(|error| match error {
        RegisterError::Declined(failure) => {
            let problem = Problem::of(problem_code(failure.code)).with("reason", failure.reason.as_str());
            match failure.acquirer_code {
                Some(code) => problem.with("acquirerCode", code),
                None => problem,
            }
        }
        RegisterError::Unavailable(fault) => {
            tracing::warn!(fault, "what a payer typed could not be registered");
            Problem::because(Reason::AcquirerUnavailable).retry_after(std::time::Duration::from_secs(2))
        }
    })
}

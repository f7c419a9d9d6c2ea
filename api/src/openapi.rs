//! The API's description (OpenAPI 3.1), generated from the code, and a page to read it on.

use std::collections::BTreeMap;

use axum::Router;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{Content, Ref, RefOr};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::problem::{FieldError, MoneyState, ProblemDocument};

/// What all calls share; each call adds itself where its handler is.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Naru",
        description = "A payment gateway. Wire-compatible with Toss Payments v1 where it has the call.\n\n\
                       Every refusal is a problem document; `/problems` explains each.",
    ),
    components(schemas(ProblemDocument, FieldError, MoneyState)),
    modifiers(&Keys)
)]
pub struct ApiDoc;

/// Declares what a kind of call may be refused with. Every refusal is a problem document.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident { $($status:literal: $about:literal,)+ })+) => {$(
        $(#[$doc])*
        pub struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [$(($status.to_string(), problem($about)),)+].into()
            }
        }
    )+};
}

refusals! {
    /// Of reading one thing.
    FindRefusals {
        401: "The key is nobody's",
        403: "A key of this kind can't do this",
        404: "No such payment of yours",
        503: "Not to be told now: come back",
    }
    /// Of the sandbox's clock.
    ClockRefusals {
        400: "A field is wrong, or the clock is past that time",
        401: "The key is nobody's",
        403: "Live keys have no clock of their own, client keys don't set it",
        413: "The body is too large",
        415: "The body is not JSON",
        503: "Not set, or not known: look",
    }
    /// Of reading a page.
    ListRefusals {
        400: "A parameter is wrong",
        401: "The key is nobody's",
        403: "A key of this kind can't do this",
        503: "Not to be told now: come back",
    }
    /// Of creating a payment.
    CreateRefusals {
        400: "A field is wrong, or the order has a living payment",
        401: "The key is nobody's",
        403: "The origin is not registered",
        409: "The idempotency key is at work",
        413: "The body is too large",
        415: "The body is not JSON",
        422: "The idempotency key was used with another body",
        503: "Not accepted, or not known: see `moneyState`",
    }
    /// Of a call that asks for the payer's money.
    ApproveRefusals {
        400: "A field is wrong, the card is, or the payment was already processed",
        401: "The key is nobody's",
        403: "The card was declined",
        404: "No such payment, or not to be confirmed now",
        409: "The idempotency key is at work",
        413: "The body is too large",
        415: "The body is not JSON",
        422: "The idempotency key was used with another body",
        503: "Not accepted, or not known: see `moneyState`",
        504: "Accepted, outcome still open after 8 seconds",
    }
    /// Of a call that issues a billing key.
    BillingRefusals {
        400: "A field is wrong, the card is, or the authKey is not good",
        401: "The key is nobody's",
        403: "The card was declined, or it is another customer's",
        409: "The idempotency key is at work",
        413: "The body is too large",
        415: "The body is not JSON",
        422: "The idempotency key was used with another body",
        503: "Not issued, or not known: ask again",
    }
    /// Of charging a billing key.
    ChargeRefusals {
        400: "A field is wrong, the card is, the key was deleted, or the order has a living payment",
        401: "The key is nobody's",
        403: "The card was declined, or it is another customer's",
        404: "No such billing key of yours",
        409: "The idempotency key is at work",
        413: "The body is too large",
        415: "The body is not JSON",
        422: "The idempotency key was used with another body",
        503: "Not accepted, or not known: see `moneyState`",
        504: "Accepted, outcome still open after 8 seconds",
    }
    /// Of deleting a billing key.
    BillingKeyRefusals {
        401: "The key is nobody's",
        403: "A key of this kind can't do this",
        404: "No such billing key of yours",
        503: "Not deleted, or not known: delete it again",
    }
    /// Of asking for a billing key.
    BillingRequestRefusals {
        400: "A field is wrong",
        401: "The key is nobody's",
        403: "The origin is not registered",
        413: "The body is too large",
        415: "The body is not JSON",
        503: "Not now: come back",
    }
    /// Of a call that gives money back, or has it captured.
    CancelRefusals {
        400: "A field is wrong, or all of it was cancelled before",
        401: "The key is nobody's",
        403: "Not so much, not this payment, or not again",
        404: "No such payment of yours",
        409: "The idempotency key is at work",
        413: "The body is too large",
        415: "The body is not JSON",
        422: "The idempotency key was used with another body",
        503: "Not accepted, or not known: see `moneyState`",
        504: "Accepted, outcome still open after 8 seconds",
    }
    /// Of what a payer does.
    PayerRefusals {
        400: "A field is wrong, the card is, or it is too late",
        403: "The card was declined, or the call came from another site's page",
        404: "No such payment, or its time is over",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many cards were declined at this address",
        503: "Nothing was done: come back",
    }
    /// Of what a merchant's people look at.
    StaffLookRefusals {
        401: "Nobody is signed in",
        404: "Nothing of that kind",
        503: "Not to be told now: come back",
    }
    /// Of what a merchant's people change.
    ChangeRefusals {
        400: "A field is wrong",
        401: "Nobody is signed in",
        403: "The role may not do this, it takes a fresh proof of the password, or the call came from another page",
        404: "No such thing of this merchant",
        409: "It can't be done as things stand",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many of these for this merchant of late",
        503: "Not done, or not known: look",
    }
    /// Of signing in, and of whatever else needs a password.
    StaffSignInRefusals {
        400: "A field is wrong",
        401: "Address and password do not belong together, or nobody is signed in",
        403: "The password is wrong, or the call came from another page",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many tries",
        503: "Not done: come back",
    }
    /// Of making an account.
    SignUpRefusals {
        400: "A field is wrong, or the password is too easily guessed",
        403: "From another site's page",
        409: "There is an account of this address",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many accounts from this address",
        503: "Not now: come back",
    }
    /// Of signing in.
    SignInRefusals {
        400: "A field is wrong",
        401: "There is no such account, or the password is another",
        403: "From another site's page",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many tries, for this account or from this address",
        503: "Not now: come back",
    }
    /// Of signing out.
    LeaveRefusals {
        400: "A field that there is not",
        403: "From another site's page",
        413: "The body is too large",
        415: "The body is not JSON",
        503: "Not now: come back",
    }
    /// Of what changes something of a payer's own.
    OwnRefusals {
        400: "A field is wrong",
        401: "Nobody is signed in",
        403: "From another site's page",
        413: "The body is too large",
        415: "The body is not JSON",
        503: "Not now: come back",
    }
    /// Of changing a password.
    PasswordRefusals {
        400: "A field is wrong, or the password is too easily guessed",
        401: "Nobody is signed in",
        403: "The current password is wrong, or it is from another site's page",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many tries",
        503: "Not now: come back",
    }
    /// Of registering a card.
    RegisterRefusals {
        400: "A field is wrong, or the card is",
        401: "Nobody is signed in",
        403: "The card was declined, or it is from another site's page",
        409: "There are 20 cards",
        413: "The body is too large",
        415: "The body is not JSON",
        429: "Too many cards, or too many declined",
        503: "Not now: come back",
    }
    /// Of what is done to one stored card.
    CardRefusals {
        400: "A field that there is not",
        401: "Nobody is signed in",
        403: "From another site's page",
        404: "No such card of yours",
        413: "The body is too large",
        415: "The body is not JSON",
        503: "Not now: come back",
    }
    /// Of what a payer who is signed in does to a payment.
    OwnPaymentRefusals {
        400: "A field is wrong, or it is too late",
        401: "Nobody is signed in",
        403: "From another site's page",
        404: "No such payment or card of yours, or its time is over",
        413: "The body is too large",
        415: "The body is not JSON",
        503: "Not done, or not known: look at the payment",
    }
    /// Of what a payer who is signed in looks at.
    LookRefusals {
        401: "Nobody is signed in",
        503: "Not to be told now: come back",
    }
    /// Of a page of a payer's own.
    OwnListRefusals {
        400: "A parameter is wrong",
    }
    /// Of one payment of a payer's own.
    OwnFindRefusals {
        401: "Nobody is signed in",
        404: "No such payment of yours",
        503: "Not to be told now: come back",
    }
    /// Of what a payer looks at.
    ShowRefusals {
        404: "No such payment",
        503: "Not to be told now: come back",
    }
}

fn problem(about: &str) -> RefOr<Response> {
    let schema = Ref::from_schema_name("ProblemDocument");
    ResponseBuilder::new()
        .description(about)
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
        .into()
}

/// How callers prove who they are.
struct Keys;

impl Modify for Keys {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let scheme = |scheme, about: &str| {
            let mut http = Http::new(scheme);
            http.description = Some(about.to_owned());
            SecurityScheme::Http(http)
        };
        components.add_security_scheme(
            "secretKey",
            scheme(HttpAuthScheme::Basic, "The merchant's server: the secret key as user, an empty password."),
        );
        components.add_security_scheme(
            "clientKey",
            scheme(
                HttpAuthScheme::Basic,
                "The merchant's page: the client key as user, an empty password. Creates payments only.",
            ),
        );
        let mut cookie = ApiKeyValue::new("__Host-naru_staff");
        cookie.description = Some("A merchant's person: the cookie that signing in gave. Calls that change something must come from a page of our own.".to_owned());
        components.add_security_scheme("staffSession", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        components.add_security_scheme(
            "checkoutToken",
            scheme(HttpAuthScheme::Bearer, "A browser that watches one payment: the token its creation returned."),
        );
        let about = "A payer's browser: the cookie that signing in sets. State-changing calls need `Sec-Fetch-Site: \
                     same-origin` or our own `Origin`, too.";
        let cookie = ApiKeyValue::with_description("__Host-naru_payer", about);
        components.add_security_scheme("payerSession", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// `/openapi.json`, and `/docs` to read it. All files come from this program.
pub fn description(openapi: utoipa::openapi::OpenApi) -> Router {
    let config = Config::default().validator_url("none").try_it_out_enabled(false);
    Router::new().merge(SwaggerUi::new("/docs").config(config).url("/openapi.json", openapi))
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use tower::ServiceExt;

    use super::*;

    async fn page(path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = description(ApiDoc::openapi()).oneshot(request).await.unwrap();
        let status = response.status();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    #[tokio::test]
    async fn the_description_is_openapi_3_1_and_has_the_problem() {
        let (status, body) = page("/openapi.json").await;
        assert_eq!(status, StatusCode::OK);
        let document: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let problem = &document["components"]["schemas"]["ProblemDocument"]["properties"];
        for member in
            ["type", "title", "status", "detail", "instance", "code", "message", "moneyState", "retryable", "traceId"]
        {
            assert!(problem.get(member).is_some(), "{member} in {problem}");
        }
        assert!(document["components"]["securitySchemes"].get("secretKey").is_some());
    }

    #[tokio::test]
    async fn the_page_loads_nothing_from_elsewhere() {
        let (status, body) = page("/docs/").await;
        assert_eq!(status, StatusCode::OK);
        assert!(!body.contains("http://") && !body.contains("https://"), "{body}");
    }
}

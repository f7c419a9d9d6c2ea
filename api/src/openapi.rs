//! The API's description (OpenAPI 3.1), generated from the code, and a page to read it on.

use axum::Router;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
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
        components.add_security_scheme(
            "checkoutToken",
            scheme(HttpAuthScheme::Bearer, "A browser that watches one payment: the token its creation returned."),
        );
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

//! Every public call, and the document that describes them.

use std::time::Duration;

use axum::Router;
use axum::http::{HeaderName, Method, header};
use axum::middleware::from_fn;
use naru_shared::telemetry::{Readiness, health_routes};
use tower_http::cors::{AllowOrigin, CorsLayer};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::body::arrive;
use crate::openapi::{ApiDoc, description};
use crate::problem::problem_pages;
use crate::{backoffice, callbacks, checkout, merchant, payer};

/// How long a browser remembers that it may ask.
const PREFLIGHT_LASTS: Duration = Duration::from_secs(600);

/// Every public call.
pub fn public(app: App, readiness: Readiness) -> Router {
    let (router, document) = described();
    router
        .merge(callbacks::routes())
        .with_state(app)
        .merge(description(document))
        .merge(problem_pages())
        .merge(health_routes(readiness))
}

/// The document that describes every public call.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    described().1
}

fn described() -> (Router<App>, utoipa::openapi::OpenApi) {
    let elsewhere =
        OpenApiRouter::new().merge(merchant::routes()).merge(checkout::merchant_routes()).layer(cross_origin());
    // Pages of other origins have no business where cards are typed, nor with what a cookie opens: no answer says that they
    // may read it.
    let ours = OpenApiRouter::new().merge(checkout::routes()).merge(payer::routes()).merge(backoffice::routes());
    let all = OpenApiRouter::with_openapi(ApiDoc::openapi()).merge(elsewhere).merge(ours);
    all.layer(from_fn(arrive)).split_for_parts()
}

/// Merchants' pages may call with a client key or a checkout token, never with cookies. Which origins may use a client key is the
/// key's matter: a preflight carries no key, so here every origin may ask.
fn cross_origin() -> CorsLayer {
    let naru = |name| HeaderName::from_static(name);
    CorsLayer::new()
        .allow_origin(AllowOrigin::mirror_request())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT_LANGUAGE,
            naru("idempotency-key"),
            naru("last-event-id"),
            naru("prefer"),
            naru("traceparent"),
            naru("naru-test-code"),
            naru("tosspayments-test-code"),
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            naru("naru-events"),
            naru("naru-ignored-fields"),
            naru("idempotent-replayed"),
        ])
        .max_age(PREFLIGHT_LASTS)
}

#[cfg(test)]
mod tests {
    /// What merchants' tools are generated from: a changed call is a changed line. `INSTA_UPDATE=always` writes it anew.
    #[test]
    fn the_description_is_as_it_was_reviewed() {
        insta::assert_json_snapshot!(super::document());
    }
}

//! The operators' API, on a listener of its own: dead letters, stuck payments, one payment from beginning to end.

mod letters;
mod payment;
mod stuck;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};
use naru_shared::secret::{Secret, same};

use crate::app::App;
use crate::headers::Credentials;
use crate::problem::{Problem, Reason};

/// Every call of the operators' API, behind their token.
pub fn routes(app: App, token: Secret<String>) -> Router {
    Router::new()
        .route("/ops/v1/dead-letters", get(letters::list))
        .route("/ops/v1/dead-letters/{id}", get(letters::show))
        .route("/ops/v1/dead-letters/{id}/replay", post(letters::replay))
        .route("/ops/v1/dead-letters/{id}/settle", post(letters::settle))
        .route("/ops/v1/dead-letters/{id}/release", post(letters::release))
        .route("/ops/v1/stuck", get(stuck::list))
        .route("/ops/v1/payments/{paymentKey}", get(payment::show))
        .layer(from_fn_with_state(Arc::new(token), only_operators))
        .with_state(app)
}

async fn only_operators(
    State(token): State<Arc<Secret<String>>>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    match Credentials::of(request.headers())? {
        Credentials::Bearer(given) if same(given.expose().as_bytes(), token.expose().as_bytes()) => {
            Ok(next.run(request).await)
        }
        Credentials::Bearer(_) | Credentials::Key(_) => Err(Problem::because(Reason::KeyUnknown)),
    }
}

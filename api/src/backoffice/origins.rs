//! `/backoffice/v1/{mode}/origins`: pages from which a client key may be used, and to which payers may be sent back.

use axum::Json;
use axum::extract::{Path, State};
use naru_shared::domain::id::{Mode, Tenant};
use naru_shared::domain::staff::Act;
use serde::{Deserialize, Serialize};
use url::{Host, Url};
use utoipa::ToSchema;

use super::desk::{Desk, refuse_change};
use crate::app::App;
use crate::body::{Check, OwnBody};
use crate::openapi::{ChangeRefusals, StaffLookRefusals};
use crate::problem::{Code, Problem, Reason};
use crate::rates::ORIGINS_OF_MERCHANT;
use crate::unavailable::refuse;

/// Most characters of an origin.
const CHARACTERS_MAX: usize = 255;

/// The origins that are registered in one world.
#[derive(Serialize, ToSchema)]
pub(super) struct Origins {
    /// In alphabetical order.
    data: Vec<String>,
}

impl Origins {
    async fn of(app: &App, tenant: Tenant) -> Result<Json<Self>, Problem> {
        Ok(Json(Self { data: app.store.origins(tenant).await.map_err(refuse)? }))
    }
}

/// One origin.
#[derive(Deserialize, ToSchema)]
pub(super) struct OriginFields {
    /// Scheme, host and port as a browser writes them: no path, no slash at the end, no pattern.
    #[schema(example = "https://shop.example")]
    origin: String,
}

/// Whether it is an origin exactly as a browser would write it: what is compared byte by byte later must be written in
/// one way only. Without TLS only this machine, and only in the sandbox.
fn is_origin(text: &str, mode: Mode) -> bool {
    let Ok(url) = Url::parse(text) else {
        return false;
    };
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    let safe = url.scheme() == "https" || (url.scheme() == "http" && here && mode == Mode::Test);
    safe && text.len() <= CHARACTERS_MAX && !text.contains('*') && url.origin().ascii_serialization() == text
}

/// The origins of one world.
#[utoipa::path(
    get,
    path = "/backoffice/v1/{mode}/origins",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("mode" = String, Path, description = "`test` or `live`")),
    responses((status = 200, description = "Those that are registered", body = Origins), StaffLookRefusals)
)]
pub(super) async fn list(
    State(app): State<App>,
    desk: Desk,
    Path(mode): Path<String>,
) -> Result<Json<Origins>, Problem> {
    Origins::of(&app, desk.tenant(&mode)?).await
}

/// Registers an origin; instances know it within 2 seconds. In the sandbox for staff, too.
#[utoipa::path(
    post,
    path = "/backoffice/v1/{mode}/origins",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("mode" = String, Path, description = "`test` or `live`")),
    request_body = OriginFields,
    responses((status = 200, description = "Those that are registered now", body = Origins), ChangeRefusals)
)]
pub(super) async fn add(
    State(app): State<App>,
    desk: Desk,
    Path(mode): Path<String>,
    body: OwnBody<OriginFields>,
) -> Result<Json<Origins>, Problem> {
    let tenant = desk.tenant(&mode)?;
    desk.insist(&app, Act::ChangeOrigins(tenant.mode)).await?;
    let origin = body.fields.origin;
    let mut check = Check::new();
    let good = is_origin(&origin, tenant.mode);
    let origin = check.require("origin", origin, good, "must be an https origin such as https://shop.example");
    let origin = check.finish(|| origin)?;
    app.rates.count(ORIGINS_OF_MERCHANT, &app.rates.who_of(tenant)).await?;
    match app.store.add_origin(tenant, &origin, &desk.actor()).await.map_err(refuse_change)? {
        true => Origins::of(&app, tenant).await,
        false => Err(Problem::because(Reason::TooManyObjects)),
    }
}

/// Takes an origin off the register; instances know it within 2 seconds. In the sandbox for staff, too.
#[utoipa::path(
    post,
    path = "/backoffice/v1/{mode}/origins/remove",
    tag = "Backoffice",
    security(("staffSession" = [])),
    params(("mode" = String, Path, description = "`test` or `live`")),
    request_body = OriginFields,
    responses((status = 200, description = "Those that are still registered", body = Origins), ChangeRefusals)
)]
pub(super) async fn remove(
    State(app): State<App>,
    desk: Desk,
    Path(mode): Path<String>,
    body: OwnBody<OriginFields>,
) -> Result<Json<Origins>, Problem> {
    let tenant = desk.tenant(&mode)?;
    desk.insist(&app, Act::ChangeOrigins(tenant.mode)).await?;
    let origin = &body.fields.origin;
    // No column takes a NUL, so it can't be there.
    let there = !origin.contains('\0')
        && app.store.remove_origin(tenant, origin, &desk.actor()).await.map_err(refuse_change)?;
    if !there {
        return Err(Problem::of(Code::NotFound));
    }
    Origins::of(&app, tenant).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_browser_would_write() {
        #[rustfmt::skip]
        let table = [
            ("https://shop.example",            true,  true),
            ("https://shop.example:8443",       true,  true),
            ("https://xn--9t4b11yi5a.example",  true,  true),
            ("https://192.0.2.7",               true,  true),
            ("http://localhost:3000",           true,  false),
            ("http://127.0.0.1:3000",           true,  false),
            ("http://[::1]:3000",               true,  false),
            ("http://shop.example",             false, false),
            ("https://shop.example/",           false, false),
            ("https://shop.example:443",        false, false),
            ("https://SHOP.example",            false, false),
            ("https://가게.example",             false, false),
            ("https://shop.example/paid",       false, false),
            ("https://shop.example?a",          false, false),
            ("https://user@shop.example",       false, false),
            ("https://*.shop.example",          false, false),
            ("*",                               false, false),
            ("null",                            false, false),
            ("file://",                         false, false),
            ("",                                false, false),
        ];
        for (text, in_test, in_live) in table {
            assert_eq!((is_origin(text, Mode::Test), is_origin(text, Mode::Live)), (in_test, in_live), "{text}");
        }
    }
}

//! Every call of the API is described, and by that in the table of `testbed/tests/it/authz.txt`; or it is here, with the reason
//! and the test that tries it as everybody.

use std::collections::BTreeSet;

use crate::repository::{FILES, expect_none, files};

/// Path, why `/openapi.json` does not describe it, and the test that guards it.
const OUTSIDE: [(&str, &str, &str); 14] = [
    ("/callbacks/virtual-account", "banks call it, each by a signature", "a_callback_is_signed_fresh_and_taken_once"),
    ("/problems", "documentation, for everybody", "pages_for_people"),
    ("/problems/{code}", "documentation, for everybody", "pages_for_people"),
    ("/livez", "says nothing, to everybody", "pages_for_people"),
    ("/readyz", "says yes or no, to everybody", "must_not_26_leave_a_back_door_open"),
    ("/metrics", "on the internal address only", "must_not_26_leave_a_back_door_open"),
    ("/ops/v1/dead-letters", "operators' own address", "operators_and_nobody_else"),
    ("/ops/v1/dead-letters/{id}", "operators' own address", "operators_and_nobody_else"),
    ("/ops/v1/dead-letters/{id}/replay", "operators' own address", "operators_and_nobody_else"),
    ("/ops/v1/dead-letters/{id}/settle", "operators' own address", "operators_and_nobody_else"),
    ("/ops/v1/dead-letters/{id}/release", "operators' own address", "operators_and_nobody_else"),
    ("/ops/v1/stuck", "operators' own address", "operators_and_nobody_else"),
    ("/ops/v1/payments/{paymentKey}", "operators' own address", "operators_and_nobody_else"),
    ("/docs", "the description, to look at and to read: `/openapi.json`", "pages_for_people"),
];

/// Ways to add a call that the description does not learn of, save by the list above.
const OTHER_WAYS: [&str; 6] = [
    ".route_service(",
    ".nest(",
    ".nest_service(",
    ".fallback(",
    ".fallback_service(",
    ".method_not_allowed_fallback(",
];

/// What stands around every call adds none.
const AROUND: (&str, &str) = ("api/src/limits.rs", ".fallback_service(MapRequest::new(guarded, ");

/// The paths that are routed past the description, with where.
fn routed() -> Vec<(String, String)> {
    let product =
        FILES.iter().filter(|file| file.is("rs") && file.is_below(&["api/src/", "shared/src/", "worker/src/"]));
    let mut found = Vec::new();
    for file in product.filter(|file| !file.path.ends_with("tests.rs")) {
        let own = file.content.split("#[cfg(test)]").next().unwrap_or_default();
        for rest in own.split(".route(").skip(1) {
            let path = rest.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            found.push((path.unwrap_or("a path that is no literal").to_owned(), file.path.clone()));
        }
        for rest in own.split("SwaggerUi::new(\"").skip(1) {
            found.push((rest.split('"').next().unwrap_or_default().to_owned(), file.path.clone()));
        }
        let own = if file.path == AROUND.0 { own.replacen(AROUND.1, "", 1) } else { own.to_owned() };
        let others = OTHER_WAYS.iter().filter(|way| own.contains(*way));
        found.extend(others.map(|way| (format!("something by `{way}`"), file.path.clone())));
    }
    found
}

#[test]
fn every_call_is_described_or_listed_with_its_reason() {
    let routed = routed();
    let listed: BTreeSet<&str> = OUTSIDE.iter().map(|(path, ..)| *path).collect();
    let unknown = routed.iter().filter(|(path, _)| !listed.contains(path.as_str()));
    let mut found: Vec<String> =
        unknown.map(|(path, file)| format!("{file}: {path} is neither described nor listed")).collect();
    let tests: BTreeSet<&str> = files("rs")
        .filter(|file| file.is_below(&["testbed/tests/", "shared/", "api/"]))
        .flat_map(|file| file.content.split("fn ").skip(1))
        .filter_map(|rest| rest.split('(').next())
        .collect();
    for (path, why, test) in OUTSIDE {
        if !routed.iter().any(|(routed, _)| routed == path) {
            found.push(format!("{path} is listed and not routed"));
        }
        if why.is_empty() || !tests.contains(test) {
            found.push(format!("{path} is guarded by {test}, which is no test"));
        }
    }
    expect_none("calls past the description", &found);
}

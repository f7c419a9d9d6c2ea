//! Every environment variable that is named anywhere is one that a program reads.

use std::collections::BTreeSet;

use crate::modules::is_test;
use crate::repository::{FILES, Text, expect_none};

/// What is no program's configuration, and what it is. A star stands for what comes after.
const REVIEWED: [(&str, &str); 17] = [
    ("NARU_API_URL", "in target/stack/env: where the API is"),
    ("NARU_OPS_URL", "in target/stack/env: where the operators' API is"),
    ("NARU_SIMULATOR_URL", "in target/stack/env: where the simulator is"),
    ("NARU_METRICS_URL_*", "in target/stack/env: where counts are"),
    ("NARU_AMQP_MANAGEMENT_URL", "in target/stack/env: RabbitMQ's pages"),
    ("NARU_PID_*", "in target/stack/env: a process of the stack"),
    ("NARU_DATA_*", "in target/stack/env: a server's data"),
    ("NARU_SECRET_KEY", "in target/stack/env: the demo merchant's"),
    ("NARU_CLIENT_KEY", "in target/stack/env: the demo merchant's"),
    ("NARU_PAYER_*", "in target/stack/env: the demo payer's"),
    ("NARU_STAFF_MID", "in target/stack/env: the demo merchant"),
    ("NARU_STAFF_EMAIL", "in target/stack/env: the demo merchant's owner"),
    ("NARU_STAFF_PASSWORD", "in target/stack/env: the demo merchant's owner"),
    ("NARU_HOLD_DIR", "read by shared/src/crash.rs, in debug builds only"),
    ("NARU_TEST_*", "from cargo xtask test to the tests"),
    ("NARU_BROKER_*", "from docker-compose.yml to deploy/rabbitmq/start.sh"),
    ("NARU_PUBLIC_ADDRESS", "read by docker-compose.yml"),
];

#[test]
fn variables_that_are_named_are_read() {
    let mut known: BTreeSet<&str> = FILES.iter().filter(|file| is_configuration(file)).flat_map(named).collect();
    let of_acquirers = variables_of_acquirers();
    known.extend(of_acquirers.iter().map(String::as_str));
    assert!(known.contains("NARU_MASTER_SECRET"), "the configuration is not found");
    let mut used: BTreeSet<&str> = BTreeSet::new();
    let mut found = Vec::new();
    for file in FILES.iter().filter(|file| says_what_to_set(file)) {
        for variable in named(file) {
            let reviewed = REVIEWED.iter().find(|(name, _)| matches(name, variable));
            used.extend(reviewed.map(|(name, _)| *name));
            if reviewed.is_none() && !known.contains(variable) {
                found.push(format!("{}: {variable}", file.path));
            }
        }
    }
    found.sort();
    found.dedup();
    expect_none("nobody reads these variables", &found);
    let unused: Vec<String> = REVIEWED
        .iter()
        .filter(|(name, _)| !used.contains(*name))
        .map(|(name, what)| format!("{name}: {what}"))
        .collect();
    expect_none("reviewed, and named nowhere any more", &unused);
}

/// What `shared/src/config/acquirers.rs` makes of every connector's word.
fn variables_of_acquirers() -> Vec<String> {
    let list = FILES.iter().find(|file| file.path == "shared/src/connectors.rs").map_or("", |file| &file.content);
    let quoted = list.split('"').skip(1).step_by(2);
    let words: Vec<&str> = quoted.filter(|word| word.chars().all(|c| c.is_ascii_uppercase() || c == '_')).collect();
    assert!(words.contains(&"CARD"), "the list of connectors is not found");
    let of =
        |word: &&str| ["ACQUIRER_URL", "ACQUIRER_DEDUPES", "SETTLE_WINDOW_MS"].map(|of| format!("NARU_{word}_{of}"));
    words.iter().flat_map(of).collect()
}

/// Everything but the configuration itself and tests, which try wrong names.
fn says_what_to_set(file: &Text) -> bool {
    !is_configuration(file) && !is_test(file)
}

fn is_configuration(file: &Text) -> bool {
    file.path.starts_with("shared/src/config") || file.path == "simulator/src/config.rs"
}

fn matches(reviewed: &str, variable: &str) -> bool {
    match reviewed.strip_suffix('*') {
        Some(prefix) => variable.starts_with(prefix),
        None => reviewed == variable,
    }
}

/// `NARU_…`, whole words only.
fn named(file: &Text) -> impl Iterator<Item = &str> {
    let words = file.content.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| {
        word.strip_prefix("NARU_").is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| !c.is_ascii_lowercase()))
    })
}

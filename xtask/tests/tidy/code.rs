//! What code may not contain, or not there.

use crate::modules::is_test;
use crate::repository::{Text, expect_none, files};

/// A file that needs a table of contents wants to be a folder.
const LINES_MAX: usize = 600;

/// A crate, the places that may use it, and why only those. (xtask depends on none of them; it has modules of such names.)
const OWNERS: [(&str, &[&str], &str); 4] = [
    ("sqlx", &["shared/src/store/", "shared/tests/store/", "testbed/", "xtask/"], "only the store speaks SQL"),
    ("lapin", &["shared/src/broker/", "shared/tests/broker/", "testbed/", "xtask/"], "only the broker speaks AMQP"),
    ("redis", &["shared/src/bus/", "shared/tests/", "testbed/", "xtask/"], "only the bus speaks to Redis"),
    ("backoff", &["shared/src/retry.rs", "xtask/"], "it is unmaintained, and stays behind one module"),
];

/// What the domain must be handed.
const IMPURE: [&str; 16] = [
    "sqlx::",
    "tokio::",
    "reqwest::",
    "lapin::",
    "redis::",
    "rand::",
    "tracing::",
    "metrics::",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant",
    "now_utc",
];

/// Programs that must not panic; their `main.rs` may, before they serve.
const NEVER_PANIC: [&str; 4] = ["api/src/", "worker/src/", "shared/src/", "simulator/src/"];

#[test]
fn each_outside_has_one_owner() {
    let mut found = Vec::new();
    for (name, owners, why) in OWNERS {
        for file in files("rs").filter(|file| !file.is_below(owners)) {
            found.extend(
                code(file).filter(|(_, line)| uses(line, name)).map(|(at, _)| format!("{at} uses `{name}`: {why}")),
            );
        }
    }
    expect_none("a crate is used outside its owner", &found);
}

#[test]
fn the_domain_is_pure() {
    let mut found = Vec::new();
    for file in files("rs").filter(|file| file.is_below(&["shared/src/domain/"]) && !is_test(file)) {
        for (at, line) in code(file) {
            found.extend(
                IMPURE.iter().filter(|impure| has_word(line, impure)).map(|impure| format!("{at} uses {impure}")),
            );
        }
    }
    expect_none("the domain does no I/O and asks no clock", &found);
}

#[test]
fn sql_never_holds_a_transition() {
    // What a payment's status becomes is bound as a parameter, never written in a statement.
    let statuses = ["'DONE'", "'ABORTED'", "'EXPIRED'", "'READY'", "'IN_PROGRESS'"];
    let mut found = Vec::new();
    for file in files("rs").filter(|file| file.is_below(&["shared/src/store/"])) {
        for (at, line) in code(file) {
            found.extend(
                statuses
                    .iter()
                    .filter(|status| line.replace(' ', "").contains(&format!("status={status}")))
                    .map(|status| format!("{at} sets or compares {status}")),
            );
        }
    }
    expect_none("a statement decides", &found);
}

#[test]
fn programs_do_not_panic() {
    let may_panic = |file: &&Text| !file.is_below(&NEVER_PANIC) || file.path.ends_with("/main.rs") || is_test(file);
    let panics = [".unwrap()", ".expect(", "panic!(", "unreachable!(", "unimplemented!("];
    let mut found = Vec::new();
    for file in files("rs").filter(|file| !may_panic(file)) {
        let mut reasoned = false;
        for (at, line) in code(file) {
            let may = panics.iter().any(|panic| line.contains(panic)) && !reasoned;
            found.extend(may.then(|| format!("{at} {line}")));
            // The next line may, when its reason is written down.
            reasoned = line.starts_with("#[expect(clippy::") && line.contains("reason = ");
        }
    }
    expect_none("these may panic", &found);
}

#[test]
fn nothing_is_left_over() {
    // Put together, so that this file does not find itself.
    let leftovers = [["to", "do!("].concat(), ["db", "g!("].concat(), ["FIX", "ME"].concat(), ["TO", "DO"].concat()];
    let ignored = ["#[ig", "nore"].concat();
    let mut found = Vec::new();
    for file in files("rs") {
        for (number, line) in file.content.lines().enumerate() {
            let left = leftovers.iter().any(|left| has_word(line, left)) || line.contains(&ignored);
            found.extend(left.then(|| format!("{}:{} {}", file.path, number + 1, line.trim())));
        }
    }
    expect_none("left over", &found);
}

#[test]
fn files_stay_small() {
    let lengths = files("rs").filter(|file| !is_test(file)).map(|file| (file, file.content.lines().count()));
    let long: Vec<String> = lengths
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("{}: {lines}", file.path))
        .collect();
    expect_none(&format!("longer than {LINES_MAX} lines"), &long);
}

/// Lines of code with their place: no comments, and nothing of the module of tests at a file's end.
fn code(file: &'static Text) -> impl Iterator<Item = (String, &'static str)> {
    let tests =
        file.content.split_once("#[cfg(test)]\nmod tests {").map_or(file.content.as_str(), |(before, _)| before);
    let lines = tests.lines().enumerate().map(|(number, line)| (format!("{}:{}", file.path, number + 1), line.trim()));
    lines.filter(|(_, line)| !line.starts_with("//"))
}

/// Whether a line uses this crate: `name::…`, and no module of ours that is called so.
fn uses(line: &str, name: &str) -> bool {
    line.match_indices(&format!("{name}::")).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
    })
}

/// Whether a line has this word, and not merely a longer one that ends or begins with it.
fn has_word(line: &str, word: &str) -> bool {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    let ends_open = !word.ends_with(|c: char| c.is_ascii_alphanumeric());
    line.match_indices(word).any(|(at, _)| {
        let after = line[at + word.len()..].chars().next();
        !part(line[..at].chars().next_back()) && (ends_open || !part(after))
    })
}

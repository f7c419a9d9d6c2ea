//! Documents name only what exists: paths, headings, codes, functions, columns, metrics.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::repository::{FILES, Text, exists, expect_none, files};

/// What a file of ours may end with.
const KINDS: [&str; 11] =
    [".rs", ".md", ".sql", ".json", ".yml", ".toml", ".sh", ".conf", ".txt", ".lock", ".Dockerfile"];

/// Names that are nobody's code: other people's settings, members of standards, what a reader makes up.
const ELSEWHERE: [&str; 4] = ["messages_dlx", "load_definitions", "delivery_limit", "rabbitmq_queue_messages_ready"];

/// Where codes, reasons and statuses are declared.
const CODES: [&str; 9] = [
    "api/src/problem/code.rs",
    "api/src/problem/reason.rs",
    "api/src/view.rs",
    "shared/src/domain/failure.rs",
    "shared/src/domain/installment.rs",
    "shared/src/domain/instrument.rs",
    "shared/src/domain/ledger.rs",
    "shared/src/domain/operation.rs",
    "shared/src/domain/payment.rs",
];

/// Where Toss Payments' codes are declared that no call answers with.
const FOREIGN: &str = "api/src/problem/foreign.rs";

/// Every word of code: of Rust, SQL, settings and scripts.
static WORDS: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let is_code = |file: &&Text| !file.is("md") && file.path != "Cargo.lock";
    let words = FILES.iter().filter(is_code).flat_map(|file| file.content.split(|c: char| !is_part(c)));
    words.flat_map(|word| [word.to_owned(), on_the_wire(word)]).collect()
});

#[test]
fn links_lead_somewhere() {
    let mut found = Vec::new();
    for file in files("md") {
        for target in links(&file.content) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((target, ""));
            let path = if path.is_empty() { file.path.clone() } else { beside(file, path) };
            if !exists(&path) {
                found.push(format!("{}: ({target}) is not there", file.path));
            } else if !heading.is_empty() && !has_heading(&path, heading) {
                found.push(format!("{}: ({target}) has no such heading", file.path));
            }
        }
    }
    expect_none("links that lead nowhere", &found);
}

#[test]
fn paths_that_are_named_exist() {
    let mut found = Vec::new();
    for file in files("md") {
        for span in spans(&file.content) {
            for path in alternatives(span) {
                if is_path(file, &path) && !is_there(file, &path) {
                    found.push(format!("{}: `{path}`", file.path));
                }
            }
        }
    }
    expect_none("paths that are not there", &found);
}

#[test]
fn names_that_the_compiler_knows_exist() {
    let mut found = Vec::new();
    for file in files("md") {
        for span in spans(&file.content).filter(|span| is_name(span)) {
            let missing = span
                .trim_end_matches("()")
                .split("::")
                .find(|word| !WORDS.contains(*word) && !ELSEWHERE.contains(word) && !is_known_prefix(word));
            found.extend(missing.map(|word| format!("{}: `{span}`: nothing is called {word}", file.path)));
        }
    }
    expect_none("names that no code has", &found);
}

#[test]
fn codes_that_are_named_are_codes() {
    let known: BTreeSet<&str> =
        files("rs").filter(|file| file.is_below(&CODES)).flat_map(|file| quoted(&file.content)).collect();
    assert!(known.contains("DUPLICATED_ORDER_ID") && known.contains("OUTCOME_OPEN"), "codes are not found in the code");
    // One document says what stands in the place of the codes that we have no use for.
    let theirs: BTreeSet<&str> =
        files("rs").filter(|file| file.path == FOREIGN).flat_map(|file| quoted(&file.content)).collect();
    assert!(theirs.contains("INVALID_CARD"), "codes are not found in the code");
    let mut found = Vec::new();
    for file in files("md").filter(|file| file.path.starts_with("docs/") || file.path == "README.md") {
        for span in spans(&file.content).filter(|span| is_code(span)) {
            let may_be_theirs = file.path == "docs/toss-compatibility.md" && theirs.contains(span);
            if !known.contains(span) && !may_be_theirs && !is_constant_or_variable(span) {
                found.push(format!("{}: `{span}`", file.path));
            }
        }
    }
    expect_none("codes that nobody answers with", &found);
}

/// A heading of a document, as a link names it: lower case, hyphens for spaces, no other signs.
fn has_heading(path: &str, wanted: &str) -> bool {
    let slug = |heading: &str| -> String {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    let document = FILES.iter().find(|file| file.path == path);
    document.is_some_and(|file| {
        let headings = file.content.lines().filter_map(|line| line.strip_prefix('#'));
        headings.map(|heading| slug(heading.trim_start_matches('#').trim())).any(|heading| heading == wanted)
    })
}

/// The targets of `[text](target)`, outside code.
fn links(content: &str) -> impl Iterator<Item = &str> {
    prose(content).flat_map(|line| {
        line.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target.trim()))
    })
}

/// What stands between single backticks, outside blocks of code.
fn spans(content: &str) -> impl Iterator<Item = &str> {
    prose(content).flat_map(|line| line.split('`').skip(1).step_by(2)).filter(|span| !span.is_empty())
}

fn prose(content: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    content.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence && !line.starts_with("    ")
    })
}

/// `a/{b,c}.rs` is `a/b.rs` and `a/c.rs`.
fn alternatives(span: &str) -> Vec<String> {
    let parts = span.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    match parts {
        Some((before, (inner, after))) if inner.contains(',') => {
            inner.split(',').map(|one| format!("{before}{}{after}", one.trim())).collect()
        }
        _ => vec![span.to_owned()],
    }
}

/// Whether a span means a file or folder of ours, and not a media type, a route or a command.
fn is_path(file: &Text, span: &str) -> bool {
    let plain = span.chars().all(|c| c.is_ascii_alphanumeric() || "_-./*".contains(c));
    if !plain || span.starts_with('/') || span.starts_with("target/") || span.contains("..") {
        return false;
    }
    let is_file = KINDS.iter().any(|kind| span.len() > kind.len() && span.ends_with(kind));
    match span.split_once('/') {
        Some((first, _)) => is_file || exists(first) || exists(&beside(file, first)),
        None => is_file,
    }
}

fn is_there(file: &Text, path: &str) -> bool {
    // `docs/problems/*` is there when its folder is.
    let path = path.split('*').next().unwrap_or(path).trim_end_matches('/');
    let named_alone = || !path.contains('/') && FILES.iter().any(|own| own.path.ends_with(&format!("/{path}")));
    exists(path) || exists(&beside(file, path)) || named_alone()
}

/// A path that is relative to a document, from the root.
fn beside(file: &Text, path: &str) -> String {
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `record_batch`, `Claimed::first_step`, `hold_point()`: what a compiler, a database or a scraper knows by this name.
fn is_name(span: &str) -> bool {
    let word = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic()) && word.chars().all(is_part);
    let bare = span.strip_suffix("()").unwrap_or(span);
    let marked = bare.contains('_') || bare.contains("::") || bare.len() < span.len();
    marked && bare.split("::").all(word)
}

/// `naru_relay_` of `naru_relay_…` and the like.
fn is_known_prefix(word: &str) -> bool {
    word.ends_with('_') && WORDS.iter().any(|known| known.starts_with(word))
}

/// `DUPLICATED_ORDER_ID`
fn is_code(span: &str) -> bool {
    span.contains('_')
        && !span.starts_with('_')
        && !span.ends_with('_')
        && span.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Not a code though it looks like one: checked as a name, and as a variable.
fn is_constant_or_variable(span: &str) -> bool {
    let constant = || files("rs").any(|file| file.content.contains(&format!("const {span}:")));
    span.starts_with("NARU_") || ["_URL", "_ENDPOINT", "_PASSWORD"].iter().any(|end| span.ends_with(end)) || constant()
}

fn quoted(content: &str) -> impl Iterator<Item = &str> {
    content
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
}

/// `AlreadyCaptured` as serde writes it: `already_captured`.
fn on_the_wire(word: &str) -> String {
    let mut written = String::with_capacity(word.len() + 4);
    for c in word.chars() {
        if c.is_ascii_uppercase() && !written.is_empty() {
            written.push('_');
        }
        written.push(c.to_ascii_lowercase());
    }
    written
}

fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

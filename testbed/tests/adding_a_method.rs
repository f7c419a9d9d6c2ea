//! `docs/adding-a-payment-method.md` is true: its steps, made in a copy of the tree as they are written there, give a method that
//! is paid with through HTTP, real queues and the simulator's books. Nothing else is done to the copy.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that meets the unexpected ends there")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// One edit of the document.
struct Step {
    path: String,
    how: How,
    text: String,
}

enum How {
    NewFile,
    /// Behind the line that has this, and only that line has it.
    Below(String),
    /// Wherever this is.
    InsteadOf(String),
}

/// What stands between the first two such marks, and what comes after them.
fn between<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(mark)?.1.split_once(mark)
}

/// The steps of the document, in order: a line that says where, and a block that says what.
fn steps(document: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        let (rest, is_new) = match (line.strip_prefix("New file "), line.strip_prefix("In ")) {
            (Some(rest), _) => (rest, true),
            (_, Some(rest)) if rest.starts_with('`') => (rest, false),
            _ => continue,
        };
        let (path, rest) =
            between(rest, if is_new { "**" } else { "`" }).unwrap_or_else(|| panic!("which file? {line}"));
        let how = if is_new {
            How::NewFile
        } else {
            let (what, _) = between(rest, "`").unwrap_or_else(|| panic!("where? {line}"));
            if rest.starts_with(", below ") { How::Below(what.to_owned()) } else { How::InsteadOf(what.to_owned()) }
        };
        let block =
            lines.by_ref().skip_while(|line| !line.starts_with("```")).skip(1).take_while(|line| *line != "```");
        let text = block.collect::<Vec<_>>().join("\n");
        assert!(!text.is_empty(), "what is done? {line}");
        steps.push(Step { path: path.to_owned(), how, text });
    }
    steps
}

impl Step {
    fn make(&self, tree: &Path) {
        let path = tree.join(&self.path);
        let Self { how, text, .. } = self;
        let place = &self.path;
        if let How::NewFile = how {
            std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the copy can be written");
            std::fs::write(&path, format!("{text}\n")).expect("the copy can be written");
            return;
        }
        let before = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{place}: {error}"));
        let after = match how {
            How::Below(anchor) => {
                assert_eq!(before.matches(anchor.as_str()).count(), 1, "{place} has {anchor:?} once");
                let end = before.find(anchor.as_str()).map_or(0, |at| at + before[at..].find('\n').unwrap_or(0) + 1);
                format!("{}{text}\n{}", &before[..end], &before[end..])
            }
            How::InsteadOf(old) => {
                assert!(before.contains(old.as_str()), "{place} has no {old:?}");
                before.replace(old.as_str(), text)
            }
            How::NewFile => before,
        };
        std::fs::write(&path, after).expect("the copy can be written");
    }
}

/// What a build and its tests need of the repository.
const PARTS: [&str; 15] = [
    ".cargo",
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "api",
    "cli",
    "docs",
    "migrations",
    "rabbitmq",
    "shared",
    "simulator",
    "testbed",
    "worker",
    "xtask",
    "clippy.toml",
];

/// What `cargo xtask test` tells its tests.
const OF_THIS_RUN: [&str; 6] = ["DATABASE_URL", "TEMPLATE", "AMQP_URL", "AMQP_MANAGEMENT_URL", "REDIS_URL", "BIN_DIR"];

fn run(command: &mut Command, what: &str) {
    let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{what}: {said}");
}

/// Copies the tree, and lends its build what others wrote: what is ours is built anew.
fn copied(repository: &Path, built: &Path, place: &Path) -> (PathBuf, PathBuf) {
    let _ = std::fs::remove_dir_all(place);
    let (tree, target) = (place.join("tree"), place.join("target"));
    std::fs::create_dir_all(&tree).expect("the copy can be written");
    std::fs::create_dir_all(target.join("debug")).expect("the copy can be written");
    let parts = PARTS.map(|part| repository.join(part));
    run(Command::new("cp").arg("-a").args(parts).arg(&tree), "the tree is copied");
    let lent = ["deps", "build", ".fingerprint"].map(|folder| built.join(folder));
    // What can't be lent (another build is at work on it, say) is built anew, too.
    let _ = Command::new("cp").arg("-al").args(lent).arg(target.join("debug")).output().expect("cp runs");
    let own = ". -depth ( -name *naru* -o -name *xtask* ) -exec rm -rf {} +";
    run(Command::new("find").args(own.split(' ')).current_dir(&target), "what is ours is not lent");
    (tree, target)
}

#[test]
fn adding_a_method_takes_the_steps_of_the_document_and_no_others() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the repository");
    let us = std::env::current_exe().expect("a running program has a path");
    // target/debug/deps/adding_a_method-0123456789abcdef
    let built = us.ancestors().nth(2).expect("a test program lies in target/debug/deps");
    let place = built.parent().expect("target/debug lies in target").join("adding-a-method");
    let (tree, target) = copied(repository, built, &place);
    let document = std::fs::read_to_string(tree.join("docs/adding-a-payment-method.md")).expect("it is there");
    let steps = steps(&document);
    let folders = [
        "shared/src/acquirer/",
        "shared/src/connectors.rs",
        "rabbitmq/",
        "simulator/",
        "docs/methods/",
        "testbed/tests/it/",
    ];
    for folder in folders {
        assert!(steps.iter().any(|step| step.path.starts_with(folder)), "no step for {folder}");
    }
    steps.iter().for_each(|step| step.make(&tree));

    let cargo = || {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(&tree).env("CARGO_TARGET_DIR", &target).env("CARGO_NET_OFFLINE", "true");
        // Servers and programs of its own: those of this run know no vouchers.
        for name in OF_THIS_RUN {
            cargo.env_remove(format!("NARU_TEST_{name}"));
        }
        cargo
    };
    // All of it at once, with the features that what is lent was built with.
    run(cargo().args(["build", "--quiet", "--workspace", "--bins", "--test", "it"]), "the copy is built");
    let filters = ["vouchers::", "guides::taking_a_payment"];
    let output =
        cargo().args(["test", "--workspace", "--test", "it", "--"]).args(filters).output().expect("cargo runs");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success() && said.contains("2 passed"), "a voucher pays, and as its page says: {said}");
    let _ = std::fs::remove_dir_all(&place);
}

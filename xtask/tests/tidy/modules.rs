//! Which Rust files are named by a `mod`, and which of them are compiled for tests only.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::repository::{Text, expect_none, files};

/// A `mod name;` and the attributes above it.
struct Declaration {
    /// The files that it may mean.
    means: Vec<String>,
    for_tests: bool,
}

static DECLARATIONS: LazyLock<Vec<Declaration>> = LazyLock::new(|| files("rs").flat_map(declarations).collect());

static TEST_FILES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let declared = DECLARATIONS.iter().filter(|declaration| declaration.for_tests);
    declared.flat_map(|declaration| &declaration.means).map(String::as_str).collect()
});

/// Whether a file is compiled for tests only.
pub(crate) fn is_test(file: &Text) -> bool {
    let folder_of_tests = file.path.starts_with("tests/") || file.path.contains("/tests/");
    // What a module for tests is made of is for tests too: `simulation.rs` and all of `simulation/`.
    let below_tests = || TEST_FILES.iter().any(|test| below(test).is_some_and(|folder| file.path.starts_with(&folder)));
    folder_of_tests || file.path.starts_with("testbed/") || TEST_FILES.contains(file.path.as_str()) || below_tests()
}

/// The folder of a module's own modules.
fn below(path: &str) -> Option<String> {
    let stem = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs"))?;
    Some(format!("{stem}/"))
}

#[test]
fn every_rust_file_is_a_module_of_something() {
    let named: BTreeSet<&str> = DECLARATIONS.iter().flat_map(|d| &d.means).map(String::as_str).collect();
    let orphans: Vec<String> = files("rs")
        .filter(|file| !is_root(&file.path) && !named.contains(file.path.as_str()))
        .map(|f| f.path.clone())
        .collect();
    expect_none("no `mod` names these files, so nobody compiles them", &orphans);
}

/// What Cargo itself compiles.
fn is_root(path: &str) -> bool {
    let mut parts = path.rsplit('/');
    let (Some(file), Some(folder)) = (parts.next(), parts.next()) else { return true };
    match folder {
        "src" => matches!(file, "main.rs" | "lib.rs"),
        "tests" | "benches" | "examples" | "bin" => true,
        _ => file == "main.rs" || file == "build.rs",
    }
}

fn declarations(file: &Text) -> Vec<Declaration> {
    let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
    let stem = name.trim_end_matches(".rs");
    let below = if is_root(&file.path) || stem == "mod" { folder.to_owned() } else { format!("{folder}/{stem}") };
    let (mut declared, mut attributes) = (Vec::new(), Vec::new());
    for line in file.content.lines().map(str::trim) {
        if line.starts_with("#[") {
            attributes.push(line);
            continue;
        }
        if let Some(module) = module_named(line) {
            let at = attributes.iter().find_map(|attribute| attribute.strip_prefix("#[path = \"")?.strip_suffix("\"]"));
            let means = match at {
                Some(path) => vec![format!("{folder}/{path}")],
                None => vec![format!("{below}/{module}.rs"), format!("{below}/{module}/mod.rs")],
            };
            declared.push(Declaration { means, for_tests: attributes.contains(&"#[cfg(test)]") });
        }
        if !line.starts_with("//") {
            attributes.clear();
        }
    }
    declared
}

/// The module of `mod name;`, whoever may see it.
fn module_named(line: &str) -> Option<&str> {
    let line = line.strip_suffix(';')?;
    let (seen_by, name) = line.rsplit_once("mod ")?;
    let is_plain = seen_by.is_empty() || (seen_by.starts_with("pub") && seen_by.ends_with(' '));
    (is_plain && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(name)
}

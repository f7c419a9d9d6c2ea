//! What no file may contain, of whatever kind.

use crate::repository::{FILES, exists, expect_none, files};

/// Cargo writes it, and it names where packages come from.
const BY_CARGO: &str = "Cargo.lock";

#[test]
fn nothing_names_a_registry_or_a_folder_of_one_machine() {
    // Put together, so that this file does not find itself.
    let hosts = [["crates", ".io"], ["npm", "js."], ["py", "pi."], ["pythonhosted", ".org"], ["proxy.golang", ".org"]];
    let folders = [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"]];
    let mut found = Vec::new();
    for file in FILES.iter().filter(|file| file.path != BY_CARGO) {
        for (number, line) in file.content.lines().enumerate() {
            let place = || format!("{}:{} {}", file.path, number + 1, line.trim());
            let host = hosts.iter().any(|host| line.contains(&host.concat()));
            let folder = folders.iter().any(|folder| {
                let is_start = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "_-.}*".contains(c));
                line.match_indices(&folder.concat()).any(|(at, _)| is_start(at))
            });
            found.extend((host || folder).then(place));
        }
    }
    expect_none("good on one machine only", &found);
}

#[test]
fn nothing_waits_for_a_persons_yes() {
    // What insta, merges and patches leave beside a file until somebody decides.
    let endings = [".snap.new", ".pending-snap", ".orig", ".rej"];
    let left = FILES.iter().filter(|file| endings.iter().any(|ending| file.path.ends_with(ending)));
    expect_none("undecided", &left.map(|file| file.path.clone()).collect::<Vec<_>>());
}

#[test]
fn decisions_are_numbered_without_holes_and_say_what_was_given_up() {
    let decisions: Vec<_> = files("md").filter(|file| file.path.starts_with("docs/decisions/0")).collect();
    assert!(!decisions.is_empty());
    let mut found = Vec::new();
    for (index, decision) in decisions.iter().enumerate() {
        let number = format!("{:04}", index + 1);
        if !decision.path.starts_with(&format!("docs/decisions/{number}-")) {
            found.push(format!("{}: should be number {number}", decision.path));
        }
        for heading in ["## Context", "## Choice", "## What we gave up"] {
            if !decision.content.lines().any(|line| line == heading) {
                found.push(format!("{}: no `{heading}`", decision.path));
            }
        }
    }
    let index = FILES.iter().find(|file| file.path == "docs/decisions/README.md").map_or("", |file| &file.content);
    for decision in &decisions {
        let name = decision.path.rsplit('/').next().unwrap_or_default();
        let title = decision.content.lines().next().unwrap_or_default().split_once(". ").map_or("", |(_, title)| title);
        if !index.contains(&format!("[{title}]({name})")) {
            found.push(format!("{}: not in docs/decisions/README.md under its title", decision.path));
        }
    }
    expect_none("decisions", &found);
}

#[test]
fn ci_runs_what_the_readme_says() {
    let content = |path: &str| FILES.iter().find(|file| file.path == path).map_or("", |file| file.content.as_str());
    let command = "cargo xtask test";
    assert!(exists(".ci/run") && content(".ci/run").contains(command));
    assert!(content("README.md").contains(command));
    assert!(content(".github/workflows/ci.yml").contains(".ci/run"));
}

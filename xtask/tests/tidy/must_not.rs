//! The forty holes: each is shut by a test of its number, or said to be for later; and the README says how many.

use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{expect_none, files};

const LIST: &str = "docs/must-not.md";
const HOLES: usize = 40;

/// The names of the tests of holes, by number. A test is a function right below an attribute that says so.
fn tests() -> BTreeMap<usize, BTreeSet<String>> {
    let mut found: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for file in files("rs") {
        let mut is_test = false;
        for line in file.content.lines().map(str::trim) {
            let name = line.split_once("fn must_not_").map(|(_, rest)| rest.split('(').next().unwrap_or_default());
            match name {
                Some(name) if is_test => {
                    let number = name.get(..2).and_then(|digits| digits.parse().ok()).unwrap_or_default();
                    found.entry(number).or_default().insert(format!("must_not_{name}"));
                }
                Some(_) | None => {}
            }
            is_test = line == "#[test]" || line.starts_with("#[tokio::test");
        }
    }
    found
}

/// What the list says of each hole.
fn listed() -> Vec<(usize, String)> {
    let list = files("md").find(|file| file.path == LIST).map_or("", |file| file.content.as_str());
    let rows = list.lines().filter_map(|line| line.strip_prefix("| "));
    let rows = rows.filter_map(|row| {
        let mut cells = row.split(" | ");
        let number = cells.next()?.trim().parse().ok()?;
        Some((number, cells.nth(1)?.trim_end_matches('|').trim().to_owned()))
    });
    rows.collect()
}

#[test]
fn every_hole_is_shut_by_a_test_of_its_number_or_waits_for_its_part() {
    let (tests, listed) = (tests(), listed());
    let mut found = Vec::new();
    let numbers: Vec<usize> = listed.iter().map(|(number, _)| *number).collect();
    if numbers != (1..=HOLES).collect::<Vec<_>>() {
        found.push(format!("{LIST}: lists {numbers:?}"));
    }
    for (number, proof) in &listed {
        let names = tests.get(number).cloned().unwrap_or_default();
        let name = proof.trim_matches('`');
        if proof.starts_with("later: ") {
            found.extend((!names.is_empty()).then(|| format!("{LIST}: {number} is not for later: {names:?}")));
        } else if !names.contains(name) {
            found.push(format!("{LIST}: {number} is proven by {name}, which is no test of that number ({names:?})"));
        }
    }
    let beyond = tests.iter().filter(|(number, _)| !(1..=HOLES).contains(*number));
    found.extend(beyond.map(|(_, names)| format!("of no hole: {names:?}")));
    expect_none("forty holes", &found);
}

#[test]
fn the_readme_says_how_many_are_shut() {
    let shut = listed().iter().filter(|(_, proof)| !proof.starts_with("later: ")).count();
    let line = format!("{shut} of {HOLES} absent");
    let readme = files("md").find(|file| file.path == "README.md").map_or("", |file| file.content.as_str());
    assert!(readme.contains(&line), "README.md should say {line:?}: see {LIST}");
}

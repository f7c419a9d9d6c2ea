//! How many checks and tests passed, failed, and did not run.

use std::fmt;

/// Counts; shown as the last line of `cargo xtask test`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
    /// How many of `passed` and `failed` are tests, not checks.
    tests: u64,
    remarks: Vec<String>,
}

impl Tally {
    pub(crate) fn passed(&mut self) {
        self.passed += 1;
    }

    pub(crate) fn failed(&mut self, remark: String) {
        self.failed += 1;
        self.remarks.push(remark);
    }

    pub(crate) fn skipped(&mut self, remark: String) {
        self.skipped += 1;
        self.remarks.push(remark);
    }

    /// Reads a line of `cargo test`'s output: `test result: ok. 5 passed; 0 failed; 1 ignored; …` counts.
    pub(crate) fn read(&mut self, line: &str) {
        let Some((_, counts)) = line.split_once("test result: ").and_then(|(_, rest)| rest.split_once(". ")) else {
            return;
        };
        for count in counts.split("; ") {
            let Some((number, what)) = count.trim().split_once(' ') else {
                continue;
            };
            let number: u64 = number.parse().unwrap_or(0);
            match what {
                "passed" => {
                    self.passed += number;
                    self.tests += number;
                }
                "failed" => {
                    self.failed += number;
                    self.tests += number;
                }
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// Adds what was counted elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.tests += other.tests;
    }

    pub(crate) fn failures(&self) -> u64 {
        self.failed
    }

    /// What did not pass, for the end.
    pub(crate) fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Nothing failed, and something ran; a test, when tests were wanted.
    pub(crate) fn is_good(&self, tests_wanted: bool) -> bool {
        self.failed == 0 && if tests_wanted { self.tests > 0 } else { self.passed > 0 || self.skipped > 0 }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn lines_of_cargo_test_are_summed_up() {
        let mut tally = Tally::default();
        tally.read("running 7 tests");
        tally.read("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.00s");
        tally.read("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.2s");
        assert_eq!(tally.to_string(), "7 passed, 1 failed, 1 skipped");
        assert!(!tally.is_good(true));
    }

    #[test]
    fn no_test_is_not_good() {
        let mut tally = Tally::default();
        tally.passed();
        tally.read("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s");
        assert!(tally.is_good(false));
        assert!(!tally.is_good(true));
    }
}

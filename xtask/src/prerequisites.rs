//! What must be on this machine, checked first and all at once, each with the line that fixes it.

use std::process::{Command, Stdio};

use naru_servers::{Failure, Program, packages_missing_for};

use crate::progress::Step;
use crate::{install, process, root};

const RUST_MINIMUM: (u32, u32) = (1, 94);
const NODE_MINIMUM: (u32, u32) = (20, 19);
/// What runs the guides' own code: it has `fetch` and streams.
const NODE_OF_TESTS: (u32, u32) = (20, 0);

/// Checks tools and servers; installs what is missing from Debian when that is possible and wanted.
pub(crate) fn check(servers: &[Program]) -> Result<(), Failure> {
    let step = Step::begin("checking what is installed");
    let problems: Vec<String> = [rust(), c_compiler(), node()].into_iter().filter_map(Result::err).collect();
    let packages = missing_packages(servers);
    if problems.is_empty() && packages.is_empty() {
        step.done();
        return Ok(());
    }
    let missing = problems
        .iter()
        .cloned()
        .chain((!packages.is_empty()).then(|| format!("missing packages: {}", packages.join(" "))));
    let missing: Vec<String> = missing.collect();
    step.ended('!', &format!("something is missing\n    {}", missing.join("\n    ")));
    // Nothing is installed while something is missing that we cannot install: one visit should be enough.
    if problems.is_empty() {
        install::packages(&packages)?;
        return match missing_packages(servers).as_slice() {
            [] => Ok(()),
            still => Err(Failure::new(
                "start",
                format!("apt-get installed {}, but not where Debian puts it", still.join(" ")),
            )),
        };
    }
    let mut advice = problems;
    if !packages.is_empty() {
        advice.push(install::line(&packages));
    }
    Err(Failure::new("start", "this machine lacks what is listed above")
        .advice(format!("\n    {}", advice.join("\n    "))))
}

/// What `cargo xtask test` needs beside a compiler: a toolchain with rustup's `minimal` profile has no checkers; and Node runs what
/// the guides say to pages.
pub(crate) fn checkers() -> Result<(), Failure> {
    some_node(NODE_OF_TESTS).map_err(|lack| Failure::new("run the guides", lack))?;
    let lacks: Vec<&str> = [("rustfmt", "rustfmt"), ("cargo-clippy", "clippy")]
        .into_iter()
        .filter(|(program, _)| process::output(program, &["--version"]).is_none())
        .map(|(_, component)| component)
        .collect();
    if lacks.is_empty() {
        return Ok(());
    }
    Err(Failure::new("check formatting and lints", format!("this toolchain lacks {}", lacks.join(" and ")))
        .advice(format!("rustup component add {}", lacks.join(" "))))
}

/// The servers' packages, and `curl`, with which a first payment is made and our own tests talk to RabbitMQ's pages.
fn missing_packages(servers: &[Program]) -> Vec<&'static str> {
    let curl = process::output("curl", &["--version"]).is_none().then_some("curl");
    packages_missing_for(servers).into_iter().chain(curl).collect()
}

fn rust() -> Result<(), String> {
    at_least("Rust", process::output("rustc", &["--version"]), RUST_MINIMUM, "rustup update stable")
}

fn node() -> Result<(), String> {
    if root::root().join("web").exists() { some_node(NODE_MINIMUM) } else { Ok(()) }
}

fn some_node(minimum: (u32, u32)) -> Result<(), String> {
    let fix = "install it from your distribution or a version manager, e.g. `nvm install 22`";
    at_least("Node", process::output("node", &["--version"]), minimum, fix)
}

fn c_compiler() -> Result<(), String> {
    let found = Command::new("cc").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let fix = "no C compiler (cc): apt-get install --no-install-recommends build-essential";
    found.ok().filter(std::process::ExitStatus::success).map(|_| ()).ok_or_else(|| fix.to_owned())
}

fn at_least(name: &str, printed: Option<String>, minimum: (u32, u32), fix: &str) -> Result<(), String> {
    let (major, minor) = minimum;
    match printed.as_deref().map(version) {
        Some(Some(found)) if found >= minimum => Ok(()),
        Some(Some((has_major, has_minor))) => {
            Err(format!("{name} {has_major}.{has_minor} is older than {major}.{minor}: {fix}"))
        }
        Some(None) | None => Err(format!("no {name} ≥ {major}.{minor}: {fix}")),
    }
}

/// The first `major.minor` in what a program prints of its version.
fn version(printed: &str) -> Option<(u32, u32)> {
    printed.split(|c: char| c.is_whitespace() || c == 'v').find_map(|word| {
        let mut numbers = word.split('.');
        Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::{at_least, version};

    #[test]
    fn versions_are_found_in_what_programs_print() {
        assert_eq!(version("rustc 1.95.0 (59807616e 2026-04-14)"), Some((1, 95)));
        assert_eq!(version("v20.20.2"), Some((20, 20)));
        assert_eq!(version("no number"), None);
    }

    #[test]
    fn too_old_says_what_to_do() {
        assert_eq!(at_least("Node", Some("v20.19.0".to_owned()), (20, 19), "fix"), Ok(()));
        let old = at_least("Node", Some("v18.20.1".to_owned()), (20, 19), "fix");
        assert_eq!(old, Err("Node 18.20 is older than 20.19: fix".to_owned()));
        assert_eq!(at_least("Node", None, (20, 19), "fix"), Err("no Node ≥ 20.19: fix".to_owned()));
    }
}

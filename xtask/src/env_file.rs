//! `target/stack/env`: every address, key and process of the running stack, for shells and programs.

use std::path::PathBuf;
use std::process::Command;

use naru_servers::{Failure, ProcessId, write_private};

use crate::root;

fn path() -> PathBuf {
    root::stack().join("env")
}

/// Names and values in the order in which they are shown.
#[derive(Default)]
pub(crate) struct Environment {
    values: Vec<(String, String)>,
}

impl Environment {
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.retain(|(known, _)| known != name);
        self.values.push((name.to_owned(), value.into()));
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Gives all values to a program.
    pub(crate) fn give_to(&self, command: &mut Command) {
        command.envs(self.values.iter().map(|(name, value)| (name, value)));
    }

    /// Writes the file; only its owner can read it.
    pub(crate) fn write(&self) -> Result<PathBuf, Failure> {
        let head = "# The running stack of `cargo xtask up`. Use it in a shell:  set -a; . target/stack/env; set +a\n";
        let lines = self.values.iter().map(|(name, value)| format!("{name}={}\n", quoted(value)));
        let path = path();
        write_private(&path, &lines.fold(head.to_owned(), |text, line| text + &line))?;
        Ok(path)
    }

    /// Reads the file of a stack that runs.
    pub(crate) fn of_running_stack() -> Result<Self, Failure> {
        let not_running = |cause: &str| {
            Failure::new("find the running stack", cause).advice("start it in another terminal: cargo xtask up")
        };
        let text = std::fs::read_to_string(path()).map_err(|_| not_running("there is no target/stack/env"))?;
        let mut environment = Self::default();
        for (name, value) in text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once('='))
        {
            environment.set(name, unquoted(value));
        }
        let api = environment.get("NARU_PID_API").and_then(|pid| pid.parse().ok()).and_then(ProcessId::find);
        api.map(|_| environment).ok_or_else(|| not_running("target/stack/env is there, but its API runs no more"))
    }
}

/// Removes the file: nothing runs any more.
pub(crate) fn remove() {
    let _ = std::fs::remove_file(path());
}

/// A word of the shell.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn unquoted(word: &str) -> String {
    let inner = word.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.unwrap_or(word).replace(r"'\''", "'")
}

#[cfg(test)]
mod tests {
    use super::{quoted, unquoted};

    #[test]
    fn a_shell_reads_what_was_written() {
        for value in ["plain", "it's", "a b", "$HOME", "\"quoted\"", "back\\slash", ""] {
            let script = format!("NARU={}; printf %s \"$NARU\"", quoted(value));
            let run = std::process::Command::new("/bin/sh").args(["-c", &script]).output().expect("a shell runs");
            assert_eq!(String::from_utf8_lossy(&run.stdout), value);
            assert_eq!(unquoted(&quoted(value)), value);
        }
    }
}

//! File handles: every connection is one, and many systems (Debian among them) give a program 1,024 unless it asks.

use std::process::Command;

/// Raises the soft limit as far as the hard one lets us, but no further than 65,536: Erlang sets memory aside for each that it
/// may have, and some systems have a thousand million. Never lowers it.
pub(crate) const RAISE: &str = r#"
have=$(ulimit -Sn) want=$(ulimit -Hn)
{ [ "$want" = unlimited ] || [ "$want" -gt 65536 ]; } && want=65536
[ "$have" = unlimited ] || [ "$have" -ge "$want" ] || ulimit -Sn "$want"
"#;

/// The same command with as many file handles as it may have, for what keeps thousands of connections open.
#[must_use]
pub fn with_many_handles(command: &Command) -> Command {
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", &format!("{RAISE}exec \"$@\""), "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        shell.current_dir(folder);
    }
    shell
}

/// How many file handles this process may have; `None` when that has no bound, or is not to be found out.
#[must_use]
pub fn handles_max() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `command` prints when it is started by somebody with so few handles.
    fn among(few: &str, command: &Command) -> String {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"ulimit "$1" "$2"; shift 2; exec "$@""#, "sh"]).args(few.split(' '));
        let output = shell.arg(command.get_program()).args(command.get_args()).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one_and_never_lowered() {
        let mut tell = Command::new("/bin/sh");
        tell.args(["-c", "ulimit -Sn"]);
        assert_eq!(among("-Sn 64", &tell), "64");
        let raised: usize = among("-Sn 64", &with_many_handles(&tell)).parse().unwrap();
        let most: usize = among("-Sn 64", Command::new("/bin/sh").args(["-c", "ulimit -Hn"])).parse().unwrap_or(65_536);
        assert_eq!(raised, most.min(65_536));
        assert_eq!(among("-n 64", &with_many_handles(&tell)), "64", "there is no more to be had");
    }

    #[test]
    fn our_own_limit_is_known() {
        assert!(handles_max().is_none_or(|most| most >= 64));
    }

    #[test]
    fn environment_is_handed_on() {
        let mut tell = Command::new("/bin/sh");
        tell.args(["-c", "echo $NARU_A ${HOME-none}"]).env("NARU_A", "a").env_remove("HOME");
        let output = with_many_handles(&tell).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "a none\n");
    }
}

//! Installs Debian packages, after asking when somebody is there to ask.

use std::io::{IsTerminal as _, Write as _};
use std::process::Command;

use naru_servers::{Failure, our_uid};

use crate::process;
use crate::progress::{Step, say};

/// Keeps Debian's own services from starting, and puts back what it changed for that.
const SCRIPT: &str = include_str!("install.sh");

/// The line a person types to install these.
pub(crate) fn line(packages: &[&str]) -> String {
    format!("sudo RUNLEVEL=1 apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs these as root, or by `sudo`; asks once before when a person is there.
pub(crate) fn packages(packages: &[&str]) -> Result<(), Failure> {
    let failure = |cause: &str| Failure::new("install what is missing", cause).advice(line(packages));
    if !std::path::Path::new("/usr/bin/apt-get").exists() {
        return Err(failure("this is not Debian"));
    }
    let is_root = our_uid()? == 0;
    let somebody_is_there = std::io::stdin().is_terminal() && std::env::var_os("CI").is_none();
    say(&format!(
        "    {}\n    (their services are kept from starting; private ones are started instead)",
        line(packages)
    ));
    if somebody_is_there && !agreed() {
        return Err(failure("you said no"));
    }
    let mut command = if is_root {
        Command::new("sh")
    } else {
        let mut sudo = Command::new("sudo");
        if !somebody_is_there {
            if process::output("sudo", &["-n", "true"]).is_none() {
                return Err(failure("neither root nor a sudo without password"));
            }
            sudo.arg("-n");
        }
        sudo.arg("sh");
        sudo
    };
    command.args(["-c", SCRIPT, "install"]).args(packages);
    let step = Step::begin(format!("installing {}", packages.join(" ")));
    process::run_well(&mut command, "install what is missing", &line(packages))?;
    step.done();
    Ok(())
}

fn agreed() -> bool {
    print!("  install them now? [Y/n] ");
    let _ = std::io::stdout().flush();
    let mut answer = String::new();
    let heard = std::io::stdin().read_line(&mut answer).is_ok();
    heard && answer.ends_with('\n') && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

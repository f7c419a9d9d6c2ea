//! `cargo xtask up --docker`: the whole product in containers, as `docker-compose.yml` describes it.

use std::process::{Command, ExitCode};

use naru_servers::{Failure, Settings};

use crate::progress::say;
use crate::{process, root};

const SECRETS: [&str; 2] = ["NARU_MASTER_SECRET", "NARU_OPS_TOKEN"];
/// As many random bytes as without containers.
const SECRET_BYTES: usize = 32;

pub(super) fn run(fresh: bool) -> Result<ExitCode, Failure> {
    if process::output("docker", &["compose", "version"]).is_none() {
        let advice = "install Docker Engine with the compose plugin, or run `cargo xtask up` without --docker";
        return Err(
            Failure::new("use docker compose", "it is not installed, or its engine does not run").advice(advice)
        );
    }
    let stack = root::stack();
    std::fs::create_dir_all(&stack).map_err(|cause| Failure::new(format!("create {}", stack.display()), cause))?;
    let mut settings = Settings::load(&stack.join("docker-settings"));
    let secrets = SECRETS.map(|name| settings.secret(name, SECRET_BYTES).map(|secret| (name, secret)));
    settings.save()?;
    let secrets = secrets.into_iter().collect::<Result<Vec<_>, _>>()?;

    let compose = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        docker.arg("compose").args(arguments).envs(secrets.iter().map(|(name, value)| (name, value)));
        docker
    };
    if fresh {
        process::run_well(
            &mut compose(&["down", "--volumes", "--remove-orphans"]),
            "forget the containers' data",
            "docker ps",
        )?;
    }
    say("starting docker-compose.yml, which names its addresses; Ctrl-C stops it");
    process::run_well(
        &mut compose(&["up", "--build", "--remove-orphans"]),
        "run docker compose",
        "its messages above say why",
    )?;
    Ok(ExitCode::SUCCESS)
}

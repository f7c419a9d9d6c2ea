//! `cargo xtask up --docker`: the whole product in containers, as `docker-compose.yml` describes it.

use std::process::{Command, ExitCode};

use naru_servers::Failure;

use crate::progress::say;
use crate::{process, root};

pub(super) fn run(fresh: bool) -> Result<ExitCode, Failure> {
    if process::output("docker", &["compose", "version"]).is_none() {
        let advice = "install Docker Engine with the compose plugin, or run `cargo xtask up` without --docker";
        return Err(
            Failure::new("use docker compose", "it is not installed, or its engine does not run").advice(advice)
        );
    }
    // Into .env, where compose looks; secrets that are there already stay.
    let mut secrets = Command::new(root::root().join("deploy/secrets.sh"));
    process::run_well(&mut secrets, "write secrets to .env", "its messages above say why")?;

    let compose = |arguments: &[&str]| {
        let mut docker = Command::new("docker");
        docker.arg("compose").args(arguments).current_dir(root::root());
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

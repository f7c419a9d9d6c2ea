//! `cargo xtask sqlx`: refreshes the committed descriptions of our queries.

use std::fs;
use std::process::ExitCode;

use naru_servers::{Failure, Postgres, Program};

use crate::progress::{Step, say};
use crate::{interrupt, prerequisites, queries, root};

pub(crate) fn run() -> Result<ExitCode, Failure> {
    interrupt::listen()?;
    prerequisites::check(&[Program::Postgres])?;
    let step = Step::begin("starting a private Postgres");
    let postgres = Postgres::start_in(&root::root().join("target/queries"))?;
    step.done();

    let step = Step::begin("describing the queries");
    let fresh = queries::describe(&postgres)?;
    let folder = queries::committed_folder();
    let committed = queries::read(&folder);
    let failed = |cause| Failure::new(format!("write {}", folder.display()), cause);
    fs::create_dir_all(&folder).map_err(failed)?;
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(folder.join(name)).map_err(failed)?;
    }
    for (name, content) in fresh.iter().filter(|(name, content)| committed.get(*name) != Some(*content)) {
        fs::write(folder.join(name), content).map_err(failed)?;
    }
    step.done();
    say(&format!("shared/.sqlx describes {} queries; commit it with the change that made it", fresh.len()));
    Ok(ExitCode::SUCCESS)
}

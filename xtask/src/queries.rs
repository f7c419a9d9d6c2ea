//! The committed descriptions of our queries (`shared/.sqlx`), made anew from the migrations.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use naru_servers::{Failure, Postgres, random_hex};

use crate::cargo::cargo;
use crate::{process, root};

/// The database that the queries are checked against; made anew every time.
const DATABASE: &str = "naru_queries";
const MACROS: [&str; 4] = ["query!(", "query_as!(", "query_scalar!(", "query_file"];

/// File name → content.
pub(crate) type Descriptions = BTreeMap<String, String>;

/// Where they are committed.
pub(crate) fn committed_folder() -> PathBuf {
    root::root().join("shared/.sqlx")
}

/// Whether `shared` has any query that the compiler checks.
pub(crate) fn exist() -> bool {
    let sources = files_below(&root::root().join("shared/src"));
    sources.iter().any(|path| fs::read_to_string(path).is_ok_and(|text| MACROS.iter().any(|name| text.contains(name))))
}

/// The descriptions in a folder; none when there is no such folder.
pub(crate) fn read(folder: &Path) -> Descriptions {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.filter_map(|entry| {
        let name = entry.file_name().into_string().ok()?;
        let content = fs::read_to_string(entry.path()).ok()?;
        name.starts_with("query-").then_some((name, content))
    });
    files.collect()
}

/// Applies the migrations to an empty database and compiles `shared` once against it.
///
/// The migrations are applied by `psql`, not by `naru migrate`: that program contains the queries, so it could not be
/// built while their descriptions are out of date.
pub(crate) fn describe(postgres: &Postgres) -> Result<Descriptions, Failure> {
    create_database(postgres, DATABASE)?;
    let url = url_of(postgres, DATABASE);
    for migration in migrations() {
        // Like sqlx, which runs each in a transaction unless its first line says otherwise.
        let alone = fs::read_to_string(&migration).is_ok_and(|text| text.starts_with("-- no-transaction"));
        let together: &[&str] = if alone { &[] } else { &["--single-transaction"] };
        let file = migration.display().to_string();
        psql(postgres, &url, &[together, &["-f", &file]].concat(), &format!("apply {file}"))?;
    }

    let folder = root::programs().join("naru-queries");
    let failed = |cause| Failure::new(format!("empty {}", folder.display()), cause);
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(failed)?;
    }
    fs::create_dir_all(&folder).map_err(failed)?;

    let before = artifacts();
    // The macros do not tell cargo what they read, so only a flag never seen before makes it compile the crate again;
    // given to this crate alone, it leaves all others as they are.
    let flag = format!("naru_queries=\"{}\"", random_hex(8)?);
    let mut compile =
        cargo(&["rustc", "--quiet", "-p", "naru-shared", "--lib", "--profile", "check", "--", "--cfg", &flag]);
    compile.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &folder).env("DATABASE_URL", &url);
    let compiled = process::run_well(
        compile.env("CARGO_INCREMENTAL", "0"),
        "compile shared/ against the migrated database",
        "the compiler's messages above name the query",
    );
    for leftover in artifacts().difference(&before) {
        let _ = fs::remove_file(leftover);
    }
    compiled.map(|()| read(&folder))
}

/// Runs `psql` as the application's role; its output is shown only when it fails.
pub(crate) fn psql(postgres: &Postgres, url: &str, arguments: &[&str], step: &str) -> Result<(), Failure> {
    let mut command = Command::new(postgres.programs().join("psql"));
    command.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", url]).args(arguments);
    let run = command.stdin(Stdio::null()).output().map_err(|cause| Failure::new(step, cause))?;
    if run.status.success() {
        return Ok(());
    }
    Err(Failure::new(step, String::from_utf8_lossy(&run.stderr).trim()))
}

/// Makes a database anew, empty.
pub(crate) fn create_database(postgres: &Postgres, name: &str) -> Result<(), Failure> {
    let drop = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    let create = format!("CREATE DATABASE {name}");
    psql(postgres, &postgres.url(), &["-c", &drop, "-c", &create], &format!("create the database {name}"))
}

/// The URL of another database on the same server, with the same role.
pub(crate) fn url_of(postgres: &Postgres, database: &str) -> String {
    let url = postgres.url();
    let server = url.rsplit_once('/').map_or(url.as_str(), |(server, _)| server);
    format!("{server}/{database}")
}

fn migrations() -> Vec<PathBuf> {
    let all = files_below(&root::root().join("migrations"));
    let forward = all.into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.ends_with(".sql") && !name.ends_with(".down.sql")
    });
    forward.collect()
}

/// What the compiler leaves of `shared`; each run of ours would add one.
fn artifacts() -> BTreeSet<PathBuf> {
    let all = files_below(&root::programs().join("deps"));
    let ours = all.into_iter().filter(|path| path.to_string_lossy().contains("naru_shared-"));
    ours.collect()
}

/// All files below a folder, sorted.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

//! `cargo xtask help`

use std::process::ExitCode;

use crate::progress::say;

const TEXT: &str = "\
cargo xtask up [--fresh] [--docker]   runs Naru on this machine until Ctrl-C; --fresh forgets earlier data,
                                      --docker uses docker-compose.yml instead of private servers
cargo xtask pay [OPTIONS]             makes a payment on the running stack and shows its events (see `pay --help`)
cargo xtask dead [OPTIONS]            shows or replays the dead letters of the running stack (see `dead --help`)
cargo xtask payment KEY               shows everything that was done about one payment of the running stack
cargo xtask test [NAME]               every check and test there is, or a part: fmt, queries, clippy, docs, deny, unit,
                                      a package, or the tests whose names contain NAME
cargo xtask bench [OPTIONS]           measures payments per second beside the floor of this machine (see `bench --help`)
cargo xtask sqlx                      refreshes shared/.sqlx after a change of queries or migrations";

pub(crate) fn run() -> ExitCode {
    say(TEXT);
    ExitCode::SUCCESS
}

//! This run of the tests: where it keeps its things, and who cleans up after it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use naru_shared::clock::Ids as _;
use naru_shared::system::{System, environment};

/// Reads names of ledgers until the test process is gone, however it went; then ends what they list, if number and start
/// time both agree, and deletes the folders of servers.
const GUARDIAN: &str = r#"
set -f
while read -r what ledger; do set -- "$@" "$what" "$ledger"; done
while [ $# -gt 0 ]; do
    what=$1 ledger=$2; shift 2
    while read -r pid _ noted; do
        read -r _ _ now < "/proc/$pid/stat" || continue
        started() { shift 19; echo "$1"; }
        [ "$(started $noted)" = "$(started $now)" ] && kill -KILL "$pid"
    done < "$ledger"
    server=${ledger%/*/*}
    [ "$what" = servers ] && rm -rf "$server" && rmdir "${server%/*}"
done 2>/dev/null
"#;

/// The folder of our programs: `NARU_TEST_BIN_DIR`, or where the test program itself was built.
pub(crate) fn programs() -> PathBuf {
    if let Some(folder) = environment("NARU_TEST_BIN_DIR") {
        return folder.into();
    }
    let us = std::env::current_exe().expect("a running program has a path");
    // target/debug/deps/it-0123456789abcdef
    us.ancestors().nth(2).expect("a test program lies in target/debug/deps").to_owned()
}

/// Where logs and journals of tests are kept for a person to look at: `target/testbed`.
pub(crate) fn folder() -> PathBuf {
    programs().parent().expect("the programs lie in target/debug").join("testbed")
}

/// A word that no other test of this or any other run has: 12 letters and digits.
pub(crate) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static RUN: OnceLock<String> = OnceLock::new();
    let run = RUN.get_or_init(|| System.unguessable().simple().to_string().split_off(24));
    format!("{run}{:04x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Sees to it that the programs in this ledger don't outlive us.
pub(crate) fn guard_programs(ledger: &Path) {
    guard("programs", ledger);
}

/// Sees to it that the server in this ledger, and the folder it lies in, don't outlive us.
pub(crate) fn guard_servers(ledger: &Path) {
    guard("servers", ledger);
}

fn guard(what: &str, ledger: &Path) {
    #[expect(clippy::zombie_processes, reason = "the guardian outlives us: there is nobody to wait for it")]
    fn start() -> ChildStdin {
        let mut guardian = Command::new("/bin/sh");
        guardian.args(["-c", GUARDIAN]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C is for us; the guardian outlives us by the moment it needs.
        let mut guardian = guardian.process_group(0).spawn().expect("/bin/sh starts");
        guardian.stdin.take().expect("its input is a pipe")
    }
    static GUARDIAN_INPUT: OnceLock<Mutex<ChildStdin>> = OnceLock::new();
    let input = GUARDIAN_INPUT.get_or_init(|| Mutex::new(start()));
    let mut input = input.lock().unwrap_or_else(PoisonError::into_inner);
    writeln!(input, "{what} {}", ledger.display()).expect("the guardian listens");
}

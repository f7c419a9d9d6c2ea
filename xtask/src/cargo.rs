//! Calls of cargo that all agree on what they build, so that nothing is compiled twice.

use std::ffi::OsString;
use std::process::Command;

/// The cargo that runs us, with queries checked against the committed data.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    // What cargo told us about this package is not for what we build.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_")
            || name_text.starts_with("CARGO_MANIFEST_")
            || name_text == "CARGO_BIN_NAME"
        {
            command.env_remove(name);
        }
    }
    command.args(arguments).env("SQLX_OFFLINE", "true").env_remove("DATABASE_URL");
    command
}

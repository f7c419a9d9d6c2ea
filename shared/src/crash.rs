//! Places at which a test can stop a program and do something terrible to it. Debug builds only: in a release build a
//! hold point is nothing at all.
//!
//! With `NARU_HOLD_DIR` set, a program that reaches the hold point `sent` while the file `sent.hold` is there writes
//! `sent.reached` and waits until `sent.hold` is gone. Meanwhile the test kills it, freezes it, or cuts its
//! connections: what it waits for is a signal, never time.

/// Waits here if a test asks for it.
#[cfg(debug_assertions)]
pub async fn hold_point(name: &str) {
    use std::path::PathBuf;
    use std::sync::OnceLock;
    use std::time::Duration;

    static DIR: OnceLock<Option<PathBuf>> = OnceLock::new();
    let Some(dir) = DIR.get_or_init(|| crate::system::environment("NARU_HOLD_DIR").map(PathBuf::from)) else { return };
    let hold = dir.join(format!("{name}.hold"));
    if !hold.exists() {
        return;
    }
    let _ = std::fs::write(dir.join(format!("{name}.reached")), b"");
    tracing::warn!(point = name, "held by a test");
    while hold.exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Nothing, in a release build.
#[cfg(not(debug_assertions))]
#[inline]
pub async fn hold_point(_name: &str) {}

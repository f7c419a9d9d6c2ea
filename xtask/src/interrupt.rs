//! Ctrl-C and friends become a question that is asked between steps, so that everything is ended in good order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use naru_servers::Failure;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static INTERRUPTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From here on SIGINT, SIGTERM and SIGHUP no longer end this program; [`interrupted`] tells that one came. A second one
/// does end it, at once.
pub(crate) fn listen() -> Result<(), Failure> {
    let flag = INTERRUPTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let twice_is_enough = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(flag));
        let listening = twice_is_enough.and_then(|_| signal_hook::flag::register(signal, Arc::clone(flag)));
        listening.map_err(|cause| Failure::new("listen for Ctrl-C", cause))?;
    }
    Ok(())
}

/// Whether somebody asked us to end.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Fails when somebody asked us to end.
pub(crate) fn check() -> Result<(), Failure> {
    if interrupted() { Err(Failure::new("go on", "interrupted")) } else { Ok(()) }
}

//! Ports that will still be ours after a server was down for a while.

use std::collections::HashSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{LazyLock, Mutex, PoisonError};

use crate::Failure;
use crate::secret::random_bytes;

/// Below this, well-known services live.
const LOWEST: u16 = 15_000;
/// Where the kernel takes the ports of outgoing connections from, unless it says otherwise.
const EPHEMERAL_DEFAULT: u16 = 32_768;
const TRIES_MAX: usize = 2_000;

/// Every port that this process was given. None is given twice: there are many more than any run needs.
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// `count` different TCP ports that nobody listens on at 127.0.0.1 now.
///
/// They lie below the range of outgoing connections. A port from that range could be taken by some client while its
/// server is down, or worse: a client that keeps reconnecting to it would sooner or later connect to itself.
///
/// # Errors
/// When none are found in many tries.
pub fn free_ports(count: usize) -> Result<Vec<u16>, Failure> {
    let span = ephemeral_start().max(LOWEST + 1_000) - LOWEST;
    let mut ports = Vec::with_capacity(count);
    for _ in 0..TRIES_MAX {
        if ports.len() == count {
            break;
        }
        let random = random_bytes(2)?;
        let port = LOWEST + u16::from_be_bytes([random[0], random[1]]) % span;
        // Chosen is not yet listened on: whoever else of this process chooses meanwhile must get another.
        let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
        if !given.contains(&port) && is_free(port) {
            given.insert(port);
            ports.push(port);
        }
    }
    if ports.len() == count {
        Ok(ports)
    } else {
        Err(Failure::new(format!("find {count} free ports on 127.0.0.1"), format!("none in {TRIES_MAX} tries")))
    }
}

/// Whether somebody could listen on `port` now.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn ephemeral_start() -> u16 {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_ascii_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL_DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_and_not_of_outgoing_connections() {
        let mut ports = free_ports(20).expect("there are many");
        assert!(ports.iter().all(|port| (LOWEST..ephemeral_start()).contains(port)));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 20);
    }
}

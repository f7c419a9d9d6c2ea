//! How a place ([`super::Address::place`]) is written down where people read it.

use std::net::{Ipv4Addr, Ipv6Addr};

/// A place as the audit log has it: the address, or the /64 network of IPv6. Nothing when it is no place.
#[must_use]
pub fn written(place: &[u8]) -> Option<String> {
    if let Ok(octets) = <[u8; 4]>::try_from(place) {
        return Some(Ipv4Addr::from(octets).to_string());
    }
    Some(format!("{}/64", leading(place, 8)?))
}

/// The network around a place, coarse enough to say which data centre and not which machine: /24, or /48 of IPv6.
#[must_use]
pub fn network(place: &[u8]) -> Option<String> {
    if let Ok([a, b, c, _]) = <[u8; 4]>::try_from(place) {
        return Some(format!("{}/24", Ipv4Addr::new(a, b, c, 0)));
    }
    Some(format!("{}/48", leading(place, 6)?))
}

/// The IPv6 address that begins with so many bytes of an 8-byte place and goes on with zeros.
fn leading(place: &[u8], count: usize) -> Option<Ipv6Addr> {
    let network = <[u8; 8]>::try_from(place).ok()?;
    let mut octets = [0; 16];
    octets[..count].copy_from_slice(&network[..count]);
    Some(Ipv6Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_exactly_and_its_network_coarsely() {
        let v6 = [0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 2];
        assert_eq!(written(&[203, 0, 113, 7]).as_deref(), Some("203.0.113.7"));
        assert_eq!(network(&[203, 0, 113, 7]).as_deref(), Some("203.0.113.0/24"));
        assert_eq!(written(&v6).as_deref(), Some("2001:db8:1:2::/64"));
        assert_eq!(network(&v6).as_deref(), Some("2001:db8:1::/48"));
        assert_eq!((written(&[1, 2]), network(&[])), (None, None));
    }
}

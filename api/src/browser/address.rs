//! The address a request comes from: the peer's, or what a proxy of ours says of it.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use naru_shared::config::Browsers;

use crate::app::App;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Where a request comes from. Personal data: it goes into keyed hashes, into the audit log, and, as its network only,
/// beside an API key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address(IpAddr);

impl Address {
    /// What counts as one place: an address, or the /64 network that a household has of IPv6.
    #[must_use]
    pub fn place(self) -> Vec<u8> {
        match self.0 {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets()[..8].to_vec(),
        }
    }

    /// The network around a place of IPv6: a /48, which any tunnel gives to anybody, and which has 65,536 places. An address
    /// of IPv4 stands for itself.
    #[must_use]
    pub fn surroundings(self) -> Option<[u8; 6]> {
        match self.0 {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => address.octets().first_chunk().copied(),
        }
    }

    /// The last address of `X-Forwarded-For` that is no proxy of ours; whoever is not one may write there what they like.
    fn of(peer: IpAddr, headers: &HeaderMap, browsers: &Browsers) -> Self {
        let values = headers.get_all(FORWARDED_FOR).iter();
        let named: Vec<&[u8]> = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
        let mut address = peer.to_canonical();
        for name in named.into_iter().rev() {
            // What stands before garbage is not believed either, whatever bytes the garbage has.
            let Some(named) = std::str::from_utf8(name).ok().and_then(|name| name.trim().parse::<IpAddr>().ok()) else {
                break;
            };
            if !browsers.trusts(address) {
                break;
            }
            address = named.to_canonical();
        }
        Self(address)
    }
}

impl FromRequestParts<App> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        // Without a connection there is no peer: all of those are one place.
        let nowhere = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        Ok(Self::of(peer.map_or(nowhere, |ConnectInfo(peer)| peer.ip()), &parts.headers, &app.browsers))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use naru_shared::config::Concern as _;

    use super::*;

    #[test]
    fn only_proxies_of_ours_say_whom_they_speak_for() {
        let browsers =
            Browsers::from_env(&|name| (name == "NARU_TRUSTED_PROXIES").then(|| "10.0.0.0/8".into())).unwrap();
        #[rustfmt::skip]
        let table = [
            ("203.0.113.7", vec![],                               "203.0.113.7"),
            ("203.0.113.7", vec!["198.51.100.1"],                 "203.0.113.7"),
            ("10.0.0.1",    vec!["198.51.100.1"],                 "198.51.100.1"),
            ("10.0.0.1",    vec!["1.1.1.1, 198.51.100.1"],        "198.51.100.1"),
            ("10.0.0.1",    vec!["1.1.1.1", "198.51.100.1"],      "198.51.100.1"),
            ("10.0.0.1",    vec!["198.51.100.1, 10.0.0.2"],       "198.51.100.1"),
            ("10.0.0.1",    vec!["garbage"],                      "10.0.0.1"),
            ("10.0.0.1",    vec!["198.51.100.1, garbage"],        "10.0.0.1"),
            ("10.0.0.1",    vec![],                               "10.0.0.1"),
            ("::ffff:10.0.0.1", vec!["2001:db8::1"],              "2001:db8::1"),
            ("10.0.0.1",    vec!["198.51.100.1", "\u{80}, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1",    vec!["1.1.1.1", "\u{80}, 198.51.100.1"],  "198.51.100.1"),
            ("10.0.0.1",    vec!["1.1.1.1", "\u{80}"],                "10.0.0.1"),
        ];
        for (peer, forwarded, expected) in table {
            let mut headers = HeaderMap::new();
            for value in &forwarded {
                headers.append(FORWARDED_FOR, HeaderValue::from_bytes(value.as_bytes()).unwrap());
            }
            let address = Address::of(peer.parse().unwrap(), &headers, &browsers);
            assert!(address == Address(expected.parse().unwrap()), "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn a_household_of_ipv6_is_one_place() {
        let place = |text: &str| Address(text.parse().unwrap()).place();
        assert_eq!(place("2001:db8:1:2::1"), place("2001:db8:1:2:ffff::9"));
        assert_ne!(place("2001:db8:1:2::1"), place("2001:db8:1:3::1"));
        assert_ne!(place("203.0.113.7"), place("203.0.113.8"));
        let around = |text: &str| Address(text.parse().unwrap()).surroundings();
        assert_eq!(around("2001:db8:1:2::1"), around("2001:db8:1:3::1"));
        assert_ne!(around("2001:db8:1:2::1"), around("2001:db8:2:2::1"));
        assert_eq!(around("203.0.113.7"), None);
    }
}

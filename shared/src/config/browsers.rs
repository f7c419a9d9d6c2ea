//! What must be known to serve browsers.

use std::net::IpAddr;

use super::reader::{Concern, Reader, Variable};

/// A network: an address, and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    bits: u32,
}

impl Network {
    /// Reads `10.0.0.0/8`, or one address.
    fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address.parse().ok()?, Some(bits.parse().ok()?)),
            None => (text.parse().ok()?, None),
        };
        let bits_max = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let bits = bits.unwrap_or(bits_max);
        (bits <= bits_max).then_some(Self { address, bits })
    }

    fn has(&self, address: IpAddr) -> bool {
        let differ = match (self.address, address) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => (ours.to_bits() ^ theirs.to_bits()).leading_zeros(),
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => (ours.to_bits() ^ theirs.to_bits()).leading_zeros(),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        differ >= self.bits
    }
}

/// How browsers are told apart and remembered.
#[derive(Debug, Clone)]
pub struct Browsers {
    /// `NARU_TRUSTED_PROXIES`, unset means none: networks, by commas, of the proxies whose `X-Forwarded-For` is believed.
    trusted: Vec<Network>,
    /// `NARU_INSECURE_COOKIES`, default `false`: cookies without `Secure` and `__Host-`, for plain HTTP on this machine.
    pub insecure_cookies: bool,
}

impl Browsers {
    const TRUSTED: Variable = Variable::optional(
        "NARU_TRUSTED_PROXIES",
        "networks (10.0.0.0/8,…) of the proxies whose X-Forwarded-For is believed; unset means none",
    );
    const INSECURE: Variable = Variable::defaulting(
        "NARU_INSECURE_COOKIES",
        "false",
        "`true` lets browsers keep session cookies over plain HTTP; only where NARU_PUBLIC_URL is http on this machine",
    );

    /// Whether this is a proxy of ours, which says whom it speaks for.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.has(address.to_canonical()))
    }
}

impl Concern for Browsers {
    const VARIABLES: &'static [Variable] = &[Self::TRUSTED, Self::INSECURE];

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let problems = reader.problem_count();
        let trusted = reader.parsed(&Self::TRUSTED, |text| {
            let networks: Option<Vec<Network>> = text.split(',').map(|text| Network::parse(text.trim())).collect();
            networks.ok_or("must be networks such as `10.0.0.0/8,192.168.0.0/16`")
        });
        let insecure = reader.parsed(&Self::INSECURE, |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be `true` or `false`"),
        });
        if reader.problem_count() > problems {
            return None;
        }
        Some(Self { trusted: trusted.unwrap_or_default(), insecure_cookies: insecure? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_proxies_that_are_named_are_believed() {
        let trusted =
            |text: &str| Browsers::from_env(&|name| (name == "NARU_TRUSTED_PROXIES").then(|| text.to_owned()));
        let some = trusted("10.0.0.0/8, 192.168.7.1,fd00::/8").unwrap();
        for (address, is_trusted) in [
            ("10.255.1.2", true),
            ("11.0.0.1", false),
            ("192.168.7.1", true),
            ("192.168.7.2", false),
            ("::ffff:10.1.1.1", true),
            ("fd12::1", true),
            ("fe80::1", false),
            ("127.0.0.1", false),
        ] {
            assert_eq!(some.trusts(address.parse().unwrap()), is_trusted, "{address}");
        }
        assert!(trusted("0.0.0.0/0").unwrap().trusts("8.8.8.8".parse().unwrap()));
        for wrong in ["10.0.0.0/33", "10.0.0", "10.0.0.0/", "10.0.0.0/8,", "::/129", "proxy"] {
            assert!(trusted(wrong).is_err(), "{wrong}");
        }
        let none = Browsers::from_env(&|_| None).unwrap();
        assert!(!none.trusts("127.0.0.1".parse().unwrap()) && !none.insecure_cookies);
    }
}

//! Session cookies.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use naru_shared::config::{Browsers, PublicUrl};
use naru_shared::secret::OpaqueToken;

/// Whose session a cookie is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionCookie {
    /// Its name, without what browsers make of a name.
    pub name: &'static str,
    /// How long a browser keeps it at most. When it really ends, Postgres says.
    pub lasts: Duration,
}

/// How cookies are set and read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookies {
    insecure: bool,
}

/// Cookies were to go over plain HTTP further than this machine. For start-up.
#[derive(Debug, thiserror::Error)]
#[error("NARU_INSECURE_COOKIES is for a NARU_PUBLIC_URL that is plain http on this machine")]
pub struct InsecureCookies;

impl Cookies {
    /// As configured.
    ///
    /// # Errors
    /// When they would be insecure where it matters.
    pub fn new(browsers: &Browsers, public: &PublicUrl) -> Result<Self, InsecureCookies> {
        match browsers.insecure_cookies && !public.is_plain_and_here() {
            true => Err(InsecureCookies),
            false => Ok(Self { insecure: browsers.insecure_cookies }),
        }
    }

    /// The header that gives a browser its session.
    #[must_use]
    pub fn set(self, cookie: SessionCookie, token: &OpaqueToken) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&self.written(cookie, token.expose(), cookie.lasts)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// The header that takes it away.
    #[must_use]
    pub fn clear(self, cookie: SessionCookie) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.written(cookie, "", Duration::ZERO)).ok()
    }

    /// The session that a browser brings; nothing when it brings none, something that is none, or two.
    #[must_use]
    pub fn read(self, cookie: SessionCookie, headers: &HeaderMap) -> Option<OpaqueToken> {
        let name = self.name(cookie);
        let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = values
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(named, _)| *named == name);
        match (found.next(), found.next()) {
            (Some((_, token)), None) => OpaqueToken::parse("", token),
            (Some(_), Some(_)) | (None, _) => None,
        }
    }

    /// A browser gives back a `__Host-` cookie only to the host that set it, over TLS.
    fn name(self, cookie: SessionCookie) -> String {
        format!("{}{}", if self.insecure { "" } else { "__Host-" }, cookie.name)
    }

    fn written(self, cookie: SessionCookie, token: &str, lasts: Duration) -> String {
        let secure = if self.insecure { "" } else { "Secure; " };
        let (name, seconds) = (self.name(cookie), lasts.as_secs());
        format!("{name}={token}; {secure}HttpOnly; SameSite=Lax; Path=/; Max-Age={seconds}")
    }
}

#[cfg(test)]
mod tests {
    use naru_shared::config::Concern as _;

    use super::*;

    const COOKIE: SessionCookie = SessionCookie { name: "naru_payer", lasts: Duration::from_secs(60) };

    fn cookies(insecure: &str, public: &str) -> Result<Cookies, InsecureCookies> {
        let lookup = |name: &str| match name {
            "NARU_INSECURE_COOKIES" => Some(insecure.to_owned()),
            "NARU_PUBLIC_URL" => Some(public.to_owned()),
            _ => None,
        };
        Cookies::new(&Browsers::from_env(&lookup).unwrap(), &PublicUrl::from_env(&lookup).unwrap())
    }

    #[test]
    fn cookies_are_insecure_on_this_machine_only() {
        for (insecure, public, allowed) in [
            ("false", "https://pay.example", true),
            ("false", "http://127.0.0.1:8080", true),
            ("true", "http://127.0.0.1:8080", true),
            ("true", "http://localhost:8080", true),
            ("true", "http://[::1]:8080", true),
            ("true", "https://127.0.0.1:8080", false),
            ("true", "http://pay.example", false),
            ("true", "http://127.0.0.1.example", false),
            ("true", "http://10.0.0.1", false),
        ] {
            assert_eq!(cookies(insecure, public).is_ok(), allowed, "{insecure} {public}");
        }
    }

    #[test]
    fn what_is_set_is_read_back() {
        let token = OpaqueToken::generate("", &[7; 32]);
        for (insecure, name, secure) in [("false", "__Host-naru_payer", true), ("true", "naru_payer", false)] {
            let cookies = cookies(insecure, "http://127.0.0.1:8080").unwrap();
            let set = cookies.set(COOKIE, &token).unwrap();
            assert!(set.is_sensitive());
            let set = set.to_str().unwrap();
            let expected = format!("{name}={}; ", token.expose());
            assert!(set.starts_with(&expected), "{set}");
            for attribute in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=60"] {
                assert!(set.split("; ").any(|part| part == attribute), "{set}");
            }
            assert_eq!(set.contains("Secure"), secure, "{set}");
            assert!(cookies.clear(COOKIE).unwrap().to_str().unwrap().contains("=; "));

            let read = |cookie: &str| {
                let mut headers = HeaderMap::new();
                headers.insert(header::COOKIE, cookie.parse().unwrap());
                cookies.read(COOKIE, &headers).map(|read| read.hash() == token.hash())
            };
            let pair = format!("{name}={}", token.expose());
            assert_eq!(read(&pair), Some(true));
            assert_eq!(read(&format!("a=b; {pair}; c=d")), Some(true));
            assert_eq!(read(&format!("{pair}; {pair}")), None, "which one is it?");
            assert_eq!(read(&format!("x{pair}")), None);
            assert_eq!(read(&format!("{name}=short")), None);
            assert_eq!(read("garbage"), None);
        }
        assert_eq!(cookies("true", "http://127.0.0.1").unwrap().read(COOKIE, &HeaderMap::new()).map(|_| ()), None);
    }
}

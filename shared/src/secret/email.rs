//! E-mail addresses of people: personal data, so never printed.

use std::fmt;

use zeroize::Zeroizing;

use super::REDACTED;

/// An e-mail address in lower case, so that one person is one person however the address is typed.
#[derive(Clone, PartialEq, Eq)]
pub struct Email(Zeroizing<String>);

impl Email {
    /// Most characters.
    pub const CHARACTERS_MAX: usize = 254;

    /// Reads an address as far as a form can tell: one `@`, plain ASCII, a dot inside the domain.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let good = text.len() <= Self::CHARACTERS_MAX && looks_like_one(text);
        good.then(|| Self(Zeroizing::new(text.to_ascii_lowercase())))
    }

    /// The address itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

fn looks_like_one(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && !"@<>()[]\\,;:\"".contains(c));
    plain(local) && plain(domain) && domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.')
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_however_it_is_typed_and_is_not_printed() {
        let email = Email::parse("Kim.Naru@Shop.Example").unwrap();
        assert_eq!(email.expose(), "kim.naru@shop.example");
        assert_eq!(Email::parse("kim.naru@shop.example").unwrap(), email);
        assert_eq!(format!("{email:?}"), "[secret]");
        let long = format!("{}@shop.example", "a".repeat(250));
        for wrong in
            ["", "kim", "@shop.example", "kim@", "a@b@c.kr", "kim@shop", "kim@.kr", "김@가게.한국", "a b@c.kr", &long]
        {
            assert_eq!(Email::parse(wrong), None, "{wrong}");
        }
    }
}

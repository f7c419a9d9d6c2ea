//! Tokens that say nothing and open something: sessions, invitations. Postgres keeps only their hash.

use std::fmt;

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::REDACTED;
use crate::base62;

/// Random bytes in a token.
pub const TOKEN_RANDOM_BYTES: usize = 32;
/// `62^43 > 256^32`.
const DIGITS: usize = 43;

/// 256 random bits as 43 base 62 characters, behind a prefix that says what they are for. Nobody can guess one, and it
/// means nothing: what it opens is looked up by its SHA-256, which needs no key because there is nothing to guess.
#[derive(Clone)]
pub struct OpaqueToken(Zeroizing<String>);

impl OpaqueToken {
    /// A new token from fresh random bytes.
    #[must_use]
    pub fn generate(prefix: &str, random: &[u8; TOKEN_RANDOM_BYTES]) -> Self {
        Self(Zeroizing::new(format!("{prefix}{}", base62::encode(random, DIGITS))))
    }

    /// Reads one of this prefix; nothing when it has another form.
    #[must_use]
    pub fn parse(prefix: &str, text: &str) -> Option<Self> {
        let digits = text.strip_prefix(prefix)?;
        (digits.len() == DIGITS && base62::is_base62(digits)).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// The token itself, for whoever is to hold it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored in its place, and what it is found by.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0.as_bytes()).into()
    }
}

impl fmt::Debug for OpaqueToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_hash_is_sha_256_of_the_text() {
        let token = OpaqueToken::generate("", &[0; 32]);
        assert_eq!(token.expose(), "0".repeat(43));
        assert_eq!(token.hash(), <[u8; 32]>::from(Sha256::digest("0".repeat(43))));
        assert_eq!(format!("{token:?}"), "[secret]");
    }

    proptest! {
        #[test]
        fn a_token_is_read_back_and_random_bytes_make_the_difference(a: [u8; 32], b: [u8; 32]) {
            let token = OpaqueToken::generate("naru_x_", &a);
            prop_assert_eq!(OpaqueToken::parse("naru_x_", token.expose()).unwrap().hash(), token.hash());
            prop_assert!(OpaqueToken::parse("", token.expose()).is_none());
            prop_assert_eq!(OpaqueToken::generate("naru_x_", &b).hash() == token.hash(), a == b);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = OpaqueToken::parse("naru_x_", &text);
        }
    }
}

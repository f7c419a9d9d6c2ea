//! The one secret a deployment keeps; every other key is derived from it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::{Zeroize, Zeroizing};

use super::{REDACTED, keyed_hash};

/// At least 32 bytes that nobody else knows.
///
/// Keys for each purpose are [derived](MasterSecret::derive) under a label, so that no two purposes share a key and
/// only one value has to be kept and rolled.
#[derive(Clone)]
pub struct MasterSecret([u8; 32]);

/// Why a master secret is refused. Never says what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakMasterSecret {
    /// Not base64.
    #[error("is not base64")]
    NotBase64,
    /// Fewer than 32 bytes.
    #[error("has fewer than 32 bytes; `openssl rand -base64 32` makes a good one")]
    TooShort,
    /// Repeats itself, counts up or down, or has too few different bytes to be random.
    #[error("is not random; `openssl rand -base64 32` makes a good one")]
    NotRandom,
    /// Looks like the placeholder of an example.
    #[error("is a placeholder; `openssl rand -base64 32` makes a good one")]
    Placeholder,
}

impl MasterSecret {
    /// Fewest bytes accepted.
    pub const BYTES_MIN: usize = 32;

    /// Fewest different bytes accepted. 32 random bytes have fewer than 20 less than once in 10^10.
    const DIFFERENT_BYTES_MIN: usize = 20;

    /// Words of examples, none of which occurs in random bytes.
    const PLACEHOLDERS: [&str; 6] = ["change", "secret", "default", "example", "password", "insecure"];

    /// Reads base64 (standard alphabet, padded or not) of at least 32 bytes.
    ///
    /// # Errors
    /// When it is not base64, is short, or is plainly not random.
    pub fn parse(base64: &str) -> Result<Self, WeakMasterSecret> {
        let text = base64.trim().trim_end_matches('=');
        let bytes = Zeroizing::new(STANDARD_NO_PAD.decode(text).map_err(|_| WeakMasterSecret::NotBase64)?);
        Self::from_bytes(&bytes)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, WeakMasterSecret> {
        if bytes.len() < Self::BYTES_MIN {
            return Err(WeakMasterSecret::TooShort);
        }
        let text = String::from_utf8_lossy(bytes).to_lowercase();
        let text = Zeroizing::new(text);
        if Self::PLACEHOLDERS.iter().any(|word| text.contains(word)) {
            return Err(WeakMasterSecret::Placeholder);
        }
        if different(bytes) < Self::DIFFERENT_BYTES_MIN || repeats(bytes) || counts(bytes) {
            return Err(WeakMasterSecret::NotRandom);
        }
        Ok(Self(keyed_hash(&[0; 32], bytes)))
    }

    /// The key for one purpose: HMAC-SHA256 of `label`. The same label always gives the same key.
    #[must_use]
    pub fn derive(&self, label: &str) -> [u8; 32] {
        keyed_hash(&self.0, label.as_bytes())
    }

    /// The base64 text of fresh random bytes, as [`MasterSecret::parse`] reads it.
    #[must_use]
    pub fn encode(random: &[u8; 32]) -> String {
        STANDARD.encode(random)
    }
}

impl Drop for MasterSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for MasterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// How many different values occur.
fn different(bytes: &[u8]) -> usize {
    let mut seen = [false; 256];
    for byte in bytes {
        seen[usize::from(*byte)] = true;
    }
    seen.into_iter().filter(|seen| *seen).count()
}

/// Whether a shorter block, repeated, gives all of it.
fn repeats(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).any(|period| bytes.iter().zip(&bytes[period..]).all(|(a, b)| a == b))
}

/// Whether each byte follows the one before by the same step, like 0, 1, 2, 3 …
fn counts(bytes: &[u8]) -> bool {
    let mut steps = bytes.windows(2).map(|pair| pair[1].wrapping_sub(pair[0]));
    let first = steps.next();
    steps.all(|step| Some(step) == first)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse_bytes(bytes: &[u8]) -> Result<MasterSecret, WeakMasterSecret> {
        MasterSecret::parse(&STANDARD.encode(bytes))
    }

    #[test]
    fn what_is_plainly_not_random_is_refused() {
        use WeakMasterSecret::{NotBase64, NotRandom, Placeholder, TooShort};
        let counting: Vec<u8> = (0..32).collect();
        let counting_down: Vec<u8> = (0..48).rev().collect();
        let halves: Vec<u8> = (0..24).map(|i: u8| i.wrapping_mul(37)).cycle().take(48).collect();
        let table: [(&str, &[u8], WeakMasterSecret); 9] = [
            ("empty", b"", TooShort),
            ("31 bytes", &[1; 31], TooShort),
            ("zeros", &[0; 32], NotRandom),
            ("ones", &[0xff; 64], NotRandom),
            ("counting", &counting, NotRandom),
            ("counting down", &counting_down, NotRandom),
            ("a block twice", &halves, NotRandom),
            ("a placeholder", b"Please-Change-Me-Before-You-Go-Live", Placeholder),
            ("the word itself", b"my-Super-Secret-abcdefghijklmnopqrst", Placeholder),
        ];
        for (what, bytes, why) in table {
            assert_eq!(parse_bytes(bytes).err(), Some(why), "{what}");
        }
        assert_eq!(MasterSecret::parse("not base64!").err(), Some(NotBase64));
    }

    #[test]
    fn padding_is_optional_and_labels_make_different_keys() {
        let text = "q83vEjRWeJCrze8SNFZ4kJq7zN3u/wARIjNEVWZ3iJkQ";
        let a = MasterSecret::parse(text).unwrap();
        let b = MasterSecret::parse(&format!("{text}\n")).unwrap();
        assert_eq!(a.derive("api-key"), b.derive("api-key"));
        assert_ne!(a.derive("api-key"), a.derive("checkout-token"));
        assert_eq!(format!("{a:?}"), "[secret]");
    }

    proptest! {
        #[test]
        fn random_bytes_are_accepted(bytes in any::<[u8; 32]>()) {
            prop_assume!(different(&bytes) >= 20);
            prop_assert!(MasterSecret::parse(&MasterSecret::encode(&bytes)).is_ok());
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = MasterSecret::parse(&text);
        }
    }
}

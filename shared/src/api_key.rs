//! Merchants' keys and the tokens of single payments: how they look, not who owns them.

use std::fmt;

use uuid::Uuid;
use zeroize::Zeroizing;

use crate::base62;
use crate::domain::id::Mode;
use crate::secret::{keyed_hash, same};

/// Where a key may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyKind {
    /// On the merchant's server, for everything.
    Secret,
    /// In a browser, to create payments only.
    Client,
}

impl KeyKind {
    /// `sk` or `ck`, as in the key.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "sk",
            Self::Client => "ck",
        }
    }

    /// As Postgres has it.
    #[must_use]
    pub const fn stored(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Client => "client",
        }
    }

    /// From what Postgres has.
    #[must_use]
    pub fn from_stored(word: &str) -> Option<Self> {
        [Self::Secret, Self::Client].into_iter().find(|kind| kind.stored() == word)
    }
}

/// An API key: `{test|live}_{sk|ck}_naru_`, 33 base 62 characters of 192 random bits, and a checksum of 6.
///
/// The prefix is what client libraries written for Toss check; the checksum lets a scanner of leaked secrets, and us,
/// tell a key from a mistyped one without asking a database. Prints only its [hint](ApiKey::hint).
#[derive(Clone)]
pub struct ApiKey {
    mode: Mode,
    kind: KeyKind,
    text: Zeroizing<String>,
}

/// Why some text is no API key. Never says what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnApiKey {
    /// Does not begin like one of our keys.
    #[error("does not begin like an API key")]
    Prefix,
    /// Has the wrong length or characters.
    #[error("has the wrong length or a character that is not allowed")]
    Shape,
    /// The checksum does not fit: mistyped or cut off.
    #[error("has a wrong checksum")]
    Checksum,
}

/// What finds our keys in whatever was published by mistake: for secret scanners. A find is a key, and no chance, when its
/// last six characters are the checksum of the rest ([`ApiKey::parse`]). `docs/backoffice.md` publishes it.
pub const SCANNER_PATTERN: &str = r"\b(?:test|live)_(?:sk|ck)_naru_[0-9A-Za-z]{39}\b";

/// Random bytes in a key.
pub const KEY_RANDOM_BYTES: usize = 24;
/// `62^33 > 256^24`.
const RANDOM_DIGITS: usize = 33;
/// `62^6 > 2^32`.
const CHECKSUM_DIGITS: usize = 6;

impl ApiKey {
    /// A new key from fresh random bytes.
    #[must_use]
    pub fn generate(mode: Mode, kind: KeyKind, random: &[u8; KEY_RANDOM_BYTES]) -> Self {
        let mut text = prefix(mode, kind);
        text.push_str(&base62::encode(random, RANDOM_DIGITS));
        let checksum = checksum(&text);
        text.push_str(&checksum);
        Self { mode, kind, text: Zeroizing::new(text) }
    }

    /// Reads a key and checks its shape and checksum. Whether anyone owns it is another question.
    ///
    /// # Errors
    /// Says which part is wrong, never the text.
    pub fn parse(text: &str) -> Result<Self, NotAnApiKey> {
        let (mode, kind, rest) = [Mode::Test, Mode::Live]
            .into_iter()
            .flat_map(|mode| [(mode, KeyKind::Secret), (mode, KeyKind::Client)])
            .find_map(|(mode, kind)| Some((mode, kind, text.strip_prefix(&prefix(mode, kind))?)))
            .ok_or(NotAnApiKey::Prefix)?;
        if rest.len() != RANDOM_DIGITS + CHECKSUM_DIGITS || !base62::is_base62(rest) {
            return Err(NotAnApiKey::Shape);
        }
        let (signed, given) = text.split_at(text.len() - CHECKSUM_DIGITS);
        if checksum(signed) != given {
            return Err(NotAnApiKey::Checksum);
        }
        Ok(Self { mode, kind, text: Zeroizing::new(text.to_owned()) })
    }

    /// Whether money is real.
    #[must_use]
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Where the key may be used.
    #[must_use]
    pub const fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The key itself, shown once to its owner.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.text
    }

    /// Enough for its owner to know it again, and far too little to use it: prefix, four characters, an ellipsis.
    #[must_use]
    pub fn hint(&self) -> String {
        let prefix = prefix(self.mode, self.kind);
        let shown = self.text.get(..prefix.len() + 4).unwrap_or_default();
        format!("{shown}…")
    }

    /// What is stored in place of the key, and what it is found by.
    #[must_use]
    pub fn hash(&self, key: &[u8; 32]) -> [u8; 32] {
        keyed_hash(key, self.text.as_bytes())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({})", self.hint())
    }
}

/// A token that lets a browser read one payment: `naru_ct_<payment id>_<HMAC>`.
///
/// It is computed, not stored: the same payment has the same token, and whoever can't compute the HMAC can't make
/// one. How long it is honoured is decided by the payment it names.
pub struct CheckoutToken;

impl CheckoutToken {
    const PREFIX: &str = "naru_ct_";
    /// `62^22 > 256^16`.
    const ID_DIGITS: usize = 22;
    /// `62^43 > 256^32`.
    const MAC_DIGITS: usize = 43;

    /// The token of `payment`.
    #[must_use]
    pub fn issue(key: &[u8; 32], payment: Uuid) -> Zeroizing<String> {
        let id = base62::encode(payment.as_bytes(), Self::ID_DIGITS);
        let mac = base62::encode(&keyed_hash(key, payment.as_bytes()), Self::MAC_DIGITS);
        Zeroizing::new(format!("{}{id}_{mac}", Self::PREFIX))
    }

    /// The payment that `token` opens; nothing when we didn't make it. Compares in constant time.
    #[must_use]
    pub fn verify(key: &[u8; 32], token: &str) -> Option<Uuid> {
        let (id, _) = token.strip_prefix(Self::PREFIX)?.split_once('_')?;
        let payment = Uuid::from_bytes(base62::decode(id)?);
        same(Self::issue(key, payment).as_bytes(), token.as_bytes()).then_some(payment)
    }
}

fn prefix(mode: Mode, kind: KeyKind) -> String {
    format!("{}_{}_naru_", mode.as_str(), kind.as_str())
}

fn checksum(text: &str) -> String {
    base62::encode(&crc32(text.as_bytes()).to_be_bytes(), CHECKSUM_DIGITS)
}

/// CRC-32 as in zip and Ethernet (reflected, polynomial 0x04C11DB7).
fn crc32(bytes: &[u8]) -> u32 {
    let remainder = bytes.iter().fold(u32::MAX, |remainder, byte| {
        (0..8).fold(remainder ^ u32::from(*byte), |bits, _| match bits & 1 {
            0 => bits >> 1,
            _ => (bits >> 1) ^ 0xEDB8_8320,
        })
    });
    !remainder
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Random as _;
    use crate::system::System;

    #[test]
    fn crc32_is_the_usual_one() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
    }

    #[test]
    fn a_key_shows_its_mode_and_kind_and_hides_the_rest() {
        let key = ApiKey::generate(Mode::Live, KeyKind::Secret, &[9; 24]);
        assert!(key.expose().starts_with("live_sk_naru_"));
        assert_eq!(key.expose().len(), 13 + 33 + 6);
        assert_eq!(key.hint().chars().count(), 13 + 4 + 1);
        assert!(!format!("{key:?}").contains(&key.expose()[18..]));
    }

    #[test]
    fn what_is_not_a_key_is_told_apart() {
        let key = ApiKey::generate(Mode::Test, KeyKind::Client, &[1; 24]);
        let text = key.expose();
        let table = [
            (String::new(), NotAnApiKey::Prefix),
            ("test_sk_docs_abc".into(), NotAnApiKey::Prefix),
            (format!(" {text}"), NotAnApiKey::Prefix),
            (text[..text.len() - 1].into(), NotAnApiKey::Shape),
            (format!("{text}0"), NotAnApiKey::Shape),
            (format!("{}_", &text[..text.len() - 1]), NotAnApiKey::Shape),
            (text.replacen("test", "live", 1), NotAnApiKey::Checksum),
        ];
        for (text, why) in table {
            assert_eq!(ApiKey::parse(&text).err(), Some(why), "{text}");
        }
    }

    /// Why nobody guesses a key, and no two are the same:
    ///
    /// 1. each has 192 bits from the operating system's generator, and nothing else decides it: no time, no counter, no
    ///    merchant, no name (`what_is_issued_is_random_in_every_place` asks the API for some). But for the two of the sandbox's
    ///    demo merchant, which are derived from the master secret: as hard to guess as that is, and the same if seeded again;
    /// 2. all of them are in the text: bytes that differ in one bit make another key, so a key is as hard to guess as
    ///    they are, and among a billion keys two are alike with a probability of 10^-40;
    /// 3. should it happen all the same, Postgres refuses the second: `api_keys_hash_unique`.
    #[test]
    fn keys_are_unpredictable_and_unique() {
        const KEYS: usize = 20_000;
        let mut keys = Vec::new();
        let mut ones = [0_usize; 8 * KEY_RANDOM_BYTES];
        for _ in 0..KEYS {
            let random: [u8; KEY_RANDOM_BYTES] = System.bytes();
            for (place, count) in ones.iter_mut().enumerate() {
                *count += usize::from(random[place / 8] >> (place % 8) & 1);
            }
            keys.push(ApiKey::generate(Mode::Test, KeyKind::Secret, &random).expose().to_owned());
        }
        // Each bit is set in half of them, give or take six standard deviations of 71: none stands still or counts.
        for (place, count) in ones.into_iter().enumerate() {
            assert!(count.abs_diff(KEYS / 2) < 426, "bit {place} is set in {count} of {KEYS}");
        }
        // Keys made one after the other do not go up: they tell no time.
        let rises = keys.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!(rises.abs_diff(KEYS / 2) < 426, "{rises} of {KEYS} follow the one before");
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), KEYS);
        // One bit makes the difference, wherever it is.
        for place in 0..8 * KEY_RANDOM_BYTES {
            let mut other = [0x5a; KEY_RANDOM_BYTES];
            other[place / 8] ^= 1 << (place % 8);
            let keys =
                [[0x5a; KEY_RANDOM_BYTES], other].map(|random| ApiKey::generate(Mode::Live, KeyKind::Client, &random));
            assert_ne!(keys[0].expose(), keys[1].expose(), "bit {place}");
        }
    }

    #[test]
    fn the_published_pattern_is_what_keys_look_like() {
        let class = format!("[0-9A-Za-z]{{{}}}", RANDOM_DIGITS + CHECKSUM_DIGITS);
        assert_eq!(SCANNER_PATTERN, format!(r"\b(?:test|live)_(?:sk|ck)_naru_{class}\b"));
        for (mode, kind) in [Mode::Test, Mode::Live].into_iter().zip([KeyKind::Secret, KeyKind::Client]) {
            assert!(["test_sk_naru_", "live_ck_naru_"].contains(&prefix(mode, kind).as_str()));
        }
        let published = include_str!("../../docs/backoffice.md");
        assert!(published.contains(SCANNER_PATTERN), "docs/backoffice.md does not publish {SCANNER_PATTERN}");
    }

    proptest! {
        #[test]
        fn every_generated_key_is_read_back(random in any::<[u8; 24]>(), live: bool, secret: bool) {
            let mode = if live { Mode::Live } else { Mode::Test };
            let kind = if secret { KeyKind::Secret } else { KeyKind::Client };
            let key = ApiKey::generate(mode, kind, &random);
            let read = ApiKey::parse(key.expose()).unwrap();
            prop_assert_eq!((read.mode(), read.kind()), (mode, kind));
            prop_assert_eq!(read.hash(&[3; 32]), key.hash(&[3; 32]));
            prop_assert_ne!(read.hash(&[3; 32]), key.hash(&[4; 32]));
        }

        #[test]
        fn one_wrong_character_is_always_noticed(random in any::<[u8; 24]>(), place in 0_usize..39, with in "[0-9A-Za-z]") {
            let key = ApiKey::generate(Mode::Test, KeyKind::Secret, &random);
            let mut wrong = key.expose().to_owned();
            wrong.replace_range(13 + place..14 + place, &with);
            prop_assume!(wrong != key.expose());
            prop_assert_eq!(ApiKey::parse(&wrong).err(), Some(NotAnApiKey::Checksum));
        }

        #[test]
        fn a_token_opens_its_payment_and_no_other(payment in any::<u128>(), place in 0_usize..74, with in "[0-9A-Za-z_]") {
            let payment = Uuid::from_u128(payment);
            let token = CheckoutToken::issue(&[5; 32], payment);
            prop_assert_eq!(CheckoutToken::verify(&[5; 32], &token), Some(payment));
            prop_assert_eq!(CheckoutToken::verify(&[6; 32], &token), None);
            let mut forged = token.to_string();
            forged.replace_range(place..=place, &with);
            prop_assume!(forged != *token);
            prop_assert_eq!(CheckoutToken::verify(&[5; 32], &forged), None);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = (ApiKey::parse(&text), CheckoutToken::verify(&[0; 32], &text));
        }
    }
}

//! People's passwords: which are taken, and what is kept of them.
//!
//! Checking one is slow on purpose (Argon2id), so it is never done on a thread that serves requests, and never by more
//! than a few at once: who calls these functions sees to that.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use zeroize::Zeroizing;

use super::REDACTED;

/// Kibibytes of memory that one check takes.
const MEMORY_KIB: u32 = 19_456;
/// How often it goes over them.
const PASSES: u32 = 2;
/// How many threads it may take.
const LANES: u32 = 1;
/// Bytes of salt.
pub const SALT_BYTES: usize = 16;

/// The commonest of those that are long enough, in lower case.
const COMMONEST: &str = include_str!("commonest_passwords.txt");

/// A password that somebody chose and that we take: 12 to 128 characters of any kind, none of the commonest.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a password is not taken. Never says what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than 12 characters.
    #[error("must have at least 12 characters")]
    TooShort,
    /// More than 128 characters.
    #[error("must have at most 128 characters")]
    TooLong,
    /// One that is tried first.
    #[error("is one of the first that anybody would try")]
    Common,
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Another password.
    Wrong,
    /// The right one.
    Right,
    /// The right one, but kept by weaker rules than today's: keep it anew.
    RightButOld,
}

impl Password {
    /// Fewest characters of a new one.
    pub const CHARACTERS_MIN: usize = 12;
    /// Most characters of any.
    pub const CHARACTERS_MAX: usize = 128;

    /// Takes a new password.
    ///
    /// # Errors
    /// Says what is wrong with it, never what it was.
    pub fn parse(text: &str) -> Result<Self, WeakPassword> {
        let characters = text.chars().count();
        if characters < Self::CHARACTERS_MIN {
            return Err(WeakPassword::TooShort);
        }
        if characters > Self::CHARACTERS_MAX {
            return Err(WeakPassword::TooLong);
        }
        if is_common(text) {
            return Err(WeakPassword::Common);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// What is kept in its place: a PHC string that names its parameters and its salt. Nothing when there is not the
    /// memory for it. Slow on purpose.
    #[must_use]
    pub fn hash(&self, salt: &[u8; SALT_BYTES]) -> Option<String> {
        hasher()?.hash_password_with_salt(self.0.as_bytes(), salt).ok().map(|hash| hash.to_string())
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

/// Whether `given` is the password of which `kept` was kept. Slow on purpose.
#[must_use]
pub fn check_password(given: &str, kept: &str) -> Verdict {
    let (Some(hasher), Ok(hash)) = (hasher(), PasswordHash::new(kept)) else {
        return Verdict::Wrong;
    };
    if hasher.verify_password(given.as_bytes(), &hash).is_err() {
        return Verdict::Wrong;
    }
    let as_today = Params::try_from(&hash)
        .is_ok_and(|params| (params.m_cost(), params.t_cost(), params.p_cost()) == (MEMORY_KIB, PASSES, LANES));
    if as_today && hash.algorithm.as_str() == "argon2id" { Verdict::Right } else { Verdict::RightButOld }
}

fn hasher() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Whether it is one of the commonest, in any case, or one or two characters over and over.
fn is_common(text: &str) -> bool {
    let lower = Zeroizing::new(text.to_lowercase());
    let different = lower.chars().collect::<std::collections::BTreeSet<_>>().len();
    different <= 2 || COMMONEST.lines().any(|common| common == &**lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `correct horse` under much weaker parameters, as an earlier version might have kept it.
    fn kept_long_ago(password: &str) -> String {
        let params = Params::new(64, 1, 1, None).unwrap();
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        weak.hash_password_with_salt(password.as_bytes(), &[7; 16]).unwrap().to_string()
    }

    #[test]
    fn what_is_taken() {
        let table = [
            ("열두자가넘는비밀번호입니다", Ok(())),
            ("correct horse battery", Ok(())),
            ("            x", Err(WeakPassword::Common)),
            ("abcdefghijk", Err(WeakPassword::TooShort)),
            ("", Err(WeakPassword::TooShort)),
            ("PassWord1234", Err(WeakPassword::Common)),
            ("aaaaaaaaaaaaaaaa", Err(WeakPassword::Common)),
        ];
        for (text, expected) in table {
            assert_eq!(Password::parse(text).map(|_| ()), expected, "{text}");
        }
        assert!(Password::parse(&"ab3".repeat(42)).is_ok());
        assert_eq!(Password::parse(&"ab3".repeat(43)).err(), Some(WeakPassword::TooLong));
        assert!(COMMONEST.lines().all(|line| line.chars().count() >= 12 && line == line.to_lowercase()));
    }

    #[test]
    fn the_right_one_is_known_again_and_no_other() {
        let password = Password::parse("correct horse battery").unwrap();
        let kept = password.hash(&[1; 16]).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(!kept.contains("horse"));
        assert_ne!(kept, password.hash(&[2; 16]).unwrap(), "the salt makes a difference");
        assert_eq!(check_password("correct horse battery", &kept), Verdict::Right);
        for wrong in ["correct horse batterY", "correct horse battery ", "", "가"] {
            assert_eq!(check_password(wrong, &kept), Verdict::Wrong, "{wrong}");
        }
        assert_eq!(check_password("correct horse battery", "no hash"), Verdict::Wrong);
    }

    #[test]
    fn one_that_was_kept_by_weaker_rules_is_kept_anew() {
        let kept = kept_long_ago("correct horse battery");
        assert_eq!(check_password("correct horse battery", &kept), Verdict::RightButOld);
        assert_eq!(check_password("another horse battery", &kept), Verdict::Wrong);
    }

    #[test]
    fn it_is_not_printed() {
        assert_eq!(format!("{:?}", Password::parse("correct horse battery").unwrap()), "[secret]");
    }
}

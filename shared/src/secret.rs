//! Values that must not be read by accident.
//!
//! Nothing here can be printed or serialized: a careless log line is a harmless one. Every value is wiped from memory
//! when it is dropped.

mod card;
mod email;
mod keyed;
mod master;
mod means;
mod password;
mod payee;
mod token;

use std::fmt;

use serde::{Deserialize, Deserializer};
use zeroize::Zeroize;

pub(crate) use card::luhn;
pub use card::{CardExpiry, CardNumber, CardPassword, Cvc, IdentityNumber, NotACardField};
pub use email::Email;
pub use keyed::{keyed_hash, keyed_hash_of_message, keyed_hash_of_parts, same};
pub use master::{MasterSecret, WeakMasterSecret};
pub use means::{AccountNumber, BirthDate, MemberNumber, MemberPassword, PhoneNumber, SmsCode};
pub use password::{Password, SALT_BYTES, Verdict, WeakPassword, check_password};
pub use payee::TypedPayee;
pub use token::{OpaqueToken, TOKEN_RANDOM_BYTES};

/// What every secret prints.
const REDACTED: &str = "[secret]";

/// A value that prints as `[secret]`, cannot be serialized, and is wiped when dropped.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Whoever calls this answers for where it goes.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<T: Zeroize> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl<'de, T: Zeroize + Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[secret] [secret] Some([secret])");
        assert_eq!(secret.expose(), "hunter2");
    }
}

//! Which key is derived from the master secret for what, where two programs must agree on it.

use zeroize::Zeroizing;

use crate::api_key::{KEY_RANDOM_BYTES, KeyKind};
use crate::base62;
use crate::domain::operation::Connector;
use crate::secret::{MasterSecret, Secret};

/// How the token of an invitation begins, so that a log, a scanner and a person know what it is.
pub const INVITATION_PREFIX: &str = "naru_invitation_";

/// Keys the hashes under which merchants' API keys are stored.
#[must_use]
pub fn api_key_hash_key(master: &MasterSecret) -> [u8; 32] {
    master.derive("api key hash")
}

/// Keys the fingerprints that tell two cards apart, or two of whatever else a connector's payers type.
#[must_use]
pub fn fingerprint_key(master: &MasterSecret, connector: Connector) -> [u8; 32] {
    master.derive(&format!("{} fingerprint", connector.as_str()))
}

/// Seals the accounts that money goes back to.
#[must_use]
pub fn payee_key(master: &MasterSecret) -> [u8; 32] {
    master.derive("refund account")
}

/// Keys the secret that each payment by virtual account has, so that none has to be kept.
#[must_use]
pub fn payment_secret_key(master: &MasterSecret) -> [u8; 32] {
    master.derive("payment secret")
}

/// The random part of the sandbox's demo merchant's key: the same again for the same master secret.
#[must_use]
pub fn demo_key(master: &MasterSecret, kind: KeyKind) -> [u8; KEY_RANDOM_BYTES] {
    let derived = master.derive(match kind {
        KeyKind::Secret => "demo secret key",
        KeyKind::Client => "demo client key",
    });
    let mut random = [0; KEY_RANDOM_BYTES];
    random.copy_from_slice(&derived[..KEY_RANDOM_BYTES]);
    random
}

/// The password of the sandbox's demo merchant's owner: the same again for the same master secret, another for another.
#[must_use]
pub fn demo_password(master: &MasterSecret) -> Zeroizing<String> {
    Zeroizing::new(base62::encode(&master.derive("demo owner's password")[..16], 22))
}

/// The password of the sandbox's demo payer: nobody else's, and the same again for the same master secret.
#[must_use]
pub fn demo_payer_password(master: &MasterSecret) -> Secret<String> {
    let derived = master.derive("demo payer password");
    Secret::new(derived[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

//! Which key is derived from the master secret for what, where two programs must agree on it.

use crate::secret::MasterSecret;

/// Keys the hashes under which merchants' API keys are stored.
#[must_use]
pub fn api_key_hash_key(master: &MasterSecret) -> [u8; 32] {
    master.derive("api key hash")
}

/// Keys the fingerprints that tell two cards apart.
#[must_use]
pub fn card_fingerprint_key(master: &MasterSecret) -> [u8; 32] {
    master.derive("card fingerprint")
}

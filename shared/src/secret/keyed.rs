//! Hashes that only the holder of a key can make.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// HMAC-SHA256 of `bytes` under `key`. Use another key (see [`super::MasterSecret::derive`]) for each purpose.
#[must_use]
pub fn keyed_hash(key: &[u8; 32], bytes: &[u8]) -> [u8; 32] {
    hmac(key, &[bytes])
}

/// HMAC-SHA256 of several parts, each preceded by its length, so that no two lists of parts meet in one hash.
#[must_use]
pub fn keyed_hash_of_parts(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let lengths: Vec<[u8; 8]> =
        parts.iter().map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes()).collect();
    let framed: Vec<&[u8]> = lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_slice(), part]).collect();
    hmac(key, &framed)
}

/// HMAC-SHA256 of a message under somebody else's key, of any length.
#[must_use]
pub fn keyed_hash_of_message(key: &[u8], message: &[u8]) -> [u8; 32] {
    // A key of any length will do.
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else { return [0; 32] };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Whether two byte strings are equal, in a time that does not tell where they differ.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new((&block(key)).into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The key padded with zeros to the hash's block of 64 bytes, which is what HMAC does with a short key anyway; with a
/// whole block there is no length to get wrong.
fn block(key: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    block
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_signed_as_the_bank_of_the_sandbox_signs() {
        // printf '1700000000.{"event":"deposit"}' | openssl dgst -sha256 -hmac sandbox-callback-secret
        let hash = keyed_hash_of_message(b"sandbox-callback-secret", br#"1700000000.{"event":"deposit"}"#);
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "acefbfb7e38f7e09d975714fa1674dbde440db8da07890ee48030533d9f9a013");
    }

    #[test]
    fn agrees_with_rfc_4231_test_case_2_by_zero_padding() {
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        assert_eq!(
            keyed_hash(&key, b"what do ya want for nothing?")[..8],
            [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]
        );
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = [7; 32];
        assert_ne!(keyed_hash_of_parts(&key, &[b"ab", b"c"]), keyed_hash_of_parts(&key, &[b"a", b"bc"]));
        assert_ne!(keyed_hash_of_parts(&key, &[b""]), keyed_hash_of_parts(&key, &[]));
    }

    proptest! {
        #[test]
        fn same_is_equality(left: Vec<u8>, right: Vec<u8>) {
            prop_assert_eq!(same(&left, &right), left == right);
            prop_assert!(same(&left, &left.clone()));
        }
    }
}

//! Digits, then upper, then lower case letters: bytes as text of a fixed length that survives every copy and paste.

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `bytes` as one big-endian number, in exactly `digits` base 62 digits. What does not fit is cut off at the front,
/// so callers choose enough digits: `62^digits` at least `256^bytes`.
pub(crate) fn encode(bytes: &[u8], digits: usize) -> String {
    let mut number = bytes.to_vec();
    let mut text = vec![b'0'; digits];
    for place in text.iter_mut().rev() {
        *place = ALPHABET[usize::from(divide(&mut number))];
    }
    text.into_iter().map(char::from).collect()
}

/// The number that `text` writes, in exactly `N` bytes; nothing when a character is foreign or the number too big.
pub(crate) fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut number = [0_u8; N];
    for character in text.bytes() {
        let mut carry = u16::from(value(character)?);
        for byte in number.iter_mut().rev() {
            let sum = u16::from(*byte) * 62 + carry;
            let [high, low] = sum.to_be_bytes();
            *byte = low;
            carry = u16::from(high);
        }
        if carry != 0 {
            return None;
        }
    }
    Some(number)
}

/// Whether every character is a base 62 digit.
pub(crate) fn is_base62(text: &str) -> bool {
    text.bytes().all(|character| value(character).is_some())
}

/// Divides the big-endian `number` by 62 in place and returns the remainder.
fn divide(number: &mut [u8]) -> u8 {
    let mut remainder = 0_u16;
    for byte in number {
        let dividend = (remainder << 8) | u16::from(*byte);
        // A remainder below 62 keeps the quotient below 256.
        *byte = u8::try_from(dividend / 62).unwrap_or(u8::MAX);
        remainder = dividend % 62;
    }
    u8::try_from(remainder).unwrap_or(0)
}

fn value(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => Some(character - b'A' + 10),
        b'a'..=b'z' => Some(character - b'a' + 36),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(encode(&[0], 2), "00");
        assert_eq!(encode(&[61], 2), "0z");
        assert_eq!(encode(&[62], 2), "10");
        assert_eq!(encode(&[255, 255, 255, 255], 6), "4gfFC3");
    }

    #[test]
    fn what_is_too_big_or_foreign_is_refused() {
        assert_eq!(decode::<1>("4A"), None);
        assert_eq!(decode::<1>("0_"), None);
        assert_eq!(decode::<1>("48"), None, "256 does not fit a byte");
        assert_eq!(decode::<1>("47"), Some([255]));
    }

    proptest! {
        #[test]
        fn there_and_back(bytes in any::<[u8; 16]>()) {
            let text = encode(&bytes, 22);
            prop_assert_eq!(text.len(), 22);
            prop_assert!(is_base62(&text));
            prop_assert_eq!(decode::<16>(&text), Some(bytes));
        }
    }
}

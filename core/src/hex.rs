//! Bytes as lower-case hexadecimal digits.

use alloc::string::String;
use alloc::vec::Vec;

/// Two digits a byte. (The formatting machinery would be a fifth of the stub.)
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(*byte));
    }
    text
}

/// The bytes of such digits, of either case; `None` where there is anything else, or half a byte.
#[must_use]
pub fn unhex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok();
    pairs.iter().map(byte).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_lower_case() {
        assert_eq!(super::hex(&[0xaf, 0, 9]), "af0009");
        assert_eq!(super::hex(&[]), "");
    }

    #[test]
    fn digits_are_read_back() {
        for bytes in [&[][..], &[0xaf, 0, 9], &[0xff; 32]] {
            assert_eq!(super::unhex(&super::hex(bytes)).unwrap(), bytes);
        }
        for wrong in ["a", "abc", "0g", "+1", "é"] {
            assert_eq!(super::unhex(wrong), None, "{wrong}");
        }
    }
}

//! Bytes as lower-case hexadecimal digits.

use alloc::string::String;

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

#[cfg(test)]
mod tests {
    #[test]
    fn digits_are_lower_case() {
        assert_eq!(super::hex(&[0xaf, 0, 9]), "af0009");
        assert_eq!(super::hex(&[]), "");
    }
}

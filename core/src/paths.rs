//! What lies where below a root.

use alloc::vec::Vec;

use crate::hex::hex;

/// Directory of the format version below a root.
pub const FORMAT: &str = "v2";
/// Directory of locks below that.
pub const LOCKS: &str = "locks";
/// Directory of work in progress below that.
pub const TMP: &str = "tmp";
/// Name of the file in the directory of a launch whose first start is importing its modules.
pub const IMPORTING: &str = "importing";

/// The plans of the key `key` in `root`.
#[must_use]
pub fn plans(root: &[u8], key: &[u8; 32]) -> Vec<u8> {
    below(root, &[FORMAT.as_bytes(), b"plans", hex(key).as_bytes()])
}

/// The engine of that digest in `root`.
#[must_use]
pub fn engine(root: &[u8], digest: &[u8; 32]) -> Vec<u8> {
    below(
        root,
        &[FORMAT.as_bytes(), b"engine", hex(digest).as_bytes()],
    )
}

/// The lock of the first start that makes a plan of the key `key`, in the root's directory [`LOCKS`].
#[must_use]
pub fn lock(locks: &[u8], key: &[u8; 32]) -> Vec<u8> {
    below(
        locks,
        &[&[b"plans-".as_slice(), hex(key).as_bytes()].concat()],
    )
}

/// What stands in the directory of a launch while its first start imports its modules.
#[must_use]
pub fn importing(launch: &[u8]) -> Vec<u8> {
    below(launch, &[IMPORTING.as_bytes()])
}

/// `components` below `directory`.
#[must_use]
pub fn below(directory: &[u8], components: &[&[u8]]) -> Vec<u8> {
    let mut path = directory.to_vec();
    for component in components {
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(component);
    }
    path
}

/// The number as decimal digits. (The formatting machinery would be a fifth of the stub.)
#[must_use]
pub fn decimal(mut number: u32) -> Vec<u8> {
    let mut digits = Vec::with_capacity(10);
    loop {
        // A remainder of ten is a digit.
        digits.push(b'0' + (number % 10) as u8);
        number /= 10;
        if number == 0 {
            break;
        }
    }
    digits.reverse();
    digits
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    #[test]
    fn places_below_a_root() {
        let text = |path: Vec<u8>| String::from_utf8(path).unwrap();
        let zeros = "00".repeat(32);
        assert_eq!(
            text(plans(b"/r", &[0; 32])),
            alloc::format!("/r/v2/plans/{zeros}")
        );
        assert_eq!(
            text(engine(b"/r/", &[0; 32])),
            alloc::format!("/r/v2/engine/{zeros}")
        );
        assert_eq!(
            text(lock(b"/r/v2/locks", &[0; 32])),
            alloc::format!("/r/v2/locks/plans-{zeros}")
        );
        assert_eq!(
            text(importing(b"/r/v2/launches/x")),
            "/r/v2/launches/x/importing"
        );
        for number in [0, 7, 10, 1000, u32::MAX] {
            assert_eq!(text(decimal(number)), alloc::format!("{number}"));
        }
    }
}

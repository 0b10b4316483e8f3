//! What lies where below a root.

use alloc::vec::Vec;

use crate::hex::hex;

/// Directory of the format version below a root.
pub const FORMAT: &str = "v1";
/// Directory of locks below that.
pub const LOCKS: &str = "locks";
/// Directory of work in progress below that.
pub const TMP: &str = "tmp";
/// Name of the file beside a plan whose first start is importing its modules.
pub const IMPORTING: &str = "importing";

/// The plan of the launch `key` in `root`.
#[must_use]
pub fn plan(root: &[u8], key: &[u8; 32]) -> Vec<u8> {
    below(
        root,
        &[FORMAT.as_bytes(), b"launches", hex(key).as_bytes(), b"plan"],
    )
}

/// The engine of that digest in `root`.
#[must_use]
pub fn engine(root: &[u8], digest: &[u8; 32]) -> Vec<u8> {
    below(
        root,
        &[FORMAT.as_bytes(), b"engine", hex(digest).as_bytes()],
    )
}

/// The lock of the first start of the launch `key`, in the root's directory [`LOCKS`].
#[must_use]
pub fn lock(locks: &[u8], key: &[u8; 32]) -> Vec<u8> {
    below(
        locks,
        &[&[b"launches-".as_slice(), hex(key).as_bytes()].concat()],
    )
}

/// What stands beside a plan while the first start imports its modules, in `root`.
#[must_use]
pub fn importing(root: &[u8], key: &[u8; 32]) -> Vec<u8> {
    let name = IMPORTING.as_bytes();
    below(
        root,
        &[FORMAT.as_bytes(), b"launches", hex(key).as_bytes(), name],
    )
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
            text(plan(b"/r", &[0; 32])),
            alloc::format!("/r/v1/launches/{zeros}/plan")
        );
        assert_eq!(
            text(engine(b"/r/", &[0; 32])),
            alloc::format!("/r/v1/engine/{zeros}")
        );
        assert_eq!(
            text(lock(b"/r/v1/locks", &[0; 32])),
            alloc::format!("/r/v1/locks/launches-{zeros}")
        );
        assert_eq!(
            text(importing(b"/", &[0; 32])),
            alloc::format!("/v1/launches/{zeros}/importing")
        );
        for number in [0, 7, 10, 1000, u32::MAX] {
            assert_eq!(text(decimal(number)), alloc::format!("{number}"));
        }
    }
}

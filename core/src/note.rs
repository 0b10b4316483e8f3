//! The note: what native code tells the boot of a start, in the variable `_PEXBOOT`: letters, then P as invoked, absolute.

use alloc::vec::Vec;

/// What the boot is told of this start. `src/boot/boot.py` reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Note {
    /// The boot may start P again to have a damaged cache mended (letter `m`).
    pub mends: bool,
    /// This start has just prepared the launch (letter `f`).
    pub first: bool,
}

impl Note {
    /// The variable that carries it.
    pub const NAME: &[u8] = b"_PEXBOOT";

    /// As the boot reads it, for a start of `pex`, which begins with a slash.
    #[must_use]
    pub fn text(self, pex: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(2 + pex.len());
        text.extend(self.mends.then_some(b'm'));
        text.extend(self.first.then_some(b'f'));
        text.extend_from_slice(pex);
        text
    }

    /// As a plan keeps it.
    #[must_use]
    pub fn bits(self) -> u8 {
        u8::from(self.mends) | u8::from(self.first) << 1
    }

    /// Reads what [`Note::bits`] gave.
    #[must_use]
    pub fn of_bits(bits: u8) -> Option<Note> {
        (bits < 4).then_some(Note {
            mends: bits & 1 != 0,
            first: bits & 2 != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Note;

    #[test]
    fn letters_stand_before_the_path() {
        let check = |bits: u8, text: &str| {
            let note = Note::of_bits(bits).unwrap();
            assert_eq!(note.bits(), bits);
            assert_eq!(note.text(b"/p/app"), text.as_bytes());
        };
        check(0, "/p/app");
        check(1, "m/p/app");
        check(2, "f/p/app");
        check(3, "mf/p/app");
        assert_eq!(Note::of_bits(4), None);
    }
}

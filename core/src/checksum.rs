//! A checksum that costs next to nothing, for plans and for the packed engine: against accidents. What must hold against
//! others is a SHA-256, or lies where nobody else may write.

/// The checksum of bytes that come in pieces.
///
/// Eight bytes at a time, each step one to one in both its inputs: damage inside of eight bytes never goes unseen, any
/// other once in 2^64. (Zeros behind the end do not count: the length stands beside it.)
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum(u64);

impl Sum {
    /// Takes the next piece; the length of each but the last is a multiple of eight.
    pub fn add(&mut self, piece: &[u8]) {
        let (words, rest) = piece.as_chunks();
        self.0 = words.iter().fold(self.0, |sum, word| step(sum, *word));
        if !rest.is_empty() {
            let mut last = [0; 8];
            for (byte, from) in last.iter_mut().zip(rest) {
                *byte = *from;
            }
            self.0 = step(self.0, last);
        }
    }

    /// The checksum of what was taken.
    #[must_use]
    pub fn finish(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

fn step(sum: u64, word: [u8; 8]) -> u64 {
    /// 2^64 divided by the golden ratio, odd: its bits are well mixed.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    (sum ^ u64::from_le_bytes(word))
        .wrapping_mul(FACTOR)
        .rotate_left(29)
}

/// The checksum of these bytes.
#[must_use]
pub fn checksum(bytes: &[u8]) -> [u8; 8] {
    let mut sum = Sum::default();
    sum.add(bytes);
    sum.finish()
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use super::{Sum, checksum};

    #[test]
    fn every_byte_counts() {
        let bytes: Vec<u8> = (0..100).collect();
        let sums: BTreeSet<_> = (0..bytes.len())
            .map(|at| {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x10;
                checksum(&damaged)
            })
            .chain([checksum(&bytes)])
            .collect();
        assert_eq!(sums.len(), bytes.len() + 1);
    }

    #[test]
    fn pieces_come_to_the_same() {
        let bytes: Vec<u8> = (0..100).collect();
        let mut sum = Sum::default();
        for piece in bytes.chunks(16) {
            sum.add(piece);
        }
        assert_eq!(sum.finish(), checksum(&bytes));
    }

    #[test]
    fn it_is_part_of_formats() {
        let sum = |bytes| u64::from_le_bytes(checksum(bytes));
        assert_eq!(sum(b""), 0);
        assert_eq!(sum(b"pexboot"), 0xa8ec_5246_1c72_d0dc);
        assert_eq!(sum(b"pexboot, the launcher"), 0xf019_873b_17cb_8adb);
    }
}

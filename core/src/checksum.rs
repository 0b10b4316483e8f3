//! A checksum that costs next to nothing, for plans and for the packed engine: against accidents. What must hold against
//! others is a SHA-256, or lies where nobody else may write.

/// Eight bytes at a time, each step one to one in both its inputs: damage inside of eight bytes never goes unseen, any
/// other once in 2^64. (Zeros behind the end do not count: the length stands beside it.)
#[must_use]
pub fn checksum(bytes: &[u8]) -> [u8; 8] {
    /// 2^64 divided by the golden ratio, odd: its bits are well mixed.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let step = |sum: u64, word: [u8; 8]| {
        (sum ^ u64::from_le_bytes(word))
            .wrapping_mul(FACTOR)
            .rotate_left(29)
    };
    let (words, rest) = bytes.as_chunks();
    let sum = words.iter().fold(0, |sum, word| step(sum, *word));
    let mut last = [0; 8];
    for (byte, from) in last.iter_mut().zip(rest) {
        *byte = *from;
    }
    let sum = if rest.is_empty() {
        sum
    } else {
        step(sum, last)
    };
    sum.to_le_bytes()
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use super::checksum;

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
    fn it_is_part_of_formats() {
        let sum = |bytes| u64::from_le_bytes(checksum(bytes));
        assert_eq!(sum(b""), 0);
        assert_eq!(sum(b"pexboot"), 0xa8ec_5246_1c72_d0dc);
        assert_eq!(sum(b"pexboot, the launcher"), 0xf019_873b_17cb_8adb);
    }
}

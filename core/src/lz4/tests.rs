//! Against another decoder: what it reads is read the same, and what it refuses is refused.

use alloc::vec;
use alloc::vec::Vec;

use super::decompress;

/// Numbers that look random and are the same every time (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end
    }
}

/// Bytes of a kind: noise, one byte, few different ones, pieces of what went before at any distance.
fn sample(random: &mut Random) -> Vec<u8> {
    let size = random.below(70_000);
    let (kind, letters) = (random.below(4), 2 + random.below(60));
    let mut bytes: Vec<u8> = Vec::with_capacity(size + 300);
    while bytes.len() < size {
        match kind {
            0 => bytes.push(random.below(256) as u8),
            1 => bytes.push(7),
            2 => bytes.push(random.below(letters) as u8),
            _ if bytes.is_empty() || random.below(5) == 0 => {
                bytes.push(random.below(256) as u8);
            }
            _ => {
                let from = bytes.len() - 1 - random.below(bytes.len().min(66_000));
                for index in from..from + 3 + random.below(300) {
                    bytes.push(bytes[index]);
                }
            }
        }
    }
    bytes
}

fn theirs(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size];
    let size = lz4_flex::block::decompress_into(packed, &mut out).ok()?;
    out.truncate(size);
    Some(out)
}

fn ours(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size];
    let size = decompress(packed, &mut out)?;
    out.truncate(size);
    Some(out)
}

#[test]
fn whatever_was_compressed_comes_back() {
    let mut random = Random(88_172_645_463_325_252);
    for _ in 0..200 {
        let bytes = sample(&mut random);
        let packed = lz4_flex::block::compress(&bytes);
        // Where it fits exactly, and where there is room behind.
        for room in [0, 1, 40] {
            assert!(ours(&packed, bytes.len() + room).as_ref() == Some(&bytes));
        }
        if let Some(less) = bytes.len().checked_sub(1) {
            assert_eq!(ours(&packed, less), None);
        }
    }
}

/// A bit turned, bytes cut off or put in: what the other decoder reads reads the same, and what it refuses is refused.
#[test]
fn damage_is_read_as_others_read_it() {
    let mut random = Random(362_436_069);
    for _ in 0..200 {
        let bytes = sample(&mut random);
        let bytes = &bytes[..bytes.len().min(3_000)];
        let whole = lz4_flex::block::compress(bytes);
        for _ in 0..40 {
            let mut packed = whole.clone();
            let at = random.below(packed.len());
            match random.below(3) {
                0 => packed[at] ^= 1 << random.below(8),
                1 => packed.truncate(at),
                _ => packed.insert(at, random.below(256) as u8),
            }
            assert_eq!(ours(&packed, 4_000), theirs(&packed, 4_000), "{packed:?}");
        }
    }
}

#[test]
fn every_end_that_comes_early_is_noticed() {
    let bytes: Vec<u8> = (0..1_000_u32).map(|n| (n * n / 7) as u8).collect();
    let packed = lz4_flex::block::compress(&bytes);
    for end in 0..packed.len() {
        assert_ne!(ours(&packed[..end], bytes.len()).as_ref(), Some(&bytes));
    }
    assert_eq!(ours(&[], 10), None);
}

/// Sequences by hand: lengths that go on, a match that repeats itself, distances of nothing and of too much.
#[test]
fn the_format_is_the_one_that_is_written_down() {
    assert_eq!(ours(&[0x00], 0), Some(vec![]));
    assert_eq!(ours(&[0x30, 1, 2, 3], 3), Some(vec![1, 2, 3]));
    let repeated = [0x12, b'a', 1, 0, 0x10, b'b'];
    assert_eq!(ours(&repeated, 20).unwrap(), b"aaaaaaab");
    let mut long = vec![0x1f, b'x', 1, 0, 255, 255, 5, 0x00];
    assert_eq!(
        ours(&long, 600).unwrap(),
        vec![b'x'; 1 + 15 + 255 + 255 + 5 + 4]
    );
    long[2] = 0;
    assert_eq!(ours(&long, 600), None);
    long[2] = 2;
    assert_eq!(ours(&long, 600), None);
    assert_eq!(ours(&[0xf0, 255, 255], 600), None);
}

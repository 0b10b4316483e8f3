//! Against another decoder: what it reads is read the same, and what it refuses is refused.

use alloc::vec;
use alloc::vec::Vec;

use miniz_oxide::deflate::core::{
    CompressorOxide, TDEFLFlush, compress_to_output, create_comp_flags_from_zip_params,
};
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};

use super::inflate;

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
                let from = bytes.len() - 1 - random.below(bytes.len().min(32_768));
                for index in from..from + 3 + random.below(256) {
                    bytes.push(bytes[index]);
                }
            }
        }
    }
    bytes
}

/// Deflated at a level; with a strategy of zlib's: 0 for the usual, 4 for fixed codes.
fn deflated(bytes: &[u8], level: i32, strategy: i32) -> Vec<u8> {
    let mut packed = Vec::new();
    let mut compressor =
        CompressorOxide::new(create_comp_flags_from_zip_params(level, -15, strategy));
    compress_to_output(&mut compressor, bytes, TDEFLFlush::Finish, |piece| {
        packed.extend_from_slice(piece);
        true
    });
    packed
}

fn theirs(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size];
    let flags = TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
    let (status, _, size) = decompress(&mut DecompressorOxide::new(), packed, &mut out, 0, flags);
    out.truncate(size);
    (status == TINFLStatus::Done).then_some(out)
}

fn ours(packed: &[u8], size: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; size];
    let size = inflate(packed, &mut out)?;
    out.truncate(size);
    Some(out)
}

#[test]
fn whatever_was_deflated_comes_back() {
    let mut random = Random(88_172_645_463_325_252);
    for round in 0..120 {
        let bytes = sample(&mut random);
        let strategy = if round % 5 == 0 { 4 } else { 0 };
        let packed = deflated(&bytes, round % 11, strategy);
        assert!(
            ours(&packed, bytes.len()) == Some(bytes.clone()),
            "round {round}"
        );
        // What follows the stream does not count, and room beyond its end is no harm.
        let longer = [packed.as_slice(), b"and more"].concat();
        assert!(
            ours(&longer, bytes.len() + 100) == Some(bytes.clone()),
            "round {round}"
        );
        if let Some(short) = bytes.len().checked_sub(1) {
            assert_eq!(ours(&packed, short), None, "round {round}");
        }
    }
}

#[test]
fn a_stream_that_ends_early_is_none() {
    let mut random = Random(5);
    for level in [0, 1, 6, 10] {
        let bytes = sample(&mut random);
        let packed = deflated(&bytes, level, 0);
        for end in (0..packed.len()).step_by(1 + packed.len() / 500) {
            assert_eq!(
                ours(&packed[..end], bytes.len()),
                None,
                "level {level}, {end}"
            );
        }
    }
}

#[test]
fn damage_is_seen_as_others_see_it() {
    let mut random = Random(99);
    for round in 0..60 {
        let bytes = sample(&mut random);
        let packed = deflated(&bytes, 1 + round % 10, 0);
        for _ in 0..60 {
            let mut packed = packed.clone();
            // Headers are where the most can be said that is not so.
            let reach = if random.below(2) == 0 {
                packed.len()
            } else {
                packed.len().min(100)
            };
            let at = random.below(reach);
            packed[at] ^= 1 << random.below(8);
            let size = bytes.len();
            assert!(
                ours(&packed, size) == theirs(&packed, size),
                "round {round}, {at}"
            );
        }
    }
}

#[test]
fn noise_is_seen_as_others_see_it() {
    let mut random = Random(3);
    let mut accepted = 0;
    for round in 0..30_000 {
        let noise: Vec<u8> = (0..1 + random.below(80))
            .map(|_| random.below(256) as u8)
            .collect();
        let (ours, theirs) = (ours(&noise, 400), theirs(&noise, 400));
        accepted += u32::from(ours.is_some());
        assert!(ours == theirs, "round {round}: {noise:?}");
    }
    assert!(accepted > 15, "{accepted} were streams");
}

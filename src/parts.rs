//! The two native parts that every embedded file gets, as `build.rs` made them: for the machine that the command runs on,
//! and for others where it was built with theirs (`./cross`).
//!
//! An embedded file begins with [`STUB`], its seal filled in at [`SEAL_OFFSET`], and [`ENGINE`] behind it.

/// The parts for one machine.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// For which: `x86_64-linux` or `aarch64-linux`.
    pub target: &'static str,
    /// The stub, not sealed.
    pub stub: &'static [u8],
    /// The engine, raw deflate.
    pub engine: &'static [u8],
    /// Bytes of the engine inflated.
    pub engine_size: u64,
    /// SHA-256 of the engine inflated.
    pub engine_digest: [u8; 32],
    /// Where the seal stands in the stub.
    pub seal_offset: usize,
}

include!(concat!(env!("OUT_DIR"), "/parts.rs"));

/// The machine's own.
pub const OWN: Head = HEADS[0];
/// The machine's own stub, not sealed.
pub const STUB: &[u8] = OWN.stub;
/// The machine's own engine, raw deflate.
pub const ENGINE: &[u8] = OWN.engine;
/// Bytes of that engine inflated.
pub const ENGINE_SIZE: u64 = OWN.engine_size;
/// SHA-256 of that engine inflated.
pub const ENGINE_DIGEST: [u8; 32] = OWN.engine_digest;
/// Where the seal stands in [`STUB`].
pub const SEAL_OFFSET: usize = OWN.seal_offset;

#[cfg(test)]
mod tests {
    use pexboot_core::inflate::inflate;
    use sha2::{Digest as _, Sha256};

    use super::{ENGINE, ENGINE_DIGEST, ENGINE_SIZE};

    #[test]
    fn the_stub_inflates_the_engine() {
        let size = usize::try_from(ENGINE_SIZE).unwrap();
        let mut engine = vec![0; size];
        assert_eq!(inflate(ENGINE, &mut engine), Some(size));
        assert_eq!(Sha256::digest(&engine[..size])[..], ENGINE_DIGEST);
    }

    /// Each level of compression, and blocks of each kind, beside a decoder that everyone knows.
    #[test]
    fn the_stub_inflates_what_others_deflate() {
        let mut state = 7_u32;
        let mut noise = || {
            state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (state >> 16) as u8
        };
        for size in [0, 1, 7, 100, 5_000, 200_000] {
            for spread in [1, 3, 50, 256] {
                let mut bytes: Vec<u8> = (0..size)
                    .map(|_| (u16::from(noise()) % spread) as u8)
                    .collect();
                let half = bytes.len() / 2;
                bytes.extend_from_within(half / 2..half);
                for level in 0..=12 {
                    let level = libdeflater::CompressionLvl::new(level).unwrap();
                    let mut compressor = libdeflater::Compressor::new(level);
                    let mut packed = vec![0; compressor.deflate_compress_bound(bytes.len())];
                    let length = compressor.deflate_compress(&bytes, &mut packed).unwrap();
                    let mut out = vec![0xaa; bytes.len()];
                    assert_eq!(inflate(&packed[..length], &mut out), Some(bytes.len()));
                    assert!(out[..bytes.len()] == bytes);
                }
            }
        }
    }
}

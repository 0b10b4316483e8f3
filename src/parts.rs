//! The two native parts that every embedded file gets, as `build.rs` made them.
//!
//! An embedded file begins with [`STUB`], its seal filled in at [`SEAL_OFFSET`], and [`ENGINE`] behind it.

/// The stub, not sealed.
pub const STUB: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/stub"));
/// The engine, an LZ4 block.
pub const ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/engine.lz4"));

include!(concat!(env!("OUT_DIR"), "/parts.rs"));

#[cfg(test)]
mod tests {
    use pexboot_core::lz4::decompress;
    use sha2::{Digest as _, Sha256};

    use super::{ENGINE, ENGINE_DIGEST, ENGINE_SIZE};

    #[test]
    fn the_stub_decompresses_the_engine() {
        let size = usize::try_from(ENGINE_SIZE).unwrap();
        let mut engine = vec![0; size];
        assert_eq!(decompress(ENGINE, &mut engine), Some(size));
        assert_eq!(Sha256::digest(&engine[..size])[..], ENGINE_DIGEST);
    }
}

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
    /// The engine, an LZ4 block.
    pub engine: &'static [u8],
    /// Bytes of the engine decompressed.
    pub engine_size: u64,
    /// SHA-256 of the engine decompressed.
    pub engine_digest: [u8; 32],
    /// Where the seal stands in the stub.
    pub seal_offset: usize,
}

include!(concat!(env!("OUT_DIR"), "/parts.rs"));

/// The machine's own.
pub const OWN: Head = HEADS[0];
/// The machine's own stub, not sealed.
pub const STUB: &[u8] = OWN.stub;
/// The machine's own engine, an LZ4 block.
pub const ENGINE: &[u8] = OWN.engine;
/// Bytes of that engine decompressed.
pub const ENGINE_SIZE: u64 = OWN.engine_size;
/// SHA-256 of that engine decompressed.
pub const ENGINE_DIGEST: [u8; 32] = OWN.engine_digest;
/// Where the seal stands in [`STUB`].
pub const SEAL_OFFSET: usize = OWN.seal_offset;

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

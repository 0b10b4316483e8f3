//! The seal: a fixed-size record in the stub that says what the stub is glued to.
//!
//! `embed` patches it into the ELF section `.pexboot.seal`; the stub reads it from its own memory, the engine and the
//! command line from the file. All integers are little-endian.

use alloc::vec::Vec;

/// Bytes a seal takes in the stub.
pub const SEAL_SIZE: usize = 2048;
/// Name of the ELF section that holds the seal.
pub const SEAL_SECTION: &str = ".pexboot.seal";

/// What a stub knows of the file it heads.
///
/// The file is `[stub][engine][archive][appendix]`: stub and engine are the head, so they survive tools that rewrite a
/// zip and keep what stands before it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seal {
    /// Whether `embed` has filled the seal in; a stub out of the build is not sealed.
    pub sealed: bool,
    /// SHA-256 that commits to the archive's content.
    pub fingerprint: [u8; 32],
    /// Bytes of the stub alone (the engine follows at this offset).
    pub stub_size: u64,
    /// Bytes of the compressed engine (raw deflate); the archive follows it.
    pub engine_size: u64,
    /// Bytes of the engine inflated.
    pub engine_full_size: u64,
    /// SHA-256 of the inflated engine: its name in the root.
    pub engine_digest: [u8; 32],
    /// Bytes of the archive, the original file.
    pub archive_size: u64,
    /// Bytes of the whole embedded file.
    pub file_size: u64,
    /// Options given to `embed`.
    pub options: Options,
    /// PEX-INFO's `pex_root`, as written there (`~` unexpanded); empty when absent. At most 1,024 bytes.
    pub pex_root: Vec<u8>,
}

/// What `embed` was told to do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Let the host's `site` run, as the original does.
    pub host_site: bool,
}

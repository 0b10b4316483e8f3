//! The seal: a fixed-size record in the stub that says what the stub is glued to.
//!
//! `embed` patches it into the ELF section `.pexboot.seal`; the stub reads it from its own memory, the engine and the
//! command line from the file. All integers are little-endian:
//!
//! ```text
//!    0   8  magic
//!    8   4  version of this format
//!   12   4  flags: 1 sealed, 2 host_site; every other bit is zero
//!   16  32  fingerprint
//!   48   8  stub_size
//!   56   8  engine_size
//!   64   8  engine_full_size
//!   72  32  engine_digest
//!  104   8  engine_sum
//!  112   8  archive_size
//!  120   8  file_size
//!  128  32  bytecode
//!  160   4  length of pex_root
//!  164      pex_root; zeros up to the end
//! ```

use alloc::vec::Vec;

/// Bytes a seal takes in the stub.
pub const SEAL_SIZE: usize = 2048;
/// Name of the ELF section that holds the seal.
pub const SEAL_SECTION: &str = ".pexboot.seal";
/// Longest `pex_root` that a seal can hold, in bytes.
pub const PEX_ROOT_MAX: usize = 1024;

const MAGIC: [u8; 8] = *b"pexseal\0";
const VERSION: u32 = 3;
const SEALED: u32 = 1;
const HOST_SITE: u32 = 2;
/// Bytes in front of `pex_root`.
const FIXED: usize = 164;

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
    /// [`checksum`](crate::checksum::checksum) of the compressed engine. Who could change that could change the seal, so
    /// against anything but an accident a digest would do no better, and it would take ten milliseconds.
    pub engine_sum: [u8; 8],
    /// Bytes of the archive, the original file.
    pub archive_size: u64,
    /// Bytes of the whole embedded file.
    pub file_size: u64,
    /// SHA-256 of the index of the bytecode that the appendix brings; zeros where it brings none.
    pub bytecode: [u8; 32],
    /// Options given to `embed`.
    pub options: Options,
    /// PEX-INFO's `pex_root`, as written there (`~` unexpanded); empty when absent. At most [`PEX_ROOT_MAX`] bytes.
    pub pex_root: Vec<u8>,
}

/// What `embed` was told to do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Let the host's `site` run, as the original does.
    pub host_site: bool,
}

impl Seal {
    /// What stands in a stub that comes out of the build: the default seal, encoded. A constant, since the stub's own
    /// section is made of it.
    pub const UNSEALED: [u8; SEAL_SIZE] = {
        let mut bytes = [0; SEAL_SIZE];
        let version = VERSION.to_le_bytes();
        let mut i = 0;
        while i < MAGIC.len() {
            bytes[i] = MAGIC[i];
            i += 1;
        }
        while i < MAGIC.len() + version.len() {
            bytes[i] = version[i - MAGIC.len()];
            i += 1;
        }
        bytes
    };

    /// The seal as it stands in the stub; `None` when `pex_root` is longer than [`PEX_ROOT_MAX`].
    #[must_use]
    pub fn encode(&self) -> Option<[u8; SEAL_SIZE]> {
        if self.pex_root.len() > PEX_ROOT_MAX {
            return None;
        }
        let mut bytes = [0; SEAL_SIZE];
        let written = self.written();
        bytes.get_mut(..written.len())?.copy_from_slice(&written);
        Some(bytes)
    }

    /// Reads what [`Seal::encode`] wrote; `None` for anything else: another version, another size, unknown flags, or
    /// something other than zeros behind the end.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Seal> {
        if bytes.len() != SEAL_SIZE {
            return None;
        }
        let rest = bytes.strip_prefix(&MAGIC)?;
        let rest = rest.strip_prefix(&VERSION.to_le_bytes())?;
        let (flags, rest) = u32_of(rest)?;
        if flags & !(SEALED | HOST_SITE) != 0 {
            return None;
        }
        let (fingerprint, rest) = rest.split_first_chunk()?;
        let (stub_size, rest) = u64_of(rest)?;
        let (engine_size, rest) = u64_of(rest)?;
        let (engine_full_size, rest) = u64_of(rest)?;
        let (engine_digest, rest) = rest.split_first_chunk()?;
        let (engine_sum, rest) = rest.split_first_chunk()?;
        let (archive_size, rest) = u64_of(rest)?;
        let (file_size, rest) = u64_of(rest)?;
        let (bytecode, rest) = rest.split_first_chunk()?;
        let (length, rest) = u32_of(rest)?;
        let length = usize::try_from(length)
            .ok()
            .filter(|&n| n <= PEX_ROOT_MAX)?;
        let (pex_root, rest) = rest.split_at_checked(length)?;
        if rest.iter().any(|&b| b != 0) {
            return None;
        }
        Some(Seal {
            sealed: flags & SEALED != 0,
            fingerprint: *fingerprint,
            stub_size,
            engine_size,
            engine_full_size,
            engine_digest: *engine_digest,
            engine_sum: *engine_sum,
            archive_size,
            file_size,
            bytecode: *bytecode,
            options: Options {
                host_site: flags & HOST_SITE != 0,
            },
            pex_root: pex_root.to_vec(),
        })
    }

    /// The seal without the zeros behind it: what the key of a launch is made of.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut flags = 0;
        if self.sealed {
            flags |= SEALED;
        }
        if self.options.host_site {
            flags |= HOST_SITE;
        }
        let mut out = Vec::with_capacity(FIXED + self.pex_root.len());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&u32::to_le_bytes(flags));
        out.extend_from_slice(&self.fingerprint);
        out.extend_from_slice(&self.stub_size.to_le_bytes());
        out.extend_from_slice(&self.engine_size.to_le_bytes());
        out.extend_from_slice(&self.engine_full_size.to_le_bytes());
        out.extend_from_slice(&self.engine_digest);
        out.extend_from_slice(&self.engine_sum);
        out.extend_from_slice(&self.archive_size.to_le_bytes());
        out.extend_from_slice(&self.file_size.to_le_bytes());
        out.extend_from_slice(&self.bytecode);
        out.extend_from_slice(
            &u32::try_from(self.pex_root.len())
                .unwrap_or(u32::MAX)
                .to_le_bytes(),
        );
        out.extend_from_slice(&self.pex_root);
        out
    }
}

fn u32_of(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*head), rest))
}

fn u64_of(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u64::from_le_bytes(*head), rest))
}

/// Where the seal stands in a file that begins with a stub: the offset of the section [`SEAL_SECTION`], by the section
/// headers of a 64-bit little-endian ELF file (System V gABI, chapter 4). `head` holds at least the whole stub.
///
/// `None` when it is no such file or has no such section of the right size.
#[must_use]
pub fn offset(head: &[u8]) -> Option<usize> {
    /// The bytes `[at, at + N)`.
    fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
        bytes.get(at..)?.first_chunk().copied()
    }
    fn size(bytes: [u8; 8]) -> Option<usize> {
        usize::try_from(u64::from_le_bytes(bytes)).ok()
    }

    const CLASS64_LITTLE: [u8; 6] = *b"\x7fELF\x02\x01";
    const HEADER: usize = 64;
    if !head.starts_with(&CLASS64_LITTLE) {
        return None;
    }
    let table = size(field(head, 0x28)?)?;
    let count = usize::from(u16::from_le_bytes(field(head, 0x3c)?));
    let names = usize::from(u16::from_le_bytes(field(head, 0x3e)?));
    let section = |i: usize| {
        head.get(table.checked_add(i.checked_mul(HEADER)?)?..)?
            .get(..HEADER)
    };
    let names = size(field(section(names)?, 0x18)?)?;
    for header in (0..count).map_while(section) {
        let name = usize::try_from(u32::from_le_bytes(field(header, 0)?)).ok()?;
        let name = head.get(names.checked_add(name)?..)?;
        if name
            .strip_prefix(SEAL_SECTION.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
        {
            let at = size(field(header, 0x18)?)?;
            let fits = size(field(header, 0x20)?)? == SEAL_SIZE
                && at.checked_add(SEAL_SIZE)? <= head.len();
            return fits.then_some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests;

//! The seal: a fixed-size record in the stub that says what the stub is glued to.
//!
//! It is the content of an ELF note, which a program header leads to: tools that strip a file move or drop its section
//! headers, and leave program headers and what they load alone. `embed` fills the seal in; the stub reads it from its own
//! memory, the engine and the command line from the file. All integers are little-endian:
//!
//! ```text
//!    0   8  magic
//!    8   4  version of this format
//!   12   4  flags: 1 sealed, 2 host_site, 4 venv, 8 no_host_site (never with 2); every other bit is zero
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
//!  164      pex_root; zeros up to
//! 2032  16  version of the pexboot that embedded the file, as text; zeros behind it
//! ```

use alloc::vec::Vec;
use core::convert::Infallible;

/// Bytes a seal takes in the stub.
pub const SEAL_SIZE: usize = 2048;
/// Name of the ELF section that holds the seal's [`Note`].
pub const NOTE_SECTION: &str = ".note.pexboot";
/// Longest [`Seal::version`], in bytes.
pub const VERSION_MAX: usize = 16;
/// Longest `pex_root` that a seal can hold, in bytes.
pub const PEX_ROOT_MAX: usize = 1024;

const MAGIC: [u8; 8] = *b"pexseal\0";
const VERSION: u32 = 4;
const SEALED: u32 = 1;
const HOST_SITE: u32 = 2;
const VENV: u32 = 4;
const NO_HOST_SITE: u32 = 8;
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
    /// Bytes of the compressed engine (an LZ4 block); the archive follows it.
    pub engine_size: u64,
    /// Bytes of the engine decompressed.
    pub engine_full_size: u64,
    /// SHA-256 of the decompressed engine: its name in the root.
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
    /// Version of the pexboot that embedded the file, as text, padded with zeros. No part of a launch's key.
    pub version: [u8; VERSION_MAX],
}

/// An ELF note that holds a seal (System V gABI, chapter 5, "Note Section"), as it stands in the stub.
#[derive(Debug)]
#[repr(C, align(4))]
pub struct Note {
    header: [u8; NOTE_HEADER],
    /// The seal, encoded.
    pub seal: [u8; SEAL_SIZE],
}

impl Note {
    /// The note of a stub that comes out of the build. A constant, since the stub's own section is made of it.
    pub const UNSEALED: Note = Note {
        header: NOTE,
        seal: Seal::UNSEALED,
    };

    /// What stands in front of the seal.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }
}

/// Bytes of a note in front of its content.
const NOTE_HEADER: usize = 20;
/// Bytes of name and content, the type, and the name.
const NOTE: [u8; NOTE_HEADER] = *b"\x08\0\0\0\0\x08\0\0pexbpexboot\0";

/// What `embed` was told to do differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// Let the host's `site` run, as the original does, or leave it out; `None` where the host's hooks decide.
    pub host_site: Option<bool>,
    /// Start it in virtual environment mode, whatever it was built as.
    pub venv: bool,
}

impl Seal {
    /// What stands in a stub that comes out of the build: the default seal, encoded.
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

    /// Bytes of the head, stub and engine: where the archive begins. The largest number where a damaged seal claims more.
    #[must_use]
    pub fn head_size(&self) -> u64 {
        self.stub_size.saturating_add(self.engine_size)
    }

    /// The seal as it stands in the stub; `None` when `pex_root` is longer than [`PEX_ROOT_MAX`].
    #[must_use]
    pub fn encode(&self) -> Option<[u8; SEAL_SIZE]> {
        if self.pex_root.len() > PEX_ROOT_MAX {
            return None;
        }
        let mut bytes = [0; SEAL_SIZE];
        let written = self.written();
        bytes.get_mut(..written.len())?.copy_from_slice(&written);
        *bytes.last_chunk_mut()? = self.version;
        Some(bytes)
    }

    /// Reads what [`Seal::encode`] wrote; `None` for anything else: another version, another size, unknown flags, or
    /// something other than zeros behind the end.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Seal> {
        if bytes.len() != SEAL_SIZE {
            return None;
        }
        let (bytes, version) = bytes.split_last_chunk()?;
        let rest = bytes.strip_prefix(&MAGIC)?;
        let rest = rest.strip_prefix(&VERSION.to_le_bytes())?;
        let (flags, rest) = u32_of(rest)?;
        let host_site = match flags & !(SEALED | VENV) {
            0 => None,
            HOST_SITE => Some(true),
            NO_HOST_SITE => Some(false),
            _ => return None,
        };
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
        // Eight at a time: every start looks at nearly all of them.
        let (words, last) = rest.as_chunks::<8>();
        if words.iter().any(|&word| word != [0; 8]) || last.iter().any(|&byte| byte != 0) {
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
                host_site,
                venv: flags & VENV != 0,
            },
            pex_root: pex_root.to_vec(),
            version: *version,
        })
    }

    /// The version of the pexboot that embedded the file, for display.
    #[must_use]
    pub fn version(&self) -> &str {
        let text = self.version.split(|&byte| byte == 0).next();
        text.and_then(|text| core::str::from_utf8(text).ok())
            .unwrap_or_default()
    }

    /// The seal without version and zeros behind it: what the key of a launch is made of.
    pub(crate) fn written(&self) -> Vec<u8> {
        let mut flags = 0;
        if self.sealed {
            flags |= SEALED;
        }
        flags |= match self.options.host_site {
            None => 0,
            Some(true) => HOST_SITE,
            Some(false) => NO_HOST_SITE,
        };
        if self.options.venv {
            flags |= VENV;
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

/// Where the seal stands in a stub; `None` when `stub` is none, or has none.
#[must_use]
pub fn offset(stub: &[u8]) -> Option<usize> {
    let read = |at: u64, length: u64| {
        let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let rest = stub.get(place(at)..).unwrap_or_default();
        let piece = rest.get(..place(length)).unwrap_or(rest);
        Ok::<_, Infallible>(piece.to_vec())
    };
    let Ok(found) = offset_by(&read);
    let at = usize::try_from(found?).ok()?;
    (at.checked_add(SEAL_SIZE)? <= stub.len()).then_some(at)
}

/// Where the seal stands in a file that begins with a stub: behind the header of its [`Note`], by the program headers of a
/// 64-bit little-endian ELF file (System V gABI, chapter 5). `read` gives at most so many bytes from an offset on. `None`
/// when it is no such file or has no such note.
///
/// # Errors
/// Those of `read`.
pub fn offset_by<E>(read: &dyn Fn(u64, u64) -> Result<Vec<u8>, E>) -> Result<Option<u64>, E> {
    let Some((at, count)) = program_headers(&read(0, HEADER)?) else {
        return Ok(None);
    };
    let table = read(at, count * PROGRAM)?;
    for header in table.chunks_exact(PROGRAM as usize) {
        let kind = field(header, 0).map(u32::from_le_bytes);
        let (offset, size) = (number(header, 8), number(header, 0x20));
        if let (Some(PT_NOTE), Some(offset), Some(NOTE_SIZE)) = (kind, offset, size)
            && read(offset, NOTE_HEADER as u64)? == NOTE
        {
            return Ok(offset.checked_add(NOTE_HEADER as u64));
        }
    }
    Ok(None)
}

/// Bytes of an ELF header, and of a program header.
const HEADER: u64 = 64;
const PROGRAM: u64 = 56;
/// More program headers than a stub has.
const MOST_PROGRAMS: u64 = 64;
/// The type of a program header that leads to notes.
const PT_NOTE: u32 = 4;
const NOTE_SIZE: u64 = (NOTE_HEADER + SEAL_SIZE) as u64;

/// Where the program headers of an ELF file stand, and how many.
fn program_headers(header: &[u8]) -> Option<(u64, u64)> {
    const CLASS64_LITTLE: [u8; 6] = *b"\x7fELF\x02\x01";
    let half = |at| Some(u64::from(u16::from_le_bytes(field(header, at)?)));
    if !header.starts_with(&CLASS64_LITTLE) || half(0x36)? != PROGRAM {
        return None;
    }
    let count = half(0x38)?;
    (count <= MOST_PROGRAMS).then_some((number(header, 0x20)?, count))
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    field(bytes, at).map(u64::from_le_bytes)
}

/// The bytes `[at, at + N)`.
fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;

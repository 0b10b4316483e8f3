//! Embedding: a stub in front of a PEX, and back.
//!
//! ```text
//! [ stub with seal | engine ][ archive, byte for byte ][ appendix: our entries, central directory, end record, sections ]
//!   head                       from here on nothing of the original has moved
//! ```
//!
//! The result is a function of the original, the options and the head: the same bytes every time. It is written beside
//! its final name and renamed, so that whatever is killed when, the input is either untouched or replaced. A PEX
//! directory gets the head alone, as its `pex` file.

mod appendix;
mod bytecode;
mod directory;
mod error;
mod output;
mod recorded;
mod sections;
mod state;
pub mod target;
#[cfg(test)]
mod tests;

use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use pexboot_core::checksum::checksum;
use pexboot_core::seal::{self, Options, SEAL_SIZE, Seal, VERSION_MAX};

use crate::archive::Archive;
use crate::pex::{Layout, Pex};
use crate::regular;

pub use crate::interpreter::Scope;
pub use bytecode::{Bytecode, Choice, Wanted};
pub use error::EmbedError;
pub use recorded::Run;
pub use state::{State, state};

use appendix::{Appendix, Constants};
use output::Output;
use sections::Sections;

/// The version of this program, as it stands in a seal.
const VERSION: [u8; VERSION_MAX] = {
    let version = env!("CARGO_PKG_VERSION").as_bytes();
    let mut bytes = [0; VERSION_MAX];
    let mut at = 0;
    while at < version.len() {
        bytes[at] = version[at];
        at += 1;
    }
    bytes
};

/// What is put in front of an archive.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// The stub, not sealed.
    pub stub: &'a [u8],
    /// The engine as an LZ4 block.
    pub engine: &'a [u8],
    /// Bytes of the engine decompressed.
    pub engine_full_size: u64,
    /// SHA-256 of the engine decompressed.
    pub engine_digest: [u8; 32],
}

impl From<&crate::parts::Head> for Parts<'static> {
    fn from(head: &crate::parts::Head) -> Parts<'static> {
        Parts {
            stub: head.stub,
            engine: head.engine,
            engine_full_size: head.engine_size,
            engine_digest: head.engine_digest,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// The file that can be executed.
    pub path: PathBuf,
    /// Its seal.
    pub seal: Seal,
}

/// Embeds the PEX at `input`, bare or embedded before, into `output` (`-` is standard output), or in place without one.
///
/// `bytecode` is put into the appendix, for first starts to find.
///
/// A directory is embedded in place: its `pex` file becomes the head. In place, owner and permission bits stay, with an x
/// bit added for each r bit; set-id bits do not. Elsewhere they are those of the file that is replaced, or the caller's:
/// see [`crate::output`].
///
/// # Errors
/// When `input` is not a PEX, is damaged or was changed after it was embedded, or when writing fails. The input is
/// untouched then.
pub fn embed(
    input: &Path,
    output: Option<&Path>,
    options: Options,
    bytecode: &Bytecode,
    parts: &Parts<'_>,
) -> Result<Embedded, EmbedError> {
    let pex = Pex::open(input)?;
    match pex.layout {
        Layout::Zipapp => embed_file(&pex, output, options, bytecode, parts),
        Layout::Packed | Layout::Loose if !bytecode.entries.is_empty() => {
            Err(EmbedError::DirectoryBytecode { path: pex.path })
        }
        Layout::Packed | Layout::Loose if output.is_some() => {
            Err(EmbedError::DirectoryOutput { path: pex.path })
        }
        Layout::Packed | Layout::Loose => directory::embed(&pex, options, parts),
    }
}

/// The options of an earlier embedding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// What the seal says.
    pub options: Options,
    /// What bytecode was asked for.
    pub choice: Choice,
    /// The machine that its head is for.
    pub target: Option<&'static str>,
}

/// What the PEX at `input` was embedded with; `None` where it was not.
///
/// # Errors
/// When `input` is not a PEX or is damaged.
pub fn remembered(input: &Path) -> Result<Option<Remembered>, EmbedError> {
    let State { pex, seal, .. } = state(input)?;
    let Some(seal) = seal else {
        return Ok(None);
    };
    let left = match pex.archive() {
        Some(archive) => appendix::left_by(archive)?,
        None => None,
    };
    Ok(Some(Remembered {
        options: seal.options,
        choice: left.map_or(Choice::Auto, |left| Choice::read(&left.compile)),
        target: target_of(&pex)?,
    }))
}

/// The machine that the head of an embedded PEX is for.
fn target_of(pex: &Pex) -> Result<Option<&'static str>, EmbedError> {
    let place = match pex.layout {
        Layout::Zipapp => pex.path.clone(),
        Layout::Packed | Layout::Loose => pex.path.join("pex"),
    };
    let mut bytes = [0; 20];
    let read = regular::open(&place).and_then(|file| file.read_exact_at(&mut bytes, 0));
    read.map_err(|source| EmbedError::Io {
        path: place,
        source,
    })?;
    Ok(target::of_head(&bytes))
}

/// Whether embedding the PEX at `input` in place would change it: it is not embedded, by another version, or with other
/// options. The result is made aside and compared.
///
/// # Errors
/// As [`embed`].
pub fn would_change(
    input: &Path,
    options: Options,
    bytecode: &Bytecode,
    parts: &Parts<'_>,
) -> Result<bool, EmbedError> {
    let pex = Pex::open(input)?;
    let place = match pex.layout {
        Layout::Zipapp => pex.path.clone(),
        Layout::Packed | Layout::Loose => pex.path.join("pex"),
    };
    let io = |source| EmbedError::Io {
        path: place.clone(),
        source,
    };
    let made = match pex.layout {
        Layout::Zipapp => {
            let aside = tempfile::tempdir().map_err(io)?;
            let made = aside.path().join("pex");
            embed_file(&pex, Some(&made), options, bytecode, parts)?;
            regular::read(&made).map_err(io)?
        }
        Layout::Packed | Layout::Loose => Head::new(&pex, options, parts)?.alone(&pex)?.0,
    };
    Ok(regular::read(&place).map_or(true, |found| found != made))
}

/// Takes head and appendix off the PEX at `input` and writes what it was before to `output` (`-` is standard output), or in place
/// without one.
///
/// Gives the path of what was written.
///
/// # Errors
/// When `input` is not embedded, when it was changed afterwards so that the original cannot be given back, or when
/// writing fails. The input is untouched then.
pub fn strip(input: &Path, output: Option<&Path>) -> Result<PathBuf, EmbedError> {
    let pex = Pex::open(input)?;
    match pex.layout {
        Layout::Zipapp => strip_file(&pex, output),
        Layout::Packed | Layout::Loose if output.is_some() => {
            Err(EmbedError::DirectoryOutput { path: pex.path })
        }
        Layout::Packed | Layout::Loose => directory::strip(&pex),
    }
}

fn embed_file(
    pex: &Pex,
    output: Option<&Path>,
    options: Options,
    bytecode: &Bytecode,
    parts: &Parts<'_>,
) -> Result<Embedded, EmbedError> {
    let input = archive_of(pex);
    let io = |source| EmbedError::Io {
        path: pex.path.clone(),
        source,
    };
    let metadata = input.file().metadata().map_err(io)?;
    let before = Before::of(input)?;
    let original = match input.original() {
        // What was embedded was readable once.
        Err(_) if input.seal().is_some() => {
            return Err(EmbedError::Changed {
                path: pex.path.clone(),
            });
        }
        result => result?,
    };
    let mode = metadata.mode() & 0o777 & !before.added;
    let executable = mode | (mode & 0o444) >> 2;

    let mut head = Head::new(pex, options, parts)?;
    let mut result = Output::new(&pex.path, output, executable)?;
    result.write(&head.bytes)?;
    let (offset, size) = original.extent();
    let digest = result.copy(original.file(), offset, size, &pex.path)?;
    if before
        .digest
        .as_ref()
        .is_some_and(|expected| *expected != digest)
    {
        return Err(EmbedError::Changed {
            path: pex.path.clone(),
        });
    }
    let pex_root = head.seal.pex_root.clone();
    let constants = Constants {
        head: head.bytes.len() as u64,
        archive: size,
        digest,
        pex_root: &pex_root,
        added: executable & !mode,
        compile: &bytecode.choice.text(),
    };
    let appendix = Appendix::new(&original, &constants, bytecode, &head.sections)?;
    result.write(&appendix.bytes)?;
    head.seal.archive_size = size;
    head.seal.file_size = constants.head + size + appendix.bytes.len() as u64;
    head.seal.bytecode = bytecode.digest();
    head.finish(pex)?;
    result.write_at(&head.bytes, 0).map_err(io)?;
    appendix.check(&result.path(), &head.seal)?;
    let path = result.publish()?;
    let seal = head.seal;
    Ok(Embedded { path, seal })
}

fn strip_file(pex: &Pex, output: Option<&Path>) -> Result<PathBuf, EmbedError> {
    let input = archive_of(pex);
    let Some(seal) = input.seal() else {
        return Err(EmbedError::NotEmbedded {
            path: pex.path.clone(),
        });
    };
    let before = Before::of(input)?;
    let metadata = input.file().metadata().map_err(|source| EmbedError::Io {
        path: pex.path.clone(),
        source,
    })?;
    let changed = || EmbedError::Changed {
        path: pex.path.clone(),
    };
    let (offset, size) = (seal.head_size(), seal.archive_size);
    if offset
        .checked_add(size)
        .is_none_or(|end| end > metadata.len())
    {
        return Err(changed());
    }
    let mode = metadata.mode() & 0o777 & !before.added;
    let mut result = Output::new(&pex.path, output, mode)?;
    let digest = result.copy(input.file(), offset, size, &pex.path)?;
    if before.digest != Some(digest) {
        return Err(changed());
    }
    result.publish()
}

/// What an earlier embedding has left word of.
#[derive(Debug, Default)]
struct Before {
    /// SHA-256 of the archive.
    digest: Option<[u8; 32]>,
    /// Permission bits that were added.
    added: u32,
}

impl Before {
    fn of(input: &Archive) -> Result<Before, EmbedError> {
        if input.seal().is_none() {
            return Ok(Before::default());
        }
        let left = appendix::left_by(input)?.ok_or_else(|| EmbedError::Changed {
            path: input.path().to_path_buf(),
        })?;
        Ok(Before {
            digest: Some(left.digest),
            added: left.added,
        })
    }
}

/// The archive of a PEX that is one file.
fn archive_of(pex: &Pex) -> &Archive {
    // Every zipapp has one: `Pex::open` makes it from the archive.
    pex.archive().expect("a zipapp is a zip")
}

/// Stub and engine, with a seal that knows everything but the file's sizes.
struct Head {
    bytes: Vec<u8>,
    seal: Seal,
    seal_offset: usize,
    sections: Sections,
}

impl Head {
    fn new(pex: &Pex, options: Options, parts: &Parts<'_>) -> Result<Head, EmbedError> {
        let is_seal = |at: &usize| Seal::decode(&parts.stub[*at..*at + SEAL_SIZE]).is_some();
        let seal_offset = seal::offset(parts.stub)
            .filter(is_seal)
            .ok_or(EmbedError::Stub)?;
        let sections = Sections::of(parts.stub).ok_or(EmbedError::Stub)?;
        let stub = &parts.stub[..sections.end()];
        let seal = Seal {
            sealed: true,
            fingerprint: pex.fingerprint()?,
            stub_size: stub.len() as u64,
            engine_size: parts.engine.len() as u64,
            engine_full_size: parts.engine_full_size,
            engine_digest: parts.engine_digest,
            engine_sum: checksum(parts.engine),
            archive_size: 0,
            file_size: 0,
            bytecode: [0; 32],
            options,
            pex_root: pex.info.pex_root.clone().unwrap_or_default().into_bytes(),
            version: VERSION,
        };
        Ok(Head {
            bytes: [stub, parts.engine].concat(),
            seal,
            seal_offset,
            sections,
        })
    }

    /// Writes what is known when the sizes are: the seal, and where the section headers are.
    fn finish(&mut self, pex: &Pex) -> Result<(), EmbedError> {
        let encoded = self.seal.encode().ok_or_else(|| EmbedError::PexRoot {
            path: pex.path.clone(),
        })?;
        self.bytes[self.seal_offset..self.seal_offset + SEAL_SIZE].copy_from_slice(&encoded);
        self.sections.lead_to(&mut self.bytes, self.seal.file_size);
        Ok(())
    }

    /// The bytes with a seal that says that no archive follows, and what a Python that is given them needs.
    fn alone(mut self, pex: &Pex) -> Result<(Vec<u8>, Seal), EmbedError> {
        let starter = appendix::starter(self.bytes.len() as u64, &self.sections);
        self.seal.file_size = (self.bytes.len() + starter.len()) as u64;
        self.finish(pex)?;
        self.bytes.extend(starter);
        Ok((self.bytes, self.seal))
    }
}

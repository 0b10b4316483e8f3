//! What a PEX is at the moment: embedded or not, by which sizes. For display.

use std::path::Path;

use pexboot_core::seal::Seal;

use super::EmbedError;
use crate::archive::Archive;
use crate::pex::{Layout, Pex};

/// What a PEX is.
#[derive(Debug)]
pub struct State {
    /// The PEX.
    pub pex: Pex,
    /// The seal, when it is embedded.
    pub seal: Option<Seal>,
    /// Bytes of the file; of the head for a directory, 0 where that has none.
    pub size: u64,
    /// Bytes of stub and engine; 0 when not embedded.
    pub head: u64,
    /// Bytes of the archive; 0 for a directory.
    pub archive: u64,
    /// Bytes behind the archive.
    pub appendix: u64,
    /// Whether the file is as long as its seal says: if not, it was changed after it was embedded.
    pub as_sealed: bool,
}

/// Looks at the PEX at `path`.
///
/// # Errors
/// When it is not a PEX or cannot be read.
pub fn state(path: &Path) -> Result<State, EmbedError> {
    let pex = Pex::open(path)?;
    let (seal, size) = match pex.archive() {
        Some(archive) => (archive.seal().cloned(), archive.extent().1),
        None => {
            let starter = pex.path.join("pex");
            let is_file =
                std::fs::symlink_metadata(&starter).is_ok_and(|metadata| metadata.is_file());
            let seal = if is_file {
                Archive::seal_of(&starter)?
            } else {
                None
            };
            let size = if seal.is_some() {
                std::fs::metadata(&starter).map_or(0, |metadata| metadata.len())
            } else {
                0
            };
            (seal, size)
        }
    };
    let head = seal.as_ref().map_or(0, |seal| seal.head_size());
    let archive = match &seal {
        Some(seal) => seal.archive_size,
        None if pex.layout == Layout::Zipapp => size,
        None => 0,
    };
    let appendix = size.saturating_sub(head).saturating_sub(archive);
    let as_sealed = seal.as_ref().is_none_or(|seal| seal.file_size == size);
    Ok(State {
        pex,
        seal,
        size,
        head,
        archive,
        appendix,
        as_sealed,
    })
}

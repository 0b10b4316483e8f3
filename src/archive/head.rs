//! The head of an embedded file: its ELF note with the seal.
//!
//! Only the layout that the stub is built in is understood ([`offset_by`]); anything else in front of an archive is a prefix
//! like any other.

use pexboot_core::seal::{SEAL_SIZE, Seal, offset_by};

use super::ArchiveError;
use super::source::Source;

/// The seal in the ELF at the beginning of `source` when there is one, filled in or not, and its offset.
pub(super) fn seal(source: &Source) -> Result<Option<(Seal, u64)>, ArchiveError> {
    let read = |offset, len| source.read_up_to(offset, len);
    let Some(offset) = offset_by(&read)? else {
        return Ok(None);
    };
    Ok(Seal::decode(&read(offset, SEAL_SIZE as u64)?).map(|seal| (seal, offset)))
}

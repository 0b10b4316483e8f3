//! The head of an embedded file: its ELF section with the seal.
//!
//! Only the layout that the stub is built in is understood (ELF64, little-endian); anything else in front of an archive
//! is a prefix like any other.

use pexboot_core::seal::{SEAL_SECTION, SEAL_SIZE, Seal};

use super::ArchiveError;
use super::bytes::{u16_at, u32_at, u64_at};
use super::source::Source;

/// Bytes of an ELF64 header.
const ELF_HEADER: u64 = 64;
/// Bytes of an ELF64 section header.
const SECTION_HEADER: u64 = 64;
/// More sections than a stub has.
const MOST_SECTIONS: u64 = 256;
/// More bytes than the names of a stub's sections take.
const MOST_NAMES: u64 = 1 << 16;

/// The seal in the ELF at the beginning of `source` when there is one, filled in or not, and its offset.
pub(super) fn seal(source: &Source) -> Result<Option<(Seal, u64)>, ArchiveError> {
    let read = |offset, len| source.read_up_to(offset, len);
    let Some(offset) = offset(&read)? else {
        return Ok(None);
    };
    Ok(Seal::decode(&read(offset, SEAL_SIZE as u64)?).map(|seal| (seal, offset)))
}

/// Where in the bytes of a stub its seal stands; `None` when it has none.
#[cfg(feature = "cli")]
pub(crate) fn seal_offset(stub: &[u8]) -> Option<usize> {
    let read = |offset: u64, len: u64| {
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(stub.len());
        let len = usize::try_from(len)
            .unwrap_or(usize::MAX)
            .min(stub.len() - start);
        Ok::<_, std::convert::Infallible>(stub[start..start + len].to_vec())
    };
    let Ok(offset) = offset(&read);
    let offset = usize::try_from(offset?).ok()?;
    Seal::decode(stub.get(offset..offset.checked_add(SEAL_SIZE)?)?)?;
    Some(offset)
}

/// Where the seal's section lies; `read` gives at most so many bytes from an offset on.
fn offset<E>(read: &impl Fn(u64, u64) -> Result<Vec<u8>, E>) -> Result<Option<u64>, E> {
    let header = read(0, ELF_HEADER)?;
    // Magic, class 64, little-endian.
    if header.len() < ELF_HEADER as usize || header[..6] != *b"\x7fELF\x02\x01" {
        return Ok(None);
    }
    let table = u64_at(&header, 40);
    let (size, count, names) = (
        u64::from(u16_at(&header, 58)),
        u64::from(u16_at(&header, 60)),
        u16_at(&header, 62),
    );
    if size != SECTION_HEADER || count > MOST_SECTIONS || u64::from(names) >= count {
        return Ok(None);
    }
    let table = read(table, count * SECTION_HEADER)?;
    if table.len() as u64 != count * SECTION_HEADER {
        return Ok(None);
    }
    let sections = || table.chunks_exact(SECTION_HEADER as usize);
    let Some(names) = sections().nth(usize::from(names)) else {
        return Ok(None);
    };
    let names = read(u64_at(names, 24), u64_at(names, 32).min(MOST_NAMES))?;
    let found = sections().find(|section| {
        let name = names.get(u32_at(section, 0) as usize..).unwrap_or(&[]);
        name.strip_prefix(SEAL_SECTION.as_bytes())
            .is_some_and(|rest| rest.first() == Some(&0))
            && u64_at(section, 32) >= SEAL_SIZE as u64
    });
    Ok(found.map(|section| u64_at(section, 24)))
}

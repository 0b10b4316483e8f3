//! The end record and the central directory of a zip (APPNOTE 4.3.12 to 4.3.16).
//!
//! This is the reader of a launch: one pass, one allocation a name. On 70,000 entries it takes half the time of `zip`,
//! which keeps every field of every entry, and the engine does without the bytes of one more library. The rules where the format leaves room are
//! CPython's (`zipimport`, `zipfile`), so that both see the same members; where a file contradicts itself it is refused.

use super::bytes::{u16_at, u32_at, u64_at};
use super::names;
use super::source::Source;
use super::{ArchiveError, DirectoryFault, Entry, MemberFault};

/// Signature of the end record (APPNOTE 4.3.16).
pub(crate) const END: [u8; 4] = *b"PK\x05\x06";
/// Signature of the zip64 end record (APPNOTE 4.3.14).
pub(crate) const END64: [u8; 4] = *b"PK\x06\x06";
/// Signature of the zip64 end record's locator (APPNOTE 4.3.15).
pub(crate) const LOCATOR64: [u8; 4] = *b"PK\x06\x07";
/// Signature of a central directory header (APPNOTE 4.3.12).
pub(crate) const CENTRAL: [u8; 4] = *b"PK\x01\x02";
/// Bytes of an end record without its comment.
pub(crate) const END_SIZE: usize = 22;
/// Bytes of a zip64 end record without extensions.
pub(crate) const END64_SIZE: usize = 56;
/// Bytes of a locator.
pub(crate) const LOCATOR64_SIZE: usize = 20;
/// Bytes of a central directory header without name, extra fields and comment.
pub(crate) const CENTRAL_SIZE: usize = 46;
/// Tag of the zip64 extra field (APPNOTE 4.5.3).
pub(crate) const ZIP64_FIELD: u16 = 1;

/// How far before the end of the file the end record may begin: behind the longest comment, or that much junk.
const TAIL: u64 = END_SIZE as u64 + 0xffff;

/// Most bytes of a central directory: some ten million entries.
const MOST: u64 = 1 << 30;

/// Where a central directory lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Located {
    /// Its first byte.
    pub start: u64,
    /// Its bytes.
    pub size: u64,
    /// What has to be added to every stored offset: the length of a prefix that offsets do not count.
    pub shift: u64,
    /// Its entries.
    pub count: u64,
    /// First byte of the comment behind the end record.
    pub comment: u64,
    /// Bytes of the comment.
    pub comment_size: u64,
}

/// Finds the central directory.
///
/// Of several end records the last that leads to a central directory is taken; bytes behind it are none of ours.
pub(super) fn locate(source: &Source) -> Result<Located, ArchiveError> {
    // A zip64 record and its locator stand in front of the end record.
    let before = (LOCATOR64_SIZE + END64_SIZE) as u64;
    let window_start = source.len().saturating_sub(TAIL + before);
    let window = source.read_up_to(window_start, TAIL + before)?;
    let mut fault = None;
    let mut search = window.len().saturating_sub(END_SIZE - END.len());
    while let Some(position) = rfind(&window[..search], END) {
        match examine(source, &window, window_start, position)? {
            Ok(located) => return Ok(located),
            Err(new) => fault = fault.or(Some(new)),
        }
        search = position + END.len() - 1;
    }
    let path = source.path().to_path_buf();
    Err(match fault {
        Some(fault) => ArchiveError::Directory { path, fault },
        None => ArchiveError::NotAZip { path },
    })
}

fn rfind(bytes: &[u8], needle: [u8; 4]) -> Option<usize> {
    bytes
        .windows(needle.len())
        .rposition(|window| window == needle)
}

/// The central directory that the end record at `window[position..]` leads to.
fn examine(
    source: &Source,
    window: &[u8],
    window_start: u64,
    position: usize,
) -> Result<Result<Located, DirectoryFault>, ArchiveError> {
    let record = &window[position..];
    let (disk, count, size, offset) = (
        u16_at(record, 4),
        u64::from(u16_at(record, 10)),
        u64::from(u32_at(record, 12)),
        u64::from(u32_at(record, 16)),
    );
    let comment = window_start + (position + END_SIZE) as u64;
    // Cut off at the end of the file, as Python does.
    let comment_size = u64::from(u16_at(record, 20)).min(source.len() - comment);
    let zip64 = match zip64(source, window, window_start, position)? {
        Ok(zip64) => zip64,
        Err(fault) => return Ok(Err(fault)),
    };
    let (directory_end, count, size, offset) = match zip64 {
        None => {
            if disk != 0 {
                return Ok(Err(DirectoryFault::Split));
            }
            (window_start + position as u64, count, size, offset)
        }
        Some(Zip64 {
            at,
            count: count64,
            size: size64,
            offset: offset64,
        }) => {
            let agree = (count == 0xffff || count == count64)
                && (size == 0xffff_ffff || size == size64)
                && (offset == 0xffff_ffff || offset == offset64);
            if !agree {
                return Ok(Err(DirectoryFault::Zip64));
            }
            (at, count64, size64, offset64)
        }
    };
    let Some(start) = directory_end.checked_sub(size) else {
        return Ok(Err(DirectoryFault::BeforeStart));
    };
    let Some(shift) = start.checked_sub(offset) else {
        return Ok(Err(DirectoryFault::BehindItself));
    };
    if size > MOST {
        return Ok(Err(DirectoryFault::TooLarge {
            found: size,
            limit: MOST,
        }));
    }
    if size > 0 {
        let first = source.read_up_to(start, 4)?;
        if first != CENTRAL {
            return Ok(Err(DirectoryFault::Header { index: 0, count }));
        }
    }
    Ok(Ok(Located {
        start,
        size,
        shift,
        count,
        comment,
        comment_size,
    }))
}

/// What a zip64 end record says.
struct Zip64 {
    at: u64,
    count: u64,
    size: u64,
    offset: u64,
}

/// The zip64 end record that belongs to the end record at `window[position..]`, when it has a locator.
fn zip64(
    source: &Source,
    window: &[u8],
    window_start: u64,
    position: usize,
) -> Result<Result<Option<Zip64>, DirectoryFault>, ArchiveError> {
    let Some(locator) = position.checked_sub(LOCATOR64_SIZE) else {
        return Ok(Ok(None));
    };
    if window[locator..locator + 4] != LOCATOR64 {
        return Ok(Ok(None));
    }
    let locator_at = window_start + locator as u64;
    // It normally stands right in front of its locator, whatever prefix the file has got; one with extensions is
    // longer and is found by its offset.
    let adjacent = locator_at.checked_sub(END64_SIZE as u64);
    let stated = Some(u64_at(window, locator + 8));
    for at in [adjacent, stated].into_iter().flatten() {
        let record = source.read_up_to(at, END64_SIZE as u64)?;
        if record.len() < END64_SIZE || record[..4] != END64 {
            continue;
        }
        // Its own size leaves out the first 12 bytes (APPNOTE 4.3.14.1).
        if at
            .checked_add(12)
            .and_then(|end| end.checked_add(u64_at(&record, 4)))
            != Some(locator_at)
        {
            continue;
        }
        if u32_at(&record, 16) != 0 || u32_at(&record, 20) != 0 {
            return Ok(Err(DirectoryFault::Split));
        }
        return Ok(Ok(Some(Zip64 {
            at,
            count: u64_at(&record, 32),
            size: u64_at(&record, 40),
            offset: u64_at(&record, 48),
        })));
    }
    Ok(Err(DirectoryFault::Zip64))
}

/// One header of a central directory, as it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Header<'a> {
    /// The whole record.
    pub record: &'a [u8],
    /// The name, not decoded.
    pub name: &'a [u8],
    /// The extra fields.
    pub extra: &'a [u8],
}

/// Walks the headers of a central directory; an `Err` ends it.
pub(crate) fn headers(
    directory: &[u8],
    count: u64,
) -> impl Iterator<Item = Result<Header<'_>, DirectoryFault>> {
    let mut rest = directory;
    let mut index = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let header = split_header(rest);
        let fault = DirectoryFault::Header { index, count };
        index += 1;
        match header {
            Some(header) => {
                rest = &rest[header.record.len()..];
                Some(Ok(header))
            }
            None => {
                rest = &[];
                Some(Err(fault))
            }
        }
    })
}

fn split_header(rest: &[u8]) -> Option<Header<'_>> {
    if rest.len() < CENTRAL_SIZE || rest[..4] != CENTRAL {
        return None;
    }
    let name = usize::from(u16_at(rest, 28));
    let extra = usize::from(u16_at(rest, 30));
    let comment = usize::from(u16_at(rest, 32));
    let record = rest.get(..CENTRAL_SIZE + name + extra + comment)?;
    Some(Header {
        record,
        name: &record[CENTRAL_SIZE..CENTRAL_SIZE + name],
        extra: &record[CENTRAL_SIZE + name..CENTRAL_SIZE + name + extra],
    })
}

/// The data of the extra field with this tag (APPNOTE 4.5.1).
pub(crate) fn extra_field(mut extra: &[u8], tag: u16) -> Option<&[u8]> {
    while extra.len() >= 4 {
        let data = extra.get(4..4 + usize::from(u16_at(extra, 2)))?;
        if u16_at(extra, 0) == tag {
            return Some(data);
        }
        extra = &extra[4 + data.len()..];
    }
    None
}

/// Sizes and offset of a header, from its zip64 field where they do not fit (APPNOTE 4.5.3). Offset as stored.
pub(crate) fn extent(header: &Header<'_>, index: u64) -> Result<(u64, u64, u64), DirectoryFault> {
    let mut compressed = u64::from(u32_at(header.record, 20));
    let mut size = u64::from(u32_at(header.record, 24));
    let mut offset = u64::from(u32_at(header.record, 42));
    const ELSEWHERE: u64 = 0xffff_ffff;
    if compressed == ELSEWHERE || size == ELSEWHERE || offset == ELSEWHERE {
        let mut field = extra_field(header.extra, ZIP64_FIELD).unwrap_or(&[]);
        // Only values that do not fit are there, in this order.
        for value in [&mut size, &mut compressed, &mut offset] {
            if *value == ELSEWHERE {
                if field.len() < 8 {
                    return Err(DirectoryFault::Zip64Field { index });
                }
                *value = u64_at(field, 0);
                field = &field[8..];
            }
        }
    }
    Ok((compressed, size, offset))
}

/// Reads every entry, in the order of the directory, and checks that each lies where one can.
pub(super) fn parse(
    source: &Source,
    located: &Located,
    directory: &[u8],
) -> Result<Vec<Entry>, ArchiveError> {
    let damaged = |fault| ArchiveError::Directory {
        path: source.path().to_path_buf(),
        fault,
    };
    // The count is a promise: never reserve more than the bytes can hold.
    let most = directory.len() / CENTRAL_SIZE;
    let mut entries = Vec::with_capacity(usize::try_from(located.count).unwrap_or(most).min(most));
    for (index, header) in headers(directory, located.count).enumerate() {
        let header = header.map_err(damaged)?;
        let record = header.record;
        let flags = u16_at(record, 8);
        let name = names::decode(header.name, flags)
            .map_err(|fault| source.member(&String::from_utf8_lossy(header.name), fault))?;
        let (compressed_size, size, offset) = extent(&header, index as u64).map_err(damaged)?;
        let header_offset = offset
            .checked_add(located.shift)
            .filter(|offset| *offset < located.start);
        let Some(header_offset) = header_offset else {
            return Err(source.member(&name, MemberFault::Bounds));
        };
        entries.push(Entry {
            name,
            header_offset,
            compressed_size,
            size,
            crc32: u32_at(record, 16),
            method: u16_at(record, 10),
            flags,
            unix_mode: u32_at(record, 38) >> 16,
        });
    }
    if entries.len() as u64 != located.count {
        return Err(damaged(DirectoryFault::Count {
            promised: located.count,
            found: entries.len() as u64,
        }));
    }
    Ok(entries)
}

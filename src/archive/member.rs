//! Members: from the local header to inflated and checked bytes.

use std::cell::RefCell;
use std::io::Write;

use libdeflater::{Crc, DecompressionError, Decompressor};

use super::buffer::Buffer;
use super::bytes::{u16_at, u32_at};
use super::layout::{DEFLATED, LOCAL_SIZE, STORED};
use super::names;
use super::source::Source;
use super::{ArchiveError, Entry, MemberFault};

/// Signature of a local header (APPNOTE 4.3.7).
pub(crate) const LOCAL: [u8; 4] = *b"PK\x03\x04";

/// Up to this size a member is inflated in one go, which is twice as fast as streaming; above it memory stays bounded
/// by [`CHUNK`].
const ONE_SHOT: u64 = 8 << 20;

/// Bytes that are read and inflated at once when streaming.
const CHUNK: usize = 128 << 10;

thread_local! {
    /// Its tables are worth keeping: most members are smaller than they are. So is the memory for stored bytes.
    static DECOMPRESSOR: RefCell<(Decompressor, Buffer)> = RefCell::new((Decompressor::new(), Buffer::default()));
}

/// A member's bytes, not larger than can be held.
pub(super) fn read(source: &Source, entry: &Entry) -> Result<Vec<u8>, ArchiveError> {
    check_readable(source, entry)?;
    if entry.size.max(entry.compressed_size) <= ONE_SHOT {
        let mut buffer = Buffer::default();
        read_at_once(source, entry, &mut buffer)?;
        return Ok(buffer.into_vec());
    }
    let mut bytes = Vec::new();
    stream(source, entry, &mut bytes)?;
    Ok(bytes)
}

/// A member's bytes, held with those that are stored.
pub(super) fn read_into(
    source: &Source,
    entry: &Entry,
    buffer: &mut Buffer,
) -> Result<(), ArchiveError> {
    check_readable(source, entry)?;
    read_at_once(source, entry, buffer)
}

/// Writes a member's bytes to `out`.
pub(super) fn copy(
    source: &Source,
    entry: &Entry,
    out: &mut dyn Write,
) -> Result<(), ArchiveError> {
    check_readable(source, entry)?;
    if entry.size.max(entry.compressed_size) <= ONE_SHOT {
        let mut buffer = Buffer::default();
        read_at_once(source, entry, &mut buffer)?;
        return out.write_all(buffer.bytes()).map_err(ArchiveError::Output);
    }
    stream(source, entry, out)
}

/// Where the member's compressed bytes begin, by its own header.
pub(super) fn data_offset(source: &Source, entry: &Entry) -> Result<u64, ArchiveError> {
    let head = source.read_up_to(entry.header_offset, LOCAL_SIZE + entry.name.len() as u64)?;
    check_local(source, entry, &head)
}

fn check_readable(source: &Source, entry: &Entry) -> Result<(), ArchiveError> {
    if entry.is_encrypted() {
        return Err(source.member(&entry.name, MemberFault::Encrypted));
    }
    match entry.method {
        STORED | DEFLATED => Ok(()),
        method => Err(source.member(&entry.name, MemberFault::Method(method))),
    }
}

/// Checks the local header at the beginning of `head` against the directory and gives the offset of the data behind it.
///
/// `head` holds at least header and name unless the file ends before.
fn check_local(source: &Source, entry: &Entry, head: &[u8]) -> Result<u64, ArchiveError> {
    let fault = |fault| source.member(&entry.name, fault);
    let differs = |what| Err(fault(MemberFault::LocalDiffers { what }));
    if head.len() < LOCAL_SIZE as usize || head[..4] != LOCAL {
        return Err(fault(MemberFault::LocalHeader));
    }
    let name_len = usize::from(u16_at(head, 26));
    let extra_len = u16_at(head, 28);
    // A decoded name is never shorter than the stored one, so the stored one is wholly in `head`.
    let name = head
        .get(LOCAL_SIZE as usize..LOCAL_SIZE as usize + name_len)
        .map(|raw| names::decode(raw, entry.flags));
    match name {
        Some(Ok(name)) if name == entry.name => {}
        _ => return differs("name"),
    }
    if u16_at(head, 8) != entry.method {
        return differs("method");
    }
    // With a data descriptor the header may leave them out (APPNOTE 4.4.4, bit 3); with zip64 they are elsewhere.
    if u16_at(head, 6) & (1 << 3) == 0 {
        if u32_at(head, 14) != entry.crc32 {
            return differs("CRC-32");
        }
        for (at, value) in [(18, entry.compressed_size), (22, entry.size)] {
            let stated = u32_at(head, at);
            if stated != u32::MAX && u64::from(stated) != value {
                return differs("size");
            }
        }
    }
    Ok(entry.header_offset + LOCAL_SIZE + name_len as u64 + u64::from(extra_len))
}

/// Reads header and data in one go and inflates them in one.
fn read_at_once(source: &Source, entry: &Entry, buffer: &mut Buffer) -> Result<(), ArchiveError> {
    if entry.method == STORED {
        read_stored(source, entry, buffer)?;
    } else {
        DECOMPRESSOR.with_borrow_mut(|(inflate, stored)| {
            read_stored(source, entry, stored)?;
            let result = inflate_at_once(source, entry, inflate, stored.bytes(), buffer);
            if !stored.is_worth_keeping() {
                *stored = Buffer::default();
            }
            result
        })?;
    }
    let mut crc = Crc::new();
    crc.update(buffer.bytes());
    check_crc(source, entry, &crc)
}

/// A member's bytes as they are stored.
fn read_stored(source: &Source, entry: &Entry, buffer: &mut Buffer) -> Result<(), ArchiveError> {
    let guess = LOCAL_SIZE + entry.name.len() as u64 + entry.compressed_size;
    let length = guess.min(source.len().saturating_sub(entry.header_offset));
    // The caller has bounded what is stored.
    let head = buffer.room(length as usize);
    source.read(entry.header_offset, head)?;
    let data_at = check_local(source, entry, head)?;
    let skip = (data_at - entry.header_offset) as usize;
    let compressed = entry.compressed_size as usize;
    // Extra fields are rare: only with them the first read was too short.
    let missing = (skip + compressed).saturating_sub(length as usize);
    if missing > 0 {
        let at = entry.header_offset + length;
        let short = at
            .checked_add(missing as u64)
            .is_none_or(|end| end > source.len());
        if short {
            return Err(source.member(&entry.name, MemberFault::Bounds));
        }
        source.read(at, buffer.extend(missing))?;
    }
    buffer.cut(skip, compressed);
    Ok(())
}

fn inflate_at_once(
    source: &Source,
    entry: &Entry,
    inflate: &mut Decompressor,
    compressed: &[u8],
    buffer: &mut Buffer,
) -> Result<(), ArchiveError> {
    let bytes = buffer.room(entry.size as usize);
    match inflate.deflate_decompress(compressed, bytes) {
        Ok(length) if length == bytes.len() => Ok(()),
        Ok(_) | Err(DecompressionError::InsufficientSpace) => Err(source.member(
            &entry.name,
            MemberFault::Size {
                promised: entry.size,
            },
        )),
        Err(DecompressionError::BadData) => Err(source.member(&entry.name, MemberFault::Inflate)),
    }
}

/// Inflates piece by piece.
fn stream(source: &Source, entry: &Entry, out: &mut dyn Write) -> Result<(), ArchiveError> {
    let start = data_offset(source, entry)?;
    if start
        .checked_add(entry.compressed_size)
        .is_none_or(|end| end > source.len())
    {
        return Err(source.member(&entry.name, MemberFault::Bounds));
    }
    let mut input = Pieces {
        source,
        at: start,
        left: entry.compressed_size,
        buffer: vec![0; CHUNK],
    };
    let mut output = Checked {
        source,
        entry,
        crc: Crc::new(),
        length: 0,
        out,
    };
    if entry.method == STORED {
        while let Some(piece) = input.next()? {
            output.write(piece)?;
        }
    } else {
        inflate_pieces(&mut input, &mut output)?;
    }
    output.finish()
}

fn inflate_pieces(input: &mut Pieces<'_>, output: &mut Checked<'_>) -> Result<(), ArchiveError> {
    let (source, entry) = (output.source, output.entry);
    let damaged = || source.member(&entry.name, MemberFault::Inflate);
    let mut inflate = flate2::Decompress::new(false);
    let mut buffer = vec![0; CHUNK];
    while let Some(mut piece) = input.next()? {
        loop {
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let status = inflate
                .decompress(piece, &mut buffer, flate2::FlushDecompress::None)
                .map_err(|_| damaged())?;
            let taken = (inflate.total_in() - before_in) as usize;
            let made = (inflate.total_out() - before_out) as usize;
            output.write(&buffer[..made])?;
            piece = &piece[taken..];
            if status == flate2::Status::StreamEnd {
                return Ok(());
            }
            if made < buffer.len() && piece.is_empty() {
                break;
            }
            if taken == 0 && made == 0 {
                return Err(damaged());
            }
        }
    }
    // The bytes ended before the stream did.
    Err(damaged())
}

/// A stretch of a source, piece by piece.
struct Pieces<'a> {
    source: &'a Source,
    at: u64,
    left: u64,
    buffer: Vec<u8>,
}

impl Pieces<'_> {
    fn next(&mut self) -> Result<Option<&[u8]>, ArchiveError> {
        let length = self.left.min(self.buffer.len() as u64);
        if length == 0 {
            return Ok(None);
        }
        let piece = &mut self.buffer[..length as usize];
        self.source.read(self.at, piece)?;
        self.at += length;
        self.left -= length;
        Ok(Some(piece))
    }
}

/// An output that never takes more than was promised and knows its CRC-32.
struct Checked<'a> {
    source: &'a Source,
    entry: &'a Entry,
    crc: Crc,
    length: u64,
    out: &'a mut dyn Write,
}

impl Checked<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.length += bytes.len() as u64;
        if self.length > self.entry.size {
            return Err(self.wrong_size());
        }
        self.crc.update(bytes);
        self.out.write_all(bytes).map_err(ArchiveError::Output)
    }

    fn finish(self) -> Result<(), ArchiveError> {
        if self.length != self.entry.size {
            return Err(self.wrong_size());
        }
        check_crc(self.source, self.entry, &self.crc)
    }

    fn wrong_size(&self) -> ArchiveError {
        self.source.member(
            &self.entry.name,
            MemberFault::Size {
                promised: self.entry.size,
            },
        )
    }
}

fn check_crc(source: &Source, entry: &Entry, crc: &Crc) -> Result<(), ArchiveError> {
    let found = crc.sum();
    if found == entry.crc32 {
        Ok(())
    } else {
        Err(source.member(
            &entry.name,
            MemberFault::Crc {
                promised: entry.crc32,
                found,
            },
        ))
    }
}

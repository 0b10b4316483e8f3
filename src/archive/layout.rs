//! Where the members of an archive lie, and how much each can hold: what a directory must not claim.

use super::source::Source;
use super::{ArchiveError, Entry, MemberFault};

/// Bytes of a local header without name and extra fields (APPNOTE 4.3.7).
pub(super) const LOCAL_SIZE: u64 = 30;

/// Stored (APPNOTE 4.4.5).
pub(super) const STORED: u16 = 0;
/// Deflate (APPNOTE 4.4.5).
pub(super) const DEFLATED: u16 = 8;

/// The most that deflate makes of one byte: 258 bytes are two bits at best (RFC 1951, 3.2.5).
const DEFLATE_RATIO: u64 = 1032;

/// Checks that every member ends before `end`, shares no byte with another and promises no more than it can hold.
pub(super) fn check(source: &Source, entries: &[Entry], end: u64) -> Result<(), ArchiveError> {
    for entry in entries {
        let fault = |fault| Err(source.member(&entry.name, fault));
        if least_end(entry).is_none_or(|least| least > end) {
            return fault(MemberFault::Bounds);
        }
        let (compressed, size) = (entry.compressed_size, entry.size);
        match entry.method {
            STORED if compressed != size && !entry.is_encrypted() => {
                return fault(MemberFault::StoredSize { compressed, size });
            }
            DEFLATED if size > compressed.saturating_mul(DEFLATE_RATIO) => {
                return fault(MemberFault::Bomb { compressed, size });
            }
            _ => {}
        }
    }
    // Packagers write the directory in the order of the members; sort only when one did not.
    if entries.is_sorted_by_key(|entry| entry.header_offset) {
        check_neighbours(source, entries.iter())
    } else {
        let mut by_offset: Vec<&Entry> = entries.iter().collect();
        by_offset.sort_by_key(|entry| entry.header_offset);
        check_neighbours(source, by_offset.into_iter())
    }
}

fn check_neighbours<'e>(
    source: &Source,
    mut entries: impl Iterator<Item = &'e Entry>,
) -> Result<(), ArchiveError> {
    let Some(mut before) = entries.next() else {
        return Ok(());
    };
    for entry in entries {
        if least_end(before).is_none_or(|end| entry.header_offset < end) {
            return Err(source.member(
                &entry.name,
                MemberFault::Overlap {
                    other: before.name.clone(),
                },
            ));
        }
        before = entry;
    }
    Ok(())
}

/// The first byte that can belong to what follows the member: names and extra fields are known only to its own header.
fn least_end(entry: &Entry) -> Option<u64> {
    entry
        .header_offset
        .checked_add(LOCAL_SIZE)?
        .checked_add(entry.compressed_size)
}

//! Scripts of a wheel: those that it brings, with their shebang line made neutral, and those made for its entry points.

use super::metadata::Metadata;
use super::{Files, STASH, Source, TEXT, UnpackError, damaged};
use crate::archive::{Archive, ArchiveError, Entry};
use crate::packaging::record::Row;
use crate::packaging::scripts::{self, HEAD, Shebang};
use crate::pex::PexError;

/// A Python script with `#!python` for its first line; `None` for anything else, which stays as it is.
pub(super) fn rewrite(wheel: &Archive, entry: &Entry) -> Result<Option<Vec<u8>>, UnpackError> {
    if !scripts::is_python_script(&head(wheel, entry)?) {
        return Ok(None);
    }
    let bytes = wheel.read(entry, TEXT)?;
    Ok(scripts::rewritten(&bytes, &Shebang::neutral()))
}

/// Makes `.prefix/bin/NAME` for every console script and gui script that is not there.
pub(super) fn entry_points(
    wheel: &Archive,
    metadata: &Metadata,
    files: &mut Files<'_>,
    rows: &mut Vec<Row>,
    fail: &dyn Fn(String) -> UnpackError,
) -> Result<(), UnpackError> {
    for script in metadata.scripts.all() {
        let name = script.path().map_err(|error| fail(damaged(&error)))?;
        let path = format!("{STASH}/bin/{name}");
        let source = files.entry(path.clone()).or_insert_with(|| {
            Source::Made(scripts::text(&script.entry, &Shebang::neutral()), true)
        });
        rows.push(match source {
            Source::Made(bytes, _) => Row::of_bytes(&path, bytes),
            Source::Member(entry) => Row::of_bytes(&path, &wheel.read(entry, TEXT)?),
        });
    }
    Ok(())
}

/// The first bytes of a member.
fn head(wheel: &Archive, entry: &Entry) -> Result<Vec<u8>, UnpackError> {
    if entry.size <= super::item::WHOLE {
        let mut bytes = wheel.read(entry, super::item::WHOLE)?;
        bytes.truncate(HEAD);
        return Ok(bytes);
    }
    let mut head = Head(Vec::new());
    match wheel.copy(entry, &mut head) {
        Ok(()) | Err(ArchiveError::Output(_)) => Ok(head.0),
        Err(error) => Err(UnpackError::Pex(PexError::Archive(error))),
    }
}

/// Takes what fits, then fails, which ends the copying.
struct Head(Vec<u8>);

impl std::io::Write for Head {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let room = HEAD.saturating_sub(self.0.len()).min(bytes.len());
        if room == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(&bytes[..room]);
        Ok(room)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

//! As much of an executable's ELF header as decides tags and identity: machine, loader, build id.
//!
//! Reads a few hundred bytes of a file and believes none of them: what does not add up is no ELF.

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// What is known of an ELF file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Elf {
    /// Whether it is of class 32.
    pub(super) narrow: bool,
    /// `e_machine`.
    pub(super) machine: u16,
    /// `e_flags`.
    pub(super) flags: u32,
    /// The loader it asks for (`PT_INTERP`).
    pub(super) loader: Option<Vec<u8>>,
    /// Its build id (`NT_GNU_BUILD_ID`).
    pub(super) build_id: Option<Vec<u8>>,
}

const PT_INTERP: u32 = 3;
const PT_NOTE: u32 = 4;
const NT_GNU_BUILD_ID: u32 = 3;
/// More program headers than any real file has.
const MAX_HEADERS: u16 = 128;
/// Loader paths and note segments are far smaller.
const MAX_SEGMENT: u64 = 16 * 1024;

impl Elf {
    /// Reads the headers of the file at `path`; `None` for what is not a little-endian ELF or cannot be read.
    pub(super) fn read(path: &Path) -> Option<Elf> {
        let file = Image::open(path)?;
        let header = file.bytes(0, 52)?;
        // Magic, class, little-endian: no big-endian machine is a target.
        if header.get(..4)? != b"\x7fELF" || header.get(5)? != &1 {
            return None;
        }
        let narrow = match header.get(4)? {
            1 => true,
            2 => false,
            _ => return None,
        };
        let header = if narrow { header } else { file.bytes(0, 64)? };
        let (table, flags_at) = if narrow {
            (u64::from(u32_at(&header, 28)?), 36)
        } else {
            (u64_at(&header, 32)?, 48)
        };
        let size = u16_at(&header, flags_at + 6)?;
        let count = u16_at(&header, flags_at + 8)?;
        let mut elf = Elf {
            narrow,
            machine: u16_at(&header, 18)?,
            flags: u32_at(&header, flags_at)?,
            ..Elf::default()
        };
        if count > MAX_HEADERS || usize::from(size) < if narrow { 32 } else { 56 } {
            return None;
        }
        for index in 0..u64::from(count) {
            let at = table.checked_add(index * u64::from(size))?;
            let entry = file.bytes(at, u64::from(size))?;
            let (offset, length) = if narrow {
                (
                    u64::from(u32_at(&entry, 4)?),
                    u64::from(u32_at(&entry, 16)?),
                )
            } else {
                (u64_at(&entry, 8)?, u64_at(&entry, 32)?)
            };
            match u32_at(&entry, 0)? {
                PT_INTERP => {
                    let path = file.bytes(offset, length)?;
                    elf.loader = Some(
                        path.split(|&byte| byte == 0)
                            .next()
                            .unwrap_or_default()
                            .to_vec(),
                    );
                }
                PT_NOTE if elf.build_id.is_none() => {
                    elf.build_id = file.bytes(offset, length).and_then(build_id);
                }
                _ => {}
            }
        }
        Some(elf)
    }
}

fn build_id(notes: Cow<'_, [u8]>) -> Option<Vec<u8>> {
    let mut notes = &*notes;
    // Name and description are each padded to four bytes.
    let padded = |length: usize| length.checked_add(3).map(|length| length & !3);
    while notes.len() >= 12 {
        let name_size = usize::try_from(u32_at(notes, 0)?).ok()?;
        let size = usize::try_from(u32_at(notes, 4)?).ok()?;
        let kind = u32_at(notes, 8)?;
        let name = notes.get(12..)?.get(..name_size)?;
        let start = padded(name_size)?.checked_add(12)?;
        let description = notes.get(start..)?.get(..size)?;
        if kind == NT_GNU_BUILD_ID && name == b"GNU\0" && !description.is_empty() {
            return Some(description.to_vec());
        }
        notes = notes.get(start.checked_add(padded(size)?)?..)?;
    }
    None
}

/// A file with its beginning read ahead: linkers put all that is asked for there.
struct Image {
    file: File,
    beginning: Vec<u8>,
}

impl Image {
    fn open(path: &Path) -> Option<Image> {
        /// A page.
        const BEGINNING: usize = 4096;
        let file = crate::regular::open(path).ok()?;
        let mut beginning = vec![0; BEGINNING];
        let read = file.read_at(&mut beginning, 0).ok()?;
        beginning.truncate(read);
        Some(Image { file, beginning })
    }

    fn bytes(&self, offset: u64, length: u64) -> Option<Cow<'_, [u8]>> {
        if length > MAX_SEGMENT {
            return None;
        }
        let length = usize::try_from(length).ok()?;
        let ahead = usize::try_from(offset).ok();
        let ahead = ahead.and_then(|offset| self.beginning.get(offset..)?.get(..length));
        if let Some(bytes) = ahead {
            return Some(Cow::Borrowed(bytes));
        }
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, offset).ok()?;
        Some(Cow::Owned(buffer))
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_test_is_an_elf_with_a_loader() {
        let elf = Elf::read(&std::env::current_exe().unwrap()).unwrap();
        assert_eq!(elf.narrow, cfg!(target_pointer_width = "32"));
        if cfg!(target_arch = "x86_64") {
            assert_eq!(elf.machine, 62);
        }
    }

    #[test]
    fn debian_pythons_have_a_build_id() {
        let elf = Elf::read(Path::new("/usr/bin/python3")).unwrap();
        assert_eq!(elf.build_id.unwrap().len(), 20);
        assert!(elf.loader.unwrap().starts_with(b"/lib"));
    }

    #[test]
    fn truncated_and_foreign_files_are_no_elf() {
        let whole = std::fs::read("/usr/bin/python3").unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("elf");
        for length in [0, 3, 16, 51, 63, 64, 100] {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert_eq!(Elf::read(&path), None, "{length} bytes");
        }
        std::fs::write(&path, "#!/bin/sh\n".repeat(20)).unwrap();
        assert_eq!(Elf::read(&path), None);
        assert_eq!(Elf::read(directory.path()), None);
    }
}

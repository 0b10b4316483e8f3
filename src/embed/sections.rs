//! The section headers of an embedded file: what `strip` and its kind copy it by.
//!
//! Such tools write a file anew from its section headers, and lose what no section holds. So everything behind the loaded
//! part of the stub is one section, whose name they all keep; names and headers of the sections stand in the comment of
//! the zip. They lie where GNU `strip` puts them, which therefore changes no byte.
//!
//! ```text
//! [ stub, loaded ][ engine | archive | appendix up to the end record ][ names ][ section headers ]
//!                  .gnu.warning.pexboot                                 zip comment
//! ```

use pexboot_core::seal::SEAL_SIZE;

use crate::archive::bytes::{u16_at, u32_at, u64_at};

/// Its name. GNU binutils, LLVM and elfutils keep what begins with `.gnu.warning.`, loaded or not.
const KEPT: &[u8] = b".gnu.warning.pexboot";

// Fields of an ELF header (System V gABI, chapter 4).
const TABLE: usize = 0x28;
const SIZE: usize = 0x3a;
const COUNT: usize = 0x3c;
const NAMES: usize = 0x3e;
/// Bytes of an ELF header, and of a section header.
const HEADER: usize = 64;

/// `sh_type`: bytes, names, and nothing in the file.
const PROGBITS: u32 = 1;
const STRTAB: u32 = 3;
const NOBITS: u32 = 8;
/// `sh_flags`: loaded.
const ALLOC: u64 = 2;

/// The sections of a stub.
#[derive(Debug)]
pub(super) struct Sections {
    /// Those that are loaded, in their order, with their names.
    loaded: Vec<(Vec<u8>, [u8; HEADER])>,
    /// Where the last of them ends in the file.
    end: usize,
}

impl Sections {
    /// Reads those of `stub`; `None` where it has none.
    pub fn of(stub: &[u8]) -> Option<Sections> {
        let header = stub.get(..HEADER)?;
        if usize::from(u16_at(header, SIZE)) != HEADER {
            return None;
        }
        let at = usize::try_from(u64_at(header, TABLE)).ok()?;
        let (count, names) = (u16_at(header, COUNT), u16_at(header, NAMES));
        let table = stub.get(at..)?.get(..usize::from(count) * HEADER)?;
        let (table, _) = table.as_chunks::<HEADER>();
        let names = stub.get(extent(table.get(usize::from(names))?)?.0..)?;
        let mut loaded = Vec::new();
        let mut end = HEADER + SEAL_SIZE;
        for section in table {
            if u64_at(section, 8) & ALLOC == 0 {
                continue;
            }
            let name = names.get(u32_at(section, 0) as usize..)?;
            let name = name.split(|&byte| byte == 0).next()?;
            loaded.push((name.to_vec(), *section));
            if u32_at(section, 4) != NOBITS {
                end = end.max(extent(section)?.1);
            }
        }
        (end <= stub.len()).then_some(Sections { loaded, end })
    }

    /// Bytes of the stub that are loaded: all that is needed of it.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Names and headers, to stand at `at`, where the file would end.
    pub fn table(&self, at: u64) -> Vec<u8> {
        const STRINGS: &[u8] = b".shstrtab";
        // The first name is empty, and GNU writes that of the names themselves next.
        let mut names = [b"\0", STRINGS, b"\0"].concat();
        let mut named = |name: &[u8]| {
            let place = names.len() as u32;
            names.extend_from_slice(name);
            names.push(0);
            place
        };
        let mut headers = vec![0; HEADER];
        for (name, section) in &self.loaded {
            headers.extend(named(name).to_le_bytes());
            headers.extend(&section[4..]);
        }
        let end = self.end as u64;
        headers.extend(header(named(KEPT), PROGBITS, end, at - end));
        headers.extend(header(1, STRTAB, at, names.len() as u64));
        names.resize(
            names.len() + (at + names.len() as u64).wrapping_neg() as usize % 8,
            0,
        );
        names.extend(headers);
        names
    }

    /// Makes the ELF header at the beginning of a head lead to the table that ends a file of `size` bytes.
    pub fn lead_to(&self, elf: &mut [u8], size: u64) {
        // The empty one in front, and two behind: ours and the names.
        let count = self.loaded.len() as u16 + 3;
        let table = size - u64::from(count) * HEADER as u64;
        elf[TABLE..TABLE + 8].copy_from_slice(&table.to_le_bytes());
        elf[COUNT..COUNT + 2].copy_from_slice(&count.to_le_bytes());
        elf[NAMES..NAMES + 2].copy_from_slice(&(count - 1).to_le_bytes());
    }
}

/// Where a section begins and ends in the file.
fn extent(section: &[u8; HEADER]) -> Option<(usize, usize)> {
    let at = usize::try_from(u64_at(section, 0x18)).ok()?;
    let size = usize::try_from(u64_at(section, 0x20)).ok()?;
    Some((at, at.checked_add(size)?))
}

/// The header of a section that is not loaded.
fn header(name: u32, kind: u32, at: u64, size: u64) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&name.to_le_bytes());
    header[4..8].copy_from_slice(&kind.to_le_bytes());
    header[0x18..0x20].copy_from_slice(&at.to_le_bytes());
    header[0x20..0x28].copy_from_slice(&size.to_le_bytes());
    // Aligned to one byte: it is copied to where it was.
    header[0x30] = 1;
    header
}

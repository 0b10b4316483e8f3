//! What a launch pack holds, for people (`pexboot info`).
//!
//! A pack is made and read by the Python half (`boot/record.py`, `boot/pack.py`): the code objects of the modules that a
//! first start imported, in one file beside the launch plan. This module reads its header and the list of names at its
//! end, and nothing that only Python can.
//!
//! ```text
//!   0  16  "pexboot pack 2\n\0"
//!  16   4  magic number of the Python's bytecode
//!  20   4  length of the head (all numbers little-endian)
//!  24   8  length of the file
//!  32   8  where the names begin
//!  40   8  SipHash of the head (`_imp.source_hash(0, head)`)
//!  48      the head, marshalled: finder, what the pack was made under, blocks, directories, where other blocks lie
//!          the blocks: marshalled code objects, but for those that came with the PEX, which stay where they are
//!          the names: SIZE " " NAME "\n" for each module
//! ```

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

const MAGIC: &[u8; 16] = b"pexboot pack 2\n\0";
/// Bytes in front of the head.
const HEADER: u64 = 48;
/// Most bytes of names that are read.
const NAMES_MAX: u64 = 16 << 20;

/// What is in a launch pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pack {
    /// Bytes of the file.
    pub size: u64,
    /// Each module, with the bytes of its code: 0 for an extension module, of which the pack only tells where it is.
    pub modules: Vec<(String, u64)>,
}

impl Pack {
    /// Reads the pack at `path`; `None` where there is none, or what is there is damaged.
    #[must_use]
    pub fn read(path: &Path) -> Option<Pack> {
        let mut file = crate::regular::open(path).ok()?;
        let mut header = [0; HEADER as usize];
        file.read_exact(&mut header).ok()?;
        let number = |at: usize| {
            let bytes = header.get(at..at + 8)?;
            Some(u64::from_le_bytes(bytes.try_into().ok()?))
        };
        let (size, names) = (number(24)?, number(32)?);
        let there = file.metadata().ok()?.len();
        if !header.starts_with(MAGIC) || size != there || !(HEADER..=size).contains(&names) {
            return None;
        }
        file.seek(SeekFrom::Start(names)).ok()?;
        let mut text = Vec::new();
        file.take(NAMES_MAX).read_to_end(&mut text).ok()?;
        let modules = String::from_utf8_lossy(&text)
            .lines()
            .map(|line| {
                let (size, name) = line.split_once(' ')?;
                Some((name.to_owned(), size.parse().ok()?))
            })
            .collect::<Option<_>>()?;
        Some(Pack { size, modules })
    }
}

#[cfg(test)]
mod tests {
    use super::Pack;

    fn pack(names: &str) -> Vec<u8> {
        let mut bytes = b"pexboot pack 2\n\0MAGI".to_vec();
        bytes.extend(4_u32.to_le_bytes());
        bytes.extend((48 + 4 + 3 + names.len() as u64).to_le_bytes());
        bytes.extend((48 + 4 + 3_u64).to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(b"headabc");
        bytes.extend(names.as_bytes());
        bytes
    }

    #[test]
    fn the_names_are_read_and_damage_is_no_pack() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("pack");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            Pack::read(&path)
        };
        assert_eq!(Pack::read(&path), None);
        let whole = pack("3 one.two\n0 three\n");
        let expect = Pack {
            size: whole.len() as u64,
            modules: vec![("one.two".to_owned(), 3), ("three".to_owned(), 0)],
        };
        assert_eq!(read(&whole), Some(expect));
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), None, "{end}");
        }
        assert_eq!(read(&pack("x one\n")), None);
        let mut far = whole;
        far[39] = 0xff;
        assert_eq!(read(&far), None);
    }
}

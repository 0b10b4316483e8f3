//! The appendix: our entries behind the archive, and one central directory for the whole file.
//!
//! The directory lists every entry of the archive as it was, offsets counted from the start of the file, but for
//! `__main__.py`, the import hook and their compiled twins: the first two are ours now, the twins would win over them.

use std::path::Path;

use pexboot_core::hex::{hex, unhex};

use super::sections::Sections;
use super::{Bytecode, EmbedError};
use crate::archive::directory::{
    CENTRAL, CENTRAL_SIZE, END, END64, END64_SIZE, Header, LOCATOR64, ZIP64_FIELD, extent, headers,
};
use crate::archive::member::LOCAL;
use crate::archive::{Archive, ArchiveError, Seal};
use crate::pex::preamble;

/// Runs under `python app.pex`.
const MAIN: &str = include_str!("main.py");
/// The same for what starts a directory, which has the original beside it.
const STARTER: &str = include_str!("starter.py");
/// The import hook.
const HOOK: &str = include_str!("hook.py");
/// What both need when the file cannot be executed.
const ORIGINAL: &str = include_str!("original.py");

/// Its name: one that begins like the hook's, which is none of user code in any pex (reference 1.4).
const ORIGINAL_NAME: &str = "__pex__original.py";

/// Entries of the archive that the new directory leaves out.
const REPLACED: [&[u8]; 7] = [
    b"__main__.py",
    b"__main__.pyc",
    b"__pex__/__init__.py",
    b"__pex__/__init__.pyc",
    b"__pex__original.py",
    b"__pex__original.pyc",
    preamble::MEMBER.as_bytes(),
];

/// 1980-01-01 00:00 as time and date of MS-DOS (APPNOTE 4.4.6).
const EPOCH: [u8; 4] = [0, 0, 33, 0];

/// Most bytes of what we once wrote ourselves.
const OURS: u64 = 1 << 20;

/// What our Python files know of the file that they are in.
#[derive(Debug)]
pub(super) struct Constants<'a> {
    /// Bytes before the archive.
    pub head: u64,
    /// Bytes of the archive.
    pub archive: u64,
    /// SHA-256 of the archive.
    pub digest: [u8; 32],
    /// PEX-INFO's pex_root, empty when absent.
    pub pex_root: &'a [u8],
    /// Permission bits that embedding has added.
    pub added: u32,
    /// What bytecode was asked for.
    pub compile: &'a str,
}

impl Constants<'_> {
    fn python(&self) -> String {
        let hex = hex(&self.digest);
        // JSON's text literals are Python's too.
        let root = serde_json::Value::from(String::from_utf8_lossy(self.pex_root)).to_string();
        let (head, archive, added) = (self.head, self.archive, self.added);
        let compile = serde_json::Value::from(self.compile).to_string();
        format!(
            "HEAD = {head}\nARCHIVE = {archive}\nDIGEST = \"{hex}\"\nPEX_ROOT = {root}\nADDED = {added}\nCOMPILE = {compile}\n"
        )
    }
}

/// What an earlier embedding has left word of.
#[derive(Debug)]
pub(super) struct Left {
    /// SHA-256 of the archive.
    pub digest: [u8; 32],
    /// Permission bits that were added.
    pub added: u32,
    /// What bytecode was asked for; empty where an early version embedded it.
    pub compile: String,
}

/// What an earlier embedding has left word of.
pub(super) fn left_by(archive: &Archive) -> Result<Option<Left>, ArchiveError> {
    let Some(entry) = archive.find(ORIGINAL_NAME) else {
        return Ok(None);
    };
    let text = archive.read(entry, OURS)?;
    let text = String::from_utf8_lossy(&text);
    let value = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(" = "))
    };
    let digest = value("DIGEST").and_then(|text| unhex(text.trim_matches('"'))?.try_into().ok());
    let added = value("ADDED")
        .and_then(|text| text.parse::<u32>().ok())
        .filter(|bits| bits & !0o111 == 0);
    let compile = value("COMPILE").and_then(|text| serde_json::from_str(text).ok());
    Ok(digest.zip(added).map(|(digest, added)| Left {
        digest,
        added,
        compile: compile.unwrap_or_default(),
    }))
}

/// The appendix of one file.
#[derive(Debug)]
pub(super) struct Appendix {
    /// Its bytes, to stand right behind the archive.
    pub bytes: Vec<u8>,
    /// Entries in its directory.
    count: u64,
}

impl Appendix {
    /// Makes the appendix for `original`, which a head and nothing else will stand before.
    pub fn new(
        original: &Archive,
        constants: &Constants<'_>,
        bytecode: &Bytecode,
        sections: &Sections,
    ) -> Result<Appendix, EmbedError> {
        let (place, directory) = original.raw_directory()?;
        let start = constants.head + constants.archive;
        let mut bytes = Vec::new();
        let mut central = Vec::with_capacity(directory.len() + 512);
        let mut count = 0;
        for (index, header) in headers(&directory, place.count).enumerate() {
            // The archive was opened: its directory has been read without fault.
            let path = || original.path().to_path_buf();
            let damaged = |fault| ArchiveError::Directory {
                path: path(),
                fault,
            };
            let header = header.map_err(damaged)?;
            if REPLACED.contains(&header.name) {
                continue;
            }
            let sizes = extent(&header, index as u64).map_err(damaged)?;
            relocate(
                &header,
                sizes,
                sizes.2 + place.shift + constants.head,
                &mut central,
            );
            count += 1;
        }
        let text = constants.python() + ORIGINAL;
        let preamble = preamble::preamble(original);
        let ours = [
            Ours::new("__main__.py", 0o100_755, MAIN.as_bytes()),
            Ours::new("__pex__/__init__.py", 0o100_644, HOOK.as_bytes()),
            Ours::new(ORIGINAL_NAME, 0o100_644, text.as_bytes()),
        ];
        let preamble = preamble
            .iter()
            .map(|preamble| Ours::new(preamble::MEMBER, 0o100_644, preamble.as_slice()));
        let compiled = bytecode.entries.iter().map(|entry| Ours {
            name: &entry.name,
            mode: 0o100_644,
            data: &entry.content,
            is_packed: entry.is_packed,
        });
        for entry in ours.into_iter().chain(preamble).chain(compiled) {
            entry.add(start, &mut bytes, &mut central);
            count += 1;
        }
        let central_start = start + bytes.len() as u64;
        bytes.extend(&central);
        end(count, central_start, central.len() as u64, &mut bytes);
        comment(&original.comment()?, sections, start, &mut bytes);
        Ok(Appendix { bytes, count })
    }

    /// Reads the finished file back, by our own reader and by `zip`: both must see the same entries at the same places.
    pub fn check(&self, path: &Path, seal: &Seal) -> Result<(), EmbedError> {
        let wrong = |what: String| EmbedError::Check {
            path: path.to_path_buf(),
            what,
        };
        let archive = Archive::open(path)?;
        if archive.seal() != Some(seal) {
            return Err(wrong("the seal does not read back".to_owned()));
        }
        let mut ours: Vec<_> = archive
            .entries()
            .iter()
            .map(|entry| {
                (
                    entry.header_offset,
                    entry.compressed_size,
                    entry.size,
                    entry.crc32,
                )
            })
            .collect();
        if ours.len() as u64 > self.count {
            return Err(wrong(format!(
                "{} entries are there instead of {}",
                ours.len(),
                self.count
            )));
        }
        let mut zip = zip::ZipArchive::new(std::io::BufReader::new(archive.file()))
            .map_err(|error| wrong(format!("another zip reader refuses it: {error}")))?;
        let mut theirs = Vec::with_capacity(zip.len());
        for index in 0..zip.len() {
            let entry = zip
                .by_index_raw(index)
                .map_err(|error| wrong(format!("entry {index} cannot be read: {error}")))?;
            theirs.push((
                entry.header_start(),
                entry.compressed_size(),
                entry.size(),
                entry.crc32(),
            ));
        }
        ours.sort_unstable();
        theirs.sort_unstable();
        if ours != theirs {
            return Err(wrong("two zip readers see different entries".to_owned()));
        }
        Ok(())
    }
}

/// Adds a header as it was, but for the offset.
fn relocate(
    header: &Header<'_>,
    (compressed, size, _): (u64, u64, u64),
    offset: u64,
    central: &mut Vec<u8>,
) {
    const ELSEWHERE: u64 = 0xffff_ffff;
    let field = |value: u64| {
        if value < ELSEWHERE {
            value as u32
        } else {
            u32::MAX
        }
    };
    let mut zip64 = Vec::new();
    for value in [size, compressed, offset] {
        if value >= ELSEWHERE {
            zip64.extend(value.to_le_bytes());
        }
    }
    let mut extra = Vec::with_capacity(header.extra.len() + 28);
    if !zip64.is_empty() {
        extra.extend(ZIP64_FIELD.to_le_bytes());
        extra.extend((zip64.len() as u16).to_le_bytes());
        extra.extend(&zip64);
    }
    extra.extend(without_zip64(header.extra));
    let at = central.len();
    central.extend(header.record);
    let record = &mut central[at..];
    if !zip64.is_empty() {
        // Version needed to extract: 4.5 (APPNOTE 4.4.3.2).
        record[6] = record[6].max(45);
    }
    record[20..24].copy_from_slice(&field(compressed).to_le_bytes());
    record[24..28].copy_from_slice(&field(size).to_le_bytes());
    record[42..46].copy_from_slice(&field(offset).to_le_bytes());
    if extra != header.extra {
        record[30..32].copy_from_slice(&(extra.len() as u16).to_le_bytes());
        let start = at + CENTRAL_SIZE + header.name.len();
        central.splice(start..start + header.extra.len(), extra);
    }
}

/// Extra fields but the zip64 one; what is no proper field stays as it is.
fn without_zip64(mut extra: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(extra.len());
    while extra.len() >= 4 {
        let length = 4 + usize::from(u16::from_le_bytes([extra[2], extra[3]]));
        let Some(field) = extra.get(..length) else {
            break;
        };
        if u16::from_le_bytes([field[0], field[1]]) != ZIP64_FIELD {
            kept.extend(field);
        }
        extra = &extra[length..];
    }
    kept.extend(extra);
    kept
}

/// The zip behind the head of a directory's `pex`, which begins at `start`.
pub(super) fn starter(start: u64, sections: &Sections) -> Vec<u8> {
    let (mut bytes, mut central) = (Vec::new(), Vec::new());
    let members = [
        ("__main__.py", STARTER),
        ("__pex__main.py", MAIN),
        (ORIGINAL_NAME, STARTER),
    ];
    for (name, text) in members {
        Ours::new(name, 0o100_644, text.as_bytes()).add(start, &mut bytes, &mut central);
    }
    let (place, size) = (start + bytes.len() as u64, central.len() as u64);
    bytes.extend(central);
    end(members.len() as u64, place, size, &mut bytes);
    comment(&[], sections, start, &mut bytes);
    bytes
}

/// An entry of ours.
struct Ours<'a> {
    name: &'a str,
    mode: u32,
    data: &'a [u8],
    /// Whether it is stored as it is.
    is_packed: bool,
}

impl<'a> Ours<'a> {
    fn new(name: &'a str, mode: u32, data: &'a [u8]) -> Ours<'a> {
        Ours {
            name,
            mode,
            data,
            is_packed: false,
        }
    }

    /// Adds local header and data to `bytes`, which begin at `start` in the file, and the entry's header to `central`.
    fn add(&self, start: u64, bytes: &mut Vec<u8>, central: &mut Vec<u8>) {
        /// Compression methods (APPNOTE 4.4.5).
        const STORED: [u8; 2] = [0, 0];
        const DEFLATED: [u8; 2] = [8, 0];
        let Ours {
            name, mode, data, ..
        } = *self;
        let offset = start + bytes.len() as u64;
        let deflated;
        let (method, packed) = if self.is_packed {
            (STORED, data)
        } else {
            deflated = deflate(data);
            (DEFLATED, deflated.as_slice())
        };

        let mut common = [[0, 0], method].concat();
        common.extend(EPOCH);
        common.extend(libdeflater::crc32(data).to_le_bytes());
        common.extend((packed.len() as u32).to_le_bytes());
        common.extend((data.len() as u32).to_le_bytes());
        common.extend((name.len() as u16).to_le_bytes());

        bytes.extend(LOCAL);
        bytes.extend([20, 0]);
        bytes.extend(&common);
        bytes.extend([0; 2]);
        bytes.extend(name.as_bytes());
        bytes.extend(packed);

        let at = central.len();
        central.extend(CENTRAL);
        // Made on Unix (APPNOTE 4.4.2.1), which gives the mode its meaning.
        central.extend([20, 3, 20, 0]);
        central.extend(&common);
        central.extend([0; 8]);
        central.extend((mode << 16).to_le_bytes());
        central.extend([0; 4]);
        central.extend(name.as_bytes());
        let record = central[at..].to_vec();
        central.truncate(at);
        let header = Header {
            record: &record,
            name: name.as_bytes(),
            extra: &[],
        };
        relocate(
            &header,
            (packed.len() as u64, data.len() as u64, 0),
            offset,
            central,
        );
    }
}

fn deflate(data: &[u8]) -> Vec<u8> {
    let mut deflate = libdeflater::Compressor::new(libdeflater::CompressionLvl::best());
    let mut packed = vec![0; deflate.deflate_compress_bound(data.len())];
    // The buffer has room for anything: it was asked for its bound.
    let length = deflate
        .deflate_compress(data, &mut packed)
        .expect("the bound is enough");
    packed.truncate(length);
    packed
}

/// Adds the end record without a comment, with a zip64 one before it only where it is needed: Python's `zipimport` reads
/// that from 3.13 on.
fn end(count: u64, start: u64, size: u64, bytes: &mut Vec<u8>) {
    let fits = count < 0xffff && start < 0xffff_ffff && size < 0xffff_ffff;
    if !fits {
        bytes.extend(END64);
        bytes.extend((END64_SIZE as u64 - 12).to_le_bytes());
        bytes.extend([45, 3, 45, 0]);
        bytes.extend([0; 8]);
        for value in [count, count, size, start] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(LOCATOR64);
        bytes.extend([0; 4]);
        bytes.extend((start + size).to_le_bytes());
        bytes.extend(1u32.to_le_bytes());
    }
    let short = u16::try_from(count).unwrap_or(u16::MAX);
    let long = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    bytes.extend(END);
    bytes.extend([0; 4]);
    bytes.extend(short.to_le_bytes());
    bytes.extend(short.to_le_bytes());
    bytes.extend(long(size).to_le_bytes());
    bytes.extend(long(start).to_le_bytes());
    bytes.extend([0; 2]);
}

/// Adds the comment to the end record that `bytes`, which begin at `start` in the file, end with: that of the original, and
/// the section headers. What does not fit of the original's is left out.
fn comment(original: &[u8], sections: &Sections, start: u64, bytes: &mut Vec<u8>) {
    const MOST: usize = 0xffff;
    let from = bytes.len();
    // Their length changes by less than eight with the place.
    let room = MOST.saturating_sub(sections.table(start + from as u64).len() + 8);
    bytes.extend(&original[..original.len().min(room)]);
    bytes.extend(sections.table(start + bytes.len() as u64));
    let length = (bytes.len() - from) as u16;
    bytes[from - 2..from].copy_from_slice(&length.to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::archive::directory::extra_field;

    const FAR: u64 = 5 << 30;

    /// The one header that `offset` and the extra fields `extra` come to.
    fn relocated(sizes: (u64, u64), offset: u64, extra: &[u8]) -> Vec<u8> {
        let name = b"name";
        let mut record = CENTRAL.to_vec();
        record.resize(CENTRAL_SIZE, 0);
        record[28] = name.len() as u8;
        record[30] = extra.len() as u8;
        record.extend(name);
        record.extend(extra);
        let header = Header {
            record: &record,
            name,
            extra,
        };
        let mut central = Vec::new();
        relocate(&header, (sizes.0, sizes.1, 0), offset, &mut central);
        central
    }

    #[test]
    fn what_does_not_fit_goes_to_a_zip64_field() {
        let other = [0x55, 0x54, 1, 0, 9];
        // An old field with an offset that no longer holds.
        let old = [&[1, 0, 8, 0, 7, 7, 7, 7, 7, 7, 7, 7][..], &other].concat();
        for extra in [&[][..], &other, &old] {
            for (compressed, size, offset) in [
                (1, 2, 3),
                (1, 2, FAR),
                (1, FAR, 3),
                (FAR, FAR, FAR),
                (1, 2, 0xffff_ffff),
            ] {
                let central = relocated((compressed, size), offset, extra);
                let found: Vec<_> = headers(&central, 1).collect::<Result<_, _>>().unwrap();
                assert_eq!(found.len(), 1);
                assert_eq!(extent(&found[0], 0), Ok((compressed, size, offset)));
                assert_eq!(found[0].name, b"name");
                let far = [compressed, size, offset]
                    .iter()
                    .any(|value| *value >= 0xffff_ffff);
                assert_eq!(extra_field(found[0].extra, ZIP64_FIELD).is_some(), far);
                assert_eq!(
                    extra_field(found[0].extra, 0x5455).is_some(),
                    !extra.is_empty()
                );
            }
        }
    }

    #[test]
    fn a_directory_behind_four_gigabytes_has_a_zip64_end_record() {
        for (count, start, zip64) in [
            (1, 100, false),
            (0xfffe, 100, false),
            (0xffff, 100, true),
            (1, FAR, true),
        ] {
            let mut bytes = Vec::new();
            end(count, start, 46, &mut bytes);
            assert_eq!(bytes.starts_with(&END64), zip64);
            assert_eq!(bytes.len(), 22 + if zip64 { 76 } else { 0 });
        }
    }

    #[test]
    fn text_for_python_is_quoted() {
        let constants = Constants {
            head: 1,
            archive: 2,
            digest: [0xab; 32],
            pex_root: "~/\"\\ü".as_bytes(),
            added: 0o111,
            compile: "all a\"b",
        };
        let hex = "ab".repeat(32);
        let expect = format!(
            "HEAD = 1\nARCHIVE = 2\nDIGEST = \"{hex}\"\nPEX_ROOT = \"~/\\\"\\\\ü\"\nADDED = 73\nCOMPILE = \"all a\\\"b\"\n"
        );
        assert_eq!(constants.python(), expect);
    }
}

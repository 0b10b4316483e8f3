//! Bytecode that an embedded file brings along (`pexboot embed`).
//!
//! It lies in the appendix, four entries for one interpreter, under names that are none of user code in any pex (reference
//! 1.4). TAG is cache tag and magic number, `cpython-311-a70d0d0a`:
//!
//! ```text
//! __pex__bytecode/index        "pexboot bytecode 3\n", then SHA256 " " NAME "\0" of each entry below
//! __pex__bytecode/TAG/boot     a checksum of our own sources, then of each LENGTH, four bytes little-endian, and its code
//! __pex__bytecode/TAG/names    LENGTH " " MODULE "\0" of each module: wheels/NAME.whl/a/b.py, code/c.py
//! __pex__bytecode/TAG/modules  their code as `marshal` writes it, end to end, in frames
//! ```
//!
//! A frame is two little-endian `u32`, the bytes behind them and the bytes that these come to, and a Zstandard frame (RFC
//! 8878) of at most [`FRAME_MAX`] bytes of content: all modules share one dictionary that way, which halves them, and
//! memory stays bounded.
//!
//! The seal commits to the index, the index to the entries. A first start writes the modules into one
//! file, `bytecode/DIGEST-TAG/modules` of the root, named by the index's digest, so that it can serve this very file and
//! no other, whatever is in it; and beside its plan where Python will look for each source (`shipped`). The finder of the
//! launch pack (`boot/pack.py`) gives an import its module from there. So wheels and sites are as without bytecode, none of
//! it ever gets into one, and nothing is written for each module. It is not checked against the source when it is imported
//! (as PEP 552, unchecked): the seal has tied both.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use pexboot_core::hex::unhex;
use sha2::{Digest as _, Sha256};

use super::{UnpackError, hex};
use crate::archive::{Archive, ArchiveError};
use crate::boot::{self, Compiled, Py};
use crate::interpreter::{Boots, Record};
use crate::pex::Pex;
use crate::store::{Kind, Store, StoreError, Tree};

/// What the names of all its entries begin with.
pub const PREFIX: &str = "__pex__bytecode/";
/// The name of the index below [`PREFIX`].
pub const INDEX: &str = "index";
/// What the index begins with.
pub const MAGIC: &[u8] = b"pexboot bytecode 3\n";
/// The entry with the boot and what belongs to it, below an interpreter's tag.
pub const BOOT: &str = "boot";
/// The entry with the names of an interpreter's modules, below its tag.
pub const NAMES: &str = "names";
/// The entry with the modules themselves, below its tag.
pub const MODULES: &str = "modules";
/// Most bytes of a frame's content.
pub const FRAME_MAX: usize = 4 << 20;

/// Most bytes of an index: a hundred for each of more modules than anyone has.
const INDEX_MAX: u64 = 64 << 20;
/// Bytes in front of a frame.
const HEADER: usize = 8;
/// What a launch's share of bytecode is called beside its plan.
pub const SHIPPED: &str = "shipped";

/// Most bytes of a boot and what belongs to it.
const BOOT_MAX: u64 = 8 << 20;

/// The boot, compiled for each interpreter that `pex` brings it for. What another version of this program has put there is
/// of no use to this one.
///
/// # Errors
/// When the index or an entry cannot be read or is not what the seal says.
pub fn boots(pex: &Pex) -> Result<Boots, UnpackError> {
    let mut boots = Boots::new();
    let Some(index) = Index::open(pex)? else {
        return Ok(boots);
    };
    for name in index.names() {
        let Some(tag) = name
            .strip_suffix(BOOT)
            .and_then(|tag| tag.strip_suffix('/'))
        else {
            continue;
        };
        let entry = index.read(name, BOOT_MAX)?;
        let Some(code) = entry.strip_prefix(&boot::sources()) else {
            continue;
        };
        let mut compiled = parted(code).ok_or_else(|| index.damaged())?;
        compiled.came = index.digest_of(name);
        boots.insert(tag.to_owned(), compiled);
    }
    Ok(boots)
}

/// The pieces of an entry of the boot, behind the checksum.
fn parted(mut rest: &[u8]) -> Option<Compiled> {
    let mut compiled = Compiled::default();
    for code in &mut compiled.code {
        let (length, behind) = rest.split_first_chunk()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (found, behind) = behind.split_at_checked(length)?;
        *code = found.to_vec();
        rest = behind;
    }
    rest.is_empty().then_some(compiled)
}

/// What [`parted`] reads, checksum and all.
#[cfg(feature = "cli")]
pub(crate) fn joined(compiled: &Compiled) -> Vec<u8> {
    let mut entry = boot::sources().to_vec();
    for code in &compiled.code {
        entry.extend((code.len() as u32).to_le_bytes());
        entry.extend(code);
    }
    entry
}

/// The index of a file's bytecode, which is what the seal says.
struct Index<'a> {
    pex: &'a Path,
    archive: &'a Archive,
    digest: [u8; 32],
    bytes: Vec<u8>,
}

impl<'a> Index<'a> {
    /// `None` where the file brings none.
    fn open(pex: &'a Pex) -> Result<Option<Index<'a>>, UnpackError> {
        let (Some(archive), Some(seal)) = (pex.archive(), pex.seal()) else {
            return Ok(None);
        };
        if seal.bytecode == [0; 32] {
            return Ok(None);
        }
        let mut index = Index {
            pex: &pex.path,
            archive,
            digest: seal.bytecode,
            bytes: Vec::new(),
        };
        index.bytes = index.checked(INDEX, INDEX_MAX, &seal.bytecode)?;
        Ok(Some(index))
    }

    fn damaged(&self) -> UnpackError {
        UnpackError::Bytecode {
            pex: self.pex.to_owned(),
        }
    }

    /// Each entry's name and, in hexadecimal digits, its digest.
    fn records(&self) -> impl Iterator<Item = (&str, &str)> {
        let records = self.bytes.strip_prefix(MAGIC).unwrap_or_default();
        records.split(|byte| *byte == 0).filter_map(|record| {
            let (digits, name) = std::str::from_utf8(record).ok()?.split_once(' ')?;
            Some((name, digits))
        })
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.records().map(|(name, _)| name)
    }

    /// The digest of the entry of that name, if there is one.
    fn digest_of(&self, name: &str) -> Option<[u8; 32]> {
        let (_, digits) = self.records().find(|(found, _)| *found == name)?;
        unhex(digits)?.try_into().ok()
    }

    /// The entry of that name, checked.
    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, UnpackError> {
        let digest = self.digest_of(name).ok_or_else(|| self.damaged())?;
        self.checked(name, limit, &digest)
    }

    fn checked(&self, name: &str, limit: u64, digest: &[u8; 32]) -> Result<Vec<u8>, UnpackError> {
        let entry = self.archive.find(&format!("{PREFIX}{name}"));
        let bytes = self
            .archive
            .read(entry.ok_or_else(|| self.damaged())?, limit)?;
        match Sha256::digest(&bytes).as_slice() == digest {
            true => Ok(bytes),
            false => Err(self.damaged()),
        }
    }
}

/// Lays out what `pex` brings for this interpreter, if anything, before it is needed. What fails here fails again, and says
/// so, where it is.
pub fn ahead(pex: &Pex, interpreter: &Record, store: &Store) {
    if let Ok(Some(shipped)) = Shipped::find(pex, interpreter) {
        let _ = shipped.lay_out(store);
    }
}

/// Where each module lies in the file of all, and its bytes.
type Places = BTreeMap<String, (i32, i32)>;

/// The bytecode that a file brings for one interpreter.
#[derive(Debug)]
pub struct Shipped<'a> {
    pex: &'a Path,
    archive: &'a Archive,
    /// Cache tag and magic number.
    tag: String,
    /// The name of whatever is made with it.
    key: String,
    /// The modules that it brings.
    modules: Places,
    /// SHA-256 of the entry that holds them.
    digest: [u8; 32],
    /// Their bytes together.
    size: u64,
    /// Wheels of this file, where they were unpacked, and their names.
    wheels: Vec<(PathBuf, String)>,
    /// Where Python finds the source of each module, and the module's name; what comes first stays. Compared as bytes: of
    /// paths each component would be compared on its own.
    sources: BTreeMap<OsString, String>,
}

impl<'a> Shipped<'a> {
    /// The bytecode that `pex` brings for this interpreter, if it brings any.
    ///
    /// # Errors
    /// When the index cannot be read or is not what the seal says.
    pub fn find(pex: &'a Pex, interpreter: &Record) -> Result<Option<Shipped<'a>>, UnpackError> {
        let (Some(index), Some(tag)) = (Index::open(pex)?, interpreter.tag()) else {
            return Ok(None);
        };
        let entry = |name: &str| format!("{tag}/{name}");
        let Some(digest) = index.digest_of(&entry(MODULES)) else {
            return Ok(None);
        };
        let names = index.read(&entry(NAMES), INDEX_MAX)?;
        let (modules, size) = places(&names).ok_or_else(|| index.damaged())?;
        Ok(Some(Shipped {
            pex: index.pex,
            archive: index.archive,
            key: format!("{}-{tag}", hex(&index.digest)),
            tag,
            modules,
            digest,
            size,
            wheels: Vec::new(),
            sources: BTreeMap::new(),
        }))
    }

    /// Whether it lies in the store, or can be put there.
    #[must_use]
    pub fn can_be_had(&self, store: &Store) -> bool {
        store.can_write() || store.find(Kind::Bytecode, &self.key).is_some()
    }

    /// Notes where a wheel of this file was unpacked.
    pub fn lies(&mut self, wheel: &str, path: &Path) {
        self.wheels.push((path.to_owned(), wheel.to_owned()));
    }

    /// How the file or directory at `path`, in an unpacked wheel of this file, is called in the index.
    fn name(&self, path: &Path) -> Option<String> {
        self.wheels.iter().find_map(|(root, wheel)| {
            let below = path.strip_prefix(root).ok()?.to_str()?;
            Some(match below {
                "" => format!("wheels/{wheel}"),
                below => format!("wheels/{wheel}/{below}"),
            })
        })
    }

    /// Notes that Python finds at `seen` what lies at `source` in an unpacked wheel: a module, or a directory of them.
    pub fn seen(&mut self, seen: &Path, source: &Path) {
        if let Some(name) = self.name(source) {
            self.note(seen, &name);
        }
    }

    /// The same for the user code, which lies at `directory`.
    pub fn code_seen(&mut self, directory: &Path) {
        self.note(directory, "code");
    }

    fn note(&mut self, seen: &Path, name: &str) {
        if self.modules.contains_key(name) {
            self.sources
                .entry(seen.as_os_str().to_owned())
                .or_insert_with(|| name.to_owned());
            return;
        }
        let start = format!("{name}/");
        let below = self.modules.range(start.clone()..);
        for (found, _) in below.take_while(|(found, _)| found.starts_with(&start)) {
            self.sources
                .entry(seen.join(&found[start.len()..]).into_os_string())
                .or_insert_with(|| found.clone());
        }
    }

    /// Brings the modules into the store, all into one file; gives its directory.
    ///
    /// # Errors
    /// When they are not what the index says, or cannot be written.
    pub fn lay_out(&self, store: &Store) -> Result<PathBuf, UnpackError> {
        let damaged = || UnpackError::Bytecode {
            pex: self.pex.to_owned(),
        };
        let entry = self
            .archive
            .find(&format!("{PREFIX}{}/{MODULES}", self.tag))
            .ok_or_else(damaged)?;
        let directory = store.directory_noted(Kind::Bytecode, &self.key, &mut |root| {
            let io = |source| StoreError::Io {
                path: root.to_owned(),
                source,
            };
            let mut tree = Tree::new(root).map_err(io)?;
            let mut frames = Frames::new(tree.file(MODULES, false).map_err(io)?);
            match self.archive.copy(entry, &mut frames) {
                Err(ArchiveError::Output(source))
                    if source.kind() == io::ErrorKind::InvalidData =>
                {
                    return Err(damaged().into());
                }
                copied => copied.map_err(UnpackError::from)?,
            }
            let Frames {
                hash,
                written,
                ahead,
                ..
            } = frames;
            if !ahead.is_empty()
                || written != self.size
                || hash.finalize().as_slice() != self.digest
            {
                return Err(damaged().into());
            }
            Ok(Some(vec![(MODULES.to_owned(), written)]))
        })?;
        Ok(directory)
    }

    /// As [`Shipped::lay_out`]; gives with it what the boot reads.
    ///
    /// # Errors
    /// As [`Shipped::lay_out`].
    pub fn keep(&self, store: &Store) -> Result<(PathBuf, Py), UnpackError> {
        let directory = self.lay_out(store)?;
        let share = self.share(&directory);
        Ok((directory, share))
    }

    /// What a launch uses of it: the file, and for each source where in it its module lies.
    fn share(&self, directory: &Path) -> Py {
        let mut directories = BTreeSet::new();
        let (mut files, mut starts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (source, name) in &self.sources {
            let Some(&(at, length)) = self.modules.get(name) else {
                continue;
            };
            let above = Path::new(source).ancestors().skip(1);
            let depth = 1 + name.matches('/').count();
            directories.extend(above.take(depth).map(Path::as_os_str));
            files.push(Py::os(source));
            starts.push(Py::Int(at));
            lengths.push(Py::Int(length));
        }
        Py::Dict(vec![
            ("path", Py::path(&directory.join(MODULES))),
            ("directories", Py::paths(&directories)),
            ("files", Py::List(files)),
            ("starts", Py::List(starts)),
            ("lengths", Py::List(lengths)),
        ])
    }
}

/// Takes frames and writes what they come to.
struct Frames<W> {
    out: W,
    /// Of everything that was taken.
    hash: Sha256,
    /// What was taken of a frame that is not complete.
    ahead: Vec<u8>,
    content: Vec<u8>,
    written: u64,
}

impl<W: io::Write> Frames<W> {
    fn new(out: W) -> Frames<W> {
        Frames {
            out,
            hash: Sha256::new(),
            ahead: Vec::new(),
            content: Vec::new(),
            written: 0,
        }
    }

    /// Writes a complete frame's content, and gives what stands behind it.
    fn frame<'b>(&mut self, bytes: &'b [u8]) -> io::Result<Option<&'b [u8]>> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let [packed, size] = [0, 4].map(|at| {
            let number = [header[at], header[at + 1], header[at + 2], header[at + 3]];
            usize::try_from(u32::from_le_bytes(number)).unwrap_or(usize::MAX)
        });
        // Zstandard makes nothing longer by more than this; nobody is made to keep more.
        if size > FRAME_MAX || packed > FRAME_MAX + FRAME_MAX / 128 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some((frame, rest)) = rest.split_at_checked(packed) else {
            return Ok(None);
        };
        self.content.clear();
        self.content.reserve_exact(size);
        match zstd_safe::decompress(&mut self.content, frame) {
            Ok(found) if found == size => {}
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
        self.out.write_all(&self.content)?;
        self.written += size as u64;
        Ok(Some(rest))
    }
}

impl<W: io::Write> io::Write for Frames<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hash.update(bytes);
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.extend(bytes);
        let mut rest = ahead.as_slice();
        while let Some(behind) = self.frame(rest)? {
            rest = behind;
        }
        let done = ahead.len() - rest.len();
        ahead.drain(..done);
        self.ahead = ahead;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Where each module lies in the file of all, and the bytes of that; `None` where the names are none.
fn places(names: &[u8]) -> Option<(Places, u64)> {
    let mut places = Places::new();
    let mut at: i32 = 0;
    for record in names.split_inclusive(|byte| *byte == 0) {
        let record = std::str::from_utf8(record.strip_suffix(&[0])?).ok()?;
        let (length, name) = record.split_once(' ')?;
        let length: i32 = length.parse().ok().filter(|length| *length >= 0)?;
        places.insert(name.to_owned(), (at, length));
        at = at.checked_add(length)?;
    }
    Some((places, u64::try_from(at).ok()?))
}

//! Bytecode that an embedded file brings along (`pexboot embed --compile`).
//!
//! It lies in the appendix, one entry for each module, under names that are none of user code in any pex (reference 1.4):
//!
//! ```text
//! __pex__bytecode/index                       "pexboot bytecode 1\n", then SHA256 " " NAME "\0" of each below
//! __pex__bytecode/TAG/wheels/NAME.whl/a/b.pyc  TAG: cache tag and magic number, `cpython-311-a70d0d0a`
//! __pex__bytecode/TAG/code/c.pyc
//! ```
//!
//! The seal commits to the index, the index to each module. A first start writes all modules of one interpreter into one
//! file, `bytecode/DIGEST-TAG/modules` of the root, named by the index's digest, so that it can serve this very file and
//! no other, whatever is in it; and beside its plan where Python will look for each source (`shipped`). The finder of the
//! launch pack (`boot/pack.py`) gives an import its module from there. So wheels and sites are as without bytecode, none of
//! it ever gets into one, and nothing is written for each module. It is not checked against the source when it is imported
//! (as PEP 552, unchecked): the seal has tied both.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{UnpackError, hex};
use crate::archive::{Archive, Buffer};
use crate::boot::Py;
use crate::interpreter::Record;
use crate::pex::Pex;
use crate::store::{Kind, Store, StoreError, Tree};

/// What the names of all its entries begin with.
pub const PREFIX: &str = "__pex__bytecode/";
/// The name of the index below [`PREFIX`].
pub const INDEX: &str = "index";
/// What the index begins with.
pub const MAGIC: &[u8] = b"pexboot bytecode 1\n";

/// Most bytes of an index: a hundred for each of more modules than anyone has.
const INDEX_MAX: u64 = 64 << 20;
/// Bytes in front of the code object in a `.pyc` (PEP 552).
const HEADER: usize = 16;
/// Bytes that are written at once.
const PIECE: usize = 256 << 10;
/// What a launch's share of bytecode is called beside its plan.
pub const SHIPPED: &str = "shipped";
/// Most bytes of one module.
const MODULE_MAX: u64 = 256 << 20;

/// What the bytecode of one interpreter is called in an index; `None` for one that keeps none.
#[must_use]
pub fn tag(interpreter: &Record) -> Option<String> {
    let tag = interpreter.cache_tag.as_ref()?;
    Some(format!("{tag}-{}", hex(&interpreter.magic)))
}

/// Lays out what `pex` brings for this interpreter, if anything, before it is needed. What fails here fails again, and says
/// so, where it is.
pub fn ahead(pex: &Pex, interpreter: &Record, store: &Store) {
    if let Ok(Some(shipped)) = Shipped::find(pex, interpreter) {
        let _ = shipped.lay_out(store);
    }
}

/// The bytecode that a file brings for one interpreter.
#[derive(Debug)]
pub struct Shipped<'a> {
    pex: &'a Path,
    archive: &'a Archive,
    /// Cache tag and magic number.
    tag: String,
    /// The name of whatever is made with it.
    key: String,
    /// SHA-256 of each module, by its name behind the tag.
    modules: BTreeMap<String, [u8; 32]>,
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
        let (Some(archive), Some(seal)) = (pex.archive(), pex.seal()) else {
            return Ok(None);
        };
        let Some(tag) = tag(interpreter) else {
            return Ok(None);
        };
        if seal.bytecode == [0; 32] {
            return Ok(None);
        }
        let damaged = || UnpackError::Bytecode {
            pex: pex.path.clone(),
        };
        let entry = archive
            .find(&format!("{PREFIX}{INDEX}"))
            .ok_or_else(damaged)?;
        let index = archive.read(entry, INDEX_MAX)?;
        if Sha256::digest(&index).as_slice() != seal.bytecode {
            return Err(damaged());
        }
        let modules = modules(&index, &format!("{tag}/")).ok_or_else(damaged)?;
        if modules.is_empty() {
            return Ok(None);
        }
        Ok(Some(Shipped {
            pex: &pex.path,
            archive,
            key: format!("{}-{tag}", hex(&seal.bytecode)),
            tag,
            modules,
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
    /// When one is not what the index says, or cannot be written.
    pub fn lay_out(&self, store: &Store) -> Result<PathBuf, UnpackError> {
        let directory = store.directory_noted(Kind::Bytecode, &self.key, &mut |root| {
            let io = |source| StoreError::Io {
                path: root.to_owned(),
                source,
            };
            let mut tree = Tree::new(root).map_err(io)?;
            let mut index = Vec::new();
            let file = tree.file("modules", false).map_err(io)?;
            let mut file = BufWriter::with_capacity(PIECE, file);
            let mut buffer = Buffer::default();
            let mut at = 0;
            for (name, digest) in &self.modules {
                self.read(name, digest, &mut buffer)?;
                let code = buffer.bytes().get(HEADER..).unwrap_or_default();
                file.write_all(code).map_err(io)?;
                // Writing to memory cannot fail.
                let _ = write!(index, "{at} {} {name}\0", code.len());
                at += code.len() as u64;
            }
            file.flush().map_err(io)?;
            tree.write("index", &index, false).map_err(io)?;
            Ok(Some(vec![
                ("modules".to_owned(), at),
                ("index".to_owned(), index.len() as u64),
            ]))
        })?;
        Ok(directory)
    }

    /// As [`Shipped::lay_out`]; gives with it what the boot reads.
    ///
    /// # Errors
    /// As [`Shipped::lay_out`].
    pub fn keep(&self, store: &Store) -> Result<(PathBuf, Py), UnpackError> {
        let directory = self.lay_out(store)?;
        let index = directory.join("index");
        let text = crate::regular::read(&index).map_err(|source| StoreError::Io {
            path: index,
            source,
        })?;
        Ok((directory.clone(), self.share(&directory, &text)))
    }

    /// One module into `buffer`, verified.
    fn read(&self, name: &str, digest: &[u8; 32], buffer: &mut Buffer) -> Result<(), UnpackError> {
        let damaged = || UnpackError::Bytecode {
            pex: self.pex.to_owned(),
        };
        let entry = self
            .archive
            .find(&format!("{PREFIX}{}/{name}c", self.tag))
            .ok_or_else(damaged)?;
        self.archive.read_into(entry, MODULE_MAX, buffer)?;
        if Sha256::digest(buffer.bytes()).as_slice() != digest {
            return Err(damaged());
        }
        Ok(())
    }

    /// What a launch uses of it: the file, and for each source where in it its module lies.
    fn share(&self, directory: &Path, index: &[u8]) -> Py {
        let places: BTreeMap<&str, (i32, i32)> = index
            .split(|byte| *byte == 0)
            .filter_map(|record| {
                let mut fields = std::str::from_utf8(record).ok()?.splitn(3, ' ');
                let (at, length) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
                Some((fields.next()?, (at, length)))
            })
            .collect();
        let mut directories = BTreeSet::new();
        let (mut files, mut starts, mut lengths) = (Vec::new(), Vec::new(), Vec::new());
        for (source, name) in &self.sources {
            let Some(&(at, length)) = places.get(name.as_str()) else {
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
            ("path", Py::path(&directory.join("modules"))),
            ("directories", Py::paths(&directories)),
            ("files", Py::List(files)),
            ("starts", Py::List(starts)),
            ("lengths", Py::List(lengths)),
        ])
    }
}

/// The modules of an index whose names begin with `tag`, which is taken off; `None` when it is no index.
fn modules(index: &[u8], tag: &str) -> Option<BTreeMap<String, [u8; 32]>> {
    let mut modules = BTreeMap::new();
    for record in index
        .strip_prefix(MAGIC)?
        .split_inclusive(|byte| *byte == 0)
    {
        let record = std::str::from_utf8(record.strip_suffix(&[0])?).ok()?;
        let (digits, name) = record.split_once(' ')?;
        if let Some(name) = name.strip_prefix(tag) {
            let mut digest = [0; 32];
            if digits.len() != 64 || !digits.is_ascii() {
                return None;
            }
            for (at, byte) in digest.iter_mut().enumerate() {
                *byte = u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).ok()?;
            }
            modules.insert(name.to_owned(), digest);
        }
    }
    Some(modules)
}

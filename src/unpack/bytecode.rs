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
//! The seal commits to the index, the index to each module; what is made with such bytecode is named by the index's
//! digest, so that it can serve this very file and no other, whatever is in it. Nothing of it ever gets into a wheel of
//! the store. It is not checked against the source when it is imported (PEP 552, unchecked): the seal has tied both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{UnpackError, hex};
use crate::archive::Archive;
use crate::interpreter::Record;
use crate::pex::Pex;
use crate::store::Tree;

/// What the names of all its entries begin with.
pub const PREFIX: &str = "__pex__bytecode/";
/// The name of the index below [`PREFIX`].
pub const INDEX: &str = "index";
/// What the index begins with.
pub const MAGIC: &[u8] = b"pexboot bytecode 1\n";

/// Most bytes of an index: a hundred for each of more modules than anyone has.
const INDEX_MAX: u64 = 64 << 20;
/// Most bytes of one module.
const MODULE_MAX: u64 = 256 << 20;

/// What the bytecode of one interpreter is called in an index; `None` for one that keeps none.
#[must_use]
pub fn tag(interpreter: &Record) -> Option<String> {
    let tag = interpreter.cache_tag.as_ref()?;
    Some(format!("{tag}-{}", hex(&interpreter.magic)))
}

/// The bytecode that a file brings for one interpreter.
#[derive(Debug)]
pub struct Shipped<'a> {
    pex: &'a Path,
    archive: &'a Archive,
    /// Cache tag and magic number.
    tag: String,
    /// What stands before `.pyc` in a `__pycache__`.
    cache_tag: String,
    /// The name of whatever is made with it.
    key: String,
    /// SHA-256 of each module, by its name behind the tag.
    modules: BTreeMap<String, [u8; 32]>,
    /// Wheels of this file, where they were unpacked, and their names.
    wheels: Vec<(PathBuf, String)>,
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
        let (Some(tag), Some(cache_tag)) = (tag(interpreter), interpreter.cache_tag.clone()) else {
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
            cache_tag,
            modules,
            wheels: Vec::new(),
        }))
    }

    /// Notes where a wheel of this file was unpacked.
    pub fn lies(&mut self, wheel: &str, path: &Path) {
        self.wheels.push((path.to_owned(), wheel.to_owned()));
    }

    /// A name that no other bytecode has.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
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

    /// Whether there is bytecode for a module below the directory at `path` of a wheel.
    #[must_use]
    pub fn any_below(&self, path: &Path) -> bool {
        self.name(path).is_some_and(|name| {
            let start = format!("{name}/");
            self.modules
                .range(start.clone()..)
                .next()
                .is_some_and(|(found, _)| found.starts_with(&start))
        })
    }

    /// Puts the bytecode of the module at `source` of a wheel where Python looks for that of one at `path` in `tree`; does
    /// nothing where there is none.
    ///
    /// # Errors
    /// When it is not what the index says, or cannot be written.
    pub fn accompany(&self, source: &Path, path: &str, tree: &mut Tree) -> Result<(), UnpackError> {
        match self.name(source) {
            Some(name) => self.place(&name, path, tree),
            None => Ok(()),
        }
    }

    /// The same for a module of user code at `path`.
    ///
    /// # Errors
    /// As [`Shipped::accompany`].
    pub fn accompany_code(&self, path: &str, tree: &mut Tree) -> Result<(), UnpackError> {
        self.place(&format!("code/{path}"), path, tree)
    }

    fn place(&self, name: &str, path: &str, tree: &mut Tree) -> Result<(), UnpackError> {
        let (Some(stem), Some(digest)) = (path.strip_suffix(".py"), self.modules.get(name)) else {
            return Ok(());
        };
        let damaged = || UnpackError::Bytecode {
            pex: self.pex.to_owned(),
        };
        let entry = self
            .archive
            .find(&format!("{PREFIX}{}/{name}c", self.tag))
            .ok_or_else(damaged)?;
        let bytes = self.archive.read(entry, MODULE_MAX)?;
        if Sha256::digest(&bytes).as_slice() != digest {
            return Err(damaged());
        }
        let (directory, stem) = match stem.rsplit_once('/') {
            Some((directory, stem)) => (format!("{directory}/"), stem),
            None => (String::new(), stem),
        };
        let target = format!("{directory}__pycache__/{stem}.{}.pyc", self.cache_tag);
        let written = tree.write(&target, &bytes, false);
        written.map_err(|source| {
            UnpackError::Store(crate::store::StoreError::Io {
                path: target.into(),
                source,
            })
        })
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

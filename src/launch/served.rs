//! What the boot gets to serve imports with: from a launch pack, or from bytecode that came with the PEX.

use pexboot_core::hex::hex;
use std::ffi::OsStr;
use std::path::PathBuf;

use pexboot_core::checksum::checksum;

use crate::boot::{NAMES, Py};
use crate::launch::LaunchError;
use crate::launch::dispatch::Run;
use crate::launch::prepare::Parts;

use crate::store::{Kind, StoreError, Tree};

impl Parts<'_> {
    /// What the boot serves imports with, from a launch pack or from bytecode that the PEX has `shipped`, where it has none
    /// yet: the directory of the finder and of what makes a pack, whether it makes one, whether there is such bytecode.
    /// `None` where imports are not served on this Python. A PEX that acts as an interpreter makes no pack, since its every
    /// start may be another program.
    pub fn pack(&self, run: &Run, shipped: bool) -> Result<Served, LaunchError> {
        let (major, minor, _) = self.interpreter.version;
        let cpython = self.interpreter.implementation == "cpython" && (major, minor) >= (3, 8);
        let packs = *run != Run::Interpreter;
        if !cpython || !(packs || shipped) {
            return Ok(Served {
                data: ("pack", Py::None),
                directory: None,
            });
        }
        let directory = self.keep_finder()?;
        let parts = vec![Py::path(&directory), Py::Bool(packs), Py::Bool(shipped)];
        Ok(Served {
            data: ("pack", Py::List(parts)),
            directory: Some(directory),
        })
    }

    /// The directory of the finder and of what makes packs, compiled for the interpreter. A checksum names them: both are
    /// the interpreter's own answer, and nobody else can write here.
    fn keep_finder(&self) -> Result<PathBuf, StoreError> {
        let files = [&self.interpreter.finder, &self.interpreter.recorder];
        let sums = files.iter().flat_map(|code| checksum(code));
        let key = hex(&sums
            .chain(self.interpreter.magic.clone())
            .collect::<Vec<_>>());
        self.store.directory(Kind::Boot, &key, &mut |root| {
            let mut tree = Tree::new(root)?;
            for (name, code) in NAMES[1..].iter().zip(files) {
                tree.write(name, code, false)?;
            }
            Ok(())
        })
    }

    /// Whether those who wait for this start are to wait for its imports as well: they end before the application
    /// begins, and leave bytecode that no PEX has `shipped`.
    pub fn importing(&self, run: &Run, shipped: bool) -> bool {
        let unkept = self.invocation.variable("PYTHONDONTWRITEBYTECODE");
        let compiles = !shipped && unkept.is_none_or(OsStr::is_empty);
        self.invocation.first && matches!(run, Run::Call(..)) && compiles
    }
}

/// See [`Parts::pack`].
pub(super) struct Served {
    /// What the boot reads.
    pub data: (&'static str, Py),
    /// What must be there for it.
    pub directory: Option<PathBuf>,
}

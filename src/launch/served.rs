//! What the boot gets to serve imports with: from a launch pack, or from bytecode that came with the PEX.

use std::path::PathBuf;

use pexboot_core::hex::hex;

use crate::boot::{NAMES, Run, Served};
use crate::interpreter::Record;
use crate::launch::choose::Chosen;
use crate::store::{Kind, StoreError, Tree};

impl Chosen<'_> {
    /// What the boot serves imports with, from a launch pack or from bytecode that the PEX has `shipped`, where it has none
    /// yet. `None` where imports are not served on this Python, or what serves them can't be kept. A PEX that acts as an
    /// interpreter makes no pack, since its every start may be another program.
    pub fn serve(&self, run: &Run, shipped: bool) -> Result<Option<Served>, StoreError> {
        let (major, minor, _) = self.interpreter.version;
        let cpython = self.interpreter.implementation == "cpython" && (major, minor) >= (3, 8);
        let packs = *run != Run::Interpreter;
        if *run == Run::Import {
            return Ok(None);
        }
        if !cpython || !(packs || shipped) {
            return Ok(None);
        }
        Ok(self.keep_finder()?.map(|kept| Served {
            kept,
            packs,
            shipped,
        }))
    }

    /// The directory of the finder and of what makes packs, compiled for the interpreter. What came with a file is under a
    /// name of its own and serves no other; the boot lies beside it then, for `pexboot verify` to know.
    fn keep_finder(&self) -> Result<Option<PathBuf>, StoreError> {
        let Record {
            compiled, magic, ..
        } = &self.interpreter;
        let key = hex(&[compiled.identity(), magic.clone()].concat());
        let kept = usize::from(compiled.came.is_none())..;
        if !self.store.can_write() {
            return Ok(self.store.find(Kind::Finders, &key));
        }
        let fill = &mut |root: &std::path::Path| {
            let mut tree = Tree::new(root)?;
            for (name, code) in NAMES[kept.clone()].iter().zip(&compiled.code[kept.clone()]) {
                tree.write(name, code, false)?;
            }
            Ok(())
        };
        self.store.directory(Kind::Finders, &key, fill).map(Some)
    }

    /// Whether those who wait for this start are to wait for its imports as well: they end before the application
    /// begins, and leave bytecode that no PEX has `shipped`.
    pub fn importing(&self, run: &Run, shipped: bool) -> bool {
        let unkept = self.variable("PYTHONDONTWRITEBYTECODE");
        let compiles = !shipped && unkept.is_none_or(|value| value.is_empty());
        self.invocation.first && matches!(run, Run::Call(..)) && compiles
    }
}

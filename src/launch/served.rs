//! What the boot gets to serve imports with: from a launch pack, or from bytecode that came with the PEX.

use std::ffi::OsStr;

use crate::boot::{self, Py};
use crate::launch::dispatch::Run;
use crate::launch::prepare::Parts;

impl Parts<'_> {
    /// What the boot serves imports with, from a launch pack or from bytecode that the PEX has `shipped`: the finder, and
    /// what makes a pack. Nothing where that is not for this Python. A PEX that acts as an interpreter makes no pack,
    /// since its every start may be another program.
    pub fn pack(&self, run: &Run, shipped: bool) -> (&'static str, Py) {
        let (major, minor, _) = self.interpreter.version;
        let cpython = self.interpreter.implementation == "cpython" && (major, minor) >= (3, 8);
        let packs = *run != Run::Interpreter;
        let served = cpython && (packs || shipped);
        let made = if packs {
            Py::str(boot::RECORD)
        } else {
            Py::None
        };
        let parts = || Py::List(vec![Py::str(boot::PACK), made, Py::Bool(shipped)]);
        ("pack", if served { parts() } else { Py::None })
    }

    /// Whether those who wait for this start are to wait for its imports as well: they end before the application
    /// begins, and leave bytecode that no PEX has `shipped`.
    pub fn importing(&self, run: &Run, shipped: bool) -> bool {
        let unkept = self.invocation.variable("PYTHONDONTWRITEBYTECODE");
        let compiles = !shipped && unkept.is_none_or(OsStr::is_empty);
        self.invocation.first && matches!(run, Run::Call(..)) && compiles
    }
}

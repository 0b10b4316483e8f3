//! What the boot runs, once everything is settled.

use std::path::PathBuf;

use super::Py;

/// What the boot runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Run {
    /// A module, as `python -m` would.
    Module(String),
    /// A callable: module and attributes.
    Call(String, Vec<String>),
    /// A script that came with a wheel: its name and file.
    Script(String, PathBuf),
    /// Whatever the arguments say, as `python` itself would.
    Interpreter,
    /// Nothing: a Python that runs already has imported `__pex__`.
    Import,
}

impl Run {
    /// As the boot reads it: kind, what, and the rest.
    #[must_use]
    pub fn to_py(&self) -> Py {
        let (kind, what, rest) = match self {
            Run::Module(module) => ("module", Py::str(module), Py::None),
            Run::Call(module, attrs) => ("call", Py::str(module), Py::strs(attrs)),
            Run::Script(name, path) => ("script", Py::str(name), Py::path(path)),
            Run::Interpreter => ("repl", Py::None, Py::None),
            Run::Import => ("import", Py::None, Py::None),
        };
        Py::List(vec![Py::str(kind), what, rest])
    }
}

//! The data of a launch: all that its boot is told, as one type with one encoder. `boot.py` is the one decoder.

use std::path::PathBuf;

use super::{Py, Run};

/// What the boot of a launch reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// How `sys.path` is settled.
    pub path: SysPath,
    /// Whether the boot does what the host's `site` would have done, which does not run.
    pub for_site: bool,
    /// `PEX_EXTRA_SYS_PATH`, for children and in zipapp mode.
    pub extra: Vec<String>,
    /// Import lines of `.pth` files, and lines that call what `.start` files name: the directory that they see as
    /// `sitedir`, and the line.
    pub import_lines: Vec<(PathBuf, String)>,
    /// Whether `PEX_*` variables are taken out of the environment.
    pub strip: bool,
    /// Variables that are set unless they are already.
    pub inject_env: Vec<(String, String)>,
    /// Variables that name resources on `sys.path`, relative.
    pub bind: Vec<(String, String)>,
    /// Arguments before the user's.
    pub inject_args: Vec<String>,
    /// What is run.
    pub run: Run,
    /// What `__main__.__file__` says.
    pub main: PathBuf,
    /// Directories in a root, by which damage is told.
    pub entries: Vec<PathBuf>,
    /// How imports are served; `None` where they are not.
    pub pack: Option<Served>,
    /// The interactive session, where there may be one.
    pub session: Option<Interactive>,
    /// The root of this start alone, to be removed at its end.
    pub temporary: Option<PathBuf>,
}

/// How `sys.path` is settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SysPath {
    /// By the boot.
    Zipapp {
        /// Directories of user code, first to last.
        code: Vec<PathBuf>,
        /// Those of them in which no module lies.
        empty: Vec<PathBuf>,
        /// Directories of wheels.
        site: Vec<PathBuf>,
        /// The inherit mode: `false`, `prefer` or `fallback`.
        inherit: &'static str,
        /// By what it is told what the host's `site` has brought, where that runs.
        scrubbed: Option<Scrubbed>,
    },
    /// By the Python of a virtual environment.
    Venv {
        /// The environment.
        path: PathBuf,
        /// What goes in front of PATH.
        before: Option<PathBuf>,
        /// What goes behind it.
        behind: Option<PathBuf>,
        /// What follows the real path of P in `sys.argv[0]`.
        argv0: &'static str,
    },
}

/// By what the interpreter's own modules are told from those that its `site` has brought: directories, by each of their
/// names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scrubbed {
    /// The interpreter's own.
    pub own: Vec<PathBuf>,
    /// Site-packages, which may lie in them.
    pub site: Vec<PathBuf>,
    /// Whether all else on the path was put there by a `sitecustomize`, and so belongs to the interpreter (reference 6.5).
    pub others: bool,
}

/// How imports are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Directory of the finder and of what makes a launch pack.
    pub kept: PathBuf,
    /// Whether a pack is made.
    pub packs: bool,
    /// Whether bytecode came with the PEX.
    pub shipped: bool,
}

/// An interactive session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interactive {
    /// What it tells of the PEX ([`super::Session`]).
    pub told: String,
    /// Whether it keeps a history.
    pub history: bool,
    /// Where, if not in the usual place.
    pub history_file: Option<PathBuf>,
}

impl Data {
    /// As the boot reads it: one marshalled dict.
    #[must_use]
    pub fn marshal(&self) -> Vec<u8> {
        let optional =
            |path: &Option<PathBuf>| path.as_ref().map_or(Py::None, |path| Py::path(path));
        let mut items = match &self.path {
            SysPath::Zipapp {
                code,
                empty,
                site,
                inherit,
                scrubbed,
            } => vec![
                ("venv", Py::None),
                ("code", Py::paths(code)),
                ("empty", Py::paths(empty)),
                ("site", Py::paths(site)),
                ("inherit", Py::str(inherit)),
                (
                    "scrubbed",
                    scrubbed
                        .as_ref()
                        .map_or(Py::None, |Scrubbed { own, site, others }| {
                            Py::List(vec![Py::paths(own), Py::paths(site), Py::Bool(*others)])
                        }),
                ),
                ("argv0", Py::None),
            ],
            SysPath::Venv {
                path,
                before,
                behind,
                argv0,
            } => vec![
                ("venv", Py::path(path)),
                ("path", Py::List(vec![optional(before), optional(behind)])),
                ("argv0", Py::str(argv0)),
            ],
        };
        let line = |(directory, line): &(PathBuf, String)| {
            Py::List(vec![Py::path(directory), Py::str(line)])
        };
        items.extend([
            ("for_site", Py::Bool(self.for_site)),
            ("extra", Py::strs(&self.extra)),
            (
                "import_lines",
                Py::List(self.import_lines.iter().map(line).collect()),
            ),
            ("strip", Py::Bool(self.strip)),
            ("inject_env", Py::pairs(&self.inject_env)),
            ("bind", Py::pairs(&self.bind)),
            ("inject_args", Py::strs(&self.inject_args)),
            ("run", self.run.to_py()),
            ("main", Py::path(&self.main)),
            ("entries", Py::paths(&self.entries)),
            ("pack", self.pack.as_ref().map_or(Py::None, Served::to_py)),
            ("temporary", optional(&self.temporary)),
        ]);
        if let Some(session) = &self.session {
            items.extend([
                ("repl", Py::str(super::REPL)),
                ("session", Py::str(&session.told)),
                ("history", Py::Bool(session.history)),
                ("history_file", optional(&session.history_file)),
            ]);
        }
        Py::Dict(items).marshal()
    }
}

impl Served {
    fn to_py(&self) -> Py {
        Py::List(vec![
            Py::path(&self.kept),
            Py::Bool(self.packs),
            Py::Bool(self.shipped),
        ])
    }
}

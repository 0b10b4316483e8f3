//! One start of one PEX, as the operating system described it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use pexboot_core::roots;

/// Names P to the engine, and to a stub that runs from a copy.
pub const FILE: &str = "_PEXBOOT_FILE";
/// Names the interpreter that is already running, and its options.
pub const CURRENT: &str = "_PEXBOOT_CURRENT";
/// Set by a boot that met a damaged cache.
pub const REPAIR: &str = "_PEXBOOT_REPAIR";
/// Names the lock that the stub has taken for this launch.
pub const LOCK: &str = "_PEXBOOT_LOCK";

/// One start of one PEX.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// P: as invoked, absolute, not normalised.
    pub pex: PathBuf,
    /// P with every link resolved.
    pub real: PathBuf,
    /// The arguments behind `argv[0]`.
    pub args: Vec<OsString>,
    /// The environment.
    pub env: Vec<(OsString, OsString)>,
    /// The Python that already runs (`python app.pex`).
    pub current: Option<Current>,
    /// Check what is in the cache and mend it before the launch.
    pub repair: bool,
    /// Other starts of this launch may be waiting for this one, which has the lock.
    pub first: bool,
}

/// A Python that is already running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Current {
    /// Its `sys.executable`.
    pub python: PathBuf,
    /// The options it was started with.
    pub options: Vec<OsString>,
    /// It goes on itself: it imports `__pex__`, and asks where everything lies.
    pub imports: bool,
}

impl Invocation {
    /// The start of `pex` with `args` in the environment of this process.
    ///
    /// # Errors
    /// When the working directory, needed to make `pex` absolute, is gone, or `pex` cannot be found.
    pub fn new(pex: &Path, args: Vec<OsString>) -> std::io::Result<Invocation> {
        let pex = if pex.is_absolute() {
            pex.to_owned()
        } else {
            std::env::current_dir()?.join(pex)
        };
        let real = pex.canonicalize()?;
        let env: Vec<(OsString, OsString)> = std::env::vars_os().collect();
        let find = |name: &str| {
            env.iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value)
        };
        Ok(Invocation {
            current: find(CURRENT).map(|value| Current::parse(value)),
            // By the boot of this very process: what was inherited asks for nothing.
            repair: find(REPAIR).is_some_and(|value| *value == *std::process::id().to_string()),
            first: false,
            pex,
            real,
            args,
            env,
        })
    }

    /// The same file, imported as `__pex__` by a Python whose `sys.executable` has this path.
    #[cfg(feature = "cli")]
    #[must_use]
    pub fn imported_by(&self, python: PathBuf) -> Invocation {
        let mut current = python.into_os_string();
        current.push("\x1fimport __pex__");
        let mut import = self.clone();
        import.current = Some(Current::parse(&current));
        // As the file's Python half does: a plan is found by what the environment says.
        import.env.push((CURRENT.into(), current));
        import
    }

    /// The Python that imports `__pex__`, where that is what is asked for.
    #[must_use]
    pub fn importer(&self) -> Option<&Current> {
        self.current.as_ref().filter(|current| current.imports)
    }

    /// The value of an environment variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_os_str())
    }

    /// What one of our own switches is set to; an empty text counts as unset.
    #[must_use]
    pub fn switch(&self, name: &str) -> Option<bool> {
        let value = self.variable(name)?.as_bytes();
        let is_off = value == b"0" || value.eq_ignore_ascii_case(b"false");
        (!value.is_empty()).then_some(!is_off)
    }

    /// The environment as `NAME=VALUE`.
    #[must_use]
    pub fn environment(&self) -> Vec<Vec<u8>> {
        self.env
            .iter()
            .map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat())
            .collect()
    }

    /// The application's name: the last component of P.
    #[must_use]
    pub fn name(&self) -> &OsStr {
        self.pex.file_name().unwrap_or(OsStr::new("pex"))
    }
}

/// A path with a leading `~` replaced by HOME (`pexboot_core::roots::expand`).
pub(super) fn expand_user(path: &str) -> PathBuf {
    let home = std::env::var_os("HOME");
    let home = home.as_deref().map(OsStr::as_bytes);
    OsString::from_vec(roots::expand(path.as_bytes(), home)).into()
}

impl Current {
    /// Reads what an embedded file's Python half puts into `_PEXBOOT_CURRENT`: the executable, then each option, or
    /// `import __pex__`, behind a unit separator.
    fn parse(value: &OsStr) -> Current {
        let mut parts = value.as_bytes().split(|byte| *byte == 0x1F);
        let part = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let python = PathBuf::from(part(parts.next().unwrap_or_default()));
        let imports = parts.clone().eq([b"import __pex__"]);
        let options = if imports {
            Vec::new()
        } else {
            parts.map(part).collect()
        };
        Current {
            python,
            options,
            imports,
        }
    }
}

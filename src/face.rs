//! What Rust programs can do with PEX files through this package: the commands of the same names, as functions.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use pexboot_core::hex::hex;
use pexboot_core::seal;

use crate::embed::{Bytecode, Choice, EmbedError, Parts, Scope, Wanted, state};
use crate::exit::ExitCode;
use crate::launch::{Invocation, Next, explain};
use crate::parts::OWN;
use crate::pex::Layout;
use crate::verify::VerifyError;

/// Why something could not be done: what, where, why, and what to do, in one message.
#[derive(Debug)]
pub struct Error {
    code: ExitCode,
    message: String,
}

impl Error {
    /// What the command of that name ends with: see `docs/errors.md`.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        self.code as i32
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<EmbedError> for Error {
    fn from(error: EmbedError) -> Error {
        Error {
            code: error.exit_code(),
            message: error.to_string(),
        }
    }
}

impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Error {
        match error {
            VerifyError::Embed(error) => error.into(),
            VerifyError::Store(error) => Error {
                code: error.exit_code(),
                message: error.to_string(),
            },
            VerifyError::Temporary(_) => Error {
                code: ExitCode::Io,
                message: error.to_string(),
            },
        }
    }
}

/// How a PEX is embedded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether the host's `site` module always runs, or never; `None` where its hooks decide.
    pub host_site: Option<bool>,
    /// Start in virtual environment mode whatever the PEX was built as.
    pub venv: bool,
    /// Bring bytecode of what the entry point imports, for the Python on PATH that would run the PEX.
    pub bytecode: bool,
}

/// An embedded file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embedded {
    /// Where it is.
    pub path: PathBuf,
    /// The fingerprint of its content, as `pexboot info` shows it.
    pub fingerprint: String,
    /// Its bytes.
    pub size: u64,
}

/// Puts the native start for this machine in front of the PEX at `pex`, in place or into `output`. The same input gives
/// the same output. Options of an earlier embedding do not count.
///
/// # Errors
/// When it is no PEX, is damaged or was changed after it was embedded, or writing fails; nothing is changed then.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// let options = pexboot::Options { venv: true, ..Default::default() };
/// let embedded = pexboot::embed(Path::new("app.pex"), Some(Path::new("app")), &options)?;
/// assert_eq!(embedded.path, Path::new("app"));
/// # Ok::<(), pexboot::Error>(())
/// ```
pub fn embed(pex: &Path, output: Option<&Path>, options: &Options) -> Result<Embedded, Error> {
    let bytecode = match options.bytecode {
        true => {
            let wanted = Wanted {
                scope: Scope::Imports,
                pythons: Vec::new(),
                venv: options.venv,
                recorded: Vec::new(),
            };
            let choice = Choice::Of(Scope::Imports, Vec::new());
            Bytecode::compile(pex, &wanted, &mut |_| {})?.asked(choice)
        }
        false => Bytecode::default().asked(Choice::None),
    };
    let sealed = seal::Options {
        host_site: options.host_site,
        venv: options.venv,
    };
    let made = crate::embed::embed(pex, output, sealed, &bytecode, &Parts::from(&OWN))?;
    Ok(Embedded {
        path: made.path,
        fingerprint: hex(&made.seal.fingerprint),
        size: made.seal.file_size,
    })
}

/// Gives the original of an embedded PEX back, byte for byte, in place or into `output`; tells where it is.
///
/// # Errors
/// When it is not embedded or was changed afterwards, or writing fails; nothing is changed then.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// pexboot::strip(Path::new("app"), Some(Path::new("app.pex")))?;
/// # Ok::<(), pexboot::Error>(())
/// ```
pub fn strip(pex: &Path, output: Option<&Path>) -> Result<PathBuf, Error> {
    Ok(crate::embed::strip(pex, output)?)
}

/// What a PEX is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    /// Whether it is one file; else a directory.
    pub is_file: bool,
    /// The version of pexboot that embedded it; `None` where it is not embedded.
    pub embedded_by: Option<String>,
    /// Whether the file is as long as it was when it was embedded; [`verify()`] tells whether it is whole.
    pub length_as_sealed: bool,
    /// The fingerprint of its content.
    pub fingerprint: String,
    /// The names of its wheels.
    pub wheels: Vec<String>,
    /// PEX-INFO, a JSON text.
    pub pex_info: String,
}

/// Looks at a PEX: a file or a directory, embedded or not. Nothing of it is executed.
///
/// # Errors
/// When it is no PEX.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// let app = pexboot::inspect(Path::new("app"))?;
/// let current = app.embedded_by.as_deref() == Some("0.1.0");
/// assert!(current, "embed it again: {:?}", app.embedded_by);
/// # Ok::<(), pexboot::Error>(())
/// ```
pub fn inspect(pex: &Path) -> Result<Inspected, Error> {
    let found = state(pex)?;
    let wheels = found.pex.info.distributions.iter();
    Ok(Inspected {
        is_file: found.pex.layout == Layout::Zipapp,
        embedded_by: found.seal.as_ref().map(|seal| {
            let version = String::from_utf8_lossy(&seal.version);
            version.trim_end_matches('\0').to_owned()
        }),
        length_as_sealed: found.as_sealed,
        fingerprint: hex(&found.pex.fingerprint().map_err(EmbedError::from)?),
        wheels: wheels.map(|(name, _)| name.clone()).collect(),
        pex_info: String::from_utf8_lossy(&found.pex.info_bytes).into_owned(),
    })
}

/// What a full check has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// What is wrong, one line each; nothing where the PEX is whole.
    pub faults: Vec<String>,
    /// Members whose checksum was computed.
    pub members: usize,
    /// Wheels whose promised hash was computed.
    pub wheels: usize,
}

/// Computes every checksum of a PEX and every hash that it promises. Nothing of it is executed.
///
/// # Errors
/// When the check cannot be made. What it finds wrong is no error.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// let found = pexboot::verify(Path::new("app"))?;
/// assert!(found.faults.is_empty(), "{:#?}", found.faults);
/// # Ok::<(), pexboot::Error>(())
/// ```
pub fn verify(pex: &Path) -> Result<Verified, Error> {
    let found = crate::verify::verify(pex, None)?;
    Ok(Verified {
        faults: found.faults,
        members: found.members,
        wheels: found.wheels,
    })
}

/// What a start would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Why it would not start, and ways out; `None` where it would.
    pub refusal: Option<String>,
    /// Whether the next start replays what an earlier one has prepared.
    pub is_warm: bool,
    /// The interpreter.
    pub python: Option<PathBuf>,
    /// What would be executed; a word with `...` is made by the first start.
    pub command: Vec<OsString>,
    /// `sys.path`, likewise.
    pub sys_path: Vec<PathBuf>,
}

/// Plans a start of a PEX with `args` in the environment of this process, and writes nothing.
///
/// # Errors
/// When there is no such file.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// let plan = pexboot::plan(Path::new("app"), ["--help"])?;
/// if let Some(why) = plan.refusal {
///     panic!("it would not start: {why}");
/// }
/// # Ok::<(), pexboot::Error>(())
/// ```
pub fn plan<A: Into<OsString>>(
    pex: &Path,
    args: impl IntoIterator<Item = A>,
) -> Result<Plan, Error> {
    let args = args.into_iter().map(Into::into).collect();
    let invocation = Invocation::new(pex, args).map_err(|source| EmbedError::Io {
        path: pex.to_owned(),
        source,
    })?;
    let told = explain(&invocation, None);
    let refusal = told.refused.map(|error| {
        let advice = told.advice.iter().map(|line| format!("\n{line}"));
        error.to_string() + &advice.collect::<String>()
    });
    Ok(Plan {
        refusal,
        is_warm: told.next == Next::Warm,
        python: told.python,
        command: told.exec.into_iter().map(OsString::from_vec).collect(),
        sys_path: told.sys_path,
    })
}

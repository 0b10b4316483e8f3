//! Has a Python compile modules ahead of any start (`pexboot embed`).

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::personality::{self, Persona};

use super::Record;
use crate::boot::{Compiled, FILES, NAMES, SOURCES};

/// The script that the Python runs.
const SCRIPT: &str = include_str!("compile.py");

/// The modules of a PEX that are compiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Those that the entry point can reach by imports, and by texts that name a module.
    #[default]
    Imports,
    /// Every one.
    All,
}

/// What a PEX starts with.
#[derive(Debug, Clone, Copy)]
pub struct Begins<'a> {
    /// PEX-INFO's `entry_point`.
    pub entry_point: Option<&'a str>,
    /// PEX-INFO's `script`.
    pub script: Option<&'a str>,
    /// Modules that it is known to import.
    pub recorded: &'a [String],
}

/// A file of a PEX: a module to be compiled, or one that tells what is imported.
#[derive(Debug)]
pub struct Part {
    /// Where it lies.
    pub file: PathBuf,
    /// Its name in the index; what a module's code objects say that they are from, until they are imported.
    pub name: String,
    /// Where a module's code goes, as `marshal` writes it; nothing comes there of what is not reached or does not compile.
    pub target: Option<PathBuf>,
}

/// While it lives, programs that are started get their memory at the same addresses every time.
///
/// Before 3.12 the hash of `None` is its address, and with it goes the order in which the compiler meets some constants.
/// Where the system refuses (a strict sandbox) the bytecode is as good, but not always the same to the byte.
struct FixedAddresses(Option<Persona>);

impl FixedAddresses {
    fn new() -> FixedAddresses {
        let before = personality::get().ok();
        let set = |before: Persona| personality::set(before | Persona::ADDR_NO_RANDOMIZE).ok();
        FixedAddresses(before.filter(|before| set(*before).is_some()))
    }
}

impl Drop for FixedAddresses {
    fn drop(&mut self) {
        if let FixedAddresses(Some(before)) = self {
            // What could be changed can be changed back.
            let _ = personality::set(*before);
        }
    }
}

/// Compiles modules, and the boot, by the interpreter of that record; `list` is a file that may be written, and files whose
/// names begin with its own.
///
/// # Errors
/// When the Python cannot be started, fails, or is too old for bytecode that needs no check (before 3.7).
pub fn compile(
    interpreter: &Record,
    scope: Scope,
    begins: Begins<'_>,
    parts: &[Part],
    list: &Path,
) -> io::Result<Compiled> {
    let (major, minor, _) = interpreter.version;
    if (major, minor) < (3, 7) || interpreter.cache_tag.is_none() {
        return Err(io::Error::other(
            "this Python has no bytecode that is bound to its source by a hash: it takes 3.7 or later",
        ));
    }
    let scope = match scope {
        Scope::Imports => "imports",
        Scope::All => "all",
    };
    let mut texts = Vec::new();
    let mut tell = |text: &[u8]| {
        texts.extend(text);
        texts.push(0);
    };
    for text in [Some(scope), begins.entry_point, begins.script] {
        tell(text.unwrap_or_default().as_bytes());
    }
    tell(begins.recorded.join("\n").as_bytes());
    let mut compiled = Compiled::default();
    let beside = |ending: &str| list.with_extension(ending);
    for ((name, file), source) in NAMES.iter().zip(FILES).zip(SOURCES) {
        let path = beside(&format!("{name}.py"));
        std::fs::write(&path, source)?;
        for text in [path.as_os_str(), file.as_ref(), beside(name).as_os_str()] {
            tell(text.as_bytes());
        }
    }
    for part in parts {
        tell(part.file.as_os_str().as_bytes());
        tell(part.name.as_bytes());
        let target = part.target.as_deref();
        tell(target.map_or(b"", |target| target.as_os_str().as_bytes()));
    }
    std::fs::write(list, texts)?;
    let _fixed = FixedAddresses::new();
    let output = Command::new(&interpreter.binary)
        .args(["-s", "-S", "-B", "-c", SCRIPT])
        .arg(list)
        .env_clear()
        // Sets of constants are written in the order of their hashes before 3.11.
        .env("PYTHONHASHSEED", "0")
        .stdin(Stdio::null())
        .output()?;
    if output.status.success() {
        for (name, code) in NAMES.iter().zip(&mut compiled.code) {
            // A Python that is too old for the boot has compiled none.
            *code = match crate::regular::read(&beside(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(Compiled::default());
                }
                read => read?,
            };
        }
        return Ok(compiled);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "it failed to compile: {}",
        error.trim_end().rsplit('\n').next().unwrap_or_default()
    )))
}

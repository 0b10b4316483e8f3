//! Has a Python compile modules ahead of any start (`pexboot embed --compile`).

use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::personality::{self, Persona};

use super::Record;

/// The script that the Python runs.
const SCRIPT: &str = include_str!("compile.py");

/// A module to be compiled.
#[derive(Debug)]
pub struct Module {
    /// Its source.
    pub source: PathBuf,
    /// What its code objects say that they are from, until they are imported.
    pub name: String,
    /// Where the bytecode goes; nothing comes there of what does not compile.
    pub target: PathBuf,
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

/// Compiles modules by the interpreter of that record; `list` is a file that may be written.
///
/// # Errors
/// When the Python cannot be started, fails, or is too old for bytecode that needs no check (before 3.7).
pub fn compile(interpreter: &Record, modules: &[Module], list: &Path) -> io::Result<()> {
    let (major, minor, _) = interpreter.version;
    if (major, minor) < (3, 7) || interpreter.cache_tag.is_none() {
        return Err(io::Error::other(
            "this Python has no bytecode that is bound to its source by a hash: it takes 3.7 or later",
        ));
    }
    let mut texts = Vec::new();
    for module in modules {
        for text in [
            module.source.as_os_str().as_bytes(),
            module.name.as_bytes(),
            module.target.as_os_str().as_bytes(),
        ] {
            texts.extend(text);
            texts.push(0);
        }
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
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!(
        "it failed to compile: {}",
        error.trim_end().rsplit('\n').next().unwrap_or_default()
    )))
}

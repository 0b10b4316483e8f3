//! A virtual environment that stands alone (`pexboot venv`): what venv mode makes in a root, made elsewhere, of files that
//! nothing else has. Any PEX can be made one, whatever mode it runs in.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::launch::choose::{self, Need};
use crate::launch::decide::members;
use crate::launch::open;
use crate::launch::{Invocation, LaunchError, Report};
use crate::store::Store;
use crate::unpack;
use crate::venv::{self, Request};

/// An environment that was made.
#[derive(Debug)]
pub struct Standalone {
    /// The Python that it is based on.
    pub python: PathBuf,
    /// The wheels in it.
    pub wheels: Vec<String>,
    /// Files that did not get their place because an earlier wheel has another of that name.
    pub clashes: Vec<String>,
}

/// Makes in the empty directory `work` the environment that will be at `place`. What it is unpacked from lies in `aside`, on
/// the same file system, and is not needed afterwards.
///
/// # Errors
/// As a start; and when the system refuses.
pub fn standalone(
    invocation: &Invocation,
    python: Option<&str>,
    prompt: &OsStr,
    [place, work, aside]: [&Path; 3],
    report: &mut dyn Report,
) -> Result<Standalone, LaunchError> {
    let mut opened = open::open(invocation, Store::look, report)?;
    // No root has a part in it, so no start of the PEX can change it.
    opened.store = Store::scratch(aside)?;
    if let Some(python) = python {
        opened.variables.python = Some(python.to_owned());
        opened.variables.python_path = None;
    }
    let others = members(invocation, &mut opened)?;
    let need = Need {
        base: true,
        wheels: true,
        bytecode: false,
    };
    let choice = choose::choose(invocation, &mut opened, need, None, report)?;
    let chosen = choice.of_all(invocation, opened, others, report)?;
    let wheels = chosen.wheels()?;
    let main = chosen.main();
    let code = unpack::code(&main.pex, &main.fingerprint, &chosen.store)?;
    let request = Request {
        interpreter: &chosen.interpreter,
        fingerprint: &main.fingerprint,
        info: &main.pex.info,
        info_bytes: &main.pex.info_bytes,
        wheels: &wheels,
        code: &code,
        copies: true,
        prompt,
    };
    let clashes = venv::rebuild(&request, place, work)?;
    Ok(Standalone {
        python: chosen.interpreter.binary.clone(),
        wheels: wheels.into_iter().map(|wheel| wheel.name).collect(),
        clashes,
    })
}

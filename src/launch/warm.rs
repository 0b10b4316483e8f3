//! Warm: everything that a first start would do, and what starts after it would, ahead of them (`pexboot warm`).
//!
//! The launch is prepared as ever. Its plan is published a second time, under the key and with the identities by which a
//! seed is asked: a root that was filled in an image is found by any user, on any node, from any home. All modules that
//! the launch may import are compiled, since nobody will be able to later on; the bytecode is not checked against the
//! source (PEP 552), whose time stamps images change. In the end all of it is on disk.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::launch::replay::launch_key;
use crate::launch::{Invocation, LaunchError, Prepared, Report, prepare};
use crate::pex::{Pex, PexError};
use crate::plan::{EnvChange, Identity, Input, Plan, Value};
use crate::store::Kind;

/// Prepares the launch for all who will find this root.
///
/// # Errors
/// As [`prepare()`]; and when what was prepared cannot be compiled or brought to the disk.
pub fn warm(invocation: &Invocation, report: &mut dyn Report) -> Result<Prepared, LaunchError> {
    let prepared = prepare(invocation, report)?;
    compile(&prepared)?;
    let key = launch_key(invocation, prepared.seal.as_ref(), 0);
    let mut plan = portable(&prepared.plan);
    if prepared
        .pexes
        .iter()
        .map(|path| asks_for_the_kernel(path))
        .any(|found| found.unwrap_or(true))
    {
        // Another kernel may answer otherwise: as every plan that a start publishes, this one holds until the next boot.
        plan.boot_id = prepared.plan.boot_id;
    }
    prepared
        .store
        .replace(Kind::Launches, &key, &[("plan", &plan.encode())])?;
    prepared.store.settle()?;
    Ok(prepared)
}

/// Whether some marker of the PEX may look at the kernel's release or version (`platform.release()`, PEP 508).
fn asks_for_the_kernel(path: &Path) -> Result<bool, PexError> {
    let names = |text: &[u8]| {
        [
            &b"platform_release"[..],
            b"platform_version",
            b"platform.version",
        ]
        .iter()
        .any(|name| text.windows(name.len()).any(|window| window == *name))
    };
    let pex = Pex::open(path)?;
    if names(&pex.info_bytes) {
        return Ok(true);
    }
    for (wheel, _) in &pex.info.distributions {
        match pex.metadata(wheel) {
            Ok(metadata) if names(&metadata) => return Ok(true),
            // One that is listed and not there cannot be chosen.
            Ok(_) | Err(PexError::NoWheel { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

/// The plan as a seed has it: believed wherever the files that it speaks of are as large and as old.
fn portable(plan: &Plan) -> Plan {
    let identity = |identity: &Identity| Identity {
        size: identity.size,
        mtime: identity.mtime,
        ..Identity::default()
    };
    let inputs = plan.inputs.iter().map(|input| match input {
        Input::Pex(found) => Input::Pex(identity(found)),
        Input::File(place, found) => Input::File(place.clone(), identity(found)),
        Input::Present(place, _) => Input::Present(place.clone(), 0),
        other => other.clone(),
    });
    let mut exec = plan.exec.clone();
    for change in &mut exec.env {
        // Nobody's first start.
        if let EnvChange::Set(_, Value::InvokedPex(note)) = change
            && let Some(note) = note.first_mut()
        {
            *note &= !2;
        }
    }
    Plan {
        boot_id: [0; 16],
        inputs: inputs.collect(),
        exec,
    }
}

/// Compiles every module below the directories that the launch imports from.
fn compile(prepared: &Prepared) -> Result<(), LaunchError> {
    let root = prepared.store.root();
    let directories: Vec<PathBuf> = prepared
        .plan
        .inputs
        .iter()
        .filter_map(|input| match input {
            Input::Present(place, _) => Some(PathBuf::from(OsStr::from_bytes(&place.path))),
            _ => None,
        })
        .filter(|path| path.starts_with(root) && path.is_dir())
        .collect();
    if directories.is_empty() {
        return Ok(());
    }
    let io = |path: &Path, source| LaunchError::Io {
        path: path.display().to_string(),
        source,
    };
    // What does not compile is passed over: it exits with 1 then.
    Command::new(&prepared.python)
        .args(["-I", "-S", "-m", "compileall", "-q", "-q"])
        .args(["-r", "100", "--invalidation-mode", "unchecked-hash"])
        .args(&directories)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|source| io(&prepared.python, source))?;
    Ok(())
}

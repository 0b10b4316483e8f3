//! Warm: everything that a first start would do, and what starts after it would, ahead of them (`pexboot warm`).
//!
//! The launch is prepared as ever. Its plan is published a second time, with inputs by which any machine can tell them: a
//! root that was filled in an image is found by any user, on any node, from any home. All modules that the launch may
//! import are compiled, since nobody will be able to later on; the bytecode is not checked against the source (PEP 552),
//! whose time stamps images change. In the end all of it is on disk.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pexboot_core::machine::Machine;
use pexboot_core::note::Note;
use pexboot_core::plan::Content;
use pexboot_core::replay::{World as _, locate};

use crate::launch::plans::record;
use crate::launch::publish::with_note;
use crate::launch::replay::asked_of;
use crate::launch::{Invocation, LaunchError, Prepared, Report, prepare_surely};
use crate::plan::{Input, Plan};

/// Prepares the launch for all who will find this root.
///
/// # Errors
/// As a start; and when what was prepared cannot be compiled or brought to the disk.
pub fn warm(invocation: &Invocation, report: &mut dyn Report) -> Result<Prepared, LaunchError> {
    let prepared = prepare_surely(invocation, report, None)?;
    prepared.store.kept()?;
    compile(&prepared)?;
    prepared.store.settle()?;
    let note = Note {
        mends: prepared.seal.is_some(),
        first: false,
    };
    let plan = Plan {
        boot_id: [0; 16],
        ..with_note(prepared.plan.clone(), note)
    };
    record(&prepared.store, &prepared.key, portable(&plan, invocation))?;
    // The stricter one comes first: it is the one to ask where its files are.
    record(&prepared.store, &prepared.key, plan)?;
    prepared.store.settle()?;
    Ok(prepared)
}

/// The plan as a seed has it: believed wherever the files that it speaks of are as large, and as old or the same.
fn portable(plan: &Plan, invocation: &Invocation) -> Plan {
    let inputs = plan.inputs.iter().map(|input| match input {
        Input::File(place, found) => {
            let path = asked_of(invocation, |launch| locate(place, launch, &Machine));
            let directory = path
                .as_ref()
                .is_some_and(|path| Path::new(OsStr::from_bytes(path)).is_dir());
            let size = if directory {
                Content::DIRECTORY
            } else {
                found.size
            };
            let sum = path.and_then(|path| Machine.sum(&path, size));
            let content = Content {
                size,
                mtime: found.mtime,
                sum: sum.unwrap_or_default(),
            };
            Input::Content(place.clone(), content)
        }
        Input::Present(place, _) => Input::Present(place.clone(), 0),
        other => other.clone(),
    });
    Plan {
        files: Vec::new(),
        portable: true,
        inputs: inputs.collect(),
        ..plan.clone()
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

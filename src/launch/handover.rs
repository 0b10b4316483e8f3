//! Handing over: the archive's own Python bootstrap does what the native path does not.
//!
//! The bootstrap takes a directory for an unpacked PEX and the variable `__PEX_EXE__` for the file that it came from, so
//! it sees P as `PEX` and `argv[0]` although it never runs from there. The unpacked tree is keyed by the SHA-256 of the
//! whole archive: unlike the fingerprint, that covers the bootstrap.
//!
//! The tools open the file that the variable names, and take no embedded file for a zip: they are given the archive as a
//! file of its own, under the application's name.

use std::io::Write as _;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::archive::{Archive, safe_relative};
use crate::interpreter::Record;
use crate::launch::replay::hex;
use crate::launch::{Invocation, LaunchError};
use crate::pex::{Layout, Pex, PexError};
use crate::plan::{EnvChange, Exec, Value};
use crate::store::{Kind, Store, Tree};
use crate::variables::{Mode, Variables};

/// What the native path leaves to the bootstrap, in words for `PEX_VERBOSE`; `None` where nothing was asked for.
///
/// # Errors
/// When tools are asked of a PEX that was built without them.
pub fn reason(
    pex: &Pex,
    variables: &Variables,
    mode: Mode,
) -> Result<Option<&'static str>, LaunchError> {
    if variables.tools {
        if !pex.info.includes_tools {
            return Err(LaunchError::Refused(
                "The PEX_TOOLS environment variable was set, but this PEX was not built with tools (Re-build the PEX \
                 file with `pex --include-tools ...`)"
                    .to_owned(),
            ));
        }
        return Ok(Some("PEX_TOOLS"));
    }
    // A virtual environment knows neither.
    Ok(if mode == Mode::Venv {
        None
    } else if variables.coverage {
        Some("PEX_COVERAGE")
    } else if variables.profile {
        Some("PEX_PROFILE")
    } else {
        None
    })
}

/// The command that runs the bootstrap, and the directory that it needs where one was unpacked.
///
/// # Errors
/// When the archive cannot be read or the cache not be written.
pub fn exec(
    invocation: &Invocation,
    pex: &Pex,
    interpreter: &Record,
    tools: bool,
    store: &Store,
) -> Result<(Exec, Option<PathBuf>), LaunchError> {
    let mut argv = vec![interpreter.binary.clone().into_os_string().into_vec()];
    if let Some(current) = &invocation.current {
        argv.extend(
            current
                .options
                .iter()
                .map(|option| option.clone().into_vec()),
        );
    }
    let started_from = EnvChange::Set(b"__PEX_EXE__".to_vec(), Value::InvokedPex(Vec::new()));
    let (tree, env) = match pex.archive() {
        Some(archive) if !tools => (Some(unpacked(pex, archive, store)?), vec![started_from]),
        Some(archive) if archive.seal().is_some() => {
            (Some(as_file(pex, archive, invocation, store)?), Vec::new())
        }
        Some(_) | None => (None, Vec::new()),
    };
    let runs = match (&tree, pex.layout) {
        (Some(tree), _) => tree.clone(),
        (None, Layout::Zipapp) => pex.path.clone(),
        (None, _) => pex.path.join("__main__.py"),
    };
    argv.push(runs.into_os_string().into_vec());
    Ok((
        Exec {
            program: argv[0].clone(),
            argv,
            interpreter: false,
            env,
        },
        tree,
    ))
}

/// The archive's tree in the root, every member of it.
fn unpacked(pex: &Pex, archive: &Archive, store: &Store) -> Result<PathBuf, LaunchError> {
    let (original, digest) = original(pex, archive)?;
    Ok(store.directory(Kind::Originals, &digest, &mut |work| fill(&original, work))?)
}

/// The archive in the root, as a file of the application's name.
fn as_file(
    pex: &Pex,
    archive: &Archive,
    invocation: &Invocation,
    store: &Store,
) -> Result<PathBuf, LaunchError> {
    let (original, digest) = original(pex, archive)?;
    let name = invocation.name().to_string_lossy();
    let key = format!("{digest}-{}", hex(&Sha256::digest(name.as_bytes())));
    let directory = store.directory(Kind::Originals, &key, &mut |work| {
        let mut file = Tree::new(work)?.file(&name, true)?;
        Ok(pieces(&original, &mut |piece| file.write_all(piece))?)
    })?;
    Ok(directory.join(name.as_ref()))
}

/// The archive as it was before embedding, and its digest.
fn original(pex: &Pex, archive: &Archive) -> Result<(Archive, String), LaunchError> {
    let original = archive.original().map_err(crate::pex::PexError::from)?;
    let mut hash = Sha256::new();
    let hashed = pieces(&original, &mut |piece| {
        hash.update(piece);
        Ok(())
    });
    hashed.map_err(|source| LaunchError::Io {
        path: pex.path.display().to_string(),
        source,
    })?;
    Ok((original, hex(&hash.finalize())))
}

fn fill(archive: &Archive, work: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut files = crate::archive::Tree::default();
    let layout = |(name, fault)| PexError::Layout {
        path: archive.path().to_owned(),
        name,
        fault,
    };
    for entry in archive.entries() {
        let Some(name) = safe_relative(&entry.name) else {
            continue;
        };
        let added = if entry.is_directory() {
            files.directory(&name)
        } else {
            files.file(name.clone(), entry)
        };
        added.map_err(|fault| layout((name, fault)))?;
    }
    let mut tree = Tree::new(work)?;
    for (name, entry) in files.into_files().map_err(layout)? {
        archive.copy(entry, &mut tree.file(&name, entry.is_executable())?)?;
    }
    // The bootstrap writes this mark into what it unpacks itself, and looks for it.
    Ok(tree.write("PEX-LAYOUT", b"zipapp", false)?)
}

/// The archive's bytes, piece by piece.
fn pieces(
    archive: &Archive,
    take: &mut dyn FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let (mut offset, size) = archive.extent();
    let end = offset.saturating_add(size);
    let mut buffer = vec![0; 1 << 16];
    while offset < end {
        let count =
            usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
        archive.file().read_exact_at(&mut buffer[..count], offset)?;
        take(&buffer[..count])?;
        offset += count as u64;
    }
    Ok(())
}

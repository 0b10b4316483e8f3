//! Handing over: the archive's own Python bootstrap does what the native path does not.
//!
//! The bootstrap takes a directory for an unpacked PEX and the variable `__PEX_EXE__` for the file that it came from, so
//! it sees P as `PEX` and `argv[0]` although it never runs from there. The unpacked tree is keyed by the SHA-256 of the
//! whole archive: unlike the fingerprint, that covers the bootstrap.
//!
//! The tools open the file that the variable names, and take no embedded file for a zip: they are given the archive as a
//! file of its own, under the application's name. So are members of PEX_PATH that are embedded.

use pexboot_core::hex::hex;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::archive::{Archive, safe_relative};
use crate::interpreter::Record;
use crate::launch::choose::{self, Choice, Hops};
use crate::launch::fact::{About, Fact};
use crate::launch::invocation::expand_user;
use crate::launch::open::Opened;
use crate::launch::{Invocation, LaunchError};
use crate::pex::{Layout, Pex, PexError};
use crate::plan::{EnvChange, Exec, Input, Inputs, Value, place};
use crate::store::{Kind, Store, Tree};
use crate::variables::{Mode, Variables};

/// What the native path leaves to the bootstrap, in words for `PEX_VERBOSE`; `None` where nothing was asked for.
///
/// # Errors
/// When tools are asked of a PEX that was built without them.
pub fn reason(pex: &Pex, variables: &Variables, mode: Mode) -> Result<Option<String>, LaunchError> {
    if variables.tools {
        if !pex.info.includes_tools {
            return Err(LaunchError::Refused(
                "The PEX_TOOLS environment variable was set, but this PEX was not built with tools (Re-build the PEX \
                 file with `pex --include-tools ...`)"
                    .to_owned(),
            ));
        }
        return Ok(Some("PEX_TOOLS".to_owned()));
    }
    // A virtual environment knows neither of the last two.
    let reason = if pex.has_preamble() {
        Some("the preamble")
    } else if mode == Mode::Venv {
        None
    } else if variables.coverage {
        Some("PEX_COVERAGE")
    } else if variables.profile {
        Some("PEX_PROFILE")
    } else {
        None
    };
    Ok(reason.map(str::to_owned))
}

/// What is told of it.
pub fn fact(reason: &str) -> Fact {
    Fact::new(
        About::HandedOver,
        reason,
        "is left to the PEX's own bootstrap",
    )
}

/// The same of an interpreter that the boot does not know.
pub fn too_old(interpreter: &Record) -> Option<String> {
    let (major, minor, _) = interpreter.version;
    (!interpreter.boots()).then(|| format!("a start on Python {major}.{minor}"))
}

/// The command that runs the bootstrap, and what it needs of the cache.
///
/// # Errors
/// When an archive cannot be read or the cache not be written.
pub fn exec(
    invocation: &Invocation,
    choice: &Choice,
    opened: &mut Opened,
) -> Result<Exec, LaunchError> {
    let Opened {
        pex,
        variables,
        store,
        inputs,
        ..
    } = opened;
    let (pex, variables, store) = (&*pex, &*variables, &*store);
    let tools = variables.tools;
    if pex.info.pex_paths.iter().any(|path| path.starts_with('~')) {
        inputs.variable("HOME", invocation.variable("HOME"));
    }
    let own: Vec<PathBuf> = pex
        .info
        .pex_paths
        .iter()
        .map(|path| expand_user(path))
        .collect();
    let own = bare(&own, store, inputs)?;
    let others = bare(&variables.path, store, inputs)?;
    let python = choice.runs.as_ref().unwrap_or(&choice.interpreter.binary);
    let mut argv = vec![python.clone().into_os_string().into_vec()];
    // The bootstrap itself finds out what becomes of them.
    let given = choose::given(invocation, choice.started_by.as_ref(), Hops::None).iter();
    argv.extend(given.map(|option| option.clone().into_vec()));
    let started_from = EnvChange::Set(b"__PEX_EXE__".to_vec(), Value::InvokedPex);
    let (tree, mut env) = match pex.archive() {
        Some(archive) if !tools => {
            let info = own.map(|own| with_members(pex, &own));
            let tree = unpacked(pex, archive, info.as_deref(), store)?;
            (Some(tree), vec![started_from])
        }
        Some(archive) if archive.seal().is_some() || own.is_some() => {
            let info = own.map(|own| with_members(pex, &own));
            let name = invocation.name();
            let file = as_file(pex, archive, info.as_deref(), name, store)?;
            (Some(file), Vec::new())
        }
        Some(_) | None => (None, Vec::new()),
    };
    if let Some(others) = others {
        let list = std::env::join_paths(others).unwrap_or_default();
        env.push(EnvChange::Set(
            b"PEX_PATH".to_vec(),
            Value::Text(list.into_vec()),
        ));
    }
    if let Some(tree) = &tree {
        inputs.add(Input::Present(place(tree), 0));
    }
    let runs = match (&tree, pex.layout) {
        (Some(tree), _) => tree.clone(),
        (None, Layout::Zipapp) => {
            let path = invocation.pex.as_os_str().as_bytes();
            inputs.add(Input::Pex(path.to_vec()));
            pex.path.clone()
        }
        (None, _) => pex.path.join("__main__.py"),
    };
    argv.push(runs.into_os_string().into_vec());
    env.splice(
        0..0,
        choose::variables(invocation, choice.started_by.as_ref()),
    );
    let argv = choose::wrapped(invocation, choice.started_by.as_ref(), argv);
    Ok(Exec {
        program: argv[0].clone(),
        argv,
        interpreter: false,
        env,
    })
}

/// Members of PEX_PATH with those that are embedded replaced by their archives; `None` where none is. What cannot be
/// read is left for the bootstrap to complain of.
fn bare(
    members: &[PathBuf],
    store: &Store,
    inputs: &mut Inputs,
) -> Result<Option<Vec<PathBuf>>, LaunchError> {
    let mut replaced = None;
    for (index, path) in members.iter().enumerate() {
        inputs.file(path);
        let Ok(member) = Pex::open(path) else {
            continue;
        };
        let embedded = member.archive().filter(|archive| archive.seal().is_some());
        if let Some(archive) = embedded {
            let name = path.file_name().unwrap_or_default();
            let copy = as_file(&member, archive, None, name, store)?;
            inputs.add(Input::Present(place(&copy), 0));
            replaced.get_or_insert_with(|| members.to_vec())[index] = copy;
        }
    }
    Ok(replaced)
}

/// PEX-INFO with other members of its own PEX_PATH, and so with another `pex_hash`: the bootstrap keeps by that name what
/// it has unpacked.
fn with_members(pex: &Pex, members: &[PathBuf]) -> Vec<u8> {
    let mut info = pex.info.raw.clone();
    let members: Vec<_> = members.iter().map(|path| path.to_string_lossy()).collect();
    let hash = Sha256::digest(format!("{:?} {members:?}", info.get("pex_hash")));
    info.insert("pex_hash".to_owned(), hex(&hash[..20]).into());
    info.insert("pex_paths".to_owned(), members.into());
    info.remove("pex_path");
    serde_json::Value::Object(info).to_string().into_bytes()
}

/// The archive's tree in the root, every member of it; with another PEX-INFO where one is given.
fn unpacked(
    pex: &Pex,
    archive: &Archive,
    info: Option<&[u8]>,
    store: &Store,
) -> Result<PathBuf, LaunchError> {
    let (original, digest) = original(pex, archive)?;
    let key = match info {
        Some(info) => format!("{digest}-{}", hex(&Sha256::digest(info))),
        None => digest,
    };
    Ok(store.directory(Kind::Originals, &key, &mut |work| {
        fill(&original, info, work)
    })?)
}

/// The archive in the root, as a file of the application's name; with another PEX-INFO where one is given.
fn as_file(
    pex: &Pex,
    archive: &Archive,
    info: Option<&[u8]>,
    name: &OsStr,
    store: &Store,
) -> Result<PathBuf, LaunchError> {
    let (original, digest) = original(pex, archive)?;
    let name = name.to_string_lossy();
    let mut hash = Sha256::new_with_prefix(name.as_bytes());
    hash.update(info.unwrap_or_default());
    let key = format!("{digest}-{}", hex(&hash.finalize()));
    let directory = store.directory(Kind::Originals, &key, &mut |work| {
        let mut file = Tree::new(work)?.file(&name, true)?;
        let Some(info) = info else {
            return Ok(pieces(&original, &mut |piece| file.write_all(piece))?);
        };
        let mut bytes = Vec::new();
        pieces(&original, &mut |piece| {
            bytes.extend(piece);
            Ok(())
        })?;
        replace_info(&mut bytes, info)?;
        Ok(file.write_all(&bytes)?)
    })?;
    Ok(directory.join(name.as_ref()))
}

/// Gives a zip another PEX-INFO, stored behind what it holds (APPNOTE 4.3.7, 4.3.12, 4.3.16). It is read into memory for
/// that, and so bounded: by 4 GiB and 65,534 members, where another form of directory would begin.
fn replace_info(zip: &mut Vec<u8>, info: &[u8]) -> std::io::Result<()> {
    const NAME: &[u8] = b"PEX-INFO";
    const END: usize = 22;
    const HEADER: usize = 46;
    let refused = || {
        std::io::Error::other(
            "its PEX-INFO cannot be replaced to name members that are embedded; strip those members",
        )
    };
    let short = |zip: &[u8], at: usize| {
        zip.get(at..at + 2)
            .map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])))
    };
    let long = |zip: &[u8], at: usize| {
        let bytes = zip.get(at..at + 4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    };
    let number = |value: usize| {
        let value = u32::try_from(value).ok().filter(|&value| value < u32::MAX);
        value.map(u32::to_le_bytes).ok_or_else(refused)
    };

    // pex writes no comment behind the directory.
    let end = zip.len().checked_sub(END).ok_or_else(refused)?;
    let (size, offset) = long(zip, end + 12)
        .zip(long(zip, end + 16))
        .ok_or_else(refused)?;
    let start = end.checked_sub(size).ok_or_else(refused)?;
    // What stands in front of the zip may or may not count in its offsets.
    let before = start.checked_sub(offset).ok_or_else(refused)?;
    if !zip[end..].starts_with(b"PK\x05\x06") || short(zip, end + 10) == Some(0xFFFF) {
        return Err(refused());
    }
    let mut directory = zip.split_off(start);
    let mut at = 0;
    loop {
        let header = directory.get(at..at + HEADER).ok_or_else(refused)?;
        if !header.starts_with(b"PK\x01\x02") {
            return Err(refused());
        }
        let name = short(header, 28).unwrap_or_default();
        let behind = [30, 32].map(|field| short(header, field).unwrap_or_default());
        if directory.get(at + HEADER..at + HEADER + name) == Some(NAME) {
            // No extra field is needed: it would speak of the old content.
            directory.drain(at + HEADER + name..at + HEADER + name + behind[0]);
            directory[at + 30..at + 32].fill(0);
            break;
        }
        at += HEADER + name + behind.iter().sum::<usize>();
    }
    let length = number(info.len())?;
    let sums = [
        &libdeflater::crc32(info).to_le_bytes()[..],
        &length,
        &length,
    ]
    .concat();
    directory[at + 10..at + 12].fill(0);
    directory[at + 16..at + 28].copy_from_slice(&sums);
    directory[at + 42..at + 46].copy_from_slice(&number(start - before)?);
    // The same fields as in the directory's header, in their order; no descriptor follows the data.
    directory[at + 8] &= !8;
    let mut local = b"PK\x03\x04".to_vec();
    local.extend(&directory[at + 6..at + 28]);
    local.extend(&directory[at + 28..at + 30]);
    local.extend([0, 0]);
    local.extend(NAME);
    local.extend(info);
    let end = directory.len() - END;
    let (size, offset) = (number(end)?, number(start - before + local.len())?);
    directory[end + 12..end + 16].copy_from_slice(&size);
    directory[end + 16..end + 20].copy_from_slice(&offset);
    zip.extend(local);
    zip.extend(directory);
    Ok(())
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

fn fill(
    archive: &Archive,
    info: Option<&[u8]>,
    work: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
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
        if let ("PEX-INFO", Some(info)) = (name.as_str(), info) {
            tree.write(&name, info, false)?;
            continue;
        }
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

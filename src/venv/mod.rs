//! A real virtual environment, made natively (reference, section 7).
//!
//! ```text
//! V/bin/python -> pythonX.Y ; python3 -> pythonX.Y ; pythonX.Y -> the base interpreter (or a copy of it)
//! V/bin/activate{,.csh,.fish} ; V/bin/<scripts>
//! V/pyvenv.cfg ; V/lib64 -> lib ; V/include/ ; what wheels call data
//! V/lib/pythonX.Y/site-packages/   user code, copied; wheels, linked; pex-ns-pkgs/N/ for those that clash or share a namespace
//! V/__main__.py ; V/pex -> __main__.py ; V/PEX-INFO
//! ```
//!
//! A virtual environment names its own place in shebangs and settings, so it is built in `tmp/` under the name that it
//! will have, and one that was moved is never used. Nothing here runs a Python, and nothing reaches outside the fresh
//! directory: what a wheel calls data can't replace what makes up the environment, since that is there first.

mod entry;
mod image;
mod layout;
mod skeleton;
mod wheel;

#[cfg(test)]
mod tests;

use pexboot_core::hex::hex;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::interpreter::Record;
use crate::packaging::scripts::Shebang;
use crate::pex_info::PexInfo;
use crate::store::{FORMAT, Kind, Store, StoreError};
use crate::unpack::Unpacked;
use image::{Image, Mode};
use layout::Layout;

/// What a virtual environment is made of.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The Python that it is based on; no virtual environment itself.
    pub interpreter: &'a Record,
    /// Fingerprint of the PEX.
    pub fingerprint: &'a [u8; 32],
    /// Its PEX-INFO.
    pub info: &'a PexInfo,
    /// PEX-INFO's bytes.
    pub info_bytes: &'a [u8],
    /// The selected wheels of the PEX and of the members of its PEX_PATH, in resolve order.
    pub wheels: &'a [Unpacked],
    /// The user code of the PEX; that of PEX_PATH members stays out.
    pub code: &'a Path,
    /// Link no wheel by a symbolic link: its files are to stay when the wheel goes.
    pub copies: bool,
    /// What activation shows at the prompt: the name of the PEX. Of several names the first one stays.
    pub prompt: &'a OsStr,
}

/// A virtual environment that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Venv {
    /// Its directory.
    pub path: PathBuf,
    /// `bin/`.
    pub bin: PathBuf,
    /// The Python to start.
    pub python: PathBuf,
    /// What its Python has on `sys.path` behind the standard library.
    pub entries: Vec<PathBuf>,
    /// Files that did not get their place because an earlier wheel has another of that name; told by the start that
    /// made the environment, and by no other.
    pub clashes: Vec<String>,
}

/// The system refused while a virtual environment was filled.
#[derive(Debug, thiserror::Error)]
#[error("virtual environment: `{}`: {source}", path.display())]
struct FillIo {
    path: PathBuf,
    source: std::io::Error,
}

/// Gives an error its path.
fn at(path: &Path) -> impl Fn(std::io::Error) -> FillIo + '_ {
    move |source| FillIo {
        path: path.to_owned(),
        source,
    }
}

/// Finds or makes the virtual environment.
///
/// # Errors
/// When the store cannot be written.
pub fn assemble(request: &Request<'_>, store: &Store) -> Result<Venv, StoreError> {
    let layout = Layout::of(request.interpreter);
    let key = key(request);
    let (path, clashes) = published(request, &layout, store, &key)?;
    let (path, clashes) = if skeleton::location(&path).as_deref() == Some(path.as_path()) {
        (path, clashes)
    } else {
        // A root or seed that was moved. What is there serves nobody at this place.
        let here = hex(&Sha256::digest(store.root().as_os_str().as_bytes())[..4]);
        published(request, &layout, store, &format!("{key}-{here}"))?
    };
    let site_packages = path.join(&layout.site_packages);
    let spills = wheel::Places::of(request).spills;
    Ok(Venv {
        bin: path.join("bin"),
        python: path.join("bin/python"),
        entries: std::iter::once(site_packages.clone())
            .chain(
                wheel::spill_directories(&spills)
                    .iter()
                    .map(|spill| site_packages.join(spill)),
            )
            .collect(),
        path,
        clashes,
    })
}

/// Builds in the empty directory `work` what [`assemble`] keeps of the request at `place`: to compare the two, or to move it
/// there. Gives the clashes.
///
/// # Errors
/// When the system refuses.
#[cfg(feature = "cli")]
pub fn rebuild(
    request: &Request<'_>,
    place: &Path,
    work: &Path,
) -> Result<Vec<String>, StoreError> {
    let layout = Layout::of(request.interpreter);
    fill(request, &layout, work, place).map_err(|error| StoreError::Fill(error.into()))
}

/// The name of the environment of that request below `venvs/`.
#[cfg(feature = "cli")]
#[must_use]
pub fn name(request: &Request<'_>) -> String {
    key(request)
}

/// The environment of that name, and the clashes if it had to be made.
fn published(
    request: &Request<'_>,
    layout: &Layout,
    store: &Store,
    name: &str,
) -> Result<(PathBuf, Vec<String>), StoreError> {
    let mut clashes = Vec::new();
    if store.find(Kind::Venvs, name).is_none() {
        // Where it will be is written into it.
        store.writable()?;
    }
    let place = store
        .root()
        .join(FORMAT)
        .join(Kind::Venvs.directory())
        .join(name);
    let path = store.directory(Kind::Venvs, name, &mut |work| {
        clashes = fill(request, layout, work, &place)?;
        Ok(())
    })?;
    Ok((path, clashes))
}

/// Fills `work` with the environment that will be at `place`, and gives its clashes.
fn fill(
    request: &Request<'_>,
    layout: &Layout,
    work: &Path,
    place: &Path,
) -> Result<Vec<String>, FillIo> {
    let shebang = Shebang {
        python: place.join("bin").join(&layout.python),
        hermetic: request.info.venv_hermetic_scripts,
    };
    // What comes first stays: the environment's own parts, then user code, which so shadows what wheels bring under the
    // same name, then the wheels in resolve order.
    let mut image = Image::default();
    skeleton::make(request, layout, place, &mut image)?;
    entry::make(request, &shebang, place, &mut image)?;
    image.children(Mode::Copy, request.code, &layout.site_packages)?;
    let wheel::Places { spills, joined } = wheel::Places::of(request);
    let installer = wheel::Installer {
        joined: &joined,
        mode: if request.copies || has_package_manager(request) {
            Mode::HardLink
        } else {
            Mode::Symlink
        },
        layout,
        shebang: &shebang,
    };
    for (wheel, spill) in request.wheels.iter().zip(&spills) {
        installer.install(wheel, spill.as_deref(), &mut image)?;
    }
    wheel::spill_paths(&spills, layout, &mut image)?;
    image.write(work)?;
    Ok(image.into_clashes())
}

/// Projects that replace packages of the environment that they are in: they remove a file and write a new one of its name.
const PACKAGE_MANAGERS: [&str; 3] = ["installer", "pip", "uv"];

/// Whether the environment holds a program that replaces packages: through a linked directory it would write into a wheel
/// that other environments share. (To copy or link file by file takes several times as long, so the rest is spared it.)
fn has_package_manager(request: &Request<'_>) -> bool {
    let project = |wheel: &Unpacked| {
        let name = wheel.name.split('-').next().unwrap_or_default();
        name.to_ascii_lowercase()
    };
    let mut wheels = request.wheels.iter();
    wheels.any(|wheel| PACKAGE_MANAGERS.contains(&project(wheel).as_str()))
}

/// The name of the environment: everything that its content depends on but where it lies.
fn key(request: &Request<'_>) -> String {
    let Request {
        interpreter, info, ..
    } = request;
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(b"pexboot venv 3");
    field(request.fingerprint);
    field(interpreter.binary.as_os_str().as_bytes());
    field(interpreter.implementation.as_bytes());
    field(interpreter.abi.as_bytes());
    let (major, minor, micro) = interpreter.version;
    field(format!("{major}.{minor}.{micro}").as_bytes());
    if info.venv_copies
        && let Ok(binary) = std::fs::metadata(&interpreter.binary)
    {
        field(format!("{} {}", binary.size(), binary.mtime()).as_bytes());
    }
    field(&[u8::from(request.copies)]);
    for wheel in request.wheels {
        // The directory above is named by the wheel's verified hash.
        let hash = wheel.path.parent().and_then(Path::file_name);
        field(hash.unwrap_or_default().as_bytes());
        field(wheel.name.as_bytes());
    }
    // Half of it is plenty, and leaves scripts a path that the kernel takes in their first line.
    hex(&hash.finalize()[..16])
}

//! Replay for a PEX that no stub heads: the same check of the same plan, through the standard library.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pexboot_stub::key;
use pexboot_stub::plan::{Identity, Plan};
use pexboot_stub::replay::{Launch, World, holds};
use pexboot_stub::seal::Seal;

use crate::launch::Invocation;
use crate::plan::identity;

/// The machine as the standard library shows it.
pub struct Machine;

impl World for Machine {
    fn stat(&self, path: &[u8]) -> Option<Identity> {
        std::fs::metadata(as_path(path)).ok().map(|metadata| identity(&metadata))
    }

    fn executable(&self, path: &[u8]) -> bool {
        let path = as_path(path);
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
            && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
    }

    fn link(&self, path: &[u8]) -> Option<Vec<u8>> {
        std::fs::read_link(as_path(path)).ok().map(|target| target.into_os_string().into_vec())
    }

    fn cwd(&self) -> Option<Vec<u8>> {
        std::env::current_dir().ok().map(|path| path.into_os_string().into_vec())
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        boot_id()
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// `boot_id` of the running kernel; `None` where `/proc` does not tell.
#[must_use]
pub fn boot_id() -> Option<[u8; 16]> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let mut id = [0; 16];
    if digits.len() != 32 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

/// The key of this launch, in hexadecimal: the name of its directory under `launches/`.
#[must_use]
pub fn launch_key(invocation: &Invocation, seal: Option<&Seal>, ino: u64) -> String {
    let unsealed = Seal::default();
    let subject = key::Subject { seal: seal.unwrap_or(&unsealed), name: invocation.name().as_bytes(), ino };
    hex(&key::key(subject, |name| invocation.variable(name).map(OsStrExt::as_bytes)))
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The plan of this invocation, when there is one and every input of it still holds.
pub fn find(invocation: &Invocation) -> Option<Plan> {
    let metadata = invocation.pex.metadata().ok()?;
    let seal = crate::archive::seal_of(&invocation.pex);
    let env = |name: &str| invocation.variable(name).map(OsStrExt::as_bytes);
    let roots = pexboot_stub::paths::candidates(seal.as_ref(), nix::unistd::geteuid().as_raw(), env);
    let args: Vec<&[u8]> = invocation.args.iter().map(|arg| arg.as_bytes()).collect();
    let launch = Launch {
        pex: invocation.pex.as_os_str().as_bytes(),
        real: invocation.real.as_os_str().as_bytes(),
        args: &args,
        env: &[],
    };
    roots.iter().find_map(|root| {
        let ino = if root.seed { 0 } else { metadata.ino() };
        let path: PathBuf = [
            as_path(&root.path),
            Path::new(crate::store::FORMAT),
            Path::new("launches"),
            Path::new(&launch_key(invocation, seal.as_ref(), ino)),
            Path::new("plan"),
        ]
        .iter()
        .collect();
        let bytes = std::fs::read(&path).ok()?;
        crate::store::trusted(as_path(&root.path)).ok()?;
        let plan = Plan::decode(&bytes)?;
        holds(&plan, launch, &Machine).then_some(plan)
    })
}

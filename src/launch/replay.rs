//! Replay for a PEX that no stub heads: the same check of the same plan, through the standard library.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use pexboot_stub::key;
use pexboot_stub::paths;
use pexboot_stub::paths::safety::{self, Eyes, Seen, SeenKind, Why};
use pexboot_stub::plan::{Identity, Plan};
use pexboot_stub::replay::{Launch, World, holds};
use pexboot_stub::seal::Seal;

use crate::archive::Archive;
use crate::launch::Invocation;
use crate::plan::identity;
use crate::store::BootId;
use crate::trace;

/// The machine as the standard library shows it.
pub struct Machine;

impl World for Machine {
    fn stat(&self, path: &[u8]) -> Option<Identity> {
        std::fs::metadata(as_path(path))
            .ok()
            .map(|metadata| identity(&metadata))
    }

    fn executable(&self, path: &[u8]) -> bool {
        let path = as_path(path);
        path.metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
            && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
    }

    fn link(&self, path: &[u8]) -> Option<Vec<u8>> {
        std::fs::read_link(as_path(path))
            .ok()
            .map(|target| target.into_os_string().into_vec())
    }

    fn cwd(&self) -> Option<Vec<u8>> {
        std::env::current_dir()
            .ok()
            .map(|path| path.into_os_string().into_vec())
    }

    fn boot_id(&self) -> Option<[u8; 16]> {
        Some(BootId::current().0)
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The key of this launch, in hexadecimal: the name of its directory under `launches/`.
#[must_use]
pub fn launch_key(invocation: &Invocation, seal: Option<&Seal>, ino: u64) -> String {
    hex(&launch_key_bytes(invocation, seal, ino))
}

fn launch_key_bytes(invocation: &Invocation, seal: Option<&Seal>, ino: u64) -> [u8; 32] {
    let unsealed = Seal::default();
    let subject = key::Subject {
        seal: seal.unwrap_or(&unsealed),
        name: invocation.name().as_bytes(),
        ino,
    };
    key::key(subject, |name| {
        invocation.variable(name).map(OsStrExt::as_bytes)
    })
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
    let seal = Archive::seal_of(&invocation.pex).ok()?;
    let pex_root = seal
        .as_ref()
        .map(|seal| seal.pex_root.as_slice())
        .unwrap_or_default();
    let euid = nix::unistd::geteuid().as_raw();
    let args: Vec<&[u8]> = invocation.args.iter().map(|arg| arg.as_bytes()).collect();
    let env = invocation.environment();
    let env: Vec<&[u8]> = env.iter().map(Vec::as_slice).collect();
    let launch = Launch {
        pex: invocation.pex.as_os_str().as_bytes(),
        real: invocation.real.as_os_str().as_bytes(),
        args: &args,
        env: &env,
    };
    let variable = |name: &str| invocation.variable(name).map(OsStrExt::as_bytes);
    paths::candidates(variable, pex_root, euid, || Machine.cwd())
        .iter()
        .find_map(|root| {
            let ino = if root.kind == paths::Kind::Seed {
                0
            } else {
                metadata.ino()
            };
            let key = launch_key_bytes(invocation, seal.as_ref(), ino);
            let step = trace::step("plan read");
            let bytes = crate::regular::read(as_path(&paths::plan(&root.path, &key))).ok()?;
            safety::check(&root.path, euid, &Machine).ok()?;
            let plan = Plan::decode(&bytes)?;
            drop(step);
            let _step = trace::step("inputs checked");
            holds(&plan, launch, &Machine).then_some(plan)
        })
}

impl Eyes for Machine {
    fn lstat(&self, path: &[u8]) -> Result<Seen, Why> {
        let metadata = as_path(path)
            .symlink_metadata()
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Why::Missing,
                _ => Why::Unseen,
            })?;
        let kind = if metadata.is_dir() {
            SeenKind::Directory
        } else if metadata.is_symlink() {
            SeenKind::Link
        } else {
            SeenKind::Other
        };
        Ok(Seen {
            kind,
            mode: metadata.mode() & 0o7777,
            uid: metadata.uid(),
        })
    }

    fn readlink(&self, path: &[u8]) -> Option<Vec<u8>> {
        self.link(path)
    }
}

//! Replay for a PEX that no stub heads: the same check of the same plan, through the standard library.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pexboot_core::hex::hex;
use pexboot_core::key;
use pexboot_core::machine::{self, Machine};
use pexboot_core::paths;
use pexboot_core::plan::Plan;
use pexboot_core::replay::{Launch, holds};
use pexboot_core::roots;
use pexboot_core::seal::Seal;

use crate::archive::Archive;
use crate::launch::Invocation;
use crate::trace;
use crate::user;

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
    roots::candidates(variable, pex_root, euid, machine::cwd)
        .iter()
        .find_map(|root| {
            let ino = if root.kind == roots::Kind::Seed {
                0
            } else {
                metadata.ino()
            };
            let key = launch_key_bytes(invocation, seal.as_ref(), ino);
            let step = trace::step("plan read");
            let bytes =
                crate::regular::read(Path::new(OsStr::from_bytes(&paths::plan(&root.path, &key))))
                    .ok()?;
            machine::safe(&root.path, user::current()).ok()?;
            let plan = Plan::decode(&bytes)?;
            drop(step);
            let _step = trace::step("inputs checked");
            holds(&plan, launch, &Machine::default()).then_some(plan)
        })
}

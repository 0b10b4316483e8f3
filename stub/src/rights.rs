//! Whether this process has more rights than its caller: then nothing is started, since the caller chooses what runs.
//!
//! The kernel's word for it (`AT_SECURE`) alone is no reason: a security module sets it as well, where it moves a process
//! into another domain, as it does at the entry of a container. The user is the same there, and only what a dynamic
//! loader would hear of is taken out of the environment.

use pexboot_core::machine::c;
use pexboot_core::paths::decimal;

use crate::entry::Process;
use crate::failure::{Code, Failure};
use crate::file::SELF;

const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2000;

/// Refuses a process with more rights than its caller's.
pub fn check(process: &mut Process) -> Result<(), Failure> {
    let user = process.uid != process.euid;
    let group = process.gid != process.egid;
    if !process.secure && !user && !group {
        return Ok(());
    }
    let path = process.execfn.unwrap_or(SELF);
    let refusal = |why: &[&[u8]]| {
        let text = b"refusing to start with more rights than the caller's: ";
        Err(Failure::new(Code::Unsafe, &[text, &why.concat()]))
    };
    // Without /proc, what was executed is believed.
    let stat = rustix::fs::stat(c(SELF)).or_else(|_| rustix::fs::stat(c(path)));
    let bits = stat.is_ok_and(|stat| {
        user && stat.st_mode & SET_UID != 0 && stat.st_uid == process.euid
            || group && stat.st_mode & SET_GID != 0 && stat.st_gid == process.egid
    });
    if bits {
        return refusal(&[
            b"`",
            path,
            b"` has set-id bits; run `chmod ug-s ",
            path,
            b"`",
        ]);
    }
    if user || group {
        let (real, effective) = match user {
            true => (process.uid, process.euid),
            false => (process.gid, process.egid),
        };
        let what: &[u8] = if user { b"user " } else { b"group " };
        return refusal(&[
            b"its effective ",
            what,
            &decimal(effective),
            b" is not its real one, ",
            &decimal(real),
        ]);
    }
    let capability = |path| rustix::fs::getxattr_query(c(path), c"security.capability").is_ok();
    if capability(SELF) || capability(path) {
        return refusal(&[
            b"`",
            path,
            b"` has file capabilities; run `setcap -r ",
            path,
            b"`",
        ]);
    }
    // In every program that is started so, glibc does the same: in the `env` of the original's first line, too.
    process.env.retain(|entry| {
        let names: [&[u8]; 3] = [b"LD_", b"GCONV_PATH=", b"GLIBC_TUNABLES="];
        !names.iter().any(|name| entry.starts_with(name))
    });
    Ok(())
}

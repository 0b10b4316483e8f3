//! The user of this process, for whom the shared rules (`pexboot_core::roots::safety`) judge places.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use pexboot_core::machine;
use pexboot_core::roots::safety::User;

/// The user and what it trusts (`PEXBOOT_TRUST`), as they were when first asked for.
#[must_use]
pub fn current() -> User<'static> {
    static TRUST: OnceLock<OsString> = OnceLock::new();
    let trust = TRUST.get_or_init(|| std::env::var_os("PEXBOOT_TRUST").unwrap_or_default());
    User {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        trust: trust.as_bytes(),
    }
}

/// The path of the regular file at `path`, links resolved, if nobody but this user and root can have written it, or put
/// it there.
#[must_use]
pub fn trusted_file(path: &Path) -> Option<PathBuf> {
    let found = machine::safe_file(path.as_os_str().as_bytes(), current()).ok()?;
    Some(PathBuf::from(OsString::from_vec(found)))
}

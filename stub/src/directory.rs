//! Directories in a root that must be there before anything can be put into them.

use pexboot_core::machine::{self, c};
use pexboot_core::paths::{FORMAT, below};
use pexboot_core::roots::safety::{Fault, Safe, User, Why};
use rustix::fs::Mode;
use rustix::io::Errno;

/// The directory `name` in the root, safe, without links in its path. What is missing of it is made: the root for the user
/// alone, which keeps others out; what is in it need not.
pub fn made(root: &[u8], name: &str, user: User<'_>) -> Result<Safe, Fault> {
    let path = below(root, &[FORMAT.as_bytes(), name.as_bytes()]);
    loop {
        let (mode, found) = match machine::safe(root, user) {
            // By itself, since a sticky directory may lie above a root and is none.
            Ok(_) => (Mode::from_raw_mode(0o755), machine::safe(&path, user)),
            fault => (Mode::RWXU, fault),
        };
        let fault = match found {
            Err(fault) if fault.why == Why::Missing => fault,
            found => return found,
        };
        match rustix::fs::mkdir(c(&fault.path), mode) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(_) => return Err(fault),
        }
    }
}

//! How a launch ends that does not take place: one line on stderr, and an exit code.

use alloc::vec::Vec;

use pexboot_core::paths::decimal;
use rustix::io::Errno;

use crate::{stdio, system};

/// Exit codes of the stub: those of the top package's `exit.rs` that it can meet, by the same numbers.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Code {
    /// The file is damaged or cannot be read.
    BadFile = 65,
    /// Something that should not happen: a bug.
    Internal = 70,
    /// No usable root, or a root that is not safe.
    NoRoot = 73,
    /// Reading or writing failed.
    Io = 74,
    /// Refused for safety.
    Unsafe = 77,
}

/// Why there is no launch.
pub struct Failure {
    code: Code,
    text: Vec<u8>,
}

impl Failure {
    /// The pieces of the message follow each other without a space.
    pub fn new(code: Code, pieces: &[&[u8]]) -> Failure {
        Failure {
            code,
            text: pieces.concat(),
        }
    }

    /// A failure of the system over `path`.
    pub fn system(code: Code, what: &[u8], path: &[u8], errno: Errno) -> Failure {
        Failure::new(code, &[what, b" `", path, b"`: ", &reason(errno)])
    }

    /// Says so and ends the process.
    pub fn end(self) -> ! {
        // One write, so that lines of several processes do not mix.
        stdio::complain(&[b"pexboot: ", self.text.as_slice(), b"\n"].concat());
        system::exit(self.code as u8)
    }
}

/// What the system said, in words where it is a usual thing.
pub fn reason(errno: Errno) -> Vec<u8> {
    let words: &[u8] = match errno {
        Errno::NOENT => b"no such file or directory",
        Errno::ACCESS => b"permission denied",
        Errno::PERM => b"operation not permitted",
        Errno::TOOBIG => b"argument list too long",
        Errno::NOEXEC => b"not a program for this machine",
        Errno::NOSPC => b"no space left on device",
        Errno::DQUOT => b"disk quota exceeded",
        Errno::ROFS => b"read-only file system",
        Errno::NOMEM => b"out of memory",
        Errno::MFILE | Errno::NFILE => b"too many open files",
        Errno::IO => b"input/output error",
        Errno::LOOP => b"too many symbolic links",
        _ => {
            let number = u32::try_from(errno.raw_os_error()).unwrap_or_default();
            return [b"system error ", decimal(number).as_slice()].concat();
        }
    };
    words.to_vec()
}

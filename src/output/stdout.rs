//! Standard output of a command: text that is printed, and a file that is sent there.
//!
//! Never panics. A reader that has seen enough ends the printing without a word; any other failure is kept for
//! [`failure`], which the command line asks for once, at its end, to say it and to exit with 74.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal as _, Read as _, Seek as _, SeekFrom};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// Whether the process began without one.
static CLOSED: AtomicBool = AtomicBool::new(false);
/// The error that ended the printing.
static FAILED: Mutex<Option<Errno>> = Mutex::new(None);

/// Notes that standard output is closed, if it is. To be called before anything else may take its number.
pub fn note_closed() {
    let closed = fcntl(io::stdout().as_fd(), FcntlArg::F_GETFD).is_err();
    CLOSED.store(closed, Ordering::Relaxed);
}

/// Prints the text; after a failure nothing more.
pub fn print(text: &str) {
    let mut failed = lock();
    if failed.is_none() {
        *failed = write(text.as_bytes()).err();
    }
}

/// Why something could not be printed, if it could not; a reader that went away is no failure.
#[must_use]
pub fn failure() -> Option<io::Error> {
    let errno = (*lock())?;
    (errno != Errno::EPIPE).then(|| errno.into())
}

/// Whether standard output is a terminal.
#[must_use]
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Sends the whole file to standard output.
///
/// # Errors
/// When it cannot be read or written, or standard output is closed.
pub fn send(mut file: &File) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => write(&piece[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes by the system call itself: the standard library takes a closed descriptor for one that swallows everything.
fn write(mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        if CLOSED.load(Ordering::Relaxed) {
            return Err(Errno::EBADF);
        }
        match nix::unistd::write(io::stdout(), bytes) {
            Ok(0) => return Err(Errno::EIO),
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::EINTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn lock() -> MutexGuard<'static, Option<Errno>> {
    FAILED.lock().unwrap_or_else(PoisonError::into_inner)
}

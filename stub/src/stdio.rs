//! Words to whoever started this process. A closed or full stderr is no reason not to start.

#![allow(unsafe_code)]

/// Writes to stderr, as much as it takes.
pub fn complain(text: &[u8]) {
    // SAFETY: a closed descriptor 2 is harmless here: the write fails and that is all.
    let stderr = unsafe { rustix::stdio::stderr() };
    // There is nobody left to tell.
    let _ = rustix::io::write(stderr, text);
}

/// Writes to standard output, where a Python reads that has asked. An answer that is cut short is none.
pub fn answer(text: &[u8]) {
    // SAFETY: as in `complain`.
    let _ = rustix::io::write(unsafe { rustix::stdio::stdout() }, text);
}

/// Writes to stderr where that is a terminal.
pub fn tell(text: &[u8]) {
    // SAFETY: as in `complain`.
    if rustix::termios::isatty(unsafe { rustix::stdio::stderr() }) {
        complain(text);
    }
}

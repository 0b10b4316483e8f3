//! Exit codes: one enum, one table in `docs/errors.md`.

/// How a command, or a launch that fails, ends.
///
/// What the original bootstrap refuses with 1 is refused with 1 here too, so that scripts which look at it go on
/// working; what only this launcher can meet has a code of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// Done as asked.
    Success = 0,
    /// The PEX or its settings are refused as the original refuses them (reference, section 10).
    Refused = 1,
    /// The command line could not be understood.
    Usage = 2,
    /// The file is not a PEX, is damaged or cannot be read.
    BadFile = 65,
    /// The file is hostile: a zip that no pex ever wrote.
    Hostile = 66,
    /// Something that should not happen: a bug.
    Internal = 70,
    /// No usable root, or a root that is not safe.
    NoRoot = 73,
    /// Reading or writing failed: disk full, I/O error, out of descriptors.
    Io = 74,
    /// Refused for safety: a set-id start.
    Unsafe = 77,
}

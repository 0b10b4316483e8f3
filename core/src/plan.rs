//! The launch plan: the complete answer for one launch, with every input it depended on. Its bytes on disk are the
//! matter of `plan/format.rs`.

use alloc::vec::Vec;

mod format;

pub use format::SIZE_MAX;

/// A launch plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// `boot_id` of the boot that wrote this plan's entries; all zero once they are known to be on disk.
    pub boot_id: [u8; 16],
    /// Everything that was consulted, in the order of the check (cheapest and likeliest to change first).
    pub inputs: Vec<Input>,
    /// What to do when every input holds.
    pub exec: Exec,
}

/// Where a path of a plan starts, so that a file that moves takes its plan along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The path is absolute.
    Root,
    /// Relative to the directory of P as invoked.
    PexDir,
    /// Relative to `$HOME`.
    Home,
    /// Relative to the working directory.
    Cwd,
}

/// A path and what it is relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where it starts.
    pub anchor: Anchor,
    /// The path, not normalised.
    pub path: Vec<u8>,
}

/// What tells a changed file from an unchanged one. Never the device number: overlayfs, NFS and btrfs change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Identity {
    /// Inode number; 0 in a portable identity, where it does not count.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Modification time, seconds.
    pub mtime: i64,
    /// Modification time, nanoseconds of the second; not compared in a portable identity.
    pub mtime_nsec: u32,
    /// Change time, seconds; not compared in a portable identity.
    pub ctime: i64,
    /// Change time, nanoseconds of the second; not compared in a portable identity.
    pub ctime_nsec: u32,
}

/// One thing that was consulted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// P itself has this identity.
    Pex(Identity),
    /// The file there (links followed) has this identity.
    File(Place, Identity),
    /// Something is there (links followed) with this inode number (0: any).
    Present(Place, u64),
    /// Nothing is there.
    Absent(Place),
    /// The symbolic link there reads so.
    Link(Place, Vec<u8>),
    /// The first executable regular file of this name on `$PATH`, absolute, or none
    /// ([`first_on_path`](crate::replay::first_on_path)).
    FirstOnPath(Vec<u8>, Option<Vec<u8>>),
    /// The nearest file of this name from the working directory upward, absolute, or none
    /// ([`first_upward`](crate::replay::first_upward)).
    FirstUpward(Vec<u8>, Option<Vec<u8>>),
    /// A variable that is not part of the key has this value, or is not set.
    Variable(Vec<u8>, Option<Vec<u8>>),
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exec {
    /// Absolute path of the program.
    pub program: Vec<u8>,
    /// `argv` up to where the user's arguments follow.
    pub argv: Vec<Vec<u8>>,
    /// Whether the PEX acts as an interpreter: Python's own options among the user's arguments go in front of the last
    /// item of `argv`.
    pub interpreter: bool,
    /// Changes to the environment, in order.
    pub env: Vec<EnvChange>,
}

/// A change to the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvChange {
    /// The variable is taken out.
    Remove(Vec<u8>),
    /// Every variable whose name begins so is taken out.
    RemovePrefix(Vec<u8>),
    /// The variable is set.
    Set(Vec<u8>, Value),
    /// The variable is set unless it is already.
    SetDefault(Vec<u8>, Value),
    /// The text goes before the variable's value with a `:`; alone where it was unset or empty.
    Prepend(Vec<u8>, Vec<u8>),
    /// The text goes behind the variable's value with a `:`; alone where it was unset or empty.
    Append(Vec<u8>, Vec<u8>),
}

/// A value that may be known only at the launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// As it stands here.
    Text(Vec<u8>),
    /// P with every link resolved.
    RealPex,
    /// This text, then P as invoked, absolute.
    InvokedPex(Vec<u8>),
}

#[cfg(test)]
mod tests;

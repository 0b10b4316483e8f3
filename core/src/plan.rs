//! The launch plan: the complete answer for one launch, with every input it depended on. Several plans of one key, whose
//! answers differ, share a file; its bytes are the matter of `plan/format.rs`.

use alloc::vec::Vec;

mod format;

pub use format::{Plans, SIZE_MAX, encode};

use crate::note::Note;

/// So many plans of one key are kept, the newest first.
pub const PLANS_MAX: usize = 16;
/// So many files are known to a plan, the newest first.
pub const FILES_MAX: usize = 256;

/// A launch plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The files whose content was found to be the one that this plan is for: copies share it. At most [`FILES_MAX`].
    pub files: Vec<Identity>,
    /// Fingerprint of that content.
    pub fingerprint: [u8; 32],
    /// Whether the plan was made for other machines and later boots (`warm`). Such a plan counts in a seed, and in a root
    /// that can't be written to.
    pub portable: bool,
    /// Whether the command ends with the boot of a launch, in the directory of that; else it is complete without one.
    pub boots: bool,
    /// `boot_id` of the boot that wrote this plan's entries; all zero once they are known to be on disk.
    pub boot_id: [u8; 16],
    /// Everything that was consulted, in the order of the check (cheapest and likeliest to change first).
    pub inputs: Vec<Input>,
    /// What to do when every input holds.
    pub exec: Exec,
}

impl Plan {
    /// The directory of the launch, absolute; `None` where the command is complete without one.
    #[must_use]
    pub fn launch(&self) -> Option<&[u8]> {
        let boot = self.exec.argv.last().filter(|_| self.boots)?;
        let slash = boot.iter().rposition(|&byte| byte == b'/')?;
        boot.get(..slash)
    }
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
    /// Inode number.
    pub ino: u64,
    /// Size in bytes.
    pub size: u64,
    /// Modification time, seconds.
    pub mtime: i64,
    /// Modification time, nanoseconds of the second.
    pub mtime_nsec: u32,
    /// Change time, seconds.
    pub ctime: i64,
    /// Change time, nanoseconds of the second.
    pub ctime_nsec: u32,
}

impl Identity {
    /// Whether a change within the same second could leave the identity as it is: the file system keeps whole seconds, and
    /// the last one has hardly passed at `now` (seconds since 1970).
    #[must_use]
    pub fn is_fresh(&self, now: i64) -> bool {
        self.ctime_nsec == 0 && now.saturating_sub(self.ctime) < 2
    }
}

/// What tells a changed file from an unchanged one on any machine. Builders of images set times to what they like: then
/// the content decides. Of a directory that is the names in it, and its size is [`Content::DIRECTORY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Content {
    /// Size in bytes.
    pub size: u64,
    /// Modification time, seconds.
    pub mtime: i64,
    /// [`checksum`](crate::checksum::checksum) of the content.
    pub sum: [u8; 8],
}

impl Content {
    /// Stands for the size of a directory, which is the file system's own affair.
    pub const DIRECTORY: u64 = u64::MAX;
}

/// One thing that was consulted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The file there (links followed) has this identity.
    File(Place, Identity),
    /// The file there (links followed) has this size, and this time or this content.
    Content(Place, Content),
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
    /// P as invoked, absolute, is this path: the command names it.
    Pex(Vec<u8>),
    /// The working directory is this one: something relative was looked up from it.
    Cwd(Vec<u8>),
    /// The kernel calls itself so: release and version (uname(2)), a zero byte between.
    Kernel(Vec<u8>),
}

/// What is executed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exec {
    /// Absolute path of the program; empty where `argv` is an [answer](crate::replay::Command::answer).
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
    /// P as invoked, absolute.
    InvokedPex,
    /// What the boot is told, P in it.
    Note(Note),
}

#[cfg(test)]
mod tests;

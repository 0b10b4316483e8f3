//! Replay: does every input of a plan still hold, and what exactly is executed then.

use alloc::vec::Vec;

use crate::plan::{Exec, Identity, Plan};

/// What replay needs to see of the machine.
pub trait World {
    /// Identity of the file there, links followed; `None` when nothing can be seen there.
    fn stat(&self, path: &[u8]) -> Option<Identity>;
    /// Whether there is a regular file that this user may execute, links followed.
    fn executable(&self, path: &[u8]) -> bool;
    /// What the symbolic link there reads.
    fn link(&self, path: &[u8]) -> Option<Vec<u8>>;
    /// The working directory.
    fn cwd(&self) -> Option<Vec<u8>>;
    /// `boot_id` of the running kernel.
    fn boot_id(&self) -> Option<[u8; 16]>;
}

/// One start of one file.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// P: the file as invoked, made absolute.
    pub pex: &'a [u8],
    /// P with every link resolved.
    pub real: &'a [u8],
    /// The arguments behind `argv[0]`.
    pub args: &'a [&'a [u8]],
    /// The environment, `NAME=VALUE`.
    pub env: &'a [&'a [u8]],
}

/// A program to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Absolute path.
    pub program: Vec<u8>,
    /// Its `argv`.
    pub argv: Vec<Vec<u8>>,
    /// Its environment.
    pub env: Vec<Vec<u8>>,
}

/// Whether every input of `plan` still holds for this launch.
#[must_use]
pub fn holds(plan: &Plan, launch: Launch<'_>, world: &impl World) -> bool {
    let _ = (plan, launch, world);
    todo!()
}

/// Fills a plan's [`Exec`] in for this launch.
#[must_use]
pub fn command(exec: &Exec, launch: Launch<'_>) -> Command {
    let _ = (exec, launch);
    todo!()
}

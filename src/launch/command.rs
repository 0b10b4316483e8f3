//! The command of a launch: what a mode gives to be published.

use std::path::PathBuf;

use crate::boot::{Data, Py};
use crate::plan::EnvChange;

/// How the application is started.
pub(super) struct Command {
    /// The command, up to where the boot follows.
    pub argv: Vec<Vec<u8>>,
    /// Changes to the environment.
    pub env: Vec<EnvChange>,
    /// Whether the PEX acts as an interpreter.
    pub interpreter: bool,
    /// What must be there for the command to work.
    pub needs: Vec<PathBuf>,
    /// The boot; `None` where the command is complete without it.
    pub boot: Option<Boot>,
}

/// What the boot of a start gets.
pub(super) struct Boot {
    pub data: Data,
    /// Where it finds bytecode that the PEX brings.
    pub shipped: Option<Py>,
    /// Whether others may be waiting for what this start imports.
    pub importing: bool,
}

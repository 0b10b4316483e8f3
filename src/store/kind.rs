//! What is kept under a root, and where each kind lies.

use std::path::{Path, PathBuf};

use super::FORMAT;

/// What is kept under a root, by the name of its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `engine/`
    Engine,
    /// `interpreters/`
    Interpreters,
    /// `finders/`
    Finders,
    /// `wheels/`
    Wheels,
    /// `code/`
    Code,
    /// `bytecode/`
    Bytecode,
    /// `sites/`
    Sites,
    /// `venvs/`
    Venvs,
    /// `originals/`
    Originals,
    /// `launches/`
    Launches,
    /// `plans/`
    Plans,
}

impl Kind {
    /// Its directory below [`FORMAT`].
    #[must_use]
    pub const fn directory(self) -> &'static str {
        match self {
            Kind::Engine => "engine",
            Kind::Interpreters => "interpreters",
            Kind::Finders => "finders",
            Kind::Wheels => "wheels",
            Kind::Code => "code",
            Kind::Bytecode => "bytecode",
            Kind::Sites => "sites",
            Kind::Venvs => "venvs",
            Kind::Originals => "originals",
            Kind::Launches => "launches",
            Kind::Plans => "plans",
        }
    }

    /// Whether its entries have a manifest. The others check themselves when they are read: the engine by its digest,
    /// interpreter records and plans by their checksums, launches by what they are to hold.
    pub(super) const fn has_manifest(self) -> bool {
        !matches!(
            self,
            Kind::Engine | Kind::Interpreters | Kind::Launches | Kind::Plans
        )
    }
}

/// The kinds whose entries have manifests.
pub const WITH_MANIFEST: [Kind; 7] = [
    Kind::Finders,
    Kind::Wheels,
    Kind::Code,
    Kind::Bytecode,
    Kind::Sites,
    Kind::Venvs,
    Kind::Originals,
];

/// Where an entry belongs.
pub fn place(root: &Path, kind: Kind, name: &str) -> PathBuf {
    root.join(FORMAT).join(kind.directory()).join(name)
}

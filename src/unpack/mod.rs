//! Wheels and user code out of a PEX and into the store, verified (reference, section 9).
//!
//! Memory stays bounded per worker whatever the members' sizes.

use std::path::PathBuf;

use crate::pex::Pex;
use crate::resolve::Selected;
use crate::store::{Store, StoreError};

/// A wheel in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The wheel's file name.
    pub name: String,
    /// Where it was unpacked.
    pub path: PathBuf,
    /// Its `sys.path` entries relative to `path`, `.` for itself (reference 1.7, 1.8).
    pub entries: Vec<String>,
}

/// Why unpacking failed.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The PEX cannot be read.
    #[error(transparent)]
    Pex(#[from] crate::pex::PexError),
    /// The content is not what PEX-INFO promises.
    #[error("`{}`: wheel `{wheel}` has hash {found}, PEX-INFO promises {promised}; the file is damaged or was tampered with: fetch or build it anew", pex.display())]
    Promise {
        /// The PEX.
        pex: PathBuf,
        /// The wheel.
        wheel: String,
        /// SHA-256 of what is there.
        found: String,
        /// SHA-256 that PEX-INFO states.
        promised: String,
    },
}

/// Brings every selected wheel into the store, in parallel, and gives them back in the same order.
///
/// # Errors
/// When one cannot be unpacked or is not what PEX-INFO promises.
pub fn wheels(
    pex: &Pex,
    fingerprint: &[u8; 32],
    selected: &[Selected],
    store: &Store,
) -> Result<Vec<Unpacked>, UnpackError> {
    let _ = (pex, fingerprint, selected, store);
    todo!()
}

/// Brings the user code into the store and gives its directory (an empty one where there is none).
///
/// # Errors
/// When it cannot be unpacked or its fingerprint is not the one given.
pub fn code(pex: &Pex, fingerprint: &[u8; 32], store: &Store) -> Result<PathBuf, UnpackError> {
    let _ = (pex, fingerprint, store);
    todo!()
}

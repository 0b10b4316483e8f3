//! Which wheels of a PEX an interpreter activates (reference, section 5).

use crate::interpreter::Record;
use crate::pex_info::PexInfo;

/// A wheel that was selected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selected {
    /// Its file name: a key of `distributions`.
    pub name: String,
    /// Its promised fingerprint.
    pub fingerprint: String,
}

/// Why a resolve failed: the text of reference 10, without the candidate interpreters around it.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// No usable wheel for a root requirement's project; `ignore_errors` does not help.
    #[error("{message}")]
    Root {
        /// The message.
        message: String,
    },
    /// Requirements that nothing satisfies.
    #[error("{message}")]
    Unresolved {
        /// The message.
        message: String,
    },
    /// PEX-INFO or METADATA cannot be understood.
    #[error("{message}")]
    Bad {
        /// The message.
        message: String,
    },
}

/// Selects the wheels of one PEX for one interpreter, in resolve order.
///
/// `metadata` gives a wheel's METADATA; `label` names the PEX in messages.
///
/// # Errors
/// When a requirement cannot be met (reference 5.5), unless `ignore_errors` forgives it.
pub fn resolve(
    info: &PexInfo,
    ignore_errors: bool,
    interpreter: &Record,
    label: &str,
    metadata: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
) -> Result<Vec<Selected>, ResolveError> {
    let _ = (info, ignore_errors, interpreter, label, metadata);
    todo!()
}

//! The site: one import directory merged from the selected wheels, wherever that looks the same to an import.
//!
//! "First one wins" is not always what a path would do: a wheel that clashes with an earlier one (module against
//! package, namespace portion against regular package, one file with two contents, one `.pth` name twice, two versions
//! of one project) is spilled to a path entry of its own behind the site, in order.

use std::path::PathBuf;

use crate::interpreter::Record;
use crate::store::{Store, StoreError};
use crate::unpack::Unpacked;

/// What goes on `sys.path` for the wheels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// Path entries in order of precedence, the merged directory first where there is one.
    pub entries: Vec<PathBuf>,
    /// Import lines of `.pth` files, in order: the directory of the file, and the line.
    pub import_lines: Vec<(PathBuf, String)>,
}

/// Assembles the site of these wheels, in resolve order, for this interpreter.
///
/// # Errors
/// When the store cannot be written.
pub fn assemble(
    wheels: &[Unpacked],
    interpreter: &Record,
    store: &Store,
) -> Result<Site, StoreError> {
    let _ = (wheels, interpreter, store);
    todo!()
}

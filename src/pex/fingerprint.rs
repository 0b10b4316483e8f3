//! The fingerprint: what an archive's content comes to.
//!
//! SHA-256 over PEX-INFO's bytes, the options of Python in the line that starts the original, where it has any, and, for
//! each member of user code in order, path, x bit and SHA-256 of the content; texts with their length in front (u64,
//! little-endian), so that nothing can be read in two ways. With the wheels' hashes in PEX-INFO it commits to everything
//! that runs, and it is the same for a bare and an embedded file.

use sha2::{Digest as _, Sha256};

/// A fingerprint in the making.
#[derive(Debug, Clone)]
pub struct Fingerprint(Sha256);

impl Fingerprint {
    /// Begins with PEX-INFO's bytes, and what the line says that starts the original.
    pub(super) fn new(info: &[u8], says: &[u8]) -> Fingerprint {
        let mut fingerprint = Fingerprint(Sha256::new());
        fingerprint.text(info);
        if !says.is_empty() {
            // No path is as long as this says.
            fingerprint.0.update(u64::MAX.to_le_bytes());
            fingerprint.text(says);
        }
        fingerprint
    }

    /// Adds the next member of user code.
    pub fn member(&mut self, path: &str, executable: bool, digest: &[u8; 32]) {
        self.text(path.as_bytes());
        self.0.update([u8::from(executable)]);
        self.0.update(digest);
    }

    /// The fingerprint.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }

    fn text(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

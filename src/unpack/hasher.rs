//! What is made of the bytes of files while they are laid out.

use sha2::{Digest as _, Sha256};

use super::item::{Item, Witness};

/// The hash of a wheel's directory as pex computes it: names in order, then contents in order (reference 1.6).
#[derive(Debug)]
pub(super) struct DirectoryHash {
    hash: Sha256,
    counts: bool,
}

impl DirectoryHash {
    /// Begins with the names of `items`, which must be in the order in which they will follow: sorted by path.
    pub(super) fn new(items: &[Item<'_>]) -> DirectoryHash {
        let mut hash = Sha256::new();
        items
            .iter()
            .filter(|item| item.hashed)
            .for_each(|item| hash.update(item.path.as_bytes()));
        DirectoryHash {
            hash,
            counts: false,
        }
    }

    /// The hash, as hexadecimal digits.
    pub(super) fn finish(self) -> String {
        super::hex(&self.hash.finalize())
    }
}

impl Witness for DirectoryHash {
    fn begin(&mut self, item: &Item<'_>) {
        self.counts = item.hashed;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.counts {
            self.hash.update(bytes);
        }
    }

    fn end(&mut self, _item: &Item<'_>) {}
}

/// The hash of one file.
#[derive(Default)]
pub(super) struct Seen(pub(super) Sha256);

impl Witness for Seen {
    fn begin(&mut self, _item: &Item<'_>) {}

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn end(&mut self, _item: &Item<'_>) {}
}

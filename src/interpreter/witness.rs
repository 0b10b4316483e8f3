//! Files that an interpreter record speaks of: whether they are still what they were.
//!
//! A file is the same while its identity is; a copy of it on another machine, or in another layer of an image, is the
//! same by size and build id (or content, where there is none). Builders of images set dates to what they like.

use pexboot_core::hex::{hex, unhex};
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::answer::field;
use super::elf::Elf;
use crate::hashing::hash_file;
use crate::plan::{Identity, identity};

/// A file that a record speaks of, as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) path: PathBuf,
    identity: Identity,
    /// Its build id, else the SHA-256 of its content: tells the same file on another machine.
    proof: Vec<u8>,
}

impl Witness {
    /// The file at `path` as it is now.
    pub(super) fn of(path: &Path) -> std::io::Result<Witness> {
        let identity = identity(&fs::metadata(path)?);
        Ok(Witness {
            path: path.to_owned(),
            identity,
            proof: proof(path)?,
        })
    }

    /// Adds to `hash` where it lies and what it holds.
    pub(super) fn prove(&self, hash: &mut Sha256) {
        for piece in [self.path.as_os_str().as_bytes(), &self.proof] {
            hash.update((piece.len() as u64).to_le_bytes());
            hash.update(piece);
        }
    }

    /// Whether the file is still the same: by its identity, or as a copy of the same size with the same proof.
    pub(super) fn holds(&self) -> bool {
        let Ok(metadata) = fs::metadata(&self.path) else {
            return false;
        };
        let now = identity(&metadata);
        now == self.identity
            || (now.size == self.identity.size
                && proof(&self.path).is_ok_and(|proof| proof == self.proof))
    }

    /// Appends it as a field.
    pub(super) fn write(&self, output: &mut Vec<u8>) {
        let Identity {
            ino,
            size,
            mtime,
            mtime_nsec,
            ctime,
            ctime_nsec,
        } = self.identity;
        let mut value = format!(
            "{ino} {size} {mtime} {mtime_nsec} {ctime} {ctime_nsec} {} ",
            hex(&self.proof)
        )
        .into_bytes();
        value.extend_from_slice(self.path.as_os_str().as_bytes());
        field(output, "file", &value);
    }

    /// Reads the value of such a field.
    pub(super) fn read(value: &[u8]) -> Option<Witness> {
        let mut words = value.splitn(8, |&byte| byte == b' ');
        let mut word = || std::str::from_utf8(words.next()?).ok();
        let identity = Identity {
            ino: word()?.parse().ok()?,
            size: word()?.parse().ok()?,
            mtime: word()?.parse().ok()?,
            mtime_nsec: word()?.parse().ok()?,
            ctime: word()?.parse().ok()?,
            ctime_nsec: word()?.parse().ok()?,
        };
        let proof = unhex(word()?)?;
        let path = PathBuf::from(OsString::from_vec(words.next()?.to_vec()));
        path.is_absolute().then_some(Witness {
            path,
            identity,
            proof,
        })
    }
}

/// What tells the content of a file, wherever it lies.
fn proof(path: &Path) -> std::io::Result<Vec<u8>> {
    if let Some(build_id) = Elf::read(path).and_then(|elf| elf.build_id) {
        return Ok(build_id);
    }
    Ok(hash_file::<Sha256>(path)?.0.to_vec())
}

#[cfg(test)]
mod tests {
    use super::super::answer::Fields;
    use super::*;

    #[test]
    fn a_copy_with_the_same_date_is_the_same_interpreter() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        let write = |text: &str| {
            fs::remove_file(&file).ok();
            fs::write(&file, text).unwrap();
            let date = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
            fs::File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_modified(date)
                .unwrap();
        };
        write("content");
        let witness = Witness::of(&file).unwrap();
        let mut bytes = Vec::new();
        witness.write(&mut bytes);
        assert_eq!(
            Witness::read(Fields(&bytes).next().unwrap().1),
            Some(witness.clone())
        );
        write("content");
        assert!(witness.holds(), "another inode, the same file");
        write("CONTENT");
        assert!(!witness.holds(), "another content");
        fs::remove_file(&file).unwrap();
        assert!(!witness.holds());
    }
}

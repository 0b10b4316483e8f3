//! A file on its way to its name: written beside it, complete before it gets it.

use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{
    FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest as _, Sha256};

use super::EmbedError;

/// The file that is to be written: `output`, or the input itself where it really lies.
pub(super) fn target(input: &Path, output: Option<&Path>) -> Result<PathBuf, EmbedError> {
    let path = output.unwrap_or(input);
    match path.canonicalize() {
        Ok(path) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(path.to_path_buf()),
        Err(source) => Err(EmbedError::Io {
            path: path.to_path_buf(),
            source,
        }),
    }
}

/// A file beside its final place. Removed when dropped, unless it was published.
#[derive(Debug)]
pub(super) struct Draft {
    file: File,
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// A fresh file in the directory of `target`, for its owner alone.
    pub fn beside(target: &Path) -> Result<Draft, EmbedError> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if target.is_dir() {
            let source = std::io::ErrorKind::IsADirectory.into();
            return Err(EmbedError::Io {
                path: target.to_path_buf(),
                source,
            });
        }
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = target.with_file_name(format!(".pexboot-{}-{count}", std::process::id()));
            let opened = OpenOptions::new()
                .read(true)
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path);
            match opened {
                Ok(file) => {
                    return Ok(Draft {
                        file,
                        path,
                        target: target.to_path_buf(),
                    });
                }
                // Left by a killed process of the same number.
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(EmbedError::Io { path, source }),
            }
        }
    }

    /// The file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it lies for now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds bytes at the end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EmbedError> {
        self.file.write_all(bytes).map_err(|source| EmbedError::Io {
            path: self.path.clone(),
            source,
        })
    }

    /// Adds `size` bytes of `source` from `offset` on at the end; gives their SHA-256.
    pub fn copy(
        &mut self,
        source: &File,
        mut offset: u64,
        size: u64,
        source_path: &Path,
    ) -> Result<[u8; 32], EmbedError> {
        let end = offset + size;
        let mut buffer = vec![0; 1 << 20];
        let mut hash = Sha256::new();
        while offset < end {
            let length =
                usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
            let piece = &mut buffer[..length];
            let io = |source| EmbedError::Io {
                path: source_path.to_path_buf(),
                source,
            };
            source.read_exact_at(piece, offset).map_err(io)?;
            hash.update(&*piece);
            self.file
                .write_all(piece)
                .map_err(|source| EmbedError::Io {
                    path: self.path.clone(),
                    source,
                })?;
            offset += length as u64;
        }
        Ok(hash.finalize().into())
    }

    /// Gives the file its mode, the owner of `like` where the system lets us, and its name.
    pub fn publish(self, mode: u32, like: &Metadata) -> Result<PathBuf, EmbedError> {
        let io = |source| EmbedError::Io {
            path: self.target.clone(),
            source,
        };
        let own = self.file.metadata().map_err(io)?;
        if self.target.exists() && (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            // Only root may give files away; whoever may replace the file may also own it.
            let _ = fchown(&self.file, Some(like.uid()), Some(like.gid()));
        }
        self.file
            .set_permissions(Permissions::from_mode(mode))
            .map_err(io)?;
        // A rename can survive a power cut that its data does not.
        self.file.sync_all().map_err(io)?;
        std::fs::rename(&self.path, &self.target).map_err(io)?;
        Ok(self.target.clone())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already when it was published.
        let _ = std::fs::remove_file(&self.path);
    }
}

//! The result on its way to where it was asked for: a file (see `crate::output`), or standard output.
//!
//! Nothing goes to standard output before the result is complete and has been checked.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::EmbedError;
use crate::output::{Draft, Rights, stdout};

/// Names standard output.
const STDOUT: &str = "-";

/// Where a result goes.
#[derive(Debug)]
enum Target {
    /// The input itself, where it really lies.
    InPlace(PathBuf),
    /// A file of that name.
    File(PathBuf),
    Stdout,
}

impl Target {
    fn of(input: &Path, output: Option<&Path>) -> Result<Target, EmbedError> {
        let io = |source| EmbedError::Io {
            path: input.to_path_buf(),
            source,
        };
        match output {
            Some(output) if output == Path::new(STDOUT) && stdout::is_terminal() => {
                Err(EmbedError::Terminal)
            }
            Some(output) if output == Path::new(STDOUT) => Ok(Target::Stdout),
            Some(output) if !is_same_name(input, output) => Ok(Target::File(output.to_path_buf())),
            _ => Ok(Target::InPlace(input.canonicalize().map_err(io)?)),
        }
    }
}

/// Whether both are the same name in the same directory.
fn is_same_name(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| {
        let path = std::path::absolute(path).ok()?;
        Some((
            path.parent()?.canonicalize().ok()?,
            path.file_name()?.to_owned(),
        ))
    };
    place(one).is_some_and(|one| Some(one) == place(other))
}

/// A result in the making.
#[derive(Debug)]
pub(super) struct Output {
    draft: Draft,
    target: Target,
}

impl Output {
    /// The result of a change to the file `input`: for `output`, or in place without one. The mode is `mode`; of another
    /// file that is there already its own, with an x bit for each r bit where `mode` has one.
    pub fn new(input: &Path, output: Option<&Path>, mode: u32) -> Result<Output, EmbedError> {
        let target = Target::of(input, output)?;
        let usual = Rights::Usual {
            new: mode,
            executable: mode & 0o111 != 0,
        };
        let draft = match &target {
            Target::InPlace(path) => Draft::new(path, Rights::InPlace(mode))?,
            Target::File(path) => Draft::new(path, usual)?,
            Target::Stdout => Draft::scratch()?,
        };
        Ok(Output { draft, target })
    }

    /// Where it lies for now.
    pub fn path(&self) -> PathBuf {
        self.draft.path()
    }

    /// Adds bytes at the end.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), EmbedError> {
        Ok(self.draft.write(bytes)?)
    }

    /// Replaces bytes at `offset`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> std::io::Result<()> {
        self.draft.file().write_all_at(bytes, offset)
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
            self.draft.write(piece)?;
            offset += length as u64;
        }
        Ok(hash.finalize().into())
    }

    /// Puts it where it was asked for; gives the path.
    pub fn publish(self) -> Result<PathBuf, EmbedError> {
        match self.target {
            Target::InPlace(path) | Target::File(path) => {
                self.draft.sync()?;
                self.draft.publish()?;
                Ok(path)
            }
            Target::Stdout => {
                stdout::send(self.draft.file()).map_err(EmbedError::Stdout)?;
                Ok(PathBuf::from(STDOUT))
            }
        }
    }
}

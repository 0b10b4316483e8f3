//! One wheel of a PEX: where its files are, and the two that say what it is.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{Content, DEPS, Layout, Member, Pex, PexError, TEXT, read_file, tree};
use crate::archive::{Archive, Entry};
use crate::packaging::names;

/// What there is of one wheel in a PEX.
#[derive(Debug)]
pub enum WheelSource {
    /// A pre-installed chroot (reference 1.7): its members, in the given archive or as loose files.
    Chroot {
        /// The archive that `Content::Entry` members are in; `None` for loose files.
        archive: Option<Arc<Archive>>,
        /// The files, in stored order; directories are not listed.
        members: Vec<Member>,
    },
    /// The wheel file itself (reference 9.3), as an archive of its own.
    WheelFile {
        /// The bytes as they are: a member of the PEX or a file.
        content: Content,
        /// The archive that `Content::Entry` is in.
        archive: Option<Arc<Archive>>,
        /// The wheel, opened.
        wheel: Arc<Archive>,
    },
}

/// Wheels that are zips of their own, once opened.
#[derive(Debug, Default)]
pub(super) struct Opened(Mutex<HashMap<String, Arc<Archive>>>);

impl Opened {
    fn get(
        &self,
        name: &str,
        open: impl FnOnce() -> Result<Archive, PexError>,
    ) -> Result<Arc<Archive>, PexError> {
        // A panic elsewhere leaves the map whole: it is only ever added to.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(archive) = lock().get(name) {
            return Ok(Arc::clone(archive));
        }
        // Opened outside the lock: two threads may both do so, one stays.
        let archive = Arc::new(open()?);
        Ok(Arc::clone(lock().entry(name.to_owned()).or_insert(archive)))
    }
}

/// Where the files of a wheel are.
enum WheelFiles<'p> {
    /// Below a prefix in the PEX's own zip.
    Prefix(&'p Arc<Archive>, String),
    /// In a zip of its own, with the bytes of that zip.
    Zip(Arc<Archive>, Content),
    /// In a directory.
    Directory(PathBuf),
}

impl Pex {
    /// What there is of the wheel called `name` (a key of `distributions`).
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn wheel(&self, name: &str) -> Result<WheelSource, PexError> {
        Ok(match self.files_of(name)? {
            WheelFiles::Prefix(archive, prefix) => {
                let entries = archive.beginning_with(&prefix);
                let members = tree::of_entries(&self.path, entries, prefix.len())?;
                WheelSource::Chroot {
                    archive: Some(Arc::clone(archive)),
                    members,
                }
            }
            WheelFiles::Zip(wheel, content) if self.info.deps_are_wheel_files => {
                WheelSource::WheelFile {
                    content,
                    archive: self.archive.clone(),
                    wheel,
                }
            }
            WheelFiles::Zip(archive, _) => {
                let members = tree::of_entries(archive.path(), archive.entries(), 0)?;
                WheelSource::Chroot {
                    archive: Some(archive),
                    members,
                }
            }
            WheelFiles::Directory(path) => WheelSource::Chroot {
                archive: None,
                members: tree::of_directory(&path, &|_| true)?,
            },
        })
    }

    /// The wheel's METADATA (core metadata), wherever the layout keeps it.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn metadata(&self, name: &str) -> Result<Vec<u8>, PexError> {
        self.dist_info(name, "METADATA")?
            .ok_or_else(|| PexError::NoMetadata {
                path: self.path.clone(),
                wheel: name.to_owned(),
                file: "METADATA",
            })
    }

    /// The wheel's entry_points.txt, `None` when it has none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entry_points(&self, name: &str) -> Result<Option<Vec<u8>>, PexError> {
        self.dist_info(name, "entry_points.txt")
    }

    fn files_of(&self, name: &str) -> Result<WheelFiles<'_>, PexError> {
        let missing = || PexError::NoWheel {
            path: self.path.clone(),
            wheel: name.to_owned(),
        };
        // The name is PEX-INFO's: it must not lead anywhere else.
        if name.is_empty() || name.contains('/') || matches!(name, "." | "..") {
            return Err(missing());
        }
        if let Some(archive) = &self.archive {
            let stored = format!("{DEPS}/{name}");
            if self.info.deps_are_wheel_files {
                let entry = archive.find(&stored).ok_or_else(missing)?;
                let wheel = self.wheels.get(name, || Ok(archive.open_member(entry)?))?;
                return Ok(WheelFiles::Zip(wheel, Content::Entry(entry.clone())));
            }
            let prefix = stored + "/";
            return if archive.any_beginning_with(&prefix) {
                Ok(WheelFiles::Prefix(archive, prefix))
            } else {
                Err(missing())
            };
        }
        let path = self.path.join(DEPS).join(name);
        let metadata = std::fs::metadata(&path).map_err(|_| missing())?;
        if self.layout == Layout::Loose && !self.info.deps_are_wheel_files && metadata.is_dir() {
            return Ok(WheelFiles::Directory(path));
        }
        let wheel = self.wheels.get(name, || Ok(Archive::open(&path)?))?;
        Ok(WheelFiles::Zip(wheel, Content::File(path)))
    }

    /// The file `file` of the wheel's dist-info directory.
    fn dist_info(&self, wheel: &str, file: &str) -> Result<Option<Vec<u8>>, PexError> {
        let in_archive = |archive: &Archive, entries: Vec<&Entry>, prefix: &str| {
            let directories = entries
                .iter()
                .filter_map(|entry| entry.name[prefix.len()..].strip_suffix("/METADATA"))
                .filter(|directory| !directory.contains('/'));
            let Some(directory) = names::dist_info(wheel, directories) else {
                return Ok(None);
            };
            let entry = archive.find(&format!("{prefix}{directory}/{file}"));
            entry
                .map(|entry| Ok(archive.read(entry, TEXT)?))
                .transpose()
        };
        match self.files_of(wheel)? {
            WheelFiles::Prefix(archive, prefix) => {
                in_archive(archive, archive.beginning_with(&prefix), &prefix)
            }
            WheelFiles::Zip(archive, _) => {
                in_archive(&archive, archive.entries().iter().collect(), "")
            }
            WheelFiles::Directory(path) => {
                let io = |source| PexError::Io {
                    path: path.clone(),
                    source,
                };
                let found: Result<Vec<_>, _> = std::fs::read_dir(&path)
                    .map_err(io)?
                    .map(|item| item.map(|item| item.file_name()))
                    .collect();
                let found = found.map_err(io)?;
                let directories = found.iter().filter_map(|name| name.to_str());
                let directories = directories.filter(|name| {
                    name.ends_with(".dist-info") && path.join(name).join("METADATA").exists()
                });
                let Some(directory) = names::dist_info(wheel, directories) else {
                    return Ok(None);
                };
                optional(&path.join(directory).join(file))
            }
        }
    }
}

fn optional(path: &Path) -> Result<Option<Vec<u8>>, PexError> {
    match read_file(path, TEXT) {
        Err(PexError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        result => result.map(Some),
    }
}

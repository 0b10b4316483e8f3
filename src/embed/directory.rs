//! PEX directories: the head takes the place of the link `pex -> __main__.py`; nothing else is touched.
//!
//! A Python that is given that file (`python DIR/pex`, as the bootstrap does itself when it starts again on the Python that
//! it has chosen) finds a zip behind the head, with a `__main__.py` that leads to the native start or back.

use std::path::{Path, PathBuf};

use pexboot_core::seal::Options;

use super::{EmbedError, Embedded, Head, Parts};
use crate::archive::Archive;
use crate::output::{self, Draft, Rights};
use crate::pex::Pex;

/// What `DIR/pex` leads to as pex builds it.
const LINK: &str = "__main__.py";

pub(super) fn embed(
    pex: &Pex,
    options: Options,
    parts: &Parts<'_>,
) -> Result<Embedded, EmbedError> {
    let starter = pex.path.join("pex");
    match what_is(&starter)? {
        Starter::Link | Starter::Head | Starter::Missing => {}
        Starter::Other => return Err(EmbedError::Starter { path: starter }),
    }
    let main = pex.path.join(LINK);
    let metadata =
        std::fs::metadata(&main).map_err(|source| EmbedError::Io { path: main, source })?;
    let (bytes, seal) = Head::new(pex, options, parts)?.alone(pex)?;
    let mode = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o777;
    let rights = Rights::InPlace(mode | (mode & 0o444) >> 2);
    let mut draft = Draft::new(&starter, rights)?;
    draft.write(&bytes)?;
    draft.sync()?;
    draft.publish()?;
    Ok(Embedded {
        path: starter,
        seal,
    })
}

pub(super) fn strip(pex: &Pex) -> Result<PathBuf, EmbedError> {
    let starter = pex.path.join("pex");
    match what_is(&starter)? {
        Starter::Head => {}
        Starter::Link | Starter::Missing => {
            return Err(EmbedError::NotEmbedded {
                path: pex.path.clone(),
            });
        }
        Starter::Other => return Err(EmbedError::Starter { path: starter }),
    }
    output::link(LINK, &starter)?;
    Ok(starter)
}

/// What `DIR/pex` is.
enum Starter {
    Link,
    Head,
    Missing,
    Other,
}

fn what_is(starter: &Path) -> Result<Starter, EmbedError> {
    let io = |source| EmbedError::Io {
        path: starter.to_path_buf(),
        source,
    };
    let metadata = match std::fs::symlink_metadata(starter) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Starter::Missing),
        result => result.map_err(io)?,
    };
    if metadata.is_symlink() {
        let target = std::fs::read_link(starter).map_err(io)?;
        return Ok(if target == Path::new(LINK) {
            Starter::Link
        } else {
            Starter::Other
        });
    }
    let sealed = metadata.is_file() && Archive::seal_of(starter)?.is_some();
    Ok(if sealed {
        Starter::Head
    } else {
        Starter::Other
    })
}

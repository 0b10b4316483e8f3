//! The user's cache directory.
//!
//! Without HOME nobody is asked where it is: the command is linked statically for its wheels, and a static C library
//! cannot load what answers such questions.

use std::path::{Path, PathBuf};

/// `XDG_CACHE_HOME` where it is absolute, else `.cache` in HOME; `None` where the environment has neither.
pub fn cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let tells = set("HOME").is_some()
        || set("XDG_CACHE_HOME").is_some_and(|path| Path::new(&path).is_absolute());
    tells.then(dirs::cache_dir).flatten()
}

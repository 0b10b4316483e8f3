//! The user's cache directory, by the environment alone.
//!
//! Without HOME nobody is asked where it is: the command is linked statically for its wheels, and a static C library
//! cannot load what answers such questions.

use std::env;
use std::path::PathBuf;

/// `XDG_CACHE_HOME` where it is absolute, else `.cache` in HOME.
pub fn cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let named = set("XDG_CACHE_HOME").map(PathBuf::from);
    named
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(set("HOME")?).join(".cache")))
}

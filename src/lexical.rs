//! Paths by their text alone, no link followed: what Python's `os.path.abspath` does.

use std::path::{Component, Path, PathBuf};

/// The path without `.` and `..` components.
#[must_use]
pub(crate) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::normal;
    use std::path::Path;

    #[test]
    fn each_step_up_takes_back_one_down() {
        for (path, expected) in [
            ("/a/./b//c/", "/a/b/c"),
            ("/a/../b/c/..", "/b"),
            ("/../a", "/a"),
            ("a/../../b", "b"),
        ] {
            assert_eq!(normal(Path::new(path)), Path::new(expected), "{path}");
        }
    }
}

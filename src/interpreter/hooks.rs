//! What the host has for `site` to run at every start: `.pth` files, sitecustomize, usercustomize.
//!
//! Only for telling the user that a hermetic start leaves it out; found by name, never opened.

use std::fs;
use std::path::{Path, PathBuf};

/// The hooks, in the order in which `site` would come to them.
pub(super) fn find(
    user_site: Option<&Path>,
    site_packages: &[PathBuf],
    stdlib: &[PathBuf],
) -> Vec<PathBuf> {
    let mut hooks = Vec::new();
    for directory in user_site
        .into_iter()
        .chain(site_packages.iter().map(PathBuf::as_path))
    {
        let mut files: Vec<PathBuf> = fs::read_dir(directory)
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pth"))
            .collect();
        files.sort();
        hooks.extend(files);
    }
    let path = stdlib
        .iter()
        .map(PathBuf::as_path)
        .chain(user_site)
        .chain(site_packages.iter().map(PathBuf::as_path));
    for module in ["sitecustomize", "usercustomize"] {
        if module == "usercustomize" && user_site.is_none() {
            continue;
        }
        // The first of that name is the one that is imported.
        hooks.extend(path.clone().find_map(|directory| {
            [
                format!("{module}/__init__.py"),
                format!("{module}.py"),
                format!("{module}.pyc"),
            ]
            .into_iter()
            .map(|file| directory.join(file))
            .find(|file| file.is_file())
        }));
    }
    hooks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_are_found_in_the_order_of_site() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        for name in ["lib", "site", "user"] {
            fs::create_dir(at(name)).unwrap();
        }
        for file in [
            "site/b.pth",
            "site/a.pth",
            "user/z.pth",
            "site/usercustomize.py",
            "lib/sitecustomize.py",
            "user/sitecustomize.py",
            "site/plain.py",
        ] {
            fs::write(at(file), "").unwrap();
        }
        let found = |user: Option<&Path>| {
            find(
                user,
                &[at("site"), at("missing")],
                &[at("lib.zip"), at("lib")],
            )
            .iter()
            .map(|path| {
                path.strip_prefix(root.path())
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned()
            })
            .collect::<Vec<_>>()
        };
        assert_eq!(
            found(Some(&at("user"))),
            [
                "user/z.pth",
                "site/a.pth",
                "site/b.pth",
                "lib/sitecustomize.py",
                "site/usercustomize.py"
            ]
        );
        assert_eq!(
            found(None),
            ["site/a.pth", "site/b.pth", "lib/sitecustomize.py"]
        );
    }
}

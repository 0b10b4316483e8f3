//! What the host has for `site` to run at every start: `.pth` and `.start` files, sitecustomize, usercustomize. And which
//! of it a hermetic PEX would feel.
//!
//! A hook is without effect where all that it does is scrubbed before the application runs (reference 6.5), or would be
//! done by the PEX itself. That is told by its content, against a short list ([`inert`]); each entry has its test in the
//! checklist. Anything else matters.

mod inert;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The first Python that reads `.start` files, and lets one replace the import lines of the `.pth` file of its name.
const STARTS: (u32, u32) = (3, 15);
/// The first Python that passes import lines over (PEP 829).
const IMPORTS_NO_MORE: (u32, u32) = (3, 18);

/// A hook of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The file.
    pub path: PathBuf,
    /// Whether a hermetic PEX would feel it.
    pub matters: bool,
}

/// The hooks of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    /// In the order in which `site` comes to them.
    pub found: Vec<Hook>,
    /// Files and directories by which it is told that these are still all. Of a directory an entry more or less counts.
    pub watched: Vec<PathBuf>,
    /// Directories that `.pth` files put on the path.
    pub directories: Vec<PathBuf>,
}

impl Hooks {
    /// The first that a hermetic PEX would feel.
    #[must_use]
    pub fn first_that_matters(&self) -> Option<&Hook> {
        self.found.iter().find(|hook| hook.matters)
    }

    /// Whether all that matters is a `sitecustomize`: then it alone can have put more on the path.
    #[must_use]
    pub fn only_customize(&self) -> bool {
        let customizes = |hook: &Hook| {
            let mut names = hook.path.components().rev().take(2);
            names.any(|name| {
                name.as_os_str()
                    .as_encoded_bytes()
                    .starts_with(b"sitecustomize")
            })
        };
        let mut matters = self.found.iter().filter(|hook| hook.matters).peekable();
        matters.peek().is_some() && matters.all(customizes)
    }

    fn watch(&mut self, path: &Path) {
        // What is missing can't come without a change of the directory above.
        let seen = path
            .parent()
            .is_some_and(|above| self.watched.iter().any(|one| one == above) && !path.exists());
        if !seen && !self.watched.iter().any(|one| one == path) {
            self.watched.push(path.to_owned());
        }
    }

    fn add(&mut self, path: PathBuf, matters: bool) {
        self.watch(&path);
        self.found.push(Hook { path, matters });
    }
}

/// The hooks of a Python of this version that finds its packages in these directories.
pub(super) fn find(
    python: (u32, u32),
    stdlib: &[PathBuf],
    user_site: Option<&Path>,
    site_packages: &[PathBuf],
) -> Hooks {
    let mut hooks = Hooks::default();
    // Each with the names in it.
    let mut path: Vec<(PathBuf, Vec<String>)> = Vec::new();
    for directory in stdlib.iter().filter(|entry| entry.is_dir()) {
        // Extension modules of the standard library: who puts others there changes the interpreter.
        if !directory.ends_with("lib-dynload") {
            hooks.watch(directory);
        }
        path.push((directory.clone(), names(directory)));
    }
    for directory in user_site
        .into_iter()
        .chain(site_packages.iter().map(PathBuf::as_path))
    {
        hooks.watch(directory);
        let names = self::names(directory);
        let mut named = Vec::new();
        for name in &names {
            let file = directory.join(name);
            let start = Path::new(name).with_extension("start");
            if name.ends_with(".pth") {
                let imports = python < IMPORTS_NO_MORE
                    && !(python >= STARTS && names.iter().any(|name| start == Path::new(name)));
                let (matters, directories) = pth(&file, directory, imports);
                hooks.add(file, matters);
                named.extend(directories);
            } else if name.ends_with(".start") && python >= STARTS {
                let matters = read(&file).is_none_or(|text| inert::has_code(&text));
                hooks.add(file, matters);
            }
        }
        path.push((directory.to_owned(), names));
        for directory in named {
            hooks.watch(&directory);
            let names = self::names(&directory);
            path.push((directory.clone(), names));
            hooks.directories.push(directory);
        }
    }
    let modules = ["sitecustomize", "usercustomize"];
    for module in &modules[..if user_site.is_some() { 2 } else { 1 }] {
        // The first of that name is the one that is imported.
        if let Some(file) = path
            .iter()
            .find_map(|(directory, names)| imported(module, directory, names))
        {
            let source = file.extension().is_some_and(|extension| extension == "py")
                && file.file_stem().is_some_and(|stem| stem == *module);
            let matters = !source || read(&file).is_none_or(|text| !inert::module(&text));
            hooks.add(file, matters);
        }
    }
    hooks
}

/// Whether a `.pth` file does something that matters, and the directories that it names.
fn pth(file: &Path, directory: &Path, imports: bool) -> (bool, Vec<PathBuf>) {
    let Some(text) = read(file) else {
        return (true, Vec::new());
    };
    let (mut matters, mut directories) = (false, Vec::new());
    for line in text.trim_start_matches('\u{feff}').lines() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
        } else if line.starts_with("import ") || line.starts_with("import\t") {
            matters |= imports && !inert::line(line);
        } else {
            let path = directory.join(line);
            if path.is_dir() {
                directories.push(path);
            }
        }
    }
    (matters, directories)
}

/// The file that an import of this module would take from the directory; one of its files where there are several.
fn imported(module: &str, directory: &Path, names: &[String]) -> Option<PathBuf> {
    let suffix = |name: &'_ str| name.strip_prefix(module).map(str::to_owned);
    let mut files: Vec<(String, &String)> = names
        .iter()
        .filter_map(|name| Some((suffix(name)?, name)))
        .collect();
    if files.iter().any(|(suffix, _)| suffix.is_empty()) {
        let package = directory.join(module).join("__init__.py");
        if package.is_file() {
            return Some(package);
        }
    }
    files.retain(|(suffix, _)| {
        suffix == ".py" || suffix == ".pyc" || suffix.starts_with('.') && suffix.ends_with(".so")
    });
    // Native code comes first, then source.
    files.sort_by_key(|(suffix, _)| (!suffix.ends_with(".so"), suffix.clone()));
    files.first().map(|(_, name)| directory.join(name))
}

/// The names in a directory, sorted; those that are text.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// What a file says; nothing where `site` could not read it either, `None` where it is no text.
fn read(file: &Path) -> Option<String> {
    match crate::regular::read(file) {
        Ok(bytes) => String::from_utf8(bytes).ok(),
        Err(error) => matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::PermissionDenied
        )
        .then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host in a temporary directory.
    struct Host(tempfile::TempDir);

    impl Host {
        fn new(files: &[(&str, &str)]) -> Host {
            let root = tempfile::tempdir().unwrap();
            for name in ["lib", "site", "user"] {
                fs::create_dir(root.path().join(name)).unwrap();
            }
            for (file, text) in files {
                let path = root.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Host(root)
        }

        fn hooks(&self, python: (u32, u32), user: bool) -> Hooks {
            let at = |name: &str| self.0.path().join(name);
            find(
                python,
                &[at("lib.zip"), at("lib")],
                user.then(|| at("user")).as_deref(),
                &[at("site"), at("lib/missing"), at("gone")],
            )
        }

        /// What is found, each that matters with a mark.
        fn found(&self, python: (u32, u32), user: bool) -> Vec<String> {
            let hooks = self.hooks(python, user);
            let name = |path: &Path| {
                let below = path.strip_prefix(self.0.path()).unwrap();
                below.to_str().unwrap().to_owned()
            };
            hooks
                .found
                .iter()
                .map(|hook| name(&hook.path) + if hook.matters { "!" } else { "" })
                .collect()
        }
    }

    #[test]
    fn hooks_are_found_in_the_order_of_site() {
        let host = Host::new(&[
            ("site/b.pth", "import b\n"),
            ("site/a.pth", "# nothing\n/nowhere\n"),
            ("user/z.pth", "import\tz"),
            ("site/usercustomize.py", "x = 1"),
            ("lib/sitecustomize.py", "# nothing\n"),
            ("user/sitecustomize.py", "x = 1"),
            ("site/plain.py", ""),
        ]);
        let both = [
            "user/z.pth!",
            "site/a.pth",
            "site/b.pth!",
            "lib/sitecustomize.py",
            "site/usercustomize.py!",
        ];
        assert_eq!(host.found((3, 11), true), both);
        assert_eq!(
            host.found((3, 11), false),
            ["site/a.pth", "site/b.pth!", "lib/sitecustomize.py"]
        );
    }

    #[test]
    fn a_start_file_replaces_the_import_lines_of_its_name() {
        let host = Host::new(&[
            ("site/a.pth", "import a\n"),
            ("site/a.start", "a:start\n"),
            ("site/b.pth", "import b\n"),
            ("site/b.start", "# nothing\n"),
            ("site/c.pth", "import c\n"),
        ]);
        let old = ["site/a.pth!", "site/b.pth!", "site/c.pth!"];
        assert_eq!(host.found((3, 14), false), old);
        let all = |c| {
            [
                "site/a.pth",
                "site/a.start!",
                "site/b.pth",
                "site/b.start",
                c,
            ]
        };
        assert_eq!(host.found((3, 15), false), all("site/c.pth!"));
        assert_eq!(host.found((3, 18), false), all("site/c.pth"));
    }

    #[test]
    fn whatever_is_imported_by_the_name_is_found() {
        for (file, matters) in [
            ("sitecustomize.py", false),
            ("sitecustomize/__init__.py", true),
            ("sitecustomize.pyc", true),
            ("sitecustomize.cpython-311-x86_64-linux-gnu.so", true),
        ] {
            for place in ["lib", "site", "site/named"] {
                let path = format!("{place}/{file}");
                let host = Host::new(&[(&path, ""), ("site/a.pth", "named\n")]);
                let found = host.found((3, 11), false);
                let mark = if matters { "!" } else { "" };
                assert!(found.contains(&format!("{path}{mark}")), "{found:?}");
            }
        }
    }

    #[test]
    fn what_could_bring_another_answer_is_watched() {
        let host = Host::new(&[
            ("site/a.pth", "named\n"),
            ("site/named/x.py", ""),
            ("lib/sitecustomize.py", ""),
        ]);
        let names = ["lib", "site", "site/a.pth", "site/named", "gone"];
        let expected: Vec<PathBuf> = names
            .iter()
            .chain(&["lib/sitecustomize.py"])
            .map(|name| host.0.path().join(name))
            .collect();
        // `lib/missing` can't come without a change of `lib`.
        assert_eq!(host.hooks((3, 11), false).watched, expected);
    }
}

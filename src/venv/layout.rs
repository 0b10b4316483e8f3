//! Where an implementation of Python looks for the parts of a virtual environment.

use crate::interpreter::Record;

/// Names inside a virtual environment; paths relative to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The name in `bin/` that leads to the base interpreter.
    pub base: String,
    /// The name for shebangs: `pythonX.Y`.
    pub python: String,
    /// Names in `bin/` that lead to `base`.
    pub aliases: Vec<String>,
    /// `site-packages`.
    pub site_packages: String,
    /// Where an extension module's headers are expected.
    pub include: String,
    /// Where headers of wheels go, each in a directory of its own.
    pub headers: String,
}

impl Layout {
    /// As `python -m venv` of that interpreter makes it (the schemes of `sysconfig`).
    pub fn of(interpreter: &Record) -> Layout {
        let (major, minor, _) = interpreter.version;
        // PEP 703: free-threaded builds have libraries of their own.
        let threads = if interpreter.free_threaded == Some(true) {
            "t"
        } else {
            ""
        };
        let python = format!("python{major}.{minor}{threads}");
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let headers = format!("include/site/python{major}.{minor}");
        if interpreter.implementation == "pypy" {
            return Layout {
                base: format!("pypy{major}"),
                aliases: names(&["pypy", "python", &format!("python{major}"), &python]),
                site_packages: if (major, minor) < (3, 8) {
                    "site-packages".to_owned()
                } else {
                    format!("lib/pypy{major}.{minor}/site-packages")
                },
                include: format!("include/pypy{major}.{minor}"),
                headers,
                python,
            };
        }
        let mut aliases: Vec<String> = names(&["python", &format!("python{major}")]);
        if !threads.is_empty() {
            aliases.push(format!("python{major}.{minor}"));
        }
        Layout {
            base: python.clone(),
            aliases,
            site_packages: format!("lib/{python}/site-packages"),
            include: format!("include/{python}"),
            headers,
            python,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;
    use crate::interpreter::Record;

    fn layout(implementation: &str, free_threaded: Option<bool>) -> Layout {
        Layout::of(&Record {
            implementation: implementation.to_owned(),
            version: (3, 13, 1),
            free_threaded,
            ..Record::default()
        })
    }

    #[test]
    fn free_threaded_builds_have_libraries_of_their_own() {
        let usual = layout("cpython", Some(false));
        assert_eq!(usual, layout("cpython", None));
        assert_eq!(usual.site_packages, "lib/python3.13/site-packages");
        assert_eq!(
            (usual.base.as_str(), usual.aliases.len()),
            ("python3.13", 2)
        );
        // As `python3.13t -m venv` lays it out (the scheme `venv` of its sysconfig).
        let free = layout("cpython", Some(true));
        assert_eq!(free.site_packages, "lib/python3.13t/site-packages");
        assert_eq!(free.include, "include/python3.13t");
        assert_eq!(
            (free.base.as_str(), free.python.as_str()),
            ("python3.13t", "python3.13t")
        );
        assert_eq!(free.aliases, ["python", "python3", "python3.13"]);
    }
}

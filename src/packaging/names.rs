//! Names of projects and extras (PEP 503), and what a wheel's file name says (PEP 427).

/// The one spelling that all spellings of a project's or extra's name stand for (PEP 503): lower case, runs of `-`, `_`
/// and `.` become one `-`.
#[must_use]
pub fn normalise(name: &str) -> String {
    with_runs_as('-', name).to_lowercase()
}

/// A name as it begins the names of a wheel's file and directories (PEP 427): runs of `-`, `_` and `.` become one `_`.
#[must_use]
pub fn underscored(name: &str) -> String {
    with_runs_as('_', name)
}

fn with_runs_as(separator: char, name: &str) -> String {
    let mut result = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if result.ends_with(separator) => {}
            '-' | '_' | '.' => result.push(separator),
            other => result.push(other),
        }
    }
    result
}

/// The normalised name of the project that a wheel, or a directory like `NAME-VERSION.dist-info`, is named for.
#[must_use]
pub fn project(file_name: &str) -> String {
    normalise(file_name.split('-').next().unwrap_or(file_name))
}

/// The dist-info directory of the wheel called `wheel` among the names of directories that hold a METADATA: of several
/// the one of its own project, else the first.
pub fn dist_info<'n>(wheel: &str, directories: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let own = project(wheel);
    let mut first = None;
    for directory in directories.filter(|name| name.ends_with(".dist-info")) {
        if project(directory) == own {
            return Some(directory);
        }
        first = first.or(Some(directory));
    }
    first
}

/// A wheel's file name, `{name}-{version}(-{build})?-{python}-{abi}-{platform}.whl`, in the parts that choose it. Its
/// version is taken from METADATA alone, as in the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WheelName<'a> {
    /// The project, as written.
    pub project: &'a str,
    /// The interpreters that it is for, divided by `.`.
    pub python: &'a str,
    abi: &'a str,
    platform: &'a str,
}

impl<'a> WheelName<'a> {
    /// Takes a file name apart; `None` when it is not a wheel's.
    #[must_use]
    pub fn parse(file_name: &'a str) -> Option<WheelName<'a>> {
        let stem = file_name.strip_suffix(".whl")?;
        let mut from_right = stem.rsplitn(4, '-');
        let platform = from_right.next()?;
        let abi = from_right.next()?;
        let python = from_right.next()?;
        let project = from_right.next()?.split('-').next()?;
        Some(WheelName {
            project,
            python,
            abi,
            platform,
        })
    }

    /// The tags it supports, each once for every combination of its compressed sets (PEP 425), in lower case.
    pub fn tags(&self) -> impl Iterator<Item = String> {
        let WheelName {
            python,
            abi,
            platform,
            ..
        } = *self;
        python.split('.').flat_map(move |python| {
            abi.split('.').flat_map(move |abi| {
                platform
                    .split('.')
                    .map(move |platform| format!("{python}-{abi}-{platform}").to_lowercase())
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        #[track_caller]
        fn check(name: &str, expected: &str) {
            assert_eq!(normalise(name), expected);
        }
        check("Foo", "foo");
        check("Foo._-Bar", "foo-bar");
        check("-a-", "-a-");
        check("", "");
        check("a ", "a ");
        check("\u{c9}", "\u{e9}");
    }

    #[test]
    fn a_wheel_has_the_dist_info_of_its_project() {
        #[track_caller]
        fn check(wheel: &str, directories: &[&str], expected: Option<&str>) {
            assert_eq!(dist_info(wheel, directories.iter().copied()), expected);
        }
        let wheel = "foo_bar-1.0-py3-none-any.whl";
        check(
            wheel,
            &["x", "a-1.dist-info", "Foo._Bar-1.0.dist-info"],
            Some("Foo._Bar-1.0.dist-info"),
        );
        check(
            wheel,
            &["a-1.dist-info", "b-1.dist-info"],
            Some("a-1.dist-info"),
        );
        check(
            "_foo-1.0-py3-none-any.whl",
            &[
                "foo-1.0.dist-info",
                "-foo-1.0.dist-info",
                "_foo-1.0.dist-info",
            ],
            Some("_foo-1.0.dist-info"),
        );
        check(wheel, &["foo_bar-1.0.egg-info"], None);
    }

    #[test]
    fn wheels() {
        #[track_caller]
        fn check(name: &str, expected: Option<(&str, &[&str])>) {
            let found = WheelName::parse(name);
            let found = found.map(|wheel| (wheel.project, wheel.tags().collect()));
            let expected = expected.map(|(project, tags)| {
                (
                    project,
                    tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>(),
                )
            });
            assert_eq!(found, expected, "{name}");
        }
        check("a_b-1.0-py3-none-any.whl", Some(("a_b", &["py3-none-any"])));
        check(
            "a-1.0-1x-py2.py3-none-any.whl",
            Some(("a", &["py2-none-any", "py3-none-any"])),
        );
        check(
            "a-1-cp311-abi3.CP311-linux_x86_64.any.whl",
            Some((
                "a",
                &[
                    "cp311-abi3-linux_x86_64",
                    "cp311-abi3-any",
                    "cp311-cp311-linux_x86_64",
                    "cp311-cp311-any",
                ],
            )),
        );
        check("a-py3-none-any.whl", Some(("a", &["py3-none-any"])));
        check("a-none-any.whl", None);
        check("a-1.0-py3-none-any.WHL", None);
        check("a-1.0.tar.gz", None);
    }
}

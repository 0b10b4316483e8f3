//! Names of projects and extras (PEP 503), and what a wheel's file name says (PEP 427).

/// The one spelling that all spellings of a project's or extra's name stand for (PEP 503): lower case, runs of `-`, `_`
/// and `.` become one `-`.
#[must_use]
pub fn normalise(name: &str) -> String {
    let mut normal = String::with_capacity(name.len());
    for character in name.chars() {
        match character {
            '-' | '_' | '.' if normal.ends_with('-') => {}
            '-' | '_' | '.' => normal.push('-'),
            _ if character.is_ascii() => normal.push(character.to_ascii_lowercase()),
            _ => normal.extend(character.to_lowercase()),
        }
    }
    normal
}

/// A wheel's file name, `{name}-{version}(-{build})?-{python}-{abi}-{platform}.whl`, in the parts that choose it. Its
/// version is taken from METADATA alone, as in the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WheelName<'a> {
    /// The project, as written.
    pub project: &'a str,
    python: &'a str,
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

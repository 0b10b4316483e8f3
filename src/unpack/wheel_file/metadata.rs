//! What a wheel says of itself: METADATA, WHEEL, entry_points.txt, and the names of the directories that go with them.

use super::{Members, STASH, TEXT, UnpackError, damaged};
use crate::archive::Archive;
use crate::packaging::entry_points::Scripts;
use crate::packaging::headers::Headers;
use crate::packaging::names::{self, WheelName, underscored};

/// A wheel's metadata, as far as installing needs it.
#[derive(Debug)]
pub(super) struct Metadata {
    /// `NAME-VERSION.dist-info` as stored.
    pub(super) dist_info: String,
    /// The same with `.data`: dropped after the install.
    pub(super) data: String,
    /// The same with `.pex-info`.
    pub(super) pex_info: String,
    /// The data directory that the schemes are looked for in: of METADATA's name and version.
    schemes: String,
    /// Name, as METADATA has it.
    project: String,
    /// Whether the root is purelib (PEP 427).
    pub(super) root_is_purelib: bool,
    /// `X.Y` of the one Python that the tags pin; the letters themselves otherwise.
    python: String,
    /// What entry_points.txt calls for.
    pub(super) scripts: Scripts,
}

impl Metadata {
    pub(super) fn read(
        name: &str,
        wheel: &Archive,
        members: &Members<'_>,
        fail: &dyn Fn(String) -> UnpackError,
    ) -> Result<Metadata, UnpackError> {
        let directories = members
            .keys()
            .filter_map(|path| path.strip_suffix("/METADATA"));
        let directories = directories.filter(|directory| !directory.contains('/'));
        let dist_info = names::dist_info(name, directories);
        let dist_info = dist_info.ok_or_else(|| fail("has no METADATA".into()))?;
        let read = |file: &str| match members.get(format!("{dist_info}/{file}").as_str()) {
            Some(entry) => Ok(Some(wheel.read(entry, TEXT)?)),
            None => Ok::<_, UnpackError>(None),
        };
        let metadata = Headers::parse(&read("METADATA")?.unwrap_or_default());
        let header = |header: &'static str| {
            metadata
                .first(header)
                .ok_or_else(|| fail(format!("has no `{header}` in its METADATA")))
        };
        let (project, version) = (header("Name")?, header("Version")?);
        let about = read("WHEEL")?.ok_or_else(|| fail("has no WHEEL file".into()))?;
        let about = Headers::parse_wheel(&about);
        let scripts = Scripts::parse(&read("entry_points.txt")?.unwrap_or_default());
        let stem = dist_info.strip_suffix(".dist-info").unwrap_or(dist_info);
        Ok(Metadata {
            data: format!("{stem}.data"),
            pex_info: format!("{stem}.pex-info"),
            schemes: format!(
                "{}-{}.data",
                underscored(project),
                version.replace('-', "_")
            ),
            project: project.to_owned(),
            root_is_purelib: about.first("Root-Is-Purelib") == Some("true"),
            python: pinned_python(&about, name),
            scripts: scripts.map_err(|error| fail(damaged(&error)))?,
            dist_info: dist_info.to_owned(),
        })
    }

    /// Path of RECORD.
    pub(super) fn record(&self) -> String {
        format!("{}/RECORD", self.dist_info)
    }

    /// The library that the root is not.
    pub(super) fn other_library(&self) -> &'static str {
        if self.root_is_purelib {
            "platlib"
        } else {
            "purelib"
        }
    }

    /// The scheme (PEP 427, `.data`) that a member belongs to, and its path in there; `None` for the root's own. The
    /// root's own library has no scheme: the original drops it with the rest of the data directory.
    pub(super) fn scheme<'p>(&self, path: &'p str) -> Option<(&'static str, &'p str)> {
        let (scheme, rest) = path
            .strip_prefix(&self.schemes)?
            .strip_prefix('/')?
            .split_once('/')?;
        ["headers", "scripts", self.other_library(), "data"]
            .into_iter()
            .find(|known| *known == scheme)
            .map(|known| (known, rest))
    }

    /// Where a scheme's file goes below the chroot.
    pub(super) fn target(&self, scheme: &str, rest: &str) -> String {
        match scheme {
            "headers" => format!(
                "{STASH}/include/site/python{}/{}/{rest}",
                self.python, self.project
            ),
            "scripts" => format!("{STASH}/bin/{rest}"),
            library => format!("{STASH}/{library}/{rest}"),
        }
    }
}

/// `X.Y` when every tag is for one and the same Python and names its minor version.
fn pinned_python(about: &Headers, name: &str) -> String {
    let mut interpreters: Vec<&str> = about
        .all("Tag")
        .filter_map(|tag| tag.split('-').next())
        .flat_map(|interpreters| interpreters.split('.'))
        .filter(|interpreter| !interpreter.is_empty())
        .collect();
    if interpreters.is_empty() {
        let named = WheelName::parse(name);
        interpreters = named.map_or_else(Vec::new, |name| name.python.split('.').collect());
    }
    let mut versions: Vec<Option<(String, String)>> =
        interpreters.into_iter().map(version).collect();
    versions.dedup();
    match versions.as_slice() {
        [Some((major, minor))] if !minor.is_empty() => format!("{major}.{minor}"),
        _ => "X.Y".to_owned(),
    }
}

/// Major and minor version (empty where there is none) of an interpreter tag: `cp311`, `py3`, `cp3_10`.
fn version(tag: &str) -> Option<(String, String)> {
    let start = tag.find(|character: char| character.is_ascii_digit())?;
    let digits: String = tag[start..]
        .chars()
        .take_while(|character| character.is_ascii_digit() || *character == '_')
        .collect();
    let number = |digits: &str| {
        let trimmed = digits.trim_start_matches('0');
        if trimmed.is_empty() && !digits.is_empty() {
            "0".to_owned()
        } else {
            trimmed.to_owned()
        }
    };
    match digits.trim_end_matches('_').split_once('_') {
        Some((major, rest)) => Some((
            number(major),
            number(rest.split('_').next().unwrap_or(rest)),
        )),
        None => {
            let digits = digits.trim_end_matches('_');
            Some((digits[..1].to_owned(), number(&digits[1..])))
        }
    }
}

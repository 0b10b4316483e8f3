//! Core metadata: the header fields of a wheel's METADATA that a resolve looks at.

use pep440_rs::Version;

use super::headers::Headers;
use super::requirement::{InvalidRequirement, Requirement};
use super::specifier::{InvalidSpecifier, SpecifierSet};

/// What a resolve asks of METADATA.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// `Name`, as written.
    pub name: String,
    /// `Version`, as written.
    pub version: String,
    /// `Version`, understood; `None` where it is none of PEP 440.
    pub parsed_version: Option<Version>,
    /// `Requires-Python`; empty where there is none.
    pub requires_python: SpecifierSet,
    /// `Requires-Dist`, in order, as written.
    requires_dist: Vec<String>,
}

/// METADATA that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// A field that every METADATA has is not there.
    #[error("METADATA has no `{0}`")]
    Missing(&'static str),
    /// `Requires-Python` is no set of specifiers.
    #[error("METADATA's `Requires-Python` is invalid: {0}")]
    RequiresPython(#[from] InvalidSpecifier),
    /// A `Requires-Dist` is no requirement.
    #[error("METADATA's `Requires-Dist` is invalid: {0}")]
    RequiresDist(#[from] InvalidRequirement),
}

impl Metadata {
    /// Reads METADATA.
    ///
    /// # Errors
    /// When name or version are missing or `Requires-Python` cannot be understood.
    pub fn parse(bytes: &[u8]) -> Result<Metadata, MetadataError> {
        let headers = Headers::parse(bytes);
        let one = |field: &'static str| {
            let value = headers.first(field).ok_or(MetadataError::Missing(field));
            value.map(str::to_owned)
        };
        let version = one("Version")?;
        let requires_dist = headers.all("Requires-Dist").map(str::to_owned).collect();
        Ok(Metadata {
            name: one("Name")?,
            parsed_version: version.parse().ok(),
            version,
            requires_python: SpecifierSet::parse(
                headers.first("Requires-Python").unwrap_or_default(),
            )?,
            requires_dist,
        })
    }

    /// `Requires-Dist`, in order, understood.
    ///
    /// # Errors
    /// At the first that cannot be.
    pub fn requires_dist(&self) -> Result<Vec<Requirement>, MetadataError> {
        let requirements = self
            .requires_dist
            .iter()
            .map(|text| Requirement::parse(text));
        Ok(requirements.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_a_usual_file() {
        let metadata = Metadata::parse(
            b"Metadata-Version: 2.1\r\nName: Foo.Bar\r\nVersion: 1.0.0\r\nrequires-python: >=3.8, <4\r\n\
              Requires-Dist: a (>=1)\r\nRequires-Dist: b ; extra == 'x'\r\nClassifier: X :: Y\r\n\r\nName: no\r\nRequires-Dist: no\r\n",
        )
        .unwrap();
        assert_eq!(metadata.name, "Foo.Bar");
        assert_eq!(metadata.version, "1.0.0");
        assert_eq!(metadata.requires_python.to_string(), "<4,>=3.8");
        let requires: Vec<_> = metadata
            .requires_dist()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(requires, ["a>=1", "b; extra == \"x\""]);
    }

    #[test]
    fn headers_end_at_the_first_line_that_is_none() {
        #[track_caller]
        fn check(between: &str, expected: usize) {
            let text = format!("Name: a\nVersion: 1\n{between}Requires-Dist: b\n");
            let metadata = Metadata::parse(text.as_bytes()).unwrap();
            assert_eq!(
                metadata.requires_dist().unwrap().len(),
                expected,
                "{between:?}"
            );
        }
        check("", 1);
        check("License: MIT\n   more: of it\n\twith tab\n", 1);
        check("Summary:\n", 1);
        check("\n", 0);
        check("no header\n", 0);
        check("no header: at all\n", 0);
        check(" \n", 1);
    }

    #[test]
    fn a_blank_behind_a_name_is_part_of_it() {
        let metadata = Metadata::parse(b"Name: a \nVersion: 1.0 \n").unwrap();
        assert_eq!(metadata.name, "a ");
        assert_eq!(metadata.parsed_version, "1.0".parse().ok());
    }

    #[test]
    fn a_folded_requirement_is_one() {
        let metadata = Metadata::parse(b"Name: a\nVersion: 1\nRequires-Dist: b\n  >=2\n").unwrap();
        assert_eq!(metadata.requires_dist().unwrap()[0].to_string(), "b>=2");
    }

    #[test]
    fn of_a_repeated_field_the_first_counts() {
        let metadata = Metadata::parse(b"Name: a\nName: b\nVersion: 1\nVersion: 2\n").unwrap();
        assert_eq!(
            (metadata.name.as_str(), metadata.version.as_str()),
            ("a", "1")
        );
    }

    #[test]
    fn what_is_no_text_is_borne() {
        let metadata = Metadata::parse(
            b"Author: \xe9\nName: a\nVersion: 1\nSummary: \xff\nRequires-Dist: b\n\n\xfe",
        );
        assert_eq!(metadata.unwrap().requires_dist().unwrap().len(), 1);
    }

    #[test]
    fn what_cannot_be_understood_is_an_error() {
        assert_eq!(
            Metadata::parse(b"Version: 1\n").unwrap_err(),
            MetadataError::Missing("Name")
        );
        assert_eq!(
            Metadata::parse(b"\nName: a\nVersion: 1\n").unwrap_err(),
            MetadataError::Missing("Version")
        );
        let error = Metadata::parse(b"Name: a\nVersion: 1\nRequires-Python: 3\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "METADATA's `Requires-Python` is invalid: `3` is not a version specifier"
        );
        let metadata = Metadata::parse(b"Name: a\nVersion: 1\nRequires-Dist: b 1\n").unwrap();
        assert!(
            metadata
                .requires_dist()
                .unwrap_err()
                .to_string()
                .contains("requirement `b 1`")
        );
    }

    #[test]
    fn a_version_of_old_is_kept_as_written() {
        let metadata = Metadata::parse(b"Name: a\nVersion: 2004d-final\n").unwrap();
        assert_eq!(
            (metadata.version.as_str(), metadata.parsed_version),
            ("2004d-final", None)
        );
    }
}

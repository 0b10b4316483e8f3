//! What the interactive session of a PEX tells of it, as JSON for `repl.py`: read when a session starts, and not before.

use std::path::Path;

use serde_json::json;

use crate::pex_info::PexInfo;

/// Who has a session.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// PEX-INFO of the PEX that was started.
    pub info: &'a PexInfo,
    /// What is required, by it and by the members of its PEX_PATH.
    pub requirements: &'a [&'a str],
    /// File names of the activated wheels.
    pub wheels: &'a [&'a str],
    /// The virtual environment, where it runs in one; PEX-INFO is read from there then.
    pub venv: Option<&'a Path>,
    /// What PEX-INFO is to say of `pex_root`.
    pub root: &'a Path,
}

impl Session<'_> {
    /// As `repl.py` reads it.
    #[must_use]
    pub fn json(&self) -> String {
        let mut lines = Vec::new();
        if !self.wheels.is_empty() {
            let indented = |items: &[&str]| {
                let items = items.iter().map(|item| format!("  {item}"));
                items.collect::<Vec<_>>()
            };
            lines.push("Requirements:".to_owned());
            lines.extend(indented(self.requirements));
            lines.push("Activated Distributions:".to_owned());
            lines.extend(indented(self.wheels));
        }
        let mut info = self.info.raw.clone();
        info.insert("pex_root".to_owned(), self.root.to_string_lossy().into());
        json!({
            "head": self.head(),
            "lines": lines,
            "tools": self.info.includes_tools,
            "venv": self.venv.map(Path::to_string_lossy),
            "info": self.venv.is_none().then_some(info),
        })
        .to_string()
    }

    fn head(&self) -> String {
        let version = self.info.pex_version.as_deref().unwrap_or("");
        let (requirements, wheels) = (self.requirements.len(), self.wheels.len());
        if wheels == 0 {
            return format!("Pex {version} hermetic environment with no dependencies.");
        }
        let plural = |count: usize, word: &str| {
            format!("{count} {word}{}", if count == 1 { "" } else { "s" })
        };
        format!(
            "Pex {version} hermetic environment with {} and {}.",
            plural(requirements, "requirement"),
            plural(wheels, "activated distribution")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::Session;
    use crate::pex_info::PexInfo;

    #[test]
    fn a_session_names_what_it_has() {
        let info = PexInfo::parse(b"{\"build_properties\": {\"pex_version\": \"2.1\"}}").unwrap();
        let told = |wheels: &[&str], venv: Option<&Path>| {
            let session = Session {
                info: &info,
                requirements: &["a", "b"],
                wheels,
                venv,
                root: Path::new("/r"),
            };
            serde_json::from_str::<serde_json::Value>(&session.json()).unwrap()
        };
        let found = told(&["a-1.whl"], None);
        assert_eq!(
            found["head"],
            "Pex 2.1 hermetic environment with 2 requirements and 1 activated distribution."
        );
        assert_eq!(found["lines"][4], "  a-1.whl");
        assert_eq!(found["info"]["pex_root"], "/r");
        let found = told(&[], Some(Path::new("/v")));
        assert_eq!(
            found["head"],
            "Pex 2.1 hermetic environment with no dependencies."
        );
        assert!(found["info"].is_null() && found["lines"].as_array().unwrap().is_empty());
    }
}

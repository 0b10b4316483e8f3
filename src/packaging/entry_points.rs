//! Entry points: what `module:attr` means, and the console and GUI scripts of an entry_points.txt (reference 6.2).

use std::fmt;

/// What an entry point names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryPoint {
    /// The module.
    pub module: String,
    /// The attributes that lead from it to what is called; none when the module itself is run.
    pub attributes: Vec<String>,
}

impl EntryPoint {
    /// Reads `module` or `module:attr.attr`; extras in brackets behind it are passed over. `None` when there is no
    /// module, or nothing behind the colon.
    #[must_use]
    pub fn parse(text: &str) -> Option<EntryPoint> {
        let (reference, _) = text.split_once('[').unwrap_or((text, ""));
        let (module, attributes) = match reference.split_once(':') {
            Some((module, attributes)) => (module.trim(), Some(attributes.trim())),
            None => (reference.trim(), None),
        };
        if module.is_empty() || attributes == Some("") {
            return None;
        }
        Some(EntryPoint {
            module: module.to_owned(),
            attributes: attributes
                .into_iter()
                .flat_map(|attributes| attributes.split('.'))
                .map(str::to_owned)
                .collect(),
        })
    }
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.module)?;
        if self.attributes.is_empty() {
            return Ok(());
        }
        write!(f, ":{}", self.attributes.join("."))
    }
}

/// The scripts that an entry_points.txt calls for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scripts {
    console: Vec<Script>,
    gui: Vec<Script>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// What it runs.
    pub entry: EntryPoint,
}

/// An entry_points.txt that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntryPoints {
    /// It is no text.
    #[error("entry_points.txt is not UTF-8")]
    Text,
    /// A line is no entry point, or is in no group.
    #[error("entry_points.txt has `{}`, which is no entry point of a group", .0.escape_debug())]
    Line(String),
}

impl Scripts {
    /// Reads an entry_points.txt. Whatever group a line is in, it must be `name = module:attr`.
    ///
    /// # Errors
    /// When it is not UTF-8, or a line is neither an entry point of a group, nor the name of one, nor a comment.
    pub fn parse(bytes: &[u8]) -> Result<Scripts, InvalidEntryPoints> {
        let text = std::str::from_utf8(bytes).map_err(|_| InvalidEntryPoints::Text)?;
        let mut scripts = Scripts::default();
        let mut group = "";
        for line in text.split(['\n', '\r']).map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let header = line.strip_prefix('[');
            if let Some(name) = header.and_then(|header| header.strip_suffix(']')) {
                group = name;
                continue;
            }
            let script = Script::parse(line).filter(|_| !group.is_empty());
            let script = script.ok_or_else(|| InvalidEntryPoints::Line(line.to_owned()))?;
            let known = match group {
                "console_scripts" => &mut scripts.console,
                "gui_scripts" => &mut scripts.gui,
                _ => continue,
            };
            // Of a name that is there twice the last counts, in the place of the first.
            match known.iter_mut().find(|known| known.name == script.name) {
                Some(known) => *known = script,
                None => known.push(script),
            }
        }
        Ok(scripts)
    }

    /// All of them: console scripts, then GUI scripts.
    pub fn all(&self) -> impl Iterator<Item = &Script> {
        self.console.iter().chain(&self.gui)
    }

    /// What the script of that name runs; a console script comes before a GUI script.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&EntryPoint> {
        let found = self.all().find(|script| script.name == name);
        found.map(|script| &script.entry)
    }
}

/// A script whose name is none of a file in a directory of scripts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry_points.txt has a script with the name `{}`", .0.escape_debug())]
pub struct InvalidName(pub String);

impl Script {
    /// Its path below a directory of scripts. (The original follows a name wherever it leads.)
    ///
    /// # Errors
    /// When the name leads out of there, or to no file.
    pub fn path(&self) -> Result<&str, InvalidName> {
        let parts = || self.name.split('/');
        let leads_astray = parts().any(|part| matches!(part, "" | "." | ".."));
        if leads_astray || self.name.contains('\0') {
            return Err(InvalidName(self.name.clone()));
        }
        Ok(&self.name)
    }

    fn parse(line: &str) -> Option<Script> {
        let (name, reference) = line.split_once('=')?;
        let entry = EntryPoint::parse(reference).filter(|_| !reference.contains('='))?;
        Some(Script {
            name: name.trim().to_owned(),
            entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let found = EntryPoint::parse(text).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{text:?}");
        }
        check("m", Some("m"));
        check(" a.b : c.d [x, y]", Some("a.b:c.d"));
        check("m[x]", Some("m"));
        check("", None);
        check(":f", None);
        check("m:", None);
        check("m: [x]", None);
    }

    const TEXT: &str = "\
# a comment
[other]
run = no:no
[console_scripts]
  run = a:one
Run = a:upper
run=a:main [extra]
[ console_scripts ]
run = no:no
[gui_scripts]
run = a:gui
show = a : show
";

    #[test]
    fn scripts_of_one_file() {
        let scripts = Scripts::parse(TEXT.as_bytes()).unwrap();
        let find = |name| scripts.find(name).map(EntryPoint::to_string);
        assert_eq!(find("run").as_deref(), Some("a:main"));
        assert_eq!(find("Run").as_deref(), Some("a:upper"));
        assert_eq!(find("show").as_deref(), Some("a:show"));
        assert_eq!(find("RUN"), None);
        let names: Vec<&str> = scripts.all().map(|script| script.name.as_str()).collect();
        assert_eq!(names, ["run", "Run", "run", "show"]);
    }

    #[test]
    fn a_script_is_a_file_below_its_directory() {
        #[track_caller]
        fn check(name: &str, expected: bool) {
            let script = Script::parse(&format!("{name} = a:b")).unwrap();
            assert_eq!(script.path().is_ok(), expected, "{name}");
        }
        check("run", true);
        check("a/b.py", true);
        for name in [
            "",
            ".",
            "..",
            "../evil",
            "/bin/evil",
            "a//b",
            "a/../../b",
            "a\0b",
        ] {
            check(name, false);
        }
    }

    /// The original refuses the same, and only that.
    #[test]
    fn what_is_no_entry_point_is_an_error_in_every_group() {
        #[track_caller]
        fn check(bytes: &[u8], expected: Result<&[(&str, &str)], InvalidEntryPoints>) {
            let found = Scripts::parse(bytes).map(|scripts| {
                let all = scripts
                    .all()
                    .map(|script| (script.name.clone(), script.entry.to_string()));
                all.collect::<Vec<_>>()
            });
            let expected = expected.map(|expected| {
                let all = expected
                    .iter()
                    .map(|(name, entry)| ((*name).to_owned(), (*entry).to_owned()));
                all.collect::<Vec<_>>()
            });
            assert_eq!(found, expected, "{}", bytes.escape_ascii());
        }
        let line = |line: &str| Err(InvalidEntryPoints::Line(line.to_owned()));
        check(b"[o]\nbare\n", line("bare"));
        check(b"[o]\nx = :f\n", line("x = :f"));
        check(b"run = a:b\n", line("run = a:b"));
        check(b"[]\nrun = a:b\n", line("run = a:b"));
        check(b"[console_scripts]\n; x\n", line("; x"));
        check(b"[console_scripts]\nrun = a:b = c\n", line("run = a:b = c"));
        check(b"[console_scripts\nrun = a:b\n", line("[console_scripts"));
        check(b"# \xff\n", Err(InvalidEntryPoints::Text));
        check(b"", Ok(&[]));
        check(
            b"[console_scripts]\r run = a:b\r= m\n",
            Ok(&[("run", "a:b"), ("", "m")]),
        );
        check(
            b"[console_scripts]\nrun = os;x:y..z\n",
            Ok(&[("run", "os;x:y..z")]),
        );
        check(
            b"[console_scripts]\n[a]b = c:d # e\n",
            Ok(&[("[a]b", "c:d # e")]),
        );
    }
}

//! Requirements (PEP 508) as `packaging` reads and shows them.
//!
//! Read by hand for the reasons that `marker` and `specifier` give: what the original accepts is accepted, what it
//! refuses is refused, and a message shows a requirement as the original shows it.

use std::collections::BTreeSet;
use std::fmt;

use super::marker::Marker;
use super::names::normalise;
use super::specifier::SpecifierSet;

/// A requirement: `name[extras]specifier; marker`, or `name[extras] @ url ; marker`.
#[derive(Debug, Clone)]
pub struct Requirement {
    /// The project's name, as written.
    pub name: String,
    /// The project's normalised name.
    pub project: String,
    /// Names of extras, as written.
    pub extras: BTreeSet<String>,
    /// Where the requirement points; it then has no specifier and fits every version.
    pub url: Option<String>,
    /// Which versions fit.
    pub specifier: SpecifierSet,
    /// When it applies.
    pub marker: Option<Marker>,
}

/// A text that is no requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("requirement `{requirement}` cannot be understood: {why}")]
pub struct InvalidRequirement {
    /// The text.
    pub requirement: String,
    /// What is wrong with it.
    pub why: String,
}

impl Requirement {
    /// Reads a requirement.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Requirement, InvalidRequirement> {
        read(text).map_err(|why| InvalidRequirement {
            requirement: text.to_owned(),
            why,
        })
    }
}

/// Equal to the original is what asks for the same, whatever the spelling of project and versions.
impl PartialEq for Requirement {
    fn eq(&self, other: &Requirement) -> bool {
        self.project == other.project
            && self.extras == other.extras
            && self.url == other.url
            && self.marker == other.marker
            && self.specifier == other.specifier
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.extras.is_empty() {
            let extras: Vec<&str> = self.extras.iter().map(String::as_str).collect();
            write!(f, "[{}]", extras.join(","))?;
        }
        match &self.url {
            Some(url) => write!(f, " @ {url}")?,
            None => write!(f, "{}", self.specifier)?,
        }
        match &self.marker {
            // A `;` at the end of a URL would be part of it.
            Some(marker) if self.url.is_some() => write!(f, " ; {marker}"),
            Some(marker) => write!(f, "; {marker}"),
            None => Ok(()),
        }
    }
}

fn read(text: &str) -> Result<Requirement, String> {
    let (name, rest) = identifier(skip_blanks(text)).ok_or("expected a project's name")?;
    let (extras, rest) = extras(skip_blanks(rest))?;
    let rest = skip_blanks(rest);
    let (url, specifier, rest) = match rest.strip_prefix('@') {
        Some(rest) => {
            let rest = skip_blanks(rest);
            let end = rest.find([' ', '\t']).unwrap_or(rest.len());
            if end == 0 {
                return Err("expected a URL behind `@`".to_owned());
            }
            (
                Some(rest[..end].to_owned()),
                SpecifierSet::default(),
                skip_blanks(&rest[end..]),
            )
        }
        None => {
            let (specifier, rest) = specifier(rest)?;
            (None, specifier, rest)
        }
    };
    let marker = match rest.strip_prefix(';') {
        Some(marker) => Some(Marker::parse(marker)?),
        None if rest.is_empty() => None,
        None => return Err(format!("expected `;` or the end at `{rest}`")),
    };
    Ok(Requirement {
        project: normalise(name),
        name: name.to_owned(),
        extras,
        url,
        specifier,
        marker,
    })
}

fn skip_blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

/// A name and what follows it: begins with a letter or digit, does not end in `.` or `-`.
pub(crate) fn identifier(text: &str) -> Option<(&str, &str)> {
    let within = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let end = text.find(|c| !within(c)).unwrap_or(text.len());
    let name = text[..end].trim_end_matches(['.', '-']);
    let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    begins.then(|| text.split_at(name.len()))
}

/// `[a, b]`, if it comes next, and what follows.
fn extras(text: &str) -> Result<(BTreeSet<String>, &str), String> {
    let mut extras = BTreeSet::new();
    let Some(rest) = text.strip_prefix('[') else {
        return Ok((extras, text));
    };
    let mut rest = skip_blanks(rest);
    if let Some(rest) = rest.strip_prefix(']') {
        return Ok((extras, rest));
    }
    loop {
        let (extra, behind) = identifier(rest).ok_or("expected the name of an extra")?;
        extras.insert(extra.to_owned());
        rest = skip_blanks(behind);
        if let Some(behind) = rest.strip_prefix(']') {
            return Ok((extras, behind));
        }
        rest = skip_blanks(
            rest.strip_prefix(',')
                .ok_or("expected `,` or `]` behind an extra")?,
        );
    }
}

/// The specifiers, in parentheses or not, and what follows them.
fn specifier(text: &str) -> Result<(SpecifierSet, &str), String> {
    let (clauses, rest) = match text.strip_prefix('(') {
        Some(inner) => {
            let (clauses, rest) = clauses(inner);
            let rest = rest.strip_prefix(')');
            (clauses, rest.ok_or("expected `)` behind the versions")?)
        }
        None => clauses(text),
    };
    let set = SpecifierSet::parse(clauses).map_err(|error| error.to_string())?;
    Ok((set, skip_blanks(rest)))
}

/// Clauses divided by commas, of which one may end the list, and what follows them.
fn clauses(text: &str) -> (&str, &str) {
    let mut rest = skip_blanks(text);
    while rest.starts_with(['<', '>', '=', '!', '~']) {
        // What `===` is compared with ends at a blank, and may hold anything else, commas too.
        let end = match rest.strip_prefix("===").map(skip_blanks) {
            Some(literal) => {
                let length = literal.find(|c: char| c.is_whitespace() || c == ';' || c == ')');
                rest.len() - literal.len() + length.unwrap_or(literal.len())
            }
            None => rest.find([',', ';', ')']).unwrap_or(rest.len()),
        };
        rest = skip_blanks(&rest[end..]);
        let Some(behind) = rest.strip_prefix(',') else {
            break;
        };
        rest = skip_blanks(behind);
    }
    text.split_at(text.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_are_shown_as_packaging_shows_them() {
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(
                Requirement::parse(text).unwrap().to_string(),
                expected,
                "{text:?}"
            );
        }
        check("a", "a");
        check(" A_b >= 1 ,<2", "A_b<2,>=1");
        check("a(>=1)", "a>=1");
        check("a ( >=1, <2, ) ;os_name=='x'", "a<2,>=1; os_name == \"x\"");
        check("a ()", "a");
        check("a>=1,", "a>=1");
        check("a[ y, x ,y]==1.*", "a[x,y]==1.*");
        check("a[]", "a");
        check("a === weird!", "a===weird!");
        check("a === 1,>=1 , <2", "a<2,===1,>=1");
        check("a@https://h/x;y#z", "a @ https://h/x;y#z");
        check(
            "a[x] @ file:///d ; os_name == 'x'",
            "a[x] @ file:///d ; os_name == \"x\"",
        );
        check("a @ u ", "a @ u");
        check("a_ ;extra=='B.c'", "a_; extra == \"b-c\"");
    }

    #[test]
    fn what_is_no_requirement_is_refused() {
        #[track_caller]
        fn check(text: &str, message: &str) {
            let error = Requirement::parse(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        check("", "a project's name");
        check("-a", "a project's name");
        check("a-", "`;` or the end");
        check("a b", "`;` or the end at `b`");
        check("a 1.0", "`;` or the end");
        check("a >= 1 2", "not a version specifier");
        check("a,", "`;` or the end");
        check("a >=1,,<2", "`;` or the end");
        check("a ===1, >=2", "`;` or the end");
        check("a (,)", "`)`");
        check("a (>=1", "`)`");
        check("a >=1)", "`;` or the end");
        check("a (>=1) <2", "`;` or the end");
        check("a[x", "`,` or `]`");
        check("a[x y]", "`,` or `]`");
        check("a[,]", "name of an extra");
        check("a[x,]", "name of an extra");
        check("a @ ", "a URL");
        check("a @ u v", "`;` or the end");
        check("a; os_name", "an operator");
        check("a;", "a variable");
        check("a >=1.*", "not a version specifier");
    }

    #[test]
    fn the_same_wish_is_equal() {
        let requirement = |text| Requirement::parse(text).unwrap();
        assert_eq!(requirement("A.b >=1,<2"), requirement("a-b<2.0,>=1.0"));
        assert_ne!(requirement("a[x]"), requirement("a"));
        assert_ne!(requirement("a; os_name == 'x'"), requirement("a"));
    }
}

//! Environment markers (PEP 508) as `packaging` reads and evaluates them.
//!
//! `pep508_rs` turns markers into decision diagrams and so compares otherwise in the corners: `platform_release` as text,
//! `python_version in "3.9 3.10"` as versions, nonsense as false where `packaging` refuses it. Which wheels run must not
//! depend on that, so the tree is kept as written and evaluated as `packaging` does, quirks noted where they are.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use pep440_rs::Version;

use super::names::normalise;
use super::specifier::Specifier;

/// A marker: comparisons joined by `and` and `or`, `and` binding tighter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(Vec<Element>);

/// What a marker is a row of.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Element {
    Comparison(Operand, Comparator, Operand),
    Group(Marker),
    And,
    Or,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    /// A variable, by its modern name.
    Variable(&'static str),
    /// A quoted text.
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparator {
    In,
    NotIn,
    Sign(&'static str),
}

/// Every spelling of a variable and its modern name (PEP 508; the dotted ones and `python_implementation` are older).
const VARIABLES: [(&str, &str); 20] = [
    ("python_version", "python_version"),
    ("python_full_version", "python_full_version"),
    ("os_name", "os_name"),
    ("os.name", "os_name"),
    ("sys_platform", "sys_platform"),
    ("sys.platform", "sys_platform"),
    ("platform_release", "platform_release"),
    ("platform_system", "platform_system"),
    ("platform_version", "platform_version"),
    ("platform.version", "platform_version"),
    ("platform_machine", "platform_machine"),
    ("platform.machine", "platform_machine"),
    (
        "platform_python_implementation",
        "platform_python_implementation",
    ),
    (
        "platform.python_implementation",
        "platform_python_implementation",
    ),
    ("python_implementation", "platform_python_implementation"),
    ("implementation_name", "implementation_name"),
    ("implementation_version", "implementation_version"),
    ("extra", "extra"),
    ("extras", "extras"),
    ("dependency_groups", "dependency_groups"),
];

/// Variables whose comparisons are tried as versions first.
const VERSIONS: [&str; 4] = [
    "implementation_version",
    "platform_release",
    "python_full_version",
    "python_version",
];

/// Longest first, so that `===` is not taken for `==`.
const SIGNS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

/// How deep parentheses may be nested: far beyond any real marker, far below what the stack bears.
const DEEPEST: usize = 64;

/// A marker that compares what cannot be compared; the whole resolve is refused, as in the original.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkerError {
    /// An operator that means nothing between these texts.
    #[error("`{left}` and `{right}` cannot be compared by `{operator}`")]
    Undefined {
        /// Left side.
        left: String,
        /// The operator.
        operator: &'static str,
        /// Right side.
        right: String,
    },
    /// A variable that the environment does not have.
    #[error("`{0}` is not a variable of a requirement's marker")]
    Unknown(String),
}

impl Marker {
    /// Reads a marker.
    ///
    /// # Errors
    /// What was expected where.
    pub fn parse(text: &str) -> Result<Marker, String> {
        let mut reader = Reader { text, at: 0 };
        let marker = reader.marker(0)?;
        if reader.rest().is_empty() {
            Ok(marker)
        } else {
            Err(reader.expected("`and`, `or` or the end"))
        }
    }

    /// Whether the marker holds in the environment for any of the extras; for the extra `""` when there are none.
    ///
    /// # Errors
    /// When it compares what cannot be compared; parts that could be skipped are looked at all the same.
    pub fn holds<'e>(
        &self,
        environment: &BTreeMap<String, String>,
        extras: impl Iterator<Item = &'e str>,
    ) -> Result<bool, MarkerError> {
        let mut none = true;
        for extra in extras {
            none = false;
            if self.evaluate(environment, &normalise(extra))? {
                return Ok(true);
            }
        }
        if none {
            self.evaluate(environment, "")
        } else {
            Ok(false)
        }
    }

    fn evaluate(
        &self,
        environment: &BTreeMap<String, String>,
        extra: &str,
    ) -> Result<bool, MarkerError> {
        let mut any = false;
        let mut all = true;
        for element in &self.0 {
            match element {
                Element::And => {}
                Element::Or => {
                    any |= all;
                    all = true;
                }
                Element::Group(marker) => all &= marker.evaluate(environment, extra)?,
                Element::Comparison(left, comparator, right) => {
                    all &= compare(left, *comparator, right, environment, extra)?;
                }
            }
        }
        Ok(any | all)
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, outermost: bool) -> fmt::Result {
        if let [Element::Group(only)] = self.0.as_slice() {
            return only.write(f, outermost);
        }
        let parenthesised = !outermost && self.0.len() > 1;
        if parenthesised {
            f.write_str("(")?;
        }
        for (index, element) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            match element {
                Element::And => f.write_str("and")?,
                Element::Or => f.write_str("or")?,
                Element::Group(marker) => marker.write(f, false)?,
                Element::Comparison(left, comparator, right) => {
                    write!(f, "{left} {} {right}", comparator.sign())?;
                }
            }
        }
        if parenthesised {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, true)
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Variable(name) => f.write_str(name),
            Operand::Text(text) if text.contains('"') => write!(f, "'{text}'"),
            Operand::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

impl Operand {
    /// What `packaging` takes as the plain text of a side that stands for no variable's value: of a variable its name.
    fn text(&self) -> &str {
        match self {
            Operand::Variable(name) => name,
            Operand::Text(text) => text,
        }
    }
}

impl Comparator {
    fn sign(self) -> &'static str {
        match self {
            Comparator::In => "in",
            Comparator::NotIn => "not in",
            Comparator::Sign(sign) => sign,
        }
    }
}

/// One comparison. The variable is the left side, else whatever the right side names; of two variables only the left
/// one has its value, the right one is its bare name.
fn compare(
    left: &Operand,
    comparator: Comparator,
    right: &Operand,
    environment: &BTreeMap<String, String>,
    extra: &str,
) -> Result<bool, MarkerError> {
    let value = |name: &str| -> Result<Cow<'_, str>, MarkerError> {
        match (name, environment.get(name)) {
            ("extra", _) => Ok(Cow::Borrowed(extra)),
            // A Python built from no release calls itself `3.13.0+`, which is no version.
            ("python_full_version", Some(version)) if version.ends_with('+') => {
                Ok(Cow::Owned(format!("{version}local")))
            }
            (_, Some(value)) => Ok(Cow::Borrowed(value)),
            (_, None) => Err(MarkerError::Unknown(name.to_owned())),
        }
    };
    let (name, left, right) = match left {
        Operand::Variable(name) => (*name, value(name)?, Cow::Borrowed(right.text())),
        Operand::Text(text) => (
            right.text(),
            Cow::Borrowed(text.as_str()),
            value(right.text())?,
        ),
    };
    if VERSIONS.contains(&name) {
        let clause = format!("{}{right}", comparator.sign());
        if let Ok(specifier) = Specifier::parse(clause.trim()) {
            return Ok(match left.parse::<Version>() {
                Ok(version) if comparator != Comparator::Sign("===") => {
                    specifier.contains(&version)
                }
                _ if comparator == Comparator::Sign("===") => {
                    left.to_lowercase() == specifier.text().to_lowercase()
                }
                _ => false,
            });
        }
    }
    match comparator {
        Comparator::In => Ok(right.contains(&*left)),
        Comparator::NotIn => Ok(!right.contains(&*left)),
        Comparator::Sign("==" | "<=" | ">=") => Ok(left == right),
        Comparator::Sign("!=") => Ok(left != right),
        Comparator::Sign("<" | ">") => Ok(false),
        Comparator::Sign(operator) => Err(MarkerError::Undefined {
            left: left.into_owned(),
            operator,
            right: right.into_owned(),
        }),
    }
}

/// Reads a marker from left to right.
struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn expected(&self, what: &str) -> String {
        format!(
            "expected {what} at `{}` of marker `{}`",
            self.rest(),
            self.text
        )
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// Takes `token` if it comes next.
    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// The word that comes next: letters, digits, `_` and `.`.
    fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.'))
            .unwrap_or(rest.len());
        &rest[..end]
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.word() == word;
        if found {
            self.at += word.len();
        }
        found
    }

    fn marker(&mut self, depth: usize) -> Result<Marker, String> {
        if depth > DEEPEST {
            return Err(format!("parentheses nested deeper than {DEEPEST}"));
        }
        let mut elements = vec![self.atom(depth)?];
        loop {
            let joint = if self.take_word("and") {
                Element::And
            } else if self.take_word("or") {
                Element::Or
            } else {
                return Ok(Marker(elements));
            };
            elements.push(joint);
            elements.push(self.atom(depth)?);
        }
    }

    fn atom(&mut self, depth: usize) -> Result<Element, String> {
        self.blanks();
        let element = if self.take("(") {
            let group = self.marker(depth + 1)?;
            if !self.take(")") {
                return Err(self.expected("`)`"));
            }
            Element::Group(group)
        } else {
            self.comparison(depth)?
        };
        self.blanks();
        Ok(element)
    }

    fn comparison(&mut self, depth: usize) -> Result<Element, String> {
        let mut left = self.operand()?;
        self.blanks();
        let comparator = self.comparator()?;
        self.blanks();
        let mut right = self.operand()?;
        self.blanks();
        // Names of extras count as PEP 503 has them (PEP 685), but within parentheses `packaging` (26.2, which the original
        // ships) forgets to: `(extra == "A_b")` is never true.
        match (&mut left, &mut right) {
            (Operand::Variable("extra"), Operand::Text(text))
            | (Operand::Text(text), Operand::Variable("extra"))
                if depth == 0 =>
            {
                *text = normalise(text);
            }
            _ => {}
        }
        Ok(Element::Comparison(left, comparator, right))
    }

    fn operand(&mut self) -> Result<Operand, String> {
        if let Some(quote) = self
            .rest()
            .chars()
            .next()
            .filter(|c| *c == '"' || *c == '\'')
        {
            let inner = &self.rest()[1..];
            let Some(end) = inner.find(quote) else {
                return Err(self.expected("a closing quote"));
            };
            self.at += end + 2;
            return Ok(Operand::Text(inner[..end].to_owned()));
        }
        let word = self.word();
        match VARIABLES.iter().find(|(spelling, _)| *spelling == word) {
            Some((_, name)) => {
                self.at += word.len();
                Ok(Operand::Variable(name))
            }
            None => Err(self.expected("a variable or a quoted text")),
        }
    }

    fn comparator(&mut self) -> Result<Comparator, String> {
        if self.take_word("in") {
            return Ok(Comparator::In);
        }
        if self.take_word("not") {
            let before = self.at;
            self.blanks();
            if self.at > before && self.take_word("in") {
                return Ok(Comparator::NotIn);
            }
            return Err(self.expected("`in` behind `not`"));
        }
        match SIGNS.iter().find(|sign| self.rest().starts_with(**sign)) {
            Some(sign) => {
                self.at += sign.len();
                Ok(Comparator::Sign(sign))
            }
            None => Err(self.expected("an operator")),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;

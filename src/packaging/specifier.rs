//! Version specifiers (PEP 440) as `packaging` reads and applies them, which is how the original bootstrap decides.
//!
//! Versions are `pep440_rs`'s; its specifiers are not used, since they match `1` against `==1.1.*`, refuse `===` with
//! what is no version and trailing commas. Pre-releases always count: the original asks for them (reference 5.2).

use std::fmt;

use pep440_rs::Version;

/// A conjunction of specifiers; an empty one holds for every version.
#[derive(Debug, Clone, Default)]
pub struct SpecifierSet(pub(super) Vec<Specifier>);

/// One clause, such as `>=1.2`.
#[derive(Debug, Clone)]
pub(super) struct Specifier {
    pub(super) operator: Operator,
    /// The version as written, `.*` included.
    text: String,
    /// The version without `.*`; `None` only for `===` with what is no version.
    pub(super) version: Option<Version>,
}

/// The operators, prefix matches apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// `===V`
    Arbitrary,
    /// `~=V`
    Compatible,
    /// `==V`
    Equal,
    /// `==V.*`
    EqualPrefix,
    /// `!=V`
    NotEqual,
    /// `!=V.*`
    NotEqualPrefix,
    /// `<=V`
    AtMost,
    /// `>=V`
    AtLeast,
    /// `<V`
    Below,
    /// `>V`
    Above,
}

/// A text that is no specifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version specifier")]
pub struct InvalidSpecifier(pub String);

impl SpecifierSet {
    /// Reads specifiers divided by commas; empty ones between them count for nothing.
    ///
    /// # Errors
    /// When one of them is none.
    pub fn parse(text: &str) -> Result<SpecifierSet, InvalidSpecifier> {
        text.split(',')
            .map(str::trim)
            .filter(|clause| !clause.is_empty())
            .map(Specifier::parse)
            .collect::<Result<_, _>>()
            .map(SpecifierSet)
    }

    /// Whether the version fulfils every clause.
    #[must_use]
    pub fn contains(&self, version: &Version) -> bool {
        self.0.iter().all(|clause| clause.contains(version))
    }

    /// The text of a lone `===`, which is compared with versions as they are written and not as they are meant.
    pub(crate) fn arbitrary(&self) -> Option<&str> {
        match self.0.as_slice() {
            [only] if only.operator == Operator::Arbitrary => Some(&only.text),
            _ => None,
        }
    }
}

impl Specifier {
    /// Reads one clause; blanks may stand behind the operator.
    pub(super) fn parse(clause: &str) -> Result<Specifier, InvalidSpecifier> {
        Specifier::read(clause).ok_or_else(|| InvalidSpecifier(clause.to_owned()))
    }

    fn read(clause: &str) -> Option<Specifier> {
        const OPERATORS: [(&str, Operator); 8] = [
            ("===", Operator::Arbitrary),
            ("~=", Operator::Compatible),
            ("==", Operator::Equal),
            ("!=", Operator::NotEqual),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("<", Operator::Below),
            (">", Operator::Above),
        ];
        let (operator, text) = OPERATORS.iter().find_map(|(sign, operator)| {
            Some((*operator, clause.strip_prefix(sign)?.trim_start()))
        })?;
        let specifier = |operator, version| Specifier {
            operator,
            text: text.to_owned(),
            version,
        };
        if operator == Operator::Arbitrary {
            let bare = !text.contains(|c: char| c.is_whitespace() || c == ';' || c == ')');
            return bare.then(|| specifier(operator, text.parse().ok()));
        }
        if text.ends_with(char::is_whitespace) {
            return None;
        }
        if let Some(base) = text.strip_suffix(".*") {
            let version: Version = base.parse().ok()?;
            let operator = match operator {
                Operator::Equal => Operator::EqualPrefix,
                Operator::NotEqual => Operator::NotEqualPrefix,
                _ => return None,
            };
            let release_only =
                !version.any_prerelease() && !version.is_post() && !version.is_local();
            return release_only.then(|| specifier(operator, Some(version)));
        }
        let version: Version = text.parse().ok()?;
        let allowed = match operator {
            Operator::Equal | Operator::NotEqual => true,
            Operator::Compatible => version.release().len() > 1 && !version.is_local(),
            _ => !version.is_local(),
        };
        allowed.then(|| specifier(operator, Some(version)))
    }

    /// Whether the version fulfils the clause. Where the clause names no local label, a version's own does not count
    /// against it (PEP 440, "local version identifiers").
    pub(super) fn contains(&self, version: &Version) -> bool {
        let Some(ours) = &self.version else {
            // Lower case: a version's own text has no other.
            return version.to_string() == self.text.to_lowercase();
        };
        match self.operator {
            Operator::Arbitrary => version.to_string() == self.text.to_lowercase(),
            Operator::AtLeast => version >= ours,
            Operator::AtMost => version <= ours || equal(version, ours),
            Operator::Equal => equal(version, ours),
            Operator::NotEqual => !equal(version, ours),
            Operator::EqualPrefix => has_prefix(version, ours),
            Operator::NotEqualPrefix => !has_prefix(version, ours),
            Operator::Compatible => {
                let release = ours.release();
                let prefix = Version::new(&release[..release.len() - 1]).with_epoch(ours.epoch());
                version >= ours && *version < next(&prefix)
            }
            Operator::Below => version < &below(ours),
            Operator::Above => above(version, ours),
        }
    }

    /// The text of the version, as written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether two clauses are the same but for the spelling of their version.
    fn same(&self, other: &Specifier) -> bool {
        let literal = self.operator == Operator::Arbitrary || self.version.is_none();
        self.operator == other.operator
            && if literal
                || matches!(
                    self.operator,
                    Operator::EqualPrefix | Operator::NotEqualPrefix
                )
            {
                self.text == other.text
            } else {
                self.version == other.version
            }
    }
}

impl PartialEq for SpecifierSet {
    fn eq(&self, other: &SpecifierSet) -> bool {
        let within = |these: &SpecifierSet, those: &SpecifierSet| {
            these
                .0
                .iter()
                .all(|one| those.0.iter().any(|two| one.same(two)))
        };
        within(self, other) && within(other, self)
    }
}

impl fmt::Display for SpecifierSet {
    /// Sorted by text, each clause once, as `packaging` shows them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut clauses: Vec<(String, &Specifier)> = self
            .0
            .iter()
            .map(|clause| (clause.to_string(), clause))
            .collect();
        clauses.sort_by(|(one, _), (two, _)| one.cmp(two));
        let mut shown: Vec<(String, &Specifier)> = Vec::with_capacity(clauses.len());
        for (text, clause) in clauses {
            if !shown.iter().any(|(_, known)| known.same(clause)) {
                shown.push((text, clause));
            }
        }
        let texts: Vec<String> = shown.into_iter().map(|(text, _)| text).collect();
        f.write_str(&texts.join(","))
    }
}

impl fmt::Display for Specifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.operator {
            Operator::Arbitrary => "===",
            Operator::Compatible => "~=",
            Operator::Equal | Operator::EqualPrefix => "==",
            Operator::NotEqual | Operator::NotEqualPrefix => "!=",
            Operator::AtMost => "<=",
            Operator::AtLeast => ">=",
            Operator::Below => "<",
            Operator::Above => ">",
        };
        write!(f, "{sign}{}", self.text)
    }
}

/// Equality with a clause's version, the local label counting only where the clause has one.
fn equal(version: &Version, ours: &Version) -> bool {
    if ours.is_local() || !version.is_local() {
        version == ours
    } else {
        version.clone().without_local() == *ours
    }
}

/// Whether the version begins with this release: from the release's first development version up to the next one's.
fn has_prefix(version: &Version, release: &Version) -> bool {
    *version >= release.clone().with_dev(Some(0)) && *version < next(release)
}

/// The first development version of the release that follows a bare release: `1.2` → `1.3.dev0`.
fn next(release: &Version) -> Version {
    release_after(release.epoch(), release.release()).with_dev(Some(0))
}

/// The release with its last number raised by one.
pub(super) fn release_after(epoch: u64, release: &[u64]) -> Version {
    let mut release = release.to_vec();
    if let Some(last) = release.last_mut() {
        *last = last.saturating_add(1);
    }
    Version::new(release).with_epoch(epoch)
}

/// What `<V` ends at: a final V takes its own pre-releases out as well.
fn below(ours: &Version) -> Version {
    if ours.any_prerelease() {
        ours.clone()
    } else {
        ours.clone().with_dev(Some(0))
    }
}

/// `>V`: what follows V, but for its local versions and, unless V is one itself, its post-releases.
fn above(version: &Version, ours: &Version) -> bool {
    if let Some(dev) = ours.dev() {
        return *version >= ours.clone().with_dev(Some(dev.saturating_add(1)));
    }
    if let Some(post) = ours.post() {
        let post = post.saturating_add(1);
        return *version >= ours.clone().with_post(Some(post)).with_dev(Some(0));
    }
    let family = version.pre() == ours.pre()
        && version.epoch() == ours.epoch()
        && Version::new(version.release()) == Version::new(ours.release());
    version > ours && !family
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_within_a_specifier() {
        #[track_caller]
        fn check(specifiers: &str, inside: &[&str], outside: &[&str]) {
            let set = SpecifierSet::parse(specifiers).unwrap();
            for version in inside {
                assert!(
                    set.contains(&version.parse().unwrap()),
                    "{version} in {specifiers}"
                );
            }
            for version in outside {
                assert!(
                    !set.contains(&version.parse().unwrap()),
                    "{version} not in {specifiers}"
                );
            }
        }
        check("", &["1", "1a1", "1+x"], &[]);
        check(
            ">=1.0",
            &["1", "1.0+x", "1.0.post1", "2"],
            &["1.0a1", "1.dev0", "0.9"],
        );
        check(
            "<=1.0",
            &["1", "1.0+x", "1a1", "0.9"],
            &["1.0.post1", "1.0.post1+x", "1.1"],
        );
        check(
            "<1.0",
            &["0.9", "0.9+x", "0.9.post1"],
            &["1.0", "1.0a1", "1.0.dev1", "1.0+x"],
        );
        check("<1.0rc1", &["1.0a1", "0.9"], &["1.0rc1", "1.0"]);
        check(
            "<1.0.post1",
            &["1.0", "1.0+x"],
            &["1.0.post1", "1.0.post1.dev0"],
        );
        check(
            ">1.0",
            &["1.1", "1.0.1", "2a1"],
            &["1.0", "1.0+x", "1.0.post1", "1.0.0.post1"],
        );
        check(
            ">1.0a1",
            &["1.0a2", "1.0a2.dev0", "1.0"],
            &["1.0a1", "1.0a1.post1", "1.0a1+x"],
        );
        check(
            ">1.0.post1",
            &["1.0.post2", "1.0.post2.dev0", "1.1"],
            &["1.0.post1", "1.0.post1+x"],
        );
        check(
            ">1.0.dev1",
            &["1.0.dev2", "1.0"],
            &["1.0.dev1", "1.0.dev1+x"],
        );
        check(
            "==1.0",
            &["1", "1.0.0", "1.0+x"],
            &["1.0.post1", "1.0a1", "1.1"],
        );
        check("==1.0+x", &["1.0+X", "1+x"], &["1.0", "1.0+y"]);
        check("!=1.0", &["1.1", "1.0a1"], &["1.0+x"]);
        check("!=1.0+x", &["1.0", "1.0+y"], &["1.0+x"]);
        check(
            "==1.1.*",
            &["1.1", "1.1.9", "1.1a1", "1.1.dev0", "1.1+x"],
            &["1", "1.2", "1.10", "1.2.dev0", "1!1.1"],
        );
        check("!=1.1.*", &["1", "1.2"], &["1.1.5", "1.1rc1"]);
        check(
            "~=1.4.2",
            &["1.4.2", "1.4.9", "1.4.2+x", "1.4.3a1"],
            &["1.4.1", "1.5", "1.4.2a1", "1.5.dev0"],
        );
        check("~=1.4", &["1.4", "1.9"], &["2.0", "2.0.dev1", "1.3"]);
        check("~=1.4a1", &["1.4a1", "1.4", "1.5"], &["2"]);
        check("~=1!2.0", &["1!2.3"], &["2.3", "1!3"]);
        check(">=1,<2,!=1.5", &["1.4"], &["1.5", "2", "2a1"]);
        check("===1.0", &["1.0"], &["1", "1.0+x"]);
        check("===1.0,>=0", &["1.0"], &["1"]);
        check("===old", &[], &["1"]);
    }

    #[test]
    fn spellings() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let shown = SpecifierSet::parse(text).ok().map(|set| set.to_string());
            assert_eq!(shown.as_deref(), expected, "{text:?}");
        }
        check(" >= 1.0 , != 2.* ,", Some("!=2.*,>=1.0"));
        check(">=1.0,<2,>=1", Some("<2,>=1"));
        check("==V1.0-ALPHA", Some("==V1.0-ALPHA"));
        check("===", Some("==="));
        check("===1.0-weird!", Some("===1.0-weird!"));
        check("1.0", None);
        check("=1.0", None);
        check(">=", None);
        check(">=1.*", None);
        check("==1a1.*", None);
        check("==1.0+x.*", None);
        check("~=1", None);
        check("~=1.0+x", None);
        check(">1.0+x", None);
        check(">=1 2", None);
        check("=== a b", None);
    }

    #[test]
    fn sets_are_equal_by_meaning_of_their_versions() {
        let set = |text| SpecifierSet::parse(text).unwrap();
        assert_eq!(set(">=1,<2"), set("<2.0,>=1.0"));
        assert_ne!(set(">=1"), set(">=1,<2"));
        assert_ne!(set("===1"), set("===1.0"));
    }
}

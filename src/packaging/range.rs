//! Whether one set of specifiers lies within another: what decides if a requirement is excluded (reference 5.4).
//!
//! A reimplementation of the original's own approximation and not of PEP 440: pre-releases and local versions have no
//! part in it, so `>=1` lies within `!=0.5` and `==1.0` within `>=1.0`, but `!=1.5` leaves gaps as one would expect.

use pep440_rs::Version;

use super::specifier::{Operator, Specifier, SpecifierSet, release_after};

/// One end of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    version: Version,
    inclusive: bool,
}

/// A gap in a range.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gap {
    lower: Bound,
    upper: Bound,
}

/// What a set of specifiers spans.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Range {
    lower: Option<Bound>,
    upper: Option<Bound>,
    gaps: Vec<Gap>,
}

/// What a set of specifiers comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Span {
    Range(Range),
    /// `===` with this text.
    Literal(String),
    Empty,
}

/// Whether everything that `inner` allows is allowed by `outer`; a set that allows nothing has no part in this.
pub(crate) fn includes(outer: &SpecifierSet, inner: &SpecifierSet) -> bool {
    match (span(outer), span(inner)) {
        (Span::Range(outer), Span::Range(inner)) => outer.contains(&inner),
        (Span::Empty, _) | (_, Span::Empty) => false,
        (outer, inner) => outer == inner,
    }
}

impl SpecifierSet {
    /// Whether the clauses contradict each other, as far as the original looks for it: pre-releases and `===` count for
    /// nothing.
    #[must_use]
    pub fn is_contradiction(&self) -> bool {
        span(self) == Span::Empty
    }
}

fn span(set: &SpecifierSet) -> Span {
    let (mut lowers, mut uppers, mut gaps) = (Vec::new(), Vec::new(), Vec::new());
    for Specifier {
        operator, version, ..
    } in &set.0
    {
        let at = |inclusive| version.clone().map(|version| Bound { version, inclusive });
        let after = |drop: usize| {
            let release = version.as_ref()?;
            let kept = release.release().len().saturating_sub(drop);
            let version = release_after(release.epoch(), &release.release()[..kept]);
            Some(Bound {
                version,
                inclusive: false,
            })
        };
        match operator {
            Operator::Arbitrary => return Span::Literal(literal(set)),
            Operator::AtLeast => lowers.extend(at(true)),
            Operator::Above => lowers.extend(at(false)),
            Operator::AtMost => uppers.extend(at(true)),
            Operator::Below => uppers.extend(at(false)),
            Operator::Equal => {
                lowers.extend(at(true));
                uppers.extend(at(true));
            }
            Operator::EqualPrefix => {
                lowers.extend(at(true));
                uppers.extend(after(0));
            }
            Operator::Compatible => {
                lowers.extend(at(true));
                uppers.extend(after(1));
            }
            Operator::NotEqual => {
                gaps.extend(
                    at(true)
                        .zip(at(true))
                        .map(|(lower, upper)| Gap { lower, upper }),
                );
            }
            Operator::NotEqualPrefix => {
                gaps.extend(
                    at(true)
                        .zip(after(0))
                        .map(|(lower, upper)| Gap { lower, upper }),
                );
            }
        }
    }
    let lower = lowers
        .into_iter()
        .max_by(|a, b| lower_key(a).cmp(&lower_key(b)));
    let upper = uppers
        .into_iter()
        .min_by(|a, b| upper_key(a).cmp(&upper_key(b)));
    narrowed(lower, upper, gaps)
}

/// The text of the first `===` of a set.
fn literal(set: &SpecifierSet) -> String {
    let arbitrary = set
        .0
        .iter()
        .find(|clause| clause.operator == Operator::Arbitrary);
    arbitrary.map_or_else(String::new, |clause| clause.text().to_owned())
}

/// Moves the ends past the gaps that touch them, and drops those.
fn narrowed(mut lower: Option<Bound>, mut upper: Option<Bound>, mut gaps: Vec<Gap>) -> Span {
    gaps.sort_by(|a, b| lower_key(&a.lower).cmp(&lower_key(&b.lower)));
    if let Some(lower) = &mut lower {
        gaps.retain(|gap| {
            let touches = lower_key(&gap.lower) <= lower_key(lower);
            if touches {
                let moved = opposite(&gap.upper);
                if lower_key(&moved) > lower_key(lower) {
                    *lower = moved;
                }
            }
            !touches
        });
    }
    gaps.sort_by(|a, b| upper_key(&b.upper).cmp(&upper_key(&a.upper)));
    if let Some(upper) = &mut upper {
        gaps.retain(|gap| {
            let touches = upper_key(&gap.upper) >= upper_key(upper);
            if touches {
                let moved = opposite(&gap.lower);
                if upper_key(&moved) < upper_key(upper) {
                    *upper = moved;
                }
            }
            !touches
        });
    }
    if let (Some(lower), Some(upper)) = (&lower, &upper) {
        let open = !lower.inclusive || !upper.inclusive;
        if lower.version > upper.version || (lower.version == upper.version && open) {
            return Span::Empty;
        }
    }
    Span::Range(Range { lower, upper, gaps })
}

/// The end of a gap as the beginning of what follows it.
fn opposite(bound: &Bound) -> Bound {
    Bound {
        version: bound.version.clone(),
        inclusive: !bound.inclusive,
    }
}

/// Order of lower ends: `>=1`, `>1`, `>=2`.
fn lower_key(bound: &Bound) -> (&Version, bool) {
    (&bound.version, !bound.inclusive)
}

/// Order of upper ends: `<1`, `<=1`, `<2`.
fn upper_key(bound: &Bound) -> (&Version, bool) {
    (&bound.version, bound.inclusive)
}

impl Range {
    fn contains(&self, other: &Range) -> bool {
        let above = match (&self.lower, &other.lower) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => lower_key(ours) <= lower_key(theirs),
        };
        let below = match (&self.upper, &other.upper) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(ours), Some(theirs)) => upper_key(ours) >= upper_key(theirs),
        };
        above && below && !self.gaps.iter().any(|gap| gap.intersects(other))
    }
}

impl Gap {
    /// Whether a range reaches into the gap.
    fn intersects(&self, range: &Range) -> bool {
        if let Some(upper) = &range.upper {
            if self.lower.version > upper.version {
                return false;
            }
            if self.lower.version == upper.version && self.lower.inclusive && upper.inclusive {
                return true;
            }
        }
        if let Some(lower) = &range.lower {
            if self.upper.version < lower.version {
                return false;
            }
            if self.upper.version == lower.version && self.upper.inclusive && lower.inclusive {
                return true;
            }
        }
        let whole = Range {
            lower: Some(self.lower.clone()),
            upper: Some(self.upper.clone()),
            gaps: Vec::new(),
        };
        whole.contains(range) || range.contains(&whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(outer: &str, inner: &str, expected: bool) {
        let set = |text| SpecifierSet::parse(text).unwrap();
        assert_eq!(
            includes(&set(outer), &set(inner)),
            expected,
            "{inner:?} within {outer:?}"
        );
    }

    #[test]
    fn ranges() {
        check("", "", true);
        check("", ">=1", true);
        check(">=1", "", false);
        check(">=1", ">=1", true);
        check("<5", ">=1", false);
        check(">=1,<9", ">=1", false);
        check(">=1,<9", ">=2,<9", true);
        check(">=1", ">1", true);
        check(">1", ">=1", false);
        check("<2", "<=2", false);
        check("<=2", "<2", true);
        check(">=1", "==1", true);
        check("==1.*", "==1.5", true);
        check("==1.*", "~=1.2", true);
        check("~=1.2", "==1.*", false);
        check("~=1.2.3", "==1.2.9", true);
        check("==1!1.*", "==1.5", false);
        check("==1.0", "==1", true);
    }

    #[test]
    fn gaps() {
        check("!=1.5", ">=1", false);
        check("!=1.5", ">=2", true);
        check("!=1.5", "<1.5", true);
        check("!=1.5", "<=1.5", false);
        check("!=1.5,>=1", ">=1.6", true);
        check(">=1,!=1", ">1", true);
        check(">=1,!=1.*", ">=2", true);
        check(">=1,!=1.*", ">=1.9", false);
        check("<2,!=1.*", "<1", true);
        check("!=1.*", "==1.3", false);
    }

    #[test]
    fn a_set_that_allows_nothing_neither_includes_nor_is_included() {
        check("", ">2,<1", false);
        check(">2,<1", ">2,<1", false);
        check("", ">1,<=1", false);
    }

    #[test]
    fn literals_include_only_themselves() {
        check("===1", "===1", true);
        check("===1", "===1.0", false);
        check("", "===1", false);
        check("===1", "==1", false);
    }
}

//! What a launch found out: the one source of what `PEX_VERBOSE` shows and `pexboot explain` tells.

use std::fmt;

/// Something that was looked at, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// The question that it belongs to.
    pub about: About,
    /// What was looked at.
    pub what: String,
    /// What came of it, in a word or two.
    pub verdict: String,
    /// Why; may be empty.
    pub why: String,
}

/// The questions of a launch, in the order in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A setting, and where it comes from.
    Setting,
    /// A candidate for the interpreter.
    Python,
    /// A wheel.
    Wheel,
    /// A member of PEX_PATH.
    Member,
    /// A candidate for the root.
    Root,
    /// A plan of an earlier start.
    Plan,
    /// A hook of the host.
    Hook,
    /// How Python is started.
    Start,
    /// What is left to the PEX's own bootstrap.
    HandedOver,
}

impl About {
    /// What it is called where it is told.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            About::Setting => "setting",
            About::Python => "python",
            About::Wheel => "wheel",
            About::Member => "member",
            About::Root => "root",
            About::Plan => "plan",
            About::Hook => "host hook",
            About::Start => "start",
            About::HandedOver => "handed over",
        }
    }
}

impl Fact {
    /// A fact without a reason.
    pub fn new(about: About, what: impl Into<String>, verdict: impl Into<String>) -> Fact {
        Fact {
            about,
            what: what.into(),
            verdict: verdict.into(),
            why: String::new(),
        }
    }

    /// The same with one.
    #[must_use]
    pub fn because(self, why: impl Into<String>) -> Fact {
        Fact {
            why: why.into(),
            ..self
        }
    }

    /// The fact without the question.
    #[must_use]
    pub fn text(&self) -> String {
        let Fact {
            about,
            what,
            verdict,
            why,
        } = self;
        let joint = match about {
            About::Start | About::HandedOver => " ",
            _ => ": ",
        };
        match why.is_empty() {
            true => format!("{what}{joint}{verdict}"),
            false => format!("{what}{joint}{verdict}: {why}"),
        }
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        match self.about {
            About::Start | About::HandedOver | About::Plan => f.write_str(&text),
            about => write!(f, "{} {text}", about.label()),
        }
    }
}

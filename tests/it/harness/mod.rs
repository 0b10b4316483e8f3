//! How a test runs a PEX: on a small machine of its own ([`Stage`]), the original's way or embedded ([`Way`]), and as a
//! case that is run both ways, cold and warm ([`Case`]).
//!
//! Nothing of the caller's environment reaches a run, nothing is left behind, every wait has a bound.

mod case;
pub mod coverage;
pub mod host;
pub mod pythons;
mod stage;
mod start;
pub mod subject;

pub use case::Case;
pub use stage::{PEXBOOT, Stage};
pub use start::{Outcome, Start, State};

/// How a PEX is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By its own bootstrap: the file as pex built it.
    Original,
    /// Embedded: the stub in front of it.
    Embedded,
}

/// The ways that this run tests: both, or the original alone when `PEXBOOT_TESTS=oracle` asks whether the tests
/// describe it truly.
pub fn ways() -> &'static [Way] {
    if tier() == "oracle" {
        &[Way::Original]
    } else {
        &[Way::Original, Way::Embedded]
    }
}

/// The ways that a case is run whose test says itself what comes of it. The original is not asked again at each run what it
/// said when the test was written: in the long tier it is, and by `PEXBOOT_TESTS=oracle`.
pub fn stated() -> &'static [Way] {
    match tier().as_str() {
        "" => &[Way::Embedded],
        _ => ways(),
    }
}

/// Whether the whole matrix is wanted: every case on every Python.
pub fn long() -> bool {
    tier() == "long"
}

/// The same for a test that is large as a whole; notes that the first tier leaves it out.
pub fn long_tier(case: &str) -> bool {
    if !long() {
        coverage::note(&format!("long tier only: {case}"));
    }
    long()
}

fn tier() -> String {
    std::env::var("PEXBOOT_TESTS").unwrap_or_default()
}

/// Whether these tests run as root, whom no permission bits stop.
pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

//! Whole starts of one application in all its variants: warm, then cold.
//!
//! In that order, because what was measured before is removed first, to make room, and ext4 is slow to hand out again
//! inodes that were freed in the last minute: a cold run must never meet them.

use std::error::Error;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use pexboot::internals::bench::{App, Comparison, Session, Settings, State, Subject};

use crate::apps;
use crate::mounts::Mounts;
use crate::peers::{Bench, Peer};
use crate::record::Record;

/// For how long ext4 avoids an inode after it was freed (`RECENTCY_MIN` in its sources: a minute), and a bit.
const INODES_REST: Duration = Duration::from_secs(65);

/// What is measured of each application.
pub struct Plan<'a> {
    /// In which variants.
    pub peers: &'a [&'static Peer],
    /// Warm runs, if not as many as usual.
    pub rounds: Option<usize>,
    /// Cold runs, if not as many as usual.
    pub cold_rounds: Option<usize>,
}

/// Builds all variants, and tells of those that cannot be built.
pub fn prepare(bench: &Bench, apps: &[&App], peers: &[&Peer]) {
    for app in apps {
        for peer in peers {
            let start = Instant::now();
            let verdict = match peer.subject(bench, app) {
                Ok(_) => "there".to_owned(),
                Err(error) => error.to_string(),
            };
            let seconds = start.elapsed().as_secs();
            eprintln!("{}, {}: {verdict} ({seconds} s)", app.name, peer.name);
        }
    }
}

/// Measures one application and adds it to the record.
pub fn measure(
    bench: &Bench,
    app: &App,
    plan: &Plan,
    cache: &Path,
    record: &mut Record,
) -> Result<(), Box<dyn Error>> {
    let begin = Instant::now();
    record.forget(app);
    let scratch = tempfile::Builder::new()
        .prefix("scratch-")
        .tempdir_in(cache)?;
    let mounts = Mounts::below(scratch.path());
    let mut session = Session::new(scratch.path(), bench.workshop.environment());
    let subjects = cast(bench, app, plan.peers, &mut session, record)?;
    let (warm, cold) = apps::rounds(app);
    let rounds = [
        (State::Warm, plan.rounds.unwrap_or(warm)),
        (State::Cold, plan.cold_rounds.unwrap_or(cold)),
    ];
    for (state, runs) in rounds {
        if state == State::Cold {
            // Since the last application's directories were removed.
            thread::sleep(INODES_REST.saturating_sub(begin.elapsed()));
        }
        // Files are in memory: every variant has run.
        let settings = Settings {
            runs,
            warmup: 0,
            exit_code: Some(0),
            any_output: false,
        };
        let mut progress = |done: usize, all: usize| {
            let seconds = begin.elapsed().as_secs();
            eprintln!(
                "{} {}: round {done} of {all}, {seconds} s",
                app.name,
                state.name()
            );
        };
        let series = session.measure(state, &subjects, settings, &mut progress)?;
        record.comparisons.push(Comparison {
            title: app.name.to_owned(),
            state,
            baseline: 0,
            series,
        });
    }
    drop(mounts);
    scratch.close()?;
    // What is still to be written for freed inodes goes to disk now, not into the next measurement.
    nix::unistd::sync();
    Ok(())
}

/// The variants of `app` that can be built and do what the first, the plain virtual environment, does.
fn cast(
    bench: &Bench,
    app: &App,
    peers: &[&Peer],
    session: &mut Session,
    record: &mut Record,
) -> Result<Vec<Subject>, Box<dyn Error>> {
    let mut subjects = Vec::new();
    for peer in peers {
        eprintln!("{}: {}", app.name, peer.name);
        match peer.subject(bench, app) {
            Ok(subject) => subjects.push(subject),
            Err(error) if subjects.is_empty() => return Err(error.into()),
            Err(error) => record.note_omission(app, peer.name, &error),
        }
    }
    let verdicts = session.audition(&subjects, Some(0))?;
    let mut kept = Vec::new();
    for (subject, verdict) in subjects.into_iter().zip(verdicts) {
        match verdict {
            Ok(()) => {
                record.note_size(app, &subject)?;
                kept.push(subject);
            }
            Err(error) => record.note_omission(app, &subject.name, &error),
        }
    }
    record.note_wheels(app, &bench.workshop.wheels(app)?)?;
    Ok(kept)
}

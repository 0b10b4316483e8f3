//! Kill -9 at any moment: of a cold start, of a prune, of `embed`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::harness::coverage;

/// Moments spread over the time that a run takes, and beyond: multiples of the golden ratio fill it evenly.
fn moment(round: usize, whole: Duration) -> Duration {
    let step = (round as f64 * 0.618_033_988_75).fract();
    whole.mul_f64(1.1 * step)
}

/// Starts it and kills it after `moment`.
fn kill(command: &mut Command, moment: Duration) {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while start.elapsed() < moment && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_cold_start_killed_at_any_moment() {
    let stage = stage("kill-cold");
    let start = stage.start();
    let begin = Instant::now();
    starts(&start, SAYS);
    let whole = begin.elapsed();
    let rounds = rounds(30, 1000);
    for round in 0..rounds {
        // Each second round goes on with what the one before it left.
        if round % 2 == 0 {
            upkeep::cache(&stage, &["clear"]).ok();
        }
        kill(&mut start.command(), moment(round, whole));
        is_sound(&home(&stage), true);
        if round % 4 == 3 {
            starts(&start, SAYS);
        }
    }
    upkeep::cache(&stage, &["clear"]).ok();
    starts(&start, SAYS);
    // What the killed left in `tmp/` was swept by those that came after.
    is_sound(&home(&stage), false);
    coverage::note(&format!("trust: {rounds} cold starts killed"));
}

#[test]
fn a_venv_in_the_making_killed_at_any_moment() {
    let pex = Pex::app("kill-venv", APP)
        .source("helper.py", "NAME = 'helper'\n")
        .dep(Wheel::new("dep", "1.0"))
        .dep(
            Wheel::new("pile", "1.0")
                .file("pile/__init__.py", "")
                .file("pile/m39.py", "WHO = 39\n"),
        );
    let stage = Stage::new(Way::Embedded, &pex.venv().build());
    let start = stage.start();
    let begin = Instant::now();
    starts(&start, SAYS);
    let whole = begin.elapsed();
    for round in 0..rounds(12, 300) {
        upkeep::cache(&stage, &["clear"]).ok();
        kill(&mut start.command(), moment(round, whole));
        is_sound(&home(&stage), true);
        starts(&start, SAYS);
    }
}

#[test]
fn a_prune_killed_at_any_moment() {
    let stage = stage("kill-prune");
    let start = stage.start();
    starts(&start, SAYS);
    let prune = || upkeep::command(&stage, &["prune", "--older-than", "0", "--grace", "0"]);
    let begin = Instant::now();
    assert!(prune().output().unwrap().status.success());
    let whole = begin.elapsed();
    let rounds = rounds(15, 500);
    for round in 0..rounds {
        starts(&start, SAYS);
        kill(&mut prune(), moment(round, whole));
        is_sound(&home(&stage), true);
    }
    starts(&start, SAYS);
    upkeep::cache(&stage, &["clear"]).ok();
    is_sound(&home(&stage), false);
    coverage::note(&format!("trust: {rounds} prunes killed"));
}

#[test]
fn an_embed_killed_at_any_moment_leaves_the_file_as_it_was_or_as_it_will_be() {
    let pex = app("kill-embed");
    let stage = Stage::new(Way::Original, &pex);
    let before = fs::read(&stage.pex).unwrap();
    let embed = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pexboot"));
        command.arg("embed").arg(&stage.pex);
        command
    };
    let begin = Instant::now();
    assert!(embed().output().unwrap().status.success());
    let whole = begin.elapsed();
    let after = fs::read(&stage.pex).unwrap();
    let rounds = rounds(15, 300);
    for round in 0..rounds {
        // With its mode, which is part of what is embedded.
        fs::copy(&pex.path, stage.path("work/original")).unwrap();
        fs::rename(stage.path("work/original"), &stage.pex).unwrap();
        kill(&mut embed(), moment(round, whole));
        let found = fs::read(&stage.pex).unwrap();
        assert!(
            found == before || found == after,
            "round {round}: {} bytes",
            found.len()
        );
    }
    assert!(embed().output().unwrap().status.success());
    assert_eq!(fs::read(&stage.pex).unwrap(), after);
    coverage::note(&format!("trust: {rounds} embeds killed"));
}

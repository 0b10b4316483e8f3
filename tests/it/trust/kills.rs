//! Kill -9 at any moment: of a cold start, of a prune, of `embed`.

use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::*;

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
    // Nobody sends anything: a wait that leaves the processor to the one that is to be killed.
    let (_sender, receiver) = mpsc::channel::<()>();
    let _ = receiver.recv_timeout(moment);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How long it takes, the shortest of some times.
fn duration(mut run: impl FnMut()) -> Duration {
    let time = |_| {
        let begin = Instant::now();
        run();
        begin.elapsed()
    };
    (0..3).map(time).min().unwrap()
}

#[test]
fn a_cold_start_killed_at_any_moment() {
    let pex = app("kill-cold");
    shared_out("cold starts killed", rounds(30, 1000), |rounds| {
        let stage = Stage::new(Way::Embedded, &pex);
        let start = stage.start();
        let whole = duration(|| {
            empty(&stage);
            starts(&start, SAYS);
        });
        for (count, round) in rounds.enumerate() {
            // Each second one goes on with what the one before it left.
            if count % 2 == 0 {
                empty(&stage);
            }
            kill(&mut start.command(), moment(round, whole));
            is_sound(&home(&stage), true);
            if count % 4 == 3 {
                starts(&start, SAYS);
            }
        }
        // What the killed left in `tmp/` is swept by those that come after.
        let _ = fs::remove_dir_all(home(&stage).join("launches"));
        let _ = fs::remove_dir_all(home(&stage).join("wheels"));
        starts(&start, SAYS);
        is_sound(&home(&stage), false);
    });
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
    let pex = pex.venv().build();
    shared_out(
        "virtual environments in the making killed",
        rounds(12, 300),
        |rounds| {
            let stage = Stage::new(Way::Embedded, &pex);
            let start = stage.start();
            let whole = duration(|| {
                empty(&stage);
                starts(&start, SAYS);
            });
            for round in rounds {
                empty(&stage);
                kill(&mut start.command(), moment(round, whole));
                is_sound(&home(&stage), true);
                starts(&start, SAYS);
            }
        },
    );
}

#[test]
fn a_prune_killed_at_any_moment() {
    /// How long it waits for those who have just read a plan.
    const WAIT: Duration = Duration::from_secs(1);
    let pex = app("kill-prune");
    shared_out("prunes killed", rounds(15, 500), |rounds| {
        let stage = Stage::new(Way::Embedded, &pex);
        let start = stage.start();
        let prune = || upkeep::command(&stage, &["prune", "--older-than", "0", "--grace", "0"]);
        let whole = duration(|| {
            starts(&start, SAYS);
            assert!(prune().output().unwrap().status.success());
        });
        let working = whole.saturating_sub(WAIT);
        for round in rounds {
            starts(&start, SAYS);
            // While it waits nothing happens; half of them fall before that, half behind it.
            let step = moment(round, working);
            kill(
                &mut prune(),
                if round % 2 == 0 { step } else { WAIT + step },
            );
            is_sound(&home(&stage), true);
        }
        starts(&start, SAYS);
        upkeep::cache(&stage, &["clear"]).ok();
        is_sound(&home(&stage), false);
    });
}

#[test]
fn an_embed_killed_at_any_moment_leaves_the_file_as_it_was_or_as_it_will_be() {
    let pex = app("kill-embed");
    shared_out("embeds killed", rounds(15, 300), |rounds| {
        let stage = Stage::new(Way::Original, &pex);
        let before = fs::read(&stage.pex).unwrap();
        let embed = || {
            let mut command = Command::new(env!("CARGO_BIN_EXE_pexboot"));
            command.args(["embed", "--no-compile"]).arg(&stage.pex);
            command
        };
        let again = || {
            // With its mode, which is part of what is embedded.
            fs::copy(&pex.path, stage.path("work/original")).unwrap();
            fs::rename(stage.path("work/original"), &stage.pex).unwrap();
        };
        let whole = duration(|| {
            again();
            assert!(embed().output().unwrap().status.success());
        });
        let after = fs::read(&stage.pex).unwrap();
        for round in rounds {
            again();
            kill(&mut embed(), moment(round, whole));
            let found = fs::read(&stage.pex).unwrap();
            let size = found.len();
            assert!(
                found == before || found == after,
                "round {round}: {size} bytes"
            );
        }
        assert!(embed().output().unwrap().status.success());
        assert_eq!(fs::read(&stage.pex).unwrap(), after);
    });
}

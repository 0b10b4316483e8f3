//! Items 85-92: PEXes that run in a virtual environment of their own.

use serde_json::json;

use crate::fixtures::{Pex, Wheel};
use crate::harness::pythons::{Python, other};
use crate::harness::subject::{no_oracle, on_each, subject};
use crate::harness::{Case, Stage, Way, stated};

/// The probe as a venv PEX with a dependency and a package of its own.
fn probe(name: &str) -> Pex {
    Pex::probe(name)
        .venv()
        .source("own/mine.py", "WHO = 'own'\n")
        .dep(Wheel::new("dep", "1.0"))
}

#[test]
fn item_85_a_venv_pex_runs_isolated_in_its_venv() {
    on_each(|| {
        let pex = probe("item85").build();
        for &way in stated() {
            let stage = Stage::new(way, &pex);
            for _ in 0..2 {
                let run = stage.start().env("PROBE_IMPORT", "dep,own.mine").run();
                let state = run.state();
                assert_ne!(
                    state.text("/sys/prefix"),
                    state.text("/sys/base_prefix"),
                    "{run}"
                );
                assert_eq!(
                    (state.flag("isolated"), state.flag("ignore_environment")),
                    (1, 1),
                    "{run}"
                );
                assert!(state.env("VIRTUAL_ENV").is_some(), "{run}");
                assert_eq!(
                    state.env("PEX"),
                    stage.root().join("work/app.pex").to_str(),
                    "{run}"
                );
                assert_eq!(
                    (state.who("dep"), state.who("own.mine")),
                    ("dep 1.0", "own"),
                    "{run}"
                );
            }
        }
    });
}

#[test]
fn item_86_the_standard_library_precedes_user_code() {
    on_each(|| {
        let pex = probe("item86")
            .source("colorsys.py", "WHO = 'code'\n")
            .build();
        Case::new(&pex)
            .env("PROBE_IMPORT", "colorsys")
            .holds(|run| {
                assert_eq!(run.state().who("colorsys"), "<no WHO>", "{run}");
            });
    });
}

#[test]
fn item_87_children_of_sys_executable_see_the_dists() {
    on_each(|| {
        let app = "import subprocess, sys\ndef main():\n    \
               print(subprocess.check_output([sys.executable, '-c', 'import dep; print(dep.WHO)'], text=True))\n";
        let pex = Pex::app("item87", app)
            .venv()
            .dep(Wheel::new("dep", "1.0"))
            .build();
        Case::new(&pex).agrees().ok().prints("dep 1.0");
    });
}

#[test]
fn item_88_the_venvs_scripts_join_path() {
    on_each(|| {
        let pex = probe("item88").info("venv_bin_path", "prepend").build();
        let bin_is = |run: &crate::harness::Outcome, first: bool| {
            let state = run.state();
            let bin = format!("{}/bin", state.env("VIRTUAL_ENV").unwrap());
            let path: Vec<&str> = state.env("PATH").unwrap().split(':').collect();
            let found = if first { path.first() } else { path.last() };
            assert_eq!(found, Some(&bin.as_str()), "{run}");
        };
        Case::new(&pex).holds(|run| bin_is(run, true));
        Case::new(&pex)
            .env("PEX_VENV_BIN_PATH", "append")
            .holds(|run| bin_is(run, false));
        Case::new(&pex)
            .env("PEX_VENV_BIN_PATH", "sideways")
            .holds(|run| {
                run.refused();
            });
    });
}

#[test]
fn item_89_a_script_that_dies_by_a_signal_dies_by_it() {
    on_each(|| {
        let wheel = Wheel::empty("scripts", "1.0").file_with_mode(
            "DATA/scripts/dies",
            "#!/bin/sh\nkill -TERM $$\n",
            0o755,
        );
        let pex = probe("item89").dep(wheel).build();
        Case::new(&pex)
            .env("PEX_SCRIPT", "dies")
            .holds(|run| assert_eq!(run.signal, Some(15), "{run}"));
    });
}

#[test]
fn item_90_pex_venv_0_runs_it_as_a_zipapp() {
    on_each(|| {
        let pex = probe("item90")
            .source("colorsys.py", "WHO = 'code'\n")
            .build();
        Case::new(&pex)
            .env("PEX_VENV", "0")
            .env("PROBE_IMPORT", "colorsys,dep")
            .holds(|run| {
                let state = run.state();
                assert_eq!(
                    state.text("/sys/prefix"),
                    state.text("/sys/base_prefix"),
                    "{run}"
                );
                assert_eq!(
                    (state.who("colorsys"), state.who("dep")),
                    ("code", "dep 1.0"),
                    "{run}"
                );
            });
    });
}

#[test]
fn item_91_pex_venv_1_needs_venv_support() {
    on_each(|| {
        let pex = Pex::probe("item91").build();
        Case::new(&pex).env("PEX_VENV", "1").holds(|run| {
            run.refused().says("PEX_VENV");
            assert!(!run.stderr.contains("Traceback"), "{run}");
        });
    });
}

#[test]
fn item_92_constraints_decide_how_many_venvs_there_are() {
    on_each(|| {
        let Some(other) = other("item 92") else {
            return;
        };
        let versions = |way: Way, pex: Pex| {
            let pex = pex.build();
            let stage = Stage::new(way, &pex);
            let run = |python: &Python| {
                stage
                    .start()
                    .python(&python.path)
                    .run()
                    .state()
                    .get("/sys/version")
                    .clone()
            };
            [run(subject()), run(other)]
        };
        for &way in stated() {
            let [first, second] = versions(way, probe("item92"));
            assert_ne!(first, second, "{way:?}");
            let constrained = probe("item92").info("interpreter_constraints", json!([">=3.8"]));
            let [first, second] = versions(way, constrained);
            // By design (docs/compatibility.md).
            no_oracle(
                "with constraints it keeps the Python of the first start, where each start gets the one it asked for here",
            );
            assert_eq!(first == second, way == Way::Original, "{first} {second}");
        }
    });
}

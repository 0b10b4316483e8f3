//! Items 50-62: which Python runs the PEX.
//!
//! "The stand-in" is the Python that the shebang line names: the original is already running under it when it chooses.

use std::process::Command;

use serde_json::json;

use crate::fixtures::{Pex, Wheel};
use crate::harness::pythons::{Python, several};
use crate::harness::{Case, Outcome, pythons};

/// A probe with this Python as stand-in.
fn probe(name: &str, stand_in: &Python) -> Pex {
    Pex::probe(name).shebang(&format!("/usr/bin/env {}", stand_in.name()))
}

/// A case whose PATH is one directory with these Pythons.
fn on_path<'p>(case: Case<'p>, pythons: &[&'static Python]) -> Case<'p> {
    let pythons = pythons.to_vec();
    case.with(move |start, stage| start.env("PATH", stage.bin("bin", &pythons)))
}

/// Holds that this Python ran the probe.
fn ran(python: &Python) -> impl Fn(&Outcome) + use<> {
    let (name, version) = (
        python.name(),
        [python.version.0, python.version.1, python.version.2],
    );
    move |run| {
        assert_eq!(
            run.state().get("/sys/version"),
            &json!(version),
            "expected {name}\n{run}"
        )
    }
}

#[test]
fn item_50_the_strategy_picks_among_those_that_fit() {
    let Some(all) = several("item 50", 3) else {
        return;
    };
    let (low, middle, high) = (all[0], all[1], all[all.len() - 1]);
    let constraint = format!("CPython>={},<={}.99", middle.xy(), high.xy());
    for (strategy, expected) in [("oldest", middle), ("newest", high)] {
        let pex = probe("item50", low)
            .info("interpreter_constraints", json!([constraint]))
            .info("interpreter_selection_strategy", strategy)
            .build();
        on_path(Case::new(&pex), &[low, middle, high]).holds(ran(expected));
    }
}

#[test]
fn item_51_a_stand_in_that_fits_is_used_whatever_the_strategy() {
    let Some(all) = several("item 51", 2) else {
        return;
    };
    let (low, high) = (all[0], all[all.len() - 1]);
    for (strategy, stand_in) in [("newest", low), ("oldest", high)] {
        let pex = probe("item51", stand_in)
            .info(
                "interpreter_constraints",
                json!([format!("CPython>={}", low.xy())]),
            )
            .info("interpreter_selection_strategy", strategy)
            .build();
        on_path(Case::new(&pex), &[low, high]).holds(ran(stand_in));
    }
}

#[test]
fn item_52_constraints_are_alternatives() {
    let Some(all) = several("item 52", 3) else {
        return;
    };
    let (stand_in, first, second) = (all[1], all[0], all[2]);
    let pex = probe("item52", stand_in)
        .info(
            "interpreter_constraints",
            json!([
                format!("=={}.*", first.xy()),
                format!("=={}.*", second.xy())
            ]),
        )
        .build();
    on_path(Case::new(&pex), &[stand_in, first, second]).holds(ran(first));
}

#[test]
fn item_53_an_absolute_pex_python_is_used_or_refused() {
    let Some(all) = several("item 53", 2) else {
        return;
    };
    let (stand_in, other) = (all[0], all[1]);
    let case = |pex| {
        let other_path = other.path.to_str().unwrap();
        on_path(Case::new(pex), &[stand_in]).env("PEX_PYTHON", other_path)
    };
    let pex = probe("item53", stand_in).build();
    case(&pex).holds(ran(other));
    let constraint = format!("CPython=={}.*", stand_in.xy());
    let pex = probe("item53", stand_in)
        .info("interpreter_constraints", json!([constraint]))
        .build();
    case(&pex).holds(|run| {
        run.refused()
            .says("Failed to find a compatible PEX_PYTHON=");
    });
}

#[test]
fn item_54_a_named_pex_python_is_searched_on_path() {
    let Some(all) = several("item 54", 3) else {
        return;
    };
    let pex = probe("item54", all[0]).build();
    let case =
        on_path(Case::new(&pex), &[all[0], all[1], all[2]]).env("PEX_PYTHON", &all[1].name());
    case.holds(ran(all[1]));
}

#[test]
fn item_55_pex_python_path_limits_the_search() {
    let Some(all) = several("item 55", 3) else {
        return;
    };
    let (stand_in, listed, named) = (all[0], all[1], all[2]);
    let pex = probe("item55", stand_in).build();
    let case = |pex| {
        on_path(Case::new(pex), &[stand_in, named])
            .with(move |start, stage| start.env("PEX_PYTHON_PATH", stage.bin("listed", &[listed])))
    };
    case(&pex).holds(ran(listed));
    case(&pex)
        .env("PEX_PYTHON", &named.name())
        .holds(ran(listed));
}

#[test]
fn item_56_an_absolute_pex_python_outside_pex_python_path_is_refused() {
    let Some(all) = several("item 56", 2) else {
        return;
    };
    let (stand_in, listed) = (all[0], all[1]);
    let pex = probe("item56", stand_in).build();
    let case = on_path(Case::new(&pex), &[stand_in])
        .env("PEX_PYTHON", stand_in.path.to_str().unwrap())
        .with(move |start, stage| start.env("PEX_PYTHON_PATH", stage.bin("listed", &[listed])));
    case.holds(|run| {
        run.refused().says("did not meet other constraints");
    });
}

#[test]
fn item_57_a_pex_python_that_does_not_exist_is_refused() {
    let pex = Pex::probe("item57").build();
    Case::new(&pex)
        .env("PEX_PYTHON", "/no/such/python3")
        .holds(|run| {
            run.refused()
                .says("The specified PEX_PYTHON=/no/such/python3 could not be identified");
        });
}

#[test]
fn item_58_without_a_match_the_candidates_are_listed() {
    let debian = pythons::debian();
    let pex = probe("item58", debian)
        .info("interpreter_constraints", json!(["CPython==3.5.*"]))
        .build();
    let (major, minor, patch) = debian.version;
    on_path(Case::new(&pex), &[debian]).holds(|run| {
        run.refused()
            .says("Examined the following interpreters:")
            .says(&format!("CPython=={major}.{minor}.{patch}"))
            .says("Version matches CPython==3.5.*");
    });
}

#[test]
fn item_59_without_constraints_the_wheels_decide() {
    let Some(all) = several("item 59", 2) else {
        return;
    };
    let (stand_in, fitting) = (all[0], all[all.len() - 1]);
    let tag = format!(
        "cp{0}-cp{0}-linux_{1}",
        fitting.nodot(),
        std::env::consts::ARCH
    );
    let pex = probe("item59", stand_in)
        .dep(Wheel::new("native", "1.0").tag(&tag).platlib())
        .build();
    on_path(Case::new(&pex), &[stand_in, fitting])
        .env("PROBE_IMPORT", "native")
        .holds(|run| {
            ran(fitting)(run);
            assert_eq!(run.state().who("native"), "native 1.0", "{run}");
        });
}

#[test]
fn item_60_a_venv_as_stand_in_gives_way_to_its_base() {
    for (inherit, in_venv) in [("false", false), ("prefer", true)] {
        let pex = Pex::probe("item60").info("inherit_path", inherit).build();
        let case = Case::new(&pex).with(|start, stage| {
            let venv = stage.path("venv");
            let made = Command::new(&pythons::debian().path)
                .args(["-m", "venv", "--without-pip"])
                .arg(&venv)
                .env_clear()
                .status();
            assert!(made.unwrap().success());
            start.python(&venv.join("bin/python"))
        });
        case.holds(|run| {
            let state = run.state();
            let prefix_is_base = state.text("/sys/prefix") == state.text("/sys/base_prefix");
            assert_eq!(!prefix_is_base, in_venv, "{inherit}\n{run}");
        });
    }
}

#[test]
fn item_61_free_threaded_constraints() {
    let debian = pythons::debian();
    let pex = |constraint: &str| {
        probe("item61", debian)
            .info("interpreter_constraints", json!([constraint]))
            .build()
    };
    on_path(Case::new(&pex("CPython+t>=3.13")), &[debian]).holds(|run| {
        run.refused();
    });
    on_path(Case::new(&pex("CPython-t>=3.9")), &[debian]).holds(ran(debian));
}

#[test]
fn item_62_an_inactive_pyenv_shim_is_skipped() {
    let Some(all) = several("item 62", 2) else {
        return;
    };
    let (stand_in, fitting) = (all[0], all[1]);
    let pex = probe("item62", stand_in)
        .info(
            "interpreter_constraints",
            json!([format!("CPython=={}.*", fitting.xy())]),
        )
        .build();
    let case = Case::new(&pex).with(move |start, stage| {
        stage.script(
            "pyenv/shims/python3",
            "#!/bin/sh\necho 'pyenv: python3: command not found' >&2\nexit 127\n",
        );
        let bin = stage.bin("bin", &[stand_in, fitting]);
        let path = std::env::join_paths([stage.path("pyenv/shims"), bin]).unwrap();
        start
            .env("PYENV_ROOT", stage.path("pyenv"))
            .env("PATH", path)
    });
    case.holds(ran(fitting));
}

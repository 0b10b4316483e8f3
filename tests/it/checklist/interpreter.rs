//! Items 50-62: which Python runs the PEX.
//!
//! "The stand-in" is the Python that the shebang line names: the original is already running under it when it chooses.
//! Each item is about one Python, [`subject`]: mostly the one that is to be chosen.

use std::process::Command;

use serde_json::json;

use crate::fixtures::{Pex, Wheel};
use crate::harness::pythons::{Python, cpythons, other};
use crate::harness::subject::{about_each, subject};
use crate::harness::{Case, Outcome};

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

/// What is to be added to a CPython's constraint so that it is the oldest, or the newest, that satisfies it.
fn bound(python: &Python, strategy: &str) -> String {
    let implementation = match python.implementation.as_str() {
        "pypy" => "PyPy",
        _ => "CPython",
    };
    let sign = if strategy == "oldest" {
        format!(">={}", python.xy())
    } else {
        format!("<={}.99", python.xy())
    };
    format!("{implementation}{sign}")
}

#[test]
fn item_50_the_strategy_picks_among_those_that_fit() {
    about_each(|| {
        let python = subject();
        for strategy in ["oldest", "newest"] {
            let fits = |other: &Python| match strategy {
                "oldest" => other.version > python.version,
                _ => other.version < python.version,
            };
            // Others that fit but are not what the strategy wants, and a stand-in that does not fit.
            let others =
                cpythons().filter(|other| fits(other) && python.implementation == "cpython");
            let mut path: Vec<_> = others.chain([python]).collect();
            let stand_in = crate::harness::pythons::all()
                .iter()
                .find(|other| !path.contains(other) && *other != python);
            let Some(stand_in) = stand_in else {
                crate::harness::coverage::left_out("item 50", "another Python that does not fit");
                continue;
            };
            path.push(stand_in);
            let pex = probe("item50", stand_in)
                .info("interpreter_constraints", json!([bound(python, strategy)]))
                .info("interpreter_selection_strategy", strategy)
                .build();
            on_path(Case::new(&pex), &path).holds(ran(python));
        }
    });
}

#[test]
fn item_51_a_stand_in_that_fits_is_used_whatever_the_strategy() {
    about_each(|| {
        let Some(other) = other("item 51") else {
            return;
        };
        for strategy in ["newest", "oldest"] {
            let pex = probe("item51", subject())
                .info("interpreter_constraints", json!([">=3.8"]))
                .info("interpreter_selection_strategy", strategy)
                .build();
            on_path(Case::new(&pex), &[other, subject()]).holds(ran(subject()));
        }
    });
}

#[test]
fn item_52_constraints_are_alternatives() {
    about_each(|| {
        let Some(stand_in) = other("item 52") else {
            return;
        };
        // No Python is so old.
        let pex = probe("item52", stand_in)
            .info(
                "interpreter_constraints",
                json!(["CPython==3.6.*", subject().constraint()]),
            )
            .build();
        on_path(Case::new(&pex), &[stand_in, subject()]).holds(ran(subject()));
    });
}

#[test]
fn item_53_an_absolute_pex_python_is_used_or_refused() {
    about_each(|| {
        let Some(stand_in) = other("item 53") else {
            return;
        };
        let case = |pex| {
            let path = subject().path.to_str().unwrap();
            on_path(Case::new(pex), &[stand_in]).env("PEX_PYTHON", path)
        };
        let pex = probe("item53", stand_in).build();
        case(&pex).holds(ran(subject()));
        let pex = probe("item53", stand_in)
            .info("interpreter_constraints", json!([stand_in.constraint()]))
            .build();
        case(&pex).holds(|run| {
            run.refused()
                .says("Failed to find a compatible PEX_PYTHON=");
        });
    });
}

#[test]
fn item_54_a_named_pex_python_is_searched_on_path() {
    about_each(|| {
        let Some(stand_in) = other("item 54") else {
            return;
        };
        let pex = probe("item54", stand_in).build();
        on_path(Case::new(&pex), &[stand_in, subject()])
            .env("PEX_PYTHON", &subject().name())
            .holds(ran(subject()));
    });
}

#[test]
fn item_55_pex_python_path_limits_the_search() {
    about_each(|| {
        let Some(stand_in) = other("item 55") else {
            return;
        };
        let pex = probe("item55", stand_in).build();
        let case = |pex| {
            on_path(Case::new(pex), &[stand_in]).with(|start, stage| {
                start.env("PEX_PYTHON_PATH", stage.bin("listed", &[subject()]))
            })
        };
        case(&pex).holds(ran(subject()));
        case(&pex)
            .env("PEX_PYTHON", &stand_in.name())
            .holds(ran(subject()));
    });
}

#[test]
fn item_56_an_absolute_pex_python_outside_pex_python_path_is_refused() {
    about_each(|| {
        let Some(listed) = other("item 56") else {
            return;
        };
        let pex = probe("item56", subject()).build();
        let case = on_path(Case::new(&pex), &[subject()])
            .env("PEX_PYTHON", subject().path.to_str().unwrap())
            .with(move |start, stage| start.env("PEX_PYTHON_PATH", stage.bin("listed", &[listed])));
        case.holds(|run| {
            run.refused().says("did not meet other constraints");
        });
    });
}

#[test]
fn item_57_a_pex_python_that_does_not_exist_is_refused() {
    about_each(|| {
        let pex = probe("item57", subject()).build();
        on_path(Case::new(&pex), &[subject()])
            .env("PEX_PYTHON", "/no/such/python3")
            .holds(|run| {
                run.refused()
                    .says("The specified PEX_PYTHON=/no/such/python3 could not be identified");
            });
    });
}

#[test]
fn item_58_without_a_match_the_candidates_are_listed() {
    about_each(|| {
        let python = subject();
        let pex = probe("item58", python)
            .info("interpreter_constraints", json!(["CPython==3.5.*"]))
            .build();
        let (major, minor, patch) = python.version;
        let name = match (python.implementation.as_str(), minor) {
            ("pypy", _) => "PyPy",
            (_, 13..) => "CPython-t",
            _ => "CPython",
        };
        on_path(Case::new(&pex), &[python]).holds(|run| {
            run.refused()
                .says("Examined the following interpreters:")
                .says(&format!("{name}=={major}.{minor}.{patch}"))
                .says("Version matches CPython==3.5.*");
        });
    });
}

#[test]
fn item_59_without_constraints_the_wheels_decide() {
    about_each(|| {
        let Some(stand_in) = other("item 59") else {
            return;
        };
        let kind = match subject().implementation.as_str() {
            "pypy" => format!("pp{}-none", subject().nodot()),
            _ => format!("cp{0}-cp{0}", subject().nodot()),
        };
        // 3.8 is the first whose tags have no `m`.
        let tag = format!("{kind}-linux_{}", std::env::consts::ARCH);
        let pex = probe("item59", stand_in)
            .dep(Wheel::new("native", "1.0").tag(&tag).platlib())
            .build();
        on_path(Case::new(&pex), &[stand_in, subject()])
            .env("PROBE_IMPORT", "native")
            .holds(|run| {
                ran(subject())(run);
                assert_eq!(run.state().who("native"), "native 1.0", "{run}");
            });
    });
}

#[test]
fn item_60_a_venv_as_stand_in_gives_way_to_its_base() {
    about_each(|| {
        let python = subject();
        for (inherit, in_venv) in [("false", false), ("prefer", true)] {
            let pex = Pex::probe("item60").info("inherit_path", inherit).build();
            let case = Case::new(&pex).with(|start, stage| {
                let venv = stage.path("venv");
                let made = Command::new(&python.path)
                    .args(["-m", "venv", "--without-pip"])
                    .arg(&venv)
                    .env_clear()
                    .status();
                assert!(made.unwrap().success());
                start.python(&venv.join("bin/python"))
            });
            case.holds(|run| {
                ran(python)(run);
                let state = run.state();
                let prefix_is_base = state.text("/sys/prefix") == state.text("/sys/base_prefix");
                assert_eq!(!prefix_is_base, in_venv, "{inherit}\n{run}");
            });
        }
    });
}

#[test]
fn item_61_free_threaded_constraints() {
    about_each(|| {
        let python = subject();
        let pex = |constraint: &str| {
            probe("item61", python)
                .info("interpreter_constraints", json!([constraint]))
                .build()
        };
        let refused = |run: &Outcome| {
            run.refused();
        };
        on_path(Case::new(&pex("CPython+t>=3.13")), &[python]).holds(refused);
        let gil = pex("CPython-t>=3.8");
        let gil = on_path(Case::new(&gil), &[python]);
        match python.implementation.as_str() {
            "pypy" => gil.holds(refused),
            _ => gil.holds(ran(python)),
        }
    });
}

#[test]
fn item_62_an_inactive_pyenv_shim_is_skipped() {
    about_each(|| {
        let (Some(stand_in), fitting) = (other("item 62"), subject()) else {
            return;
        };
        let pex = probe("item62", stand_in)
            .info("interpreter_constraints", json!([fitting.constraint()]))
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
    });
}

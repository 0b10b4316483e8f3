//! What a user reads when no Python will do: the words of the original, through the whole launch (reference 4.8, 10).

use serde_json::json;

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::pythons::{Python, debian, second};
use crate::harness::{Case, PEXBOOT, Stage, Way};

/// A PEX that only some Pythons may run.
fn constrained(name: &str, constraint: &str) -> Built {
    Pex::probe(name)
        .shebang(&format!("/usr/bin/env {}", debian().name()))
        .info("interpreter_constraints", json!([constraint]))
        .build()
}

/// A case whose PATH is a directory with these Pythons alone.
fn on_path<'p>(pex: &'p Built, pythons: &[&'static Python]) -> Case<'p> {
    let pythons = pythons.to_vec();
    Case::new(pex).with(move |start, stage| start.env("PATH", stage.bin("bin", &pythons)))
}

/// What the two tell differently by design: where the PEX was unpacked to; and the original misses `ldd` on so short a
/// PATH.
fn comparable(text: &str) -> String {
    let noise = ["PEXWarning: Failed to detect if", "pex_warnings.warn("];
    let said = |line: &&str| !noise.iter().any(|noise| line.contains(noise));
    let lines = text.lines().filter(said).map(|line| {
        let environment = "Failed to resolve requirements from PEX environment @ ";
        match line.find(environment) {
            Some(at) => line[..at + environment.len()].to_owned(),
            None => line.trim_end().to_owned(),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn refused_alike(case: Case<'_>, words: &[&str]) {
    let outcome = case.normalise(comparable).agrees();
    for words in words {
        outcome.refused().says(words);
    }
}

#[test]
fn e1_pex_python_is_no_python() {
    let pex = constrained("e1", "CPython>=3.8");
    for python in ["/no/such/python3", "/bin/true"] {
        let case = on_path(&pex, &[debian()]).env("PEX_PYTHON", python);
        let expected = format!("The specified PEX_PYTHON={python} could not be identified");
        case.holds(|run| {
            run.refused().says(&expected);
        });
    }
}

#[test]
fn e2_pex_python_does_not_fit() {
    let pex = constrained("e2", "CPython==3.5.*");
    let case = on_path(&pex, &[debian()]);
    let case = case.env("PEX_PYTHON", debian().path.to_str().unwrap());
    refused_alike(
        case,
        &["Failed to find a compatible PEX_PYTHON=", "CPython==3.5.*"],
    );
    let case = on_path(&pex, &[debian()]).env("PEX_PYTHON", "python3.5");
    refused_alike(case, &["Failed to find a compatible PEX_PYTHON=python3.5."]);
}

#[test]
fn e3_nothing_on_the_search_path_fits() {
    let pex = constrained("e3", "CPython==3.5.*");
    let pythons = match second("two candidates in E3's list") {
        Some(other) => vec![debian(), other],
        None => vec![debian()],
    };
    let words = [
        "Failed to find compatible interpreter on path [BOX]/bin.",
        "Version matches CPython==3.5.*",
    ];
    refused_alike(on_path(&pex, &pythons), &words);
    let case = on_path(&pex, &pythons).with(|start, stage| {
        start
            .env("PEX_PYTHON_PATH", stage.path("bin"))
            .env("PATH", "/usr/bin:/bin")
    });
    refused_alike(case, &words);
}

#[test]
fn e4_pex_python_is_outside_pex_python_path() {
    let Some(other) = second("E4") else { return };
    let pex = constrained("e4", "CPython>=3.8");
    let case = on_path(&pex, &[debian()]).env("PEX_PYTHON", other.path.to_str().unwrap());
    let case = case.with(|start, stage| start.env("PEX_PYTHON_PATH", stage.path("bin")));
    refused_alike(case, &["did not meet other constraints."]);
}

#[test]
fn e5_pex_python_path_holds_nothing() {
    let pex = Pex::probe("e5").build();
    let case = Case::new(&pex).with(|start, stage| {
        std::fs::create_dir_all(stage.path("nothing")).unwrap();
        start.env("PEX_PYTHON_PATH", stage.path("nothing"))
    });
    case.holds(|run| {
        run.refused();
    });
    refused_alike(case, &[]);
}

#[test]
fn wheels_that_do_not_fit_are_told_with_every_reason() {
    let only_windows = Wheel::new("dep", "1.0").tag("py3-none-win_amd64");
    let too_old = Wheel::new("dep", "2.0").metadata("Requires-Python: <3.5");
    let pex = Pex::probe("no-wheel").wheel(only_windows).wheel(too_old);
    let pex = pex.requires("dep").build();
    refused_alike(
        on_path(&pex, &[debian()]),
        &["A distribution for dep could not be resolved"],
    );

    let unmet = Pex::probe("unmet")
        .dep(Wheel::new("aa", "1.0").requires("bb>=2"))
        .wheel(Wheel::new("bb", "1.0"));
    refused_alike(
        on_path(&unmet.build(), &[debian()]),
        &["Required by:", "bb>=2", "bb-1.0-py3-none-any.whl"],
    );
}

/// A contradiction in the settings was found after a Python had been asked and everything unpacked.
#[test]
fn what_settings_contradict_is_refused_before_any_work() {
    let pex = Pex::probe("decided").dep(Wheel::new("pure", "1.0"));
    for pex in [pex.clone().build(), pex.venv().build()] {
        let stage = Stage::new(Way::Embedded, &pex);
        // Whoever asks it what it is leaves a mark.
        let mark = stage.path("work/asked");
        let script = format!(
            "#!/bin/sh\ntouch {}\nexec {} \"$@\"\n",
            mark.display(),
            debian().path.display()
        );
        stage.script(&format!("bin/{}", debian().name()), &script);
        let start = stage.start().env("PATH", stage.path("bin"));
        let start = start.env("PEX_SCRIPT", "x").env("PEX_MODULE", "y");
        start.run().refused();
        assert!(!mark.exists(), "a Python was asked");
        let home = stage.home().join(".cache/pexboot/v2");
        for kind in ["wheels", "code", "sites", "venvs", "interpreters"] {
            assert!(!home.join(kind).exists(), "{kind}");
        }
    }
}

/// Of a PEX with wheels for 3.12 alone, 58 MB were unpacked where only 3.11 was, and then it was refused.
#[test]
fn nothing_is_unpacked_before_a_refusal_for_want_of_a_python() {
    let next = debian().version.1 + 1;
    let arch = std::env::consts::ARCH;
    let native = Wheel::new("native", "1.0").tag(&format!("cp3{next}-cp3{next}-linux_{arch}"));
    let pex = Pex::probe("ahead")
        .dep(native)
        .dep(Wheel::new("pure", "1.0"));
    let constrained = Pex::probe("ahead-constrained")
        .info(
            "interpreter_constraints",
            json!([format!("CPython==3.{next}.*")]),
        )
        .dep(Wheel::new("pure", "1.0"));
    for pex in [pex.build(), constrained.build()] {
        let stage = Stage::new(Way::Embedded, &pex);
        let start = stage.start().env("PATH", stage.bin("bin", &[debian()]));
        start.run().refused();
        let unpacked = stage.home().join(".cache/pexboot/v2/wheels");
        assert!(!unpacked.exists(), "{unpacked:?}");
    }
}

/// An application that says which version of `dep` it got, and members that bring one each.
fn with_members(layout: Pex) -> Stage {
    let stage = Stage::new(Way::Embedded, &layout.build());
    for (name, version) in [("other", "2.0"), ("same", "1.0")] {
        let member = Pex::empty(&format!("conflict-{name}")).dep(Wheel::new("dep", version));
        let place = stage.path(&format!("work/{name}.pex"));
        stage.place(&member.build(), &place);
    }
    stage
}

fn needs_one(name: &str) -> Pex {
    let app = "def main():\n    import dep\n    print('got', dep.WHO)\n";
    Pex::app(name, app).dep(Wheel::new("dep", "1.0"))
}

#[test]
fn members_that_conflict_are_refused_where_asked() {
    for pex in [needs_one("conflict"), needs_one("conflict-venv").venv()] {
        let stage = with_members(pex);
        let start = |member: &str, asked: &str| {
            let start = stage.start().env("PEX_PATH", member);
            start.env("PEXBOOT_CONFLICTS", asked).run()
        };
        let refused = || {
            let run = start("other.pex", "error");
            run.refused()
                .says("PEXBOOT_CONFLICTS=error refuses this start");
            run.says("dep: 2.0 in `").says("other.pex`, 1.0 in `");
            run.says("unset PEXBOOT_CONFLICTS");
        };
        refused();
        // A warm start of those who did not ask goes on, and is no way around for those who do.
        for _ in 0..2 {
            let run = stage.start().env("PEX_PATH", "other.pex").run();
            run.ok().prints("got dep 1.0");
        }
        refused();
        start("other.pex", "").ok().prints("got dep 1.0");
        start("same.pex", "error").ok().prints("got dep 1.0");
        let run = start("other.pex", "1");
        run.refused()
            .says("Invalid value for PEXBOOT_CONFLICTS, must be 'error' or nothing, got '1'");
        let explain = stage
            .start()
            .program(PEXBOOT)
            .args(["explain", "app.pex"])
            .env("PEX_PATH", "other.pex")
            .env("PEXBOOT_CONFLICTS", "error")
            .run();
        let told = &explain.exits(1).stdout;
        for words in ["WOULD NOT START", "dep: two versions", "refuses this start"] {
            assert!(told.contains(words), "{words}\n{explain}");
        }
    }
}

/// The original's `__pex__` takes over what the head has no answer to, and would look for no conflict.
#[test]
fn an_import_of_members_that_conflict_is_refused_where_asked() {
    let library = Pex::empty("conflict-import").dep(Wheel::new("dep", "1.0"));
    let stage = with_members(library);
    let import = |asked: &str| {
        let start = stage.start().env("PYTHONPATH", &stage.pex);
        let words = [
            debian().path.to_str().unwrap(),
            "-c",
            "import __pex__, dep; print(dep.WHO)",
        ];
        start
            .env("PEX_PATH", "other.pex")
            .env("PEXBOOT_CONFLICTS", asked)
            .before(words)
            .run()
    };
    for _ in 0..2 {
        let run = import("error");
        run.exits(1).says("ImportError: PEXBOOT_CONFLICTS=error");
        run.says("dep: 2.0 in `");
        import("").ok().prints("dep 1.0");
    }
}

//! The interactive session of a PEX without an entry point: banner, prompt, and the command `pex`, as the original has
//! them, in each layout and in a virtual environment, whose `pex-repl` is one too.

use crate::fixtures::{Built, Pex, Wheel};
use crate::harness::Case;

const TYPED: &str = "pex\npex()\nimport sys, dep; print(dep.WHO)\nfor word in ('a', 'b'):\n    print(word)\n\n1/0\n\
                     pex(json=True)\nexit(3)\n";

fn pex(name: &str) -> Pex {
    let pex = Pex::empty(name).dep(Wheel::new("dep", "1.0"));
    pex.dep(Wheel::new("Second-One", "2.0"))
}

/// Where unpacked things are, and what the handed out root is called, is each one's own.
fn neutral(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains("\"pex_root\""));
    lines.collect::<Vec<_>>().join("\n")
}

fn case(pex: &Built) -> Case<'_> {
    Case::new(pex).stdin(TYPED).normalise(neutral)
}

#[test]
fn a_session_shows_what_the_original_shows() {
    for pex in [
        pex("session").build(),
        pex("session-tools").info("includes_tools", true).build(),
        pex("session-packed").layout("packed").build(),
        pex("session-loose").layout("loose").build(),
        pex("session-venv").venv().build(),
        pex("session-venv-packed").venv().layout("packed").build(),
        Pex::empty("session-empty")
            .source("dep.py", "WHO = 'own'\n")
            .build(),
    ] {
        let outcome = case(&pex).every_python().agrees();
        outcome.exits(3).says("hermetic environment with ");
        assert!(outcome.stdout.contains(">>> Running from "), "{outcome}");
    }
}

#[test]
fn a_session_is_coloured_and_keeps_its_history_where_that_is_asked_for() {
    for pex in [pex("session").build(), pex("session-venv").venv().build()] {
        let coloured = case(&pex).env("FORCE_COLOR", "1").agrees();
        coloured.exits(3).says("\u{1b}[33;7mPex ");
        case(&pex).env("NO_COLOR", "1").agrees().exits(3);
        let case = case(&pex)
            .env("PEX_INTERPRETER_HISTORY", "1")
            .env("PEX_INTERPRETER_HISTORY_FILE", "~/past")
            .with(|start, _| start.after_shell("rm -f ~/past"));
        case.agrees()
            .exits(3)
            .says("Failed to read history file at [BOX]/home/past");
    }
}

/// Started by its own name, it knows the PEX by the variable that the PEX sets.
#[test]
fn an_environment_has_a_session_of_its_own() {
    let pex = pex("session-own").venv().source(
        "app.py",
        "import os\ndef main():\n    print(os.environ['VIRTUAL_ENV'])\n",
    );
    let pex = pex.entry("app:main").build();
    for starter in ["pex-repl", "pex"] {
        let words = format!("V=$(\"$0\") && PEX=\"$0\" PEX_INTERPRETER=1 exec \"$V/{starter}\"");
        let case = case(&pex).with(move |start, _| start.before(["/bin/sh", "-c", &words]));
        let outcome = case.agrees();
        assert!(
            outcome
                .exits(3)
                .stdout
                .contains("--venv PEX file: ./app.pex"),
            "{outcome}"
        );
    }
}

//! What wheels say of themselves, where the original reads it in its own way: real PEXes, run both ways.

use crate::fixtures::{Pex, Wheel};
use crate::harness::{Case, Stage, Way, stated};

/// A line that is no entry point, in whatever group, is refused by the original too, which says so by a traceback.
#[test]
fn an_entry_points_txt_that_cannot_be_read_ends_the_start() {
    let broken = Wheel::new("broken", "1.0")
        .file("broken_cli.py", "def says():\n    print('said')\n")
        .entry_points("[console_scripts]\nsays = broken_cli:says\n[other]\nno entry point\n");
    let pex = Pex::app("packaging-broken", "def main():\n    print('ran')\n")
        .dep(broken)
        .info("deps_are_wheel_files", true);
    for pex in [pex.build(), pex.venv().build()] {
        for &way in stated() {
            let run = Stage::new(way, &pex).start().run();
            assert_eq!(run.stdout, "", "{run}");
            match way {
                Way::Original => drop(run.exits(1).says("no entry point")),
                Way::Embedded => drop(run.exits(65).says("no entry point")),
            }
        }
    }
}

/// Shows the scripts of its environment without what names its place.
const SCRIPTS: &str = r##"
import os
def main():
    bin = os.path.join(os.environ["VIRTUAL_ENV"], "bin")
    for name in "called", "module", "from-a-file", "windows", "latin":
        with open(os.path.join(bin, name), encoding="latin-1") as file:
            lines = file.read().splitlines()
        # A path that is too long for the system stands in lines for the shell.
        ours = [line for line in lines if not ("/python" in line or line in ("#!/bin/sh", "'''': pshprs", "'''", "' '''"))]
        print(name, *ours, sep="\n")
"##;

#[test]
fn scripts_of_an_environment_are_the_originals() {
    let tools = Wheel::new("tools", "1.0")
        .entry_points(
            "[console_scripts]\ncalled = tools:a.b [extra]\nmodule = tools\ncalled = tools:c.d\n",
        )
        .file(
            "DATA/scripts/from-a-file",
            "#!/usr/bin/env python3 -u\nprint(1)\n",
        )
        .file("DATA/scripts/windows", "#!pythonw\nprint(2)\n")
        .file(
            "DATA/scripts/latin",
            "#!python\n# coding: latin-1\nprint(3)\n",
        );
    for wheel_files in [false, true] {
        let pex = Pex::app("packaging-scripts", SCRIPTS)
            .dep(tools.clone())
            .info("deps_are_wheel_files", wheel_files)
            .venv();
        let outcome = Case::new(&pex.build()).agrees();
        for line in [
            "for attr in ('c', 'd'):",
            "    runpy.run_module('tools', run_name=\"__main__\", alter_sys=True)",
            "#!pythonw",
            "# coding: latin-1",
        ] {
            assert!(outcome.ok().stdout.contains(line), "{outcome}");
        }
    }
}

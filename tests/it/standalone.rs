//! `pexboot venv`: an environment of a PEX that needs nothing but its Python.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::command_line::{json, pexboot};
use crate::fixtures::{Pex, Wheel};
use crate::harness::pythons::debian;
use crate::harness::{Outcome, Stage, Way};

fn stage() -> Stage {
    let main = "import dep, sys\ndef main():\n    print(dep.WHO, sys.prefix, sys.argv[1:])\n";
    let dep = Wheel::new("dep", "1.0").entry_points("[console_scripts]\ntool = dep:main\n");
    let dep = dep.file(
        "dep/__init__.py",
        "WHO = 'dep 1.0'\ndef main():\n    print('tool')\n",
    );
    Stage::new(
        Way::Original,
        &Pex::app("standalone", main).dep(dep).build(),
    )
}

/// What a program of the environment says.
fn run(stage: &Stage, program: &Path, args: &[&str]) -> Outcome {
    stage.start().program(program).args(args).run()
}

#[test]
fn an_environment_outlives_the_pex_and_every_cache() {
    for embedded in [false, true] {
        let stage = stage();
        if embedded {
            pexboot(&stage, &["embed", "--no-compile", "app.pex"]).ok();
        }
        let told = json(&pexboot(&stage, &["venv", "--json", "app.pex", "new/env"]));
        let place = stage.root().join("work/new/env");
        assert_eq!(told["path"], place.to_str().unwrap());
        assert_eq!(
            told["wheels"],
            serde_json::json!(["dep-1.0-py3-none-any.whl"])
        );
        assert_eq!(
            stage.cached_files(),
            [] as [&Path; 0],
            "no root has a part in it"
        );
        assert_eq!(
            fs::read_dir(place.parent().unwrap()).unwrap().count(),
            1,
            "nothing else"
        );
        fs::remove_file(&stage.pex).unwrap();
        let shown = place.display();
        run(&stage, &place.join("pex"), &["a", "b"])
            .ok()
            .prints(&format!("dep 1.0 {shown} ['a', 'b']"));
        run(&stage, &place.join("bin/tool"), &[])
            .ok()
            .prints("tool");
        let python = run(
            &stage,
            &place.join("bin/python"),
            &["-c", "import dep; print(dep.WHO)"],
        );
        python.ok().prints("dep 1.0");
        // Who changes a file changes no other's.
        for file in crate::fixtures::files_below(&place) {
            let status = fs::symlink_metadata(place.join(&file)).unwrap();
            assert_eq!(status.nlink(), 1, "{}", file.display());
        }
        let cfg = fs::read_to_string(place.join("pyvenv.cfg")).unwrap();
        assert!(cfg.contains("prompt = 'app.pex'"), "{cfg}");
    }
}

#[test]
fn an_environment_replaces_nothing_but_an_environment_that_is_given_up() {
    let stage = stage();
    let made = |words: &[&str]| pexboot(&stage, &[&["venv", "app.pex"], words].concat());
    stage.write("work/full/file", "kept");
    for words in [&["full"][..], &["full", "--force"]] {
        made(words)
            .exits(1)
            .says("not empty and no virtual environment");
    }
    assert_eq!(
        fs::read_to_string(stage.path("work/full/file")).unwrap(),
        "kept"
    );
    fs::create_dir(stage.path("work/empty")).unwrap();
    assert_eq!(made(&["empty", "--quiet"]).ok().stderr, "");
    let extra = stage.write("work/empty/lib/extra", "old");
    made(&["empty"]).exits(1).says("`--force` replaces it");
    assert!(extra.exists());
    made(&["empty", "--force", "--prompt", "mine"])
        .ok()
        .says("is a virtual environment of 1 wheel,");
    assert!(!extra.exists());
    let cfg = fs::read_to_string(stage.path("work/empty/pyvenv.cfg")).unwrap();
    assert!(cfg.contains("prompt = 'mine'"), "{cfg}");
    // What fails leaves what was there.
    let run = made(&["empty", "--force", "--python", "no-python"]);
    run.exits(1).says("--python=no-python");
    assert!(!run.stderr.contains("PEX_PYTHON"), "{run}");
    assert!(stage.path("work/empty/pex").exists());
    let python = debian().path.to_str().unwrap();
    let told = json(&made(&["by", "--json", "--python", python]));
    assert_eq!(told["python"], python);
    made(&["file/below"]).ok();
    pexboot(&stage, &["venv", "none.pex", "none"])
        .exits(74)
        .says("none.pex`");
    assert!(!stage.path("work/none").exists());
}

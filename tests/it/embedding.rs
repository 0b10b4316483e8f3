//! What packagers see: `embed`, `strip`, `info` and `run` on real PEX files, and what other tools make of the result.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::fixtures::{App, Built, Pex, Wheel, legacy};
use crate::harness::{PEXBOOT, Stage, Way};

/// Runs `pexboot`.
fn pexboot<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Output {
    Command::new(PEXBOOT).args(args).output().unwrap()
}

#[track_caller]
fn done(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[track_caller]
fn embed(pex: &Path, to: &Path) {
    done(&pexboot([Path::new("embed"), pex, Path::new("-o"), to]));
}

/// Every kind of file that there is.
fn samples() -> Vec<Built> {
    vec![
        App::cowsay().build(),
        App::cowsay().with(&["--venv", "--sh-boot"]).build(),
        App::cowsay().with(&["--no-compress"]).build(),
        App::cowsay().with(&["--no-pre-install-wheels"]).build(),
        App::cowsay().with(&["--compile"]).build(),
        App::curator().build(),
        App::numpy().build(),
        App::flask().build(),
        legacy("pex-2.1.24"),
        legacy("pex-2.33.4"),
        Pex::empty("nothing").build(),
    ]
}

#[test]
fn strip_gives_every_file_back_and_embed_the_same_bytes_every_time() {
    let scratch = tempfile::tempdir().unwrap();
    let (first, second, back) = (
        scratch.path().join("first"),
        scratch.path().join("second"),
        scratch.path().join("back"),
    );
    for Built { path } in samples() {
        embed(&path, &first);
        embed(&path, &second);
        assert!(
            fs::read(&first).unwrap() == fs::read(&second).unwrap(),
            "{}",
            path.display()
        );
        // Embedding what is embedded replaces the stub.
        embed(&first, &second);
        assert!(
            fs::read(&first).unwrap() == fs::read(&second).unwrap(),
            "{}",
            path.display()
        );
        done(&pexboot([
            Path::new("strip"),
            &first,
            Path::new("-o"),
            &back,
        ]));
        assert!(
            fs::read(&back).unwrap() == fs::read(&path).unwrap(),
            "{}",
            path.display()
        );
        done(&pexboot([
            Path::new("embed"),
            Path::new("--no-compile"),
            &path,
            Path::new("-o"),
            &second,
        ]));
        let added = fs::metadata(&second).unwrap().len() - fs::metadata(&path).unwrap().len();
        assert!(added <= 1_500_000, "{}: {added} bytes more", path.display());
    }
}

#[test]
fn other_tools_take_the_file_for_the_zip_that_it_is() {
    let scratch = tempfile::tempdir().unwrap();
    for Built { path } in samples() {
        let embedded = scratch.path().join("embedded.pex");
        embed(&path, &embedded);
        let check = "import sys, zipfile; assert zipfile.ZipFile(sys.argv[1]).testzip() is None";
        let file = embedded.to_str().unwrap();
        for words in [
            &["/usr/bin/python3", "-c", check, file][..],
            &["/usr/bin/unzip", "-tqq", file],
            &["/usr/bin/zip", "-Tqq", file],
        ] {
            let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
            assert!(
                output.status.success(),
                "{words:?} for {}\n{}{}",
                path.display(),
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        fs::remove_file(&embedded).unwrap();
    }
}

#[test]
fn in_place_keeps_the_modes_but_adds_x_and_drops_set_id_bits() {
    let scratch = tempfile::tempdir().unwrap();
    let pex = scratch.path().join("app.pex");
    for (before, after) in [
        (0o644, 0o755),
        (0o750, 0o750),
        (0o6755, 0o755),
        (0o640, 0o750),
    ] {
        fs::copy(&App::cowsay().build().path, &pex).unwrap();
        fs::set_permissions(&pex, fs::Permissions::from_mode(before)).unwrap();
        done(&pexboot([Path::new("embed"), &pex]));
        let mode = fs::metadata(&pex).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, after, "{before:o} becomes {mode:o}");
        assert_eq!(
            fs::read_dir(scratch.path()).unwrap().count(),
            1,
            "something is left beside it"
        );
        fs::remove_file(&pex).unwrap();
    }
}

#[test]
fn info_tells_what_a_file_is() {
    let scratch = tempfile::tempdir().unwrap();
    let bare = App::cowsay().build().path;
    let embedded = scratch.path().join("cowsay.pex");
    embed(&bare, &embedded);
    let info = |path: &Path| -> Value {
        let output = pexboot([Path::new("info"), path, Path::new("--json")]);
        done(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let (bare, embedded) = (info(&bare), info(&embedded));
    assert_eq!(bare["embedded"], false);
    assert_eq!(embedded["embedded"], true);
    assert_eq!(bare["fingerprint"], embedded["fingerprint"]);
    assert_eq!(bare["pex_info"]["entry_point"], "cowsay.__main__:cli");
    let output = pexboot([Path::new("info"), &scratch.path().join("cowsay.pex")]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("cowsay.__main__:cli") && text.contains("py3-none-any.whl"),
        "{text}"
    );
}

/// What `run` does for a bare PEX is what the stub does for an embedded one.
#[test]
fn run_starts_a_bare_pex_cold_and_warm() {
    let stage = Stage::new(Way::Original, &App::cowsay().build());
    for _ in 0..2 {
        let start = stage.start().before([PEXBOOT, "run"]).args(["-t", "moo"]);
        assert!(start.run().ok().stdout.contains("| moo |"));
        let help = stage
            .start()
            .before([PEXBOOT, "run"])
            .args(["--help"])
            .run();
        assert!(help.ok().stdout.contains("usage: Cowsay"), "{help}");
    }
    assert!(
        !stage.home().join(".cache/pex").exists(),
        "the original's bootstrap ran"
    );
}

#[test]
fn a_file_that_was_moved_renamed_or_copied_still_starts() {
    let stage = Stage::new(Way::Embedded, &App::cowsay().build());
    let say = |path: &Path| {
        let outcome = stage.start().program(path).args(["-t", "moo"]).run();
        assert!(outcome.ok().stdout.contains("| moo |"));
    };
    say(&stage.pex);
    let moved = stage.path("tmp/moved");
    fs::rename(&stage.pex, &moved).unwrap();
    say(&moved);
    say(&moved);
    let copy = stage.path("copy.pex");
    assert!(
        Command::new("/bin/cp")
            .arg(&moved)
            .arg(&copy)
            .status()
            .unwrap()
            .success()
    );
    say(&copy);
    say(&moved);
}

#[test]
fn a_file_changed_by_zip_after_embedding_starts_with_the_changed_content() {
    let pex = Pex::app(
        "changed",
        "import words\ndef main():\n    print(words.WORD)\n",
    )
    .source("words.py", "WORD = 'before'\n")
    .dep(Wheel::new("dep", "1.0"));
    let stage = Stage::new(Way::Embedded, &pex.build());
    for _ in 0..2 {
        stage.start().run().ok().prints("before");
    }
    stage.write("work/words.py", "WORD = 'after'\n");
    let zip = |args: &[&str]| {
        let output = Command::new("/usr/bin/zip")
            .args(args)
            .current_dir(stage.path("work"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    };
    zip(&["-qu", "app.pex", "words.py"]);
    fs::remove_file(stage.path("work/words.py")).unwrap();
    for _ in 0..2 {
        stage.start().run().ok().prints("after");
    }
    // What it was before can't be given back any more, and that is said instead of something else being written.
    let changed = fs::read(&stage.pex).unwrap();
    let output = pexboot([Path::new("strip"), &stage.pex]);
    assert!(!output.status.success());
    assert!(fs::read(&stage.pex).unwrap() == changed);
}

#[test]
fn python_starts_an_embedded_file_natively_with_and_without_the_x_bit() {
    let stage = Stage::new(Way::Embedded, &App::cowsay().build());
    for mode in [0o755, 0o644] {
        fs::set_permissions(&stage.pex, fs::Permissions::from_mode(mode)).unwrap();
        for _ in 0..2 {
            let start = stage
                .start()
                .python(Path::new("/usr/bin/python3"))
                .args(["-t", "moo"]);
            assert!(start.run().ok().stdout.contains("| moo |"));
        }
    }
    assert!(
        !stage.home().join(".cache/pex").exists(),
        "the original's bootstrap ran"
    );
    assert!(stage.home().join(".cache/pexboot").exists());
}

/// Over 65,535 entries, so that the directory is a zip64 one.
#[test]
fn a_pex_of_seventy_thousand_entries_starts() {
    let scratch = tempfile::tempdir().unwrap();
    let pex: PathBuf = scratch.path().join("many.pex");
    fs::copy(
        Pex::app(
            "many",
            "import sys\ndef main():\n    print(len(sys.argv))\n",
        )
        .build()
        .path,
        &pex,
    )
    .unwrap();
    let add = "import sys, zipfile\n\
               with zipfile.ZipFile(sys.argv[1], 'a') as file:\n\
               \x20   for number in range(70_000):\n\
               \x20       file.writestr('data/{}/{}'.format(number // 1000, number), b'')\n";
    let status = Command::new("/usr/bin/python3")
        .args(["-c", add])
        .arg(&pex)
        .status()
        .unwrap();
    assert!(status.success());
    let stage = Stage::new(Way::Embedded, &Built { path: pex });
    for _ in 0..2 {
        stage.start().args(["a", "b"]).run().ok().prints("3");
    }
}

#[test]
fn its_options_count_in_every_layout_and_are_told() {
    for layout in ["zipapp", "packed", "loose"] {
        let pex = Pex::probe(&format!("options-{layout}")).layout(layout);
        let stage = Stage::new(Way::Embedded, &pex.build());
        let pexboot = |words: &[&str]| {
            let mut command = Command::new(PEXBOOT);
            command.args(words).arg(&stage.pex);
            let output = command.env("HOME", stage.home()).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let check = |options: &[&str], no_site: i64, is_venv: bool| {
            pexboot(&[&["embed", "--forget"], options].concat());
            let run = stage.start().run();
            let state = run.state();
            assert_eq!(
                state.flag("no_site"),
                no_site,
                "{layout} {options:?}\n{run}"
            );
            assert_eq!(
                state.env("VIRTUAL_ENV").is_some(),
                is_venv,
                "{layout} {options:?}"
            );
            let told = pexboot(&["info"]);
            let line = format!("options      {}\n", options.join(" "));
            assert_eq!(told.contains(&line), !options.is_empty(), "{told}");
        };
        // Without any the host's hooks decide, and this host may have one.
        check(&["--no-host-site"], 1, false);
        check(&["--host-site"], 0, false);
        check(&["--venv"], 0, true);
        check(&["--host-site", "--venv"], 0, true);
        check(&["--no-host-site"], 1, false);
    }
}

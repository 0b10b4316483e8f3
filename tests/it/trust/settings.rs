//! Settings made to do harm: PEX-INFO and rc files with roots that lead elsewhere, of any size and shape, and homes that
//! are the whole machine.

use serde_json::json;

use super::*;

/// It starts, or is refused in words, with an exit code of its own.
#[track_caller]
fn decided(start: &Start<'_>, what: &str) {
    let run = own_var_tmp(start.clone()).run();
    match run.code {
        Some(0) => drop(run.prints(SAYS)),
        Some(1 | 65 | 66 | 73 | 74) => assert!(!run.stderr.is_empty(), "{what}\n{run}"),
        _ => panic!("{what}\n{run}"),
    }
    assert!(!run.stderr.contains("panicked"), "{what}\n{run}");
}

#[test]
fn roots_in_pex_info_that_lead_elsewhere() {
    for root in [
        "..",
        "",
        "x/../..",
        "~",
        "~nobody",
        "/dev/null",
        "/proc/self",
        "a\0b",
        "\n",
    ] {
        let pex = Pex::app("settings-root", APP)
            .source("helper.py", "NAME = 'helper'\n")
            .dep(Wheel::new("dep", "1.0"))
            .dep(Wheel::new("deep", "1.0").file("pile/m39.py", "WHO = 39\n"))
            .edit_info("pex_root", root)
            .build();
        let Ok(stage) = Stage::attempt(Way::Embedded, &pex, "app.pex") else {
            continue;
        };
        decided(&stage.start(), root);
        decided(&stage.start(), root);
    }
    // Longer than the seal has room for: said when it is embedded.
    let long = Pex::app("settings-long", APP)
        .edit_info("pex_root", "a".repeat(5000))
        .build();
    let said = Stage::attempt(Way::Embedded, &long, "app.pex").unwrap_err();
    assert!(
        said.contains("pex_root is longer than 1024 bytes"),
        "{said}"
    );
}

#[test]
fn pex_info_of_any_shape() {
    let text = |text: &str| {
        Pex::app("settings-shape", "def main(): pass\n")
            .edit_info_text(text)
            .build()
    };
    let deep = format!(
        "{{\"deep\":{}{}}}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    for shape in [
        "[]",
        "",
        "nul",
        "{}",
        "{",
        "{\"venv\":\"yes\"}",
        "{\"x\":NaN}",
        "{\"x\":1e999}",
        "{\"x\":\"\\ud800\"}",
        "\u{feff}{}",
        "{\"distributions\":{\"../../etc\":\"0\"}}",
        "{\"entry_point\":\"a\",\"entry_point\":\"b\"}",
        &deep,
    ] {
        let start: String = shape.chars().take(40).collect();
        let stage = Stage::new(Way::Original, &text(shape));
        let pexboot = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
        for command in ["run", "embed", "verify", "info"] {
            let run = pexboot.clone().args([command]).args([&stage.pex]).run();
            assert!(
                run.code.is_some_and(|code| code < 100),
                "{command} {start}\n{run}"
            );
            assert!(!run.stderr.contains("panicked"), "{command} {start}\n{run}");
        }
    }
}

/// The last of several equal keys counts, as it does to Python.
#[test]
fn of_equal_keys_the_last_one_counts() {
    let info = json!({"entry_point": "app:other", "code_hash": "0", "bootstrap_hash": "0", "pex_hash": "0"}).to_string();
    let info = info.replacen('{', "{\"entry_point\":\"app:main\",", 1);
    let pex = Pex::app(
        "settings-twice",
        "def main(): print('first')\ndef other(): print('last')\n",
    )
    .edit_info_text(&info)
    .build();
    Stage::new(Way::Embedded, &pex)
        .start()
        .run()
        .ok()
        .prints("last");
}

#[test]
fn rc_files_made_to_do_harm() {
    let stage = stage("settings-rc");
    let noise: Vec<u8> = (0..1_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    for text in [
        noise,
        format!("PEX_ROOT={}\n", "a".repeat(6000)).into_bytes(),
        b"PEX_ROOT=\0/x\nPEX_VERBOSE=99999999999999999999999\n".to_vec(),
        b"PEX_ROOT=/proc/self/root/proc/1\n".to_vec(),
        b"PEX_PYTHON=/bin/sh\n".to_vec(),
        format!("PEX_PYTHON_PATH={}\n", "/nowhere:".repeat(20_000)).into_bytes(),
        vec![b'\n'; 1 << 20],
        vec![0; 1 << 20],
    ] {
        let start = String::from_utf8_lossy(&text[..15]).into_owned();
        fs::write(stage.path("work/.pexrc"), text).unwrap();
        decided(&stage.start(), &start);
    }
    let rc = stage.path("work/.pexrc");
    fs::remove_file(&rc).unwrap();
    let fifo = |path: &Path| nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let link = |to: &'static str| move |path: &Path| std::os::unix::fs::symlink(to, path).unwrap();
    let makes: [&dyn Fn(&Path); 5] = [
        &fifo,
        &link("/dev/zero"),
        &link(".pexrc"),
        &link("/proc/self/mem"),
        &|path: &Path| fs::create_dir(path).unwrap(),
    ];
    for make in makes {
        make(&rc);
        decided(&stage.start(), "no file");
        if fs::remove_file(&rc).is_err() {
            fs::remove_dir(&rc).unwrap();
        }
    }
    starts(&stage.start(), SAYS);
}

#[test]
fn temporary_directories_that_are_none() {
    let stage = stage("settings-tmp");
    for directory in ["/nowhere", "/dev/null", "", "relative", "/proc/self"] {
        starts(&stage.start().env("TMPDIR", directory), SAYS);
        let pexboot = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
        let run = pexboot
            .env("TMPDIR", directory)
            .args(["verify"])
            .args([&stage.pex])
            .run();
        assert!(
            run.code == Some(0) || run.stderr.contains("TMPDIR"),
            "{directory}\n{run}"
        );
        fs::remove_dir_all(home(&stage)).unwrap();
    }
}

/// A start with `PEX_PYTHON=/a/fifo` hung for ever: the pipe was opened to see whether it is a shim.
#[test]
fn a_pipe_that_is_named_as_anything_holds_nobody_up() {
    let pex = Pex::app("settings-pipe", APP)
        .source("helper.py", "NAME = 'helper'\n")
        .dep(Wheel::new("dep", "1.0"))
        .dep(Wheel::new("deep", "1.0").file("pile/m39.py", "WHO = 39\n"))
        .build();
    let stage = Stage::new(Way::Embedded, &pex);
    let pipe = |path: &str| {
        let path = stage.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        path
    };
    let fifo = pipe("work/fifo");
    let named = pipe("work/bin/python3");
    let bin = named.parent().unwrap();
    // A Python that may be one of a virtual environment.
    let config = pipe("work/venv/pyvenv.cfg");
    let python = config.with_file_name("bin").join("python3");
    fs::create_dir(python.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/usr/bin/python3", &python).unwrap();
    let first = |directory: &Path| {
        let path = std::env::var("PATH").unwrap();
        format!("{}:{path}", directory.display())
    };
    let fifo = fifo.to_str().unwrap();
    let settings: [(&str, &str); 14] = [
        ("PEX_PYTHON", fifo),
        ("PEX_PYTHON_PATH", fifo),
        ("PEX_PYTHON_PATH", bin.to_str().unwrap()),
        ("PEX_PYTHON_PATH", named.to_str().unwrap()),
        ("PATH", &first(bin)),
        ("PATH", &first(Path::new(fifo))),
        ("PEX_PYTHON", python.to_str().unwrap()),
        ("PATH", &first(python.parent().unwrap())),
        ("PEX_PATH", fifo),
        ("PEXBOOT_SEEDS", fifo),
        ("PEX_ROOT", fifo),
        ("HOME", fifo),
        ("XDG_CACHE_HOME", fifo),
        ("TMPDIR", fifo),
    ];
    let rc = stage.path("work/.pexrc");
    for (name, value) in settings {
        let start = stage.start().env(name, value);
        decided(&start, &format!("{name}={value}"));
        for command in ["run", "info", "warm", "verify"] {
            let start = start.clone().program(crate::harness::PEXBOOT);
            let run = own_var_tmp(start.args([command]).args([&stage.pex])).run();
            assert!(run.code.is_some_and(|code| code < 100), "{name}\n{run}");
        }
        // The same from a file.
        fs::write(&rc, format!("{name}={value}\n")).unwrap();
        decided(&stage.start(), &format!("rc file: {name}={value}"));
        fs::remove_file(&rc).unwrap();
    }
    let run = stage.start().env("PEX_PYTHON", fifo).run();
    run.refused().says(fifo);
}

#[test]
fn pipes_in_a_pex_directory_hold_nobody_up() {
    for layout in ["packed", "loose"] {
        for member in [
            "PEX-INFO",
            "__main__.py",
            "helper.py",
            "__pex__/__init__.py",
            ".deps",
            ".bootstrap",
        ] {
            let pex = Pex::app("settings-directory", APP)
                .source("helper.py", "NAME = 'helper'\n")
                .dep(Wheel::new("dep", "1.0"))
                .layout(layout)
                .build();
            let stage = Stage::new(Way::Original, &pex);
            let directory = if stage.pex.is_dir() {
                stage.pex.clone()
            } else {
                stage.pex.parent().unwrap().to_owned()
            };
            let victim = directory.join(member);
            if victim.is_dir() {
                fs::remove_dir_all(&victim).unwrap();
            } else if fs::remove_file(&victim).is_err() {
                continue;
            }
            nix::unistd::mkfifo(&victim, nix::sys::stat::Mode::S_IRWXU).unwrap();
            for command in ["run", "embed", "info", "warm", "verify"] {
                let start = stage.start().program(crate::harness::PEXBOOT);
                let run = start.args([command]).args([&directory]).run();
                let what = format!("{layout} {member} {command}\n{run}");
                assert!(run.code.is_some_and(|code| code < 100), "{what}");
                assert!(!run.stderr.contains("panicked"), "{what}");
            }
        }
    }
}

/// The stub went by it where the engine did not: every start was cold, and two roots were made.
#[test]
fn a_root_that_is_not_named_since_variables_are_disabled() {
    let stage = stage("settings-disabled");
    let start = stage.start().env("PEX_DISABLE_VARIABLES", "1");
    let start = start.env("PEX_ROOT", stage.path("named"));
    starts(&start, SAYS);
    assert!(home(&stage).exists() && !stage.path("named").exists());
    starts(&start.after_shell("ulimit -f 0"), SAYS);
}

/// Stub, engine and command line read it in three ways.
#[test]
fn a_tilde_is_the_same_to_all_who_read_it() {
    for (given, place) in [
        (Some("/"), ""),
        // As Python has it: nothing stands before the slash.
        (Some(""), ""),
        (Some("home"), "work/home"),
        (None, "work/~"),
    ] {
        let stage = stage("settings-tilde");
        let here = stage.root();
        let root = match place {
            "" => here.join("r1"),
            place => here
                .join(place)
                .join(here.strip_prefix("/").unwrap())
                .join("r1"),
        };
        let in_home = |start: Start<'_>| {
            let start = start.env("PEX_ROOT", format!("~{}/r1", here.display()));
            let start = match given {
                Some(home) => start.env("HOME", home),
                None => start.without_env("HOME"),
            };
            start.run()
        };
        silent(&in_home(stage.start()), SAYS);
        assert!(root.join("pexboot/v2/launches").is_dir(), "{given:?}");
        silent(&in_home(stage.start().after_shell("ulimit -f 0")), SAYS);
        let pexboot = stage.start().program(env!("CARGO_BIN_EXE_pexboot"));
        let told = in_home(pexboot.args(["cache", "path"]));
        told.ok()
            .prints(&root.join("pexboot").display().to_string());
    }
}

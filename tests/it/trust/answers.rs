//! Starts of one PEX whose answers differ, beside each other on one root: each gets its own, nothing evicts anything, and
//! copies of the file share what there is.

use std::os::unix::fs::symlink;
use std::process::Command;

use super::races::at_once;
use super::*;
use crate::harness::{PEXBOOT, pythons};

/// Says which Python runs it, and what it found.
const WHICH: &str = "import os, sys\ntry:\n    from member import WHO\nexcept ImportError:\n    WHO = '-'\n\
    def main():\n    print('%d.%d' % sys.version_info[:2], WHO, os.path.basename(os.environ['PEX']))\n";

/// A PEX that says it, started by whichever Python is found first.
fn which(name: &str) -> Pex {
    Pex::app(name, WHICH).shebang("/usr/bin/env python3")
}

/// How many start at once.
const AT_ONCE: usize = 32;

/// One kind of start, and what it prints.
struct Kind<'a> {
    start: Start<'a>,
    prints: String,
}

/// Starts of every kind at once, in rounds; then one after the other, each of them warm: nothing was evicted.
fn race(what: &str, stage: &Stage, kinds: &[Kind<'_>], thorough: usize) {
    let count = rounds(4, thorough);
    for round in 0..count {
        // Half of the rounds begin with nothing.
        if round % 2 == 0 {
            empty(stage);
        }
        at_once(AT_ONCE, |number| {
            let kind = &kinds[(number + round) % kinds.len()];
            silent(&kind.start.run(), &kind.prints);
        });
    }
    is_sound(&home(stage), false);
    // Whoever has lost a race for the file of plans makes its own again, once.
    for kind in kinds {
        silent(&kind.start.run(), &kind.prints);
    }
    let before = below(&home(stage));
    for kind in kinds {
        silent(&kind.start.run(), &kind.prints);
    }
    let after = below(&home(stage));
    let new = |path: &&PathBuf| !before.contains(path) && !path.ends_with("pack");
    let new: Vec<&PathBuf> = after
        .iter()
        .filter(new)
        .filter(|path| {
            !path
                .components()
                .any(|part| part.as_os_str() == "__pycache__")
        })
        .collect();
    assert!(new.is_empty(), "made again: {new:#?}");
    coverage::note(&format!(
        "trust: {} racing starts whose answers differ ({what}), wrong answers: none",
        count * AT_ONCE
    ));
}

/// A PEX whose one module says who it is.
fn member(who: &str) -> Built {
    Pex::empty("answers-member")
        .source("member.py", &format!("WHO = '{who}'\n"))
        .build()
}

#[test]
fn a_relative_pex_path_is_each_working_directorys_own() {
    let stage = Stage::new(Way::Embedded, &Pex::app("answers-cwd", WHICH).build());
    let version = pythons::debian().xy();
    let kinds: Vec<Kind<'_>> = ["one", "two", "three"]
        .into_iter()
        .map(|who| {
            let cwd = stage.path(who);
            fs::create_dir(&cwd).unwrap();
            stage.place(&member(who), &cwd.join("dep.pex"));
            let start = stage.start().cwd(cwd).env("PEX_PATH", "dep.pex");
            Kind {
                start,
                prints: format!("{version} {who} app.pex"),
            }
        })
        .collect();
    race(
        "working directories with a PEX_PATH of their own",
        &stage,
        &kinds,
        50,
    );
}

#[test]
fn a_tilde_is_each_homes_own() {
    let stage = Stage::new(Way::Embedded, &Pex::app("answers-tilde", WHICH).build());
    let version = pythons::debian().xy();
    let kinds: Vec<Kind<'_>> = ["one", "two"]
        .into_iter()
        .map(|who| {
            let home = stage.path(who);
            fs::create_dir(&home).unwrap();
            stage.place(&member(who), &home.join("dep.pex"));
            let start = stage.start().env("HOME", home).env("PEX_PATH", "~/dep.pex");
            Kind {
                // One root for both.
                start: start.env("XDG_CACHE_HOME", stage.path("home/.cache")),
                prints: format!("{version} {who} app.pex"),
            }
        })
        .collect();
    race("homes with a PEX_PATH of their own", &stage, &kinds, 50);
}

/// Starts by PATHs whose `python3` is each a Python of its own.
fn on_paths<'s>(stage: &'s Stage, case: &str) -> Option<Vec<Kind<'s>>> {
    let other = pythons::second(case)?;
    let of = |python: &pythons::Python| {
        let bin = stage.path(&format!("bin{}", python.nodot()));
        fs::create_dir_all(&bin).unwrap();
        let _ = symlink(&python.path, bin.join("python3"));
        let path = format!("{}:/usr/bin:/bin", bin.display());
        Kind {
            start: stage.start().env("PATH", path),
            prints: format!("{} - app.pex", python.xy()),
        }
    };
    Some(vec![of(pythons::debian()), of(other)])
}

#[test]
fn two_paths_lead_to_two_pythons() {
    let pex = which("answers-path").build();
    let stage = Stage::new(Way::Embedded, &pex);
    let Some(kinds) = on_paths(&stage, "answers: two PATHs") else {
        return;
    };
    race("PATHs with Pythons of their own", &stage, &kinds, 50);
}

#[test]
fn a_relative_search_path_is_each_working_directorys_own() {
    let Some(other) = pythons::second("answers: relative search paths") else {
        return;
    };
    for variable in ["PEX_PYTHON_PATH", "PATH"] {
        let pex = which("answers-relative")
            .info("interpreter_constraints", serde_json::json!(["CPython"]));
        let stage = Stage::new(Way::Embedded, &pex.build());
        let kinds: Vec<Kind<'_>> = [pythons::debian(), other]
            .into_iter()
            .map(|python| {
                let cwd = stage.path(&python.nodot());
                fs::create_dir_all(cwd.join("bin")).unwrap();
                for name in ["python3".to_owned(), python.name()] {
                    symlink(&python.path, cwd.join("bin").join(name)).unwrap();
                }
                let value = match variable {
                    "PATH" => "bin",
                    _ => "./bin",
                };
                Kind {
                    start: stage.start().cwd(cwd).env(variable, value),
                    prints: format!("{} - app.pex", python.xy()),
                }
            })
            .collect();
        race(&format!("relative {variable}"), &stage, &kinds, 25);
    }
}

#[test]
fn two_paths_lead_to_two_virtual_environments_of_one_venv_pex() {
    let pex = which("answers-venv").venv().build();
    let stage = Stage::new(Way::Embedded, &pex);
    let Some(kinds) = on_paths(&stage, "answers: a venv PEX and two PATHs") else {
        return;
    };
    race(
        "a venv PEX, PATHs with Pythons of their own",
        &stage,
        &kinds,
        50,
    );
}

#[test]
fn an_active_virtual_environment_counts_for_its_own_shell_alone() {
    let say = "import sys\ndef main():\n    print(sys.executable)\n";
    let pex = Pex::app("answers-active", say);
    // Where the host's path is inherited the environment is not replaced by its base.
    let stage = Stage::new(Way::Embedded, &pex.build());
    let kinds: Vec<Kind<'_>> = ["a", "b"]
        .into_iter()
        .map(|name| {
            let venv = stage.path(name);
            let made = Command::new(&pythons::debian().path)
                .args(["-m", "venv", "--without-pip"])
                .arg(&venv)
                .status();
            assert!(made.unwrap().success());
            let bin = venv.join("bin");
            let path = format!("{}:/usr/bin:/bin", bin.display());
            let start = stage.start().env("PATH", path).env("VIRTUAL_ENV", &venv);
            Kind {
                start: start.env("PEX_INHERIT_PATH", "fallback"),
                prints: bin.join("python3").display().to_string(),
            }
        })
        .collect();
    let first = kinds[0].start.run();
    let executable = Path::new(first.ok().stdout.trim_end()).file_name();
    let executable = executable.unwrap().to_owned();
    let kinds: Vec<Kind<'_>> = kinds
        .into_iter()
        .map(|kind| Kind {
            prints: Path::new(&kind.prints)
                .with_file_name(&executable)
                .display()
                .to_string(),
            ..kind
        })
        .collect();
    race("active virtual environments", &stage, &kinds, 50);
}

#[test]
fn a_version_file_behind_a_shim_counts_for_its_own_directory_alone() {
    let stage = Stage::new(Way::Embedded, &which("answers-shim").build());
    let Some(other) = pythons::second("answers: version files") else {
        return;
    };
    let root = stage.path("pyenv");
    let shim = format!(
        "#!/usr/bin/env bash\nset -e\nprogram=\"${{0##*/}}\"\nexport PYENV_ROOT=\"{0}\"\nexec \"{0}/bin/pyenv\" exec \
         \"$program\" \"$@\"\n",
        root.display()
    );
    stage.script("pyenv/shims/python3", &shim);
    stage.script("pyenv/bin/pyenv", "#!/bin/sh\nexit 1\n");
    let kinds: Vec<Kind<'_>> = [pythons::debian(), other]
        .into_iter()
        .map(|python| {
            let bin = root.join("versions").join(python.xy()).join("bin");
            fs::create_dir_all(&bin).unwrap();
            symlink(&python.path, bin.join("python3")).unwrap();
            let cwd = stage.path(&format!("in{}", python.nodot()));
            fs::create_dir(&cwd).unwrap();
            fs::write(cwd.join(".python-version"), python.xy()).unwrap();
            let path = format!("{}:/usr/bin:/bin", root.join("shims").display());
            let start = stage.start().cwd(cwd).env("PATH", path);
            Kind {
                start: start.env("PYENV_ROOT", &root),
                prints: format!("{} - app.pex", python.xy()),
            }
        })
        .collect();
    race("version files behind a shim", &stage, &kinds, 50);
}

#[test]
fn where_renames_have_no_flags_answers_stay_apart_too() {
    let stage = Stage::new(Way::Embedded, &which("answers-rename").build());
    let Some(kinds) = on_paths(&stage, "answers: without renameat2") else {
        return;
    };
    let forbidden = ["/usr/bin/python3", "-c", machines::FORBID, "renameat2"];
    let kinds: Vec<Kind<'_>> = kinds
        .into_iter()
        .map(|kind| Kind {
            start: kind.start.before(forbidden),
            ..kind
        })
        .collect();
    race("PATHs, without renameat2", &stage, &kinds, 50);
}

#[test]
fn two_users_of_one_file_have_a_root_each() {
    if !root("answers: two users") {
        return;
    }
    let stage = Stage::new(Way::Embedded, &Pex::app("answers-users", WHICH).build());
    fs::set_permissions(stage.root(), fs::Permissions::from_mode(0o755)).unwrap();
    let home = stage.path("other");
    fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    let version = pythons::debian().xy();
    let prints = format!("{version} - app.pex");
    let kinds = [
        Kind {
            start: stage.start(),
            prints: prints.clone(),
        },
        Kind {
            start: stage.start().env("HOME", &home).before(as_nobody()),
            prints,
        },
    ];
    race("two users", &stage, &kinds, 50);
}

/// Everything in the root but what may come and go with each start.
fn lasting(stage: &Stage) -> Vec<PathBuf> {
    let mut all = below(&home(stage));
    all.retain(|path| !path.starts_with(home(stage).join("tmp")));
    all
}

#[test]
fn staged_copies_share_everything() {
    let stage = stage("answers-staged");
    let job = |number: usize| {
        let directory = stage.path(&format!("job{number}"));
        fs::create_dir(&directory).unwrap();
        let copy = directory.join("app.pex");
        let status = Command::new("cp").arg(&stage.pex).arg(&copy).status();
        assert!(status.unwrap().success());
        starts(&stage.start().program(&copy), SAYS);
        fs::remove_dir_all(directory).unwrap();
    };
    job(0);
    job(1);
    let before = lasting(&stage);
    let jobs = rounds(12, 200);
    (2..jobs).for_each(job);
    assert_eq!(lasting(&stage), before, "the root has grown");
    let plans = below(&home(&stage).join("plans"));
    assert_eq!(plans.len(), 1);
    let plans: Vec<Plan> = Plans::of(&fs::read(&plans[0]).unwrap()).collect();
    assert_eq!((plans.len(), plans[0].files.len()), (1, jobs));
    coverage::note(&format!(
        "trust: {jobs} staged copies, the root as after two"
    ));
}

/// A start of a bare PEX.
fn bare<'s>(stage: &'s Stage, pex: &Path) -> Start<'s> {
    let start = stage.start().program(PEXBOOT);
    start.args(["run".as_ref(), pex.as_os_str()])
}

#[test]
fn bare_pexes_of_one_name_are_told_by_their_content() {
    let app = |text: &str| {
        let text = format!("def main():\n    print('{text}')\n");
        Pex::app("answers-bare", &text).build()
    };
    let stage = Stage::new(Way::Original, &app("one"));
    let other = stage.path("other/app.pex");
    fs::create_dir(stage.path("other")).unwrap();
    stage.place(&app("two"), &other);
    for _ in 0..2 {
        starts(&bare(&stage, &stage.pex), "one");
        starts(&bare(&stage, &other), "two");
    }
}

#[test]
fn a_bare_pex_that_is_replaced_while_it_starts_is_another() {
    let app = |text: &str| {
        Pex::app(
            "answers-moved",
            &format!("def main():\n    print('{text}')\n"),
        )
        .shebang("/usr/bin/env python3")
        .build()
    };
    let (old, new) = (app("old"), app("new"));
    let stage = Stage::new(Way::Original, &old);
    let next = stage.path("next.pex");
    stage.place(&new, &next);
    // The file is replaced while the engine asks the interpreter, which it does after it has read the file.
    let bin = stage.path("bin");
    let script = format!(
        "#!/bin/sh\n[ -e {0} ] && mv {0} {1}\nexec {2} \"$@\"\n",
        next.display(),
        stage.pex.display(),
        pythons::debian().path.display()
    );
    stage.script("bin/python3", &script);
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let start = bare(&stage, &stage.pex).env("PATH", path);
    let first = start.run();
    assert!(
        ["old\n", "new\n"].contains(&first.ok().stdout.as_str()),
        "{first}"
    );
    assert!(!next.exists(), "it was not replaced");
    for _ in 0..3 {
        starts(&start, "new");
    }
}

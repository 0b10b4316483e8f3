//! Settings end to end: environment and rc files in, [`Variables`] out.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::plan::{Anchor, Input};

/// A system, a HOME and a directory of a PEX of its own.
struct Host {
    directory: tempfile::TempDir,
}

impl Host {
    fn new() -> Host {
        let host = Host {
            directory: tempfile::tempdir().unwrap(),
        };
        for name in ["etc", "home", "app"] {
            fs::create_dir(host.path(name)).unwrap();
            host.mode(name, 0o755);
        }
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn rc(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.mode(name, 0o644);
    }

    fn read(&self, env: &[(&str, &str)]) -> (Result<Variables, VariableError>, Vec<Input>) {
        let mut env: Vec<(OsString, OsString)> =
            env.iter().map(|(n, v)| (n.into(), v.into())).collect();
        env.push(("HOME".into(), self.path("home").into()));
        let pex = self.path("app/app.pex");
        let mut inputs = Inputs::default();
        let places = rc::Places::below(self.directory.path(), &env, Some(&pex));
        let variables = Variables::read_with(&env, &places, &mut inputs);
        (variables, inputs.into_list())
    }

    fn variables(&self, env: &[(&str, &str)]) -> Variables {
        self.read(env).0.unwrap()
    }
}

/// The settings of an environment alone.
fn parse(env: &[(&str, &str)]) -> Result<Variables, VariableError> {
    let mut env: Vec<(OsString, OsString)> =
        env.iter().map(|(n, v)| (n.into(), v.into())).collect();
    env.push(("PEX_IGNORE_RCFILES".into(), "1".into()));
    env.push(("HOME".into(), "/h".into()));
    Variables::read(&env, Path::new("/app.pex"), &mut Inputs::default())
}

#[test]
fn nothing_set_is_the_default() {
    assert_eq!(parse(&[]).unwrap(), Variables::default());
    assert_eq!(
        parse(&[("PEXBOOT_SEEDS", "x"), ("PEX", "y"), ("PEX_OTHER", "z")]).unwrap(),
        Variables::default()
    );
}

#[test]
fn every_variable_is_read() {
    let found = parse(&[
        ("PEX_ROOT", "~/r"),
        ("PEX_PATH", "~/a:b//c:b/c"),
        ("PEX_EXTRA_SYS_PATH", "./x:~/y"),
        ("PEX_INHERIT_PATH", "prefer"),
        ("PEX_PYTHON", "python3.9"),
        ("PEX_PYTHON_PATH", "/p:/q/"),
        ("PEX_MODULE", "m:f"),
        ("PEX_SCRIPT", ""),
        ("PEX_INTERPRETER", "TRUE"),
        ("PEX_INTERPRETER_HISTORY", "0"),
        ("PEX_INTERPRETER_HISTORY_FILE", "~/.h"),
        ("PEX_VENV", "false"),
        ("PEX_VENV_BIN_PATH", "append"),
        ("PEX_TOOLS", "1"),
        ("PEX_COVERAGE", "1"),
        ("PEX_PROFILE", "1"),
        ("PEX_UNZIP", "1"),
        ("PEX_IGNORE_ERRORS", "1"),
        ("PEX_VERBOSE", " 9"),
        ("PEX_EMIT_WARNINGS", "0"),
        ("PEX_MAX_INSTALL_JOBS", "-1"),
    ]);
    let expected = Variables {
        root: Some("/h/r".into()),
        path: vec!["/h/a".into(), "b/c".into()],
        extra_sys_path: vec!["x".into(), "/h/y".into()],
        extra_sys_path_text: Some("./x:~/y".into()),
        inherit_path: Some(InheritPath::Prefer),
        python: Some("python3.9".into()),
        python_path: Some(vec!["/p".into(), "/q".into()]),
        module: Some("m:f".into()),
        script: Some(String::new()),
        interpreter: Some(true),
        interpreter_history: Some(false),
        interpreter_history_file: Some("/h/.h".into()),
        venv: Some(false),
        venv_bin_path: Some(BinPath::Append),
        tools: true,
        coverage: true,
        profile: true,
        unzip: true,
        ignore_errors: Some(true),
        verbose: 9,
        emit_warnings: Some(false),
        max_install_jobs: Some(-1),
        ..Variables::default()
    };
    assert_eq!(found.unwrap(), expected);
}

#[test]
fn what_an_empty_text_means_depends_on_the_variable() {
    let found = parse(&[
        ("PEX_ROOT", ""),
        ("PEX_PATH", ""),
        ("PEX_EXTRA_SYS_PATH", ""),
        ("PEX_PYTHON", ""),
        ("PEX_PYTHON_PATH", ""),
        ("PEX_MODULE", ""),
    ])
    .unwrap();
    assert_eq!(found.root, None);
    assert!(found.path.is_empty());
    assert_eq!(found.extra_sys_path, ["."]);
    assert_eq!(found.extra_sys_path_text.as_deref(), Some(""));
    assert_eq!(found.python, None);
    assert_eq!(found.python_path, Some(vec![".".into()]));
    assert_eq!(found.module.as_deref(), Some(""));
}

#[test]
fn a_value_out_of_grammar_is_one_line() {
    #[track_caller]
    fn check(name: &str, value: &str, expected: &str) {
        assert_eq!(
            parse(&[(name, value)]).unwrap_err().to_string(),
            format!("Invalid value for {name}, must be {expected}, got '{value}'")
        );
    }
    check("PEX_VERBOSE", "abc", "an integer");
    check("PEX_VERBOSE", "", "an integer");
    check("PEX_MAX_INSTALL_JOBS", "-2", "-1 or greater");
    check("PEX_VENV", "", "0/1/false/true");
    check("PEX_TOOLS", "yes", "0/1/false/true");
    check("PEX_DISABLE_VARIABLES", "", "0/1/false/true");
    check(
        "PEX_INHERIT_PATH",
        "",
        "one of 'false', 'prefer', 'fallback'",
    );
    check(
        "PEX_INHERIT_PATH",
        "bogus",
        "one of 'false', 'prefer', 'fallback'",
    );
}

#[test]
fn a_value_that_is_not_text_is_shown_escaped() {
    use std::os::unix::ffi::OsStringExt;
    let env = [("PEX_MODULE".into(), OsString::from_vec(b"a\n\xff".to_vec()))];
    let mut inputs = Inputs::default();
    let error = Variables::read(&env, Path::new("/app.pex"), &mut inputs).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Invalid value for PEX_MODULE, must be UTF-8, got 'a\\n\\xff'"
    );
}

#[test]
fn some_values_are_refused_in_one_mode_only() {
    #[track_caller]
    fn check(name: &str, refusing: Mode, bearing: Mode) {
        let found = parse(&[(name, "junk")]).unwrap();
        assert_eq!(found.check(refusing).unwrap_err().name, name);
        assert_eq!(found.check(bearing), Ok(()));
    }
    check("PEX_INTERPRETER", Mode::Zipapp, Mode::Venv);
    check("PEX_COVERAGE", Mode::Zipapp, Mode::Venv);
    check("PEX_PROFILE", Mode::Zipapp, Mode::Venv);
    check("PEX_VENV_BIN_PATH", Mode::Venv, Mode::Zipapp);
    assert_eq!(
        parse(&[("PEX_INTERPRETER", "junk")]).unwrap().interpreter,
        Some(false)
    );
}

#[test]
fn a_bad_history_setting_is_no_obstacle_to_an_application() {
    let found = parse(&[("PEX_INTERPRETER_HISTORY", "junk")]).unwrap();
    assert_eq!(found.interpreter_history, Some(false));
    assert_eq!(found.check(Mode::Zipapp), Ok(()));
}

#[test]
fn a_file_name_alone_asks_for_coverage_and_profile() {
    let found = parse(&[("PEX_COVERAGE_FILENAME", "c"), ("PEX_PROFILE_FILENAME", "")]).unwrap();
    assert!(found.coverage && found.profile);
}

#[test]
fn environment_beats_the_pex_directory_beats_home_beats_the_system() {
    let host = Host::new();
    host.rc(
        "etc/pexrc",
        "PEX_MODULE=1\nPEX_SCRIPT=1\nPEX_PYTHON=1\nPEX_VERBOSE=1\n",
    );
    host.rc("home/.pexrc", "PEX_SCRIPT=2\nPEX_PYTHON=2\nPEX_VERBOSE=2\n");
    host.rc("app/.pexrc", "PEX_PYTHON=3\nPEX_VERBOSE=3\nOTHER=3\n");
    let found = host.variables(&[("PEX_VERBOSE", "4")]);
    assert_eq!(found.module.as_deref(), Some("1"));
    assert_eq!(found.script.as_deref(), Some("2"));
    assert_eq!(found.python.as_deref(), Some("3"));
    assert_eq!(found.verbose, 4);
    let from_rc: Vec<_> = found.from_rc.keys().map(String::as_str).collect();
    assert_eq!(from_rc, ["PEX_MODULE", "PEX_PYTHON", "PEX_SCRIPT"]);
}

#[test]
fn rc_files_can_be_switched_off() {
    let host = Host::new();
    host.rc("home/.pexrc", "PEX_MODULE=m\nPEX_VENV=junk\n");
    assert!(host.read(&[]).0.is_err());
    for off in ["PEX_IGNORE_RCFILES", "PEX_DISABLE_VARIABLES"] {
        let (found, inputs) = host.read(&[(off, "1")]);
        assert_eq!(found.unwrap(), Variables::default());
        assert_eq!(inputs, []);
        assert!(host.read(&[(off, "0")]).0.is_err());
    }
}

#[test]
fn switches_in_an_rc_file_switch_nothing() {
    let host = Host::new();
    host.rc(
        "home/.pexrc",
        "PEX_DISABLE_VARIABLES=1\nPEX_IGNORE_RCFILES=1\nPEX_MODULE=m\n",
    );
    assert_eq!(host.variables(&[]).module.as_deref(), Some("m"));
}

#[test]
fn disabled_variables_are_not_even_read() {
    let found = parse(&[
        ("PEX_DISABLE_VARIABLES", "true"),
        ("PEX_MODULE", "m"),
        ("PEX_VERBOSE", "x"),
    ]);
    assert_eq!(found.unwrap(), Variables::default());
}

#[test]
fn every_rc_file_looked_for_is_an_input() {
    let host = Host::new();
    host.rc("home/.pexrc", "PEX_MODULE=m\n");
    std::os::unix::fs::symlink("/dev/null", host.path("app/.pexrc")).unwrap();
    let inputs = host.read(&[]).1;
    assert_eq!(inputs.len(), 3);
    assert!(matches!(&inputs[0], Input::Absent(place) if place.anchor == Anchor::Root));
    assert!(
        matches!(&inputs[1], Input::File(place, identity) if place.anchor == Anchor::Home && place.path == b".pexrc" && identity.size == 13)
    );
    assert!(matches!(&inputs[2], Input::Present(place, _) if place.anchor == Anchor::PexDir));
}

#[test]
fn an_rc_file_that_others_may_write_is_passed_over() {
    #[track_caller]
    fn check(change: impl Fn(&Host), honoured: bool) {
        let host = Host::new();
        host.rc("app/.pexrc", "PEX_MODULE=m\n");
        change(&host);
        let (found, inputs) = host.read(&[]);
        let found = found.unwrap();
        assert_eq!(found.module.is_some(), honoured);
        assert_eq!(found.untrusted_rc.is_empty(), honoured);
        // Either way a later change is noticed.
        assert!(matches!(inputs[2], Input::File(..)));
    }
    check(|_| {}, true);
    // The user's private group, and group 0, are no others.
    let (user, group) = (nix::unistd::geteuid(), nix::unistd::getegid());
    let alone = [0, user.as_raw()].contains(&group.as_raw());
    check(|host| host.mode("app/.pexrc", 0o664), alone);
    check(|host| host.mode("app/.pexrc", 0o646), false);
    check(|host| host.mode("app", 0o775), alone);
    check(|host| host.mode("app", 0o757), false);
    check(|host| host.mode("app", 0o1777), true);
    check(
        |host| {
            fs::rename(host.path("app/.pexrc"), host.path("etc/rc")).unwrap();
            std::os::unix::fs::symlink("../etc/rc", host.path("app/.pexrc")).unwrap();
            host.mode("etc", 0o777);
        },
        false,
    );
}

#[test]
fn a_fifo_for_an_rc_file_blocks_nobody() {
    let host = Host::new();
    nix::unistd::mkfifo(&host.path("home/.pexrc"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(host.variables(&[]), Variables::default());
}

#[test]
fn of_a_name_that_is_set_twice_the_first_counts() {
    assert_eq!(
        parse(&[("PEX_MODULE", "a"), ("PEX_MODULE", "b")])
            .unwrap()
            .module
            .as_deref(),
        Some("a")
    );
}

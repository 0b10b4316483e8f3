//! Choices among fabricated interpreters: scripts that answer a probe as if they were one (reference, checklist 50-62).

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;

use super::super::Unfit;
use super::super::answer::field;
use super::super::record::Platform;
use super::super::record::record_tests::program;
use super::*;
use crate::pex::StartedBy;
use crate::plan::Input;

/// Directories `a`, `b`, `c` on PATH, interpreters in them, and what a PEX asks for.
struct Sandbox {
    root: PathBuf,
    _directory: tempfile::TempDir,
    variables: BTreeMap<OsString, OsString>,
    shebang: Option<&'static str>,
    current: Option<PathBuf>,
    constraints: Vec<String>,
    strategy: SelectionStrategy,
    python: Option<String>,
    python_path: Option<Vec<PathBuf>>,
    base: bool,
}

/// What came of a choice.
struct Outcome {
    /// The binary, below the root, or the message with the root as `@`.
    result: Result<String, String>,
    inputs: Vec<Input>,
    /// The binaries whose resolve was tried.
    tried: Vec<String>,
}

impl Sandbox {
    fn new() -> Sandbox {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let mut sandbox = Sandbox {
            root,
            _directory: directory,
            variables: BTreeMap::new(),
            shebang: Some("/usr/bin/env python3.8"),
            current: None,
            constraints: Vec::new(),
            strategy: SelectionStrategy::Oldest,
            python: None,
            python_path: None,
            base: false,
        };
        let path: Vec<PathBuf> = ["a", "b", "c"]
            .iter()
            .map(|name| sandbox.at(name))
            .collect();
        for directory in path.iter().chain([&sandbox.at("cwd")]) {
            fs::create_dir(directory).unwrap();
        }
        sandbox
            .variables
            .insert("PATH".into(), std::env::join_paths(path).unwrap());
        sandbox
    }

    fn at(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A CPython of that version at that place.
    fn python(&self, path: &str, version: &str) -> &Sandbox {
        self.fake(path, version, &[("implementation", "cpython")])
    }

    fn fake(&self, path: &str, version: &str, more: &[(&str, &str)]) -> &Sandbox {
        let path = self.at(path);
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let executable = ("executable", &*text(&path));
        let numbers = (
            "version",
            &*format!("{} final 0", version.replace('.', " ")),
        );
        let mut answer = b"pexboot probe 1\n".to_vec();
        for (key, value) in [executable, numbers, ("machine", "x86_64")]
            .iter()
            .chain(more)
            .chain(&[("end", "")])
        {
            field(&mut answer, key, value.as_bytes());
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        program(
            &path,
            &format!(
                "#!/bin/sh\ncat <<'END'\n{}END\n",
                String::from_utf8(answer).unwrap()
            ),
            0o755,
        );
        self
    }

    fn choose(&self, fits: impl Fn(&Record) -> Result<(), String>) -> Outcome {
        let surroundings = Surroundings {
            variables: self.variables.clone(),
            cwd: self.at("cwd"),
        };
        let records = Records::new(Platform::default(), &|_| None, &|_, _| ());
        let started_by = self
            .shebang
            .and_then(|line| StartedBy::parse(format!("#!{line}\n").as_bytes(), &[]));
        let request = Request {
            started_by: started_by.as_ref(),
            current: self.current.as_deref(),
            constraints: &self.constraints,
            strategy: self.strategy,
            python: self.python.as_deref(),
            python_path: self.python_path.as_deref(),
            base: self.base,
            boots: None,
        };
        let mut inputs = Inputs::default();
        let mut tried = Vec::new();
        let below = |path: &Path| {
            path.strip_prefix(&self.root)
                .unwrap_or(path)
                .to_str()
                .unwrap()
                .to_owned()
        };
        let result = choose(
            &request,
            &surroundings,
            &records,
            &mut inputs,
            &mut Candidates::default(),
            &mut |record| {
                tried.push(below(&record.binary));
                fits(record).map_err(|message| Unfit::Verdict {
                    short: message.clone(),
                    message,
                })
            },
        );
        Outcome {
            result: result
                .map(|taken| below(&taken.python.binary))
                .map_err(|error| error.to_string().replace(self.root.to_str().unwrap(), "@")),
            inputs: inputs.into_list(),
            tried,
        }
    }

    fn check(&self, expected: &str) -> Outcome {
        let outcome = self.choose(|_| Ok(()));
        assert_eq!(outcome.result.as_deref(), Ok(expected));
        outcome
    }

    fn check_error(&self, expected: &str) {
        assert_eq!(self.choose(|_| Ok(())).result, Err(expected.to_owned()));
    }
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

#[test]
fn a_stand_in_that_will_do_is_taken_and_path_is_not_searched() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("b/python3.8", "3.8.1")
        .python("a/python3.9", "3.9.1");
    for strategy in [SelectionStrategy::Oldest, SelectionStrategy::Newest] {
        sandbox.strategy = strategy;
        let outcome = sandbox.check("b/python3.8");
        assert_eq!(outcome.tried, ["b/python3.8"]);
        let hit = sandbox
            .at("b/python3.8")
            .to_str()
            .unwrap()
            .as_bytes()
            .to_vec();
        assert!(
            outcome
                .inputs
                .contains(&Input::FirstOnPath(b"python3.8".to_vec(), Some(hit)))
        );
        let searched =
            |input: &&Input| matches!(input, Input::Variable(name, _) if name == b"PATH");
        assert_eq!(outcome.inputs.iter().find(searched), None);
    }
}

#[test]
fn a_stand_in_that_a_constraint_rules_out_starts_a_search_by_strategy() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("a/python3.12", "3.12.1");
    sandbox
        .python("b/python3.9", "3.9.1")
        .python("c/python3.13", "3.13.0");
    sandbox.constraints = list(&["CPython>=3.9,<3.13"]);
    let outcome = sandbox.check("b/python3.9");
    assert_eq!(
        outcome.tried,
        ["a/python3.12", "b/python3.9"],
        "not those that are ruled out"
    );
    for name in ["a", "b", "c"] {
        let mut expected = Inputs::default();
        expected.file(&sandbox.at(name));
        assert!(
            outcome.inputs.contains(&expected.into_list()[0]),
            "{name} is an input"
        );
    }
    sandbox.strategy = SelectionStrategy::Newest;
    sandbox.check("a/python3.12");
    sandbox.constraints = list(&["==3.13.*", "==3.9.*"]);
    sandbox.strategy = SelectionStrategy::Oldest;
    sandbox.check("b/python3.9");
}

#[test]
fn of_one_series_the_highest_patch_and_of_equals_the_first() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.9", "3.9.1")
        .python("b/python3.9", "3.9.7");
    sandbox
        .python("c/python3.9", "3.9.7")
        .python("c/python3.10", "3.10.1");
    sandbox.shebang = None;
    sandbox.check("b/python3.9");
    sandbox.strategy = SelectionStrategy::Newest;
    sandbox.check("c/python3.10");
}

#[test]
fn a_candidate_must_resolve_the_whole_pex() {
    let sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("b/python3.12", "3.12.1");
    let only_312 = |record: &Record| match record.version {
        (3, 12, _) => Ok(()),
        version => Err(format!("No wheel for\n\n{version:?}.")),
    };
    let outcome = sandbox.choose(only_312);
    assert_eq!(outcome.result.as_deref(), Ok("b/python3.12"));
    fs::remove_file(sandbox.at("b/python3.12")).unwrap();
    sandbox.python("b/python3.13", "3.13.1");
    assert_eq!(
        sandbox.choose(only_312).result.unwrap_err(),
        "Failed to find compatible interpreter on path @/a:@/b:@/c.\n\n\
         Examined the following interpreters:\n1.)  @/a/python3.8 CPython==3.8.1\n\
         2.) @/b/python3.13 CPython-t==3.13.1\n\n\
         No interpreter compatible with the requested constraints was found:\n\n  \
         No wheel for\n\n  (3, 8, 1).\n\n  No wheel for\n\n  (3, 13, 1)."
    );
}

#[test]
fn pex_python_as_a_path() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("c/python3.9", "3.9.1");
    sandbox.python = Some(sandbox.at("c/python3.9").to_str().unwrap().to_owned());
    let outcome = sandbox.check("c/python3.9");
    assert_eq!(outcome.tried, ["c/python3.9"]);
    sandbox.constraints = list(&["CPython<3.9,>=3.8"]);
    sandbox.check_error(
        "Failed to find a compatible PEX_PYTHON=@/c/python3.9.\n\n\
         Examined the following interpreters:\n1.) @/c/python3.9 CPython==3.9.1\n\n\
         No interpreter compatible with the requested constraints was found:\n\n  \
         Version matches CPython<3.9,>=3.8",
    );
}

#[test]
fn pex_python_that_is_no_python() {
    let mut sandbox = Sandbox::new();
    program(
        &sandbox.at("c/python3.9"),
        "#!/bin/sh\necho no good >&2\n",
        0o755,
    );
    sandbox.python = Some(sandbox.at("c/python3.9").to_str().unwrap().to_owned());
    let error = sandbox.choose(|_| Ok(())).result.unwrap_err();
    assert!(
        error.starts_with(
            "The specified PEX_PYTHON=@/c/python3.9 could not be identified as a valid Python interpreter.\n\n\
             Interpreters were found but they all appear to be broken:\n1.) @/c/python3.9:\nno good\n"
        ),
        "{error}"
    );
    sandbox.python = Some(sandbox.at("c/missing").to_str().unwrap().to_owned());
    let error = sandbox.choose(|_| Ok(())).result.unwrap_err();
    assert!(
        error.contains("The interpreter path @/c/missing does not exist."),
        "{error}"
    );
}

#[test]
fn pex_python_as_a_name_is_exactly_that_name() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("a/python3.1", "3.9.1");
    sandbox
        .python("b/my-python", "3.10.1")
        .python("c/python3.10", "3.10.2");
    sandbox.python = Some("python3.10".to_owned());
    sandbox.check("c/python3.10");
    sandbox.python = Some("some/where/my-python".to_owned());
    sandbox.check("b/my-python");
    sandbox.python = Some("python3.7".to_owned());
    sandbox.check_error(
        "Failed to find a compatible PEX_PYTHON=python3.7.\n\nNo interpreters could be found on the system.",
    );
}

#[test]
fn a_name_filter_that_hides_current_does_not_hide_it_for_good() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.9", "3.9.1")
        .python("b/python3.8", "3.8.1");
    symlink("python3.9", sandbox.at("a/python3")).unwrap();
    symlink("python3.8", sandbox.at("b/python3")).unwrap();
    sandbox.shebang = Some("/usr/bin/env python3");
    sandbox.python = Some("python3".to_owned());
    sandbox.check("a/python3.9");
}

#[test]
fn pex_python_path_is_all_that_is_searched() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("d/python3.9", "3.9.1");
    sandbox
        .python("e/python3.10", "3.10.1")
        .python("e/python3.11", "3.11.1");
    sandbox.python_path = Some(vec![sandbox.at("d"), sandbox.at("e/python3.10")]);
    sandbox.check("d/python3.9");
    sandbox.python = Some("python3.8".to_owned());
    sandbox.check("d/python3.9");
    sandbox.python = None;
    sandbox.strategy = SelectionStrategy::Newest;
    sandbox.check("e/python3.10");
    sandbox.python_path = Some(vec![sandbox.at("a"), sandbox.at("e")]);
    sandbox.check("a/python3.8");
}

#[test]
fn pex_python_path_without_a_python() {
    let mut sandbox = Sandbox::new();
    sandbox.python("a/python3.8", "3.8.1");
    sandbox.python_path = Some(vec![sandbox.at("b")]);
    sandbox.check_error(
        "Could not find a compatible interpreter.\n\n\
         Examined the following interpreters:\n1.) @/a/python3.8 CPython==3.8.1\n\n\
         No interpreter compatible with the requested constraints was found:\n\n  \
         PEX_PYTHON_PATH=('@/b',)",
    );
    sandbox.constraints = list(&["==3.8.*"]);
    sandbox.check_error(
        "Failed to find compatible interpreter on path @/b.\n\nNo interpreters could be found on the system.",
    );
}

#[test]
fn pex_python_outside_pex_python_path() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("d/python3.9", "3.9.1");
    sandbox.python = Some(sandbox.at("a/python3.8").to_str().unwrap().to_owned());
    sandbox.python_path = Some(vec![sandbox.at("d"), sandbox.at("b")]);
    sandbox.check_error(
        "The specified PEX_PYTHON=@/a/python3.8 did not meet other constraints.\n\n\
         Examined the following interpreters:\n1.) @/a/python3.8 CPython==3.8.1\n2.) @/d/python3.9 CPython==3.9.1\n\n\
         No interpreter compatible with the requested constraints was found:\n\n  \
         PEX_PYTHON=@/a/python3.8\n\n  PEX_PYTHON_PATH=('@/d', '@/b')",
    );
    sandbox.python_path = Some(vec![sandbox.at("a")]);
    sandbox.check("a/python3.8");
}

#[test]
fn no_match_lists_every_interpreter() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("b/python3.13", "3.13.0");
    sandbox.fake("b/pypy3.9", "3.9.16", &[("implementation", "pypy")]);
    sandbox.fake(
        "c/python3.13t",
        "3.13.0",
        &[("implementation", "cpython"), ("abiflags", "t")],
    );
    program(
        &sandbox.at("a/python3.7"),
        "#!/bin/sh\necho cannot >&2\n",
        0o755,
    );
    sandbox.constraints = list(&["==3.5.*", "==3.6.*"]);
    sandbox.check_error(
        "Failed to find compatible interpreter on path @/a:@/b:@/c.\n\n\
         Examined the following working interpreters:\n\
         1.)   @/a/python3.8 CPython==3.8.1\n\
         2.)     @/b/pypy3.9 PyPy==3.9.16\n\
         3.)  @/b/python3.13 CPython-t==3.13.0\n\
         4.) @/c/python3.13t CPython+t==3.13.0\n\n\
         Skipped the following broken interpreters:\n1.) @/a/python3.7:\ncannot\n\n\
         (Run one of these by hand to see what it needs, or take it off the search path.)\n\n\
         No working interpreter compatible with the requested constraints was found:\n\n  \
         Version matches ==3.5.* or ==3.6.*",
    );
}

#[test]
fn free_threaded_builds_are_told_apart() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.11", "3.11.1")
        .python("b/python3.13", "3.13.0");
    sandbox.shebang = None;
    sandbox.constraints = list(&["CPython+t>=3.13"]);
    assert!(sandbox.choose(|_| Ok(())).result.is_err());
    sandbox.fake(
        "c/python3.13t",
        "3.13.0",
        &[("implementation", "cpython"), ("abiflags", "t")],
    );
    sandbox.check("c/python3.13t");
    sandbox.constraints = list(&["CPython-t>=3.9"]);
    sandbox.check("a/python3.11");
}

#[test]
fn duplicates_and_ancient_versions_are_dropped() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.4", "3.4.1")
        .python("a/python3.9", "3.9.1");
    sandbox.python("b/python3.9", "3.9.1");
    sandbox.shebang = None;
    sandbox.check("a/python3.9");
    let outcome = sandbox.choose(|_| Err("no".to_owned()));
    assert_eq!(outcome.tried, ["a/python3.9"]);
}

#[test]
fn without_a_stand_in_the_search_goes_on() {
    let mut sandbox = Sandbox::new();
    sandbox.python("a/python3.9", "3.9.1");
    for shebang in [
        None,
        Some("/usr/bin/env python3.12"),
        Some("/missing/python"),
        Some(""),
    ] {
        sandbox.shebang = shebang;
        sandbox.check("a/python3.9");
    }
    program(&sandbox.at("a/python3.12"), "#!/bin/sh\nexit 1\n", 0o755);
    sandbox.shebang = Some("/usr/bin/env python3.12");
    sandbox.check("a/python3.9");
}

#[test]
fn nothing_anywhere() {
    let sandbox = Sandbox::new();
    sandbox.check_error(
        "Failed to find compatible interpreter on path @/a:@/b:@/c.\n\nNo interpreters could be found on the system.",
    );
}

#[test]
fn without_path_the_usual_places_are_searched() {
    let mut sandbox = Sandbox::new();
    for path in [None, Some("")] {
        sandbox.variables.remove(std::ffi::OsStr::new("PATH"));
        if let Some(path) = path {
            sandbox.variables.insert("PATH".into(), path.into());
        }
        sandbox.shebang = Some("/usr/bin/env python3");
        let outcome = sandbox.choose(|_| Ok(()));
        assert!(outcome.result.unwrap().contains("bin/python3"));
        let value = path.map(|path| path.as_bytes().to_vec());
        assert!(
            outcome
                .inputs
                .contains(&Input::Variable(b"PATH".to_vec(), value))
        );
    }
}

#[test]
fn a_python_that_runs_already_is_current() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3.8", "3.8.1")
        .python("d/python3.9", "3.9.1");
    sandbox.current = Some(sandbox.at("d/python3.9"));
    sandbox.check("d/python3.9");
    sandbox.constraints = list(&["==3.8.*"]);
    sandbox.check("a/python3.8");
}

#[test]
fn an_sh_boot_takes_the_first_name_its_constraints_allow() {
    let mut sandbox = Sandbox::new();
    sandbox
        .python("a/python3", "3.12.1")
        .python("b/python3.11", "3.11.1");
    sandbox.python("c/python3.10", "3.10.1");
    sandbox.shebang = Some("/bin/sh");
    sandbox.check("b/python3.11");
    sandbox.constraints = list(&["CPython>=3.9"]);
    sandbox.check("c/python3.10");
}

#[test]
fn an_inactive_shim_first_on_path_is_skipped() {
    let mut sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.at("pyenv/shims")).unwrap();
    let shim = "#!/usr/bin/env bash\nprogram=\"${0##*/}\"\nexec \"/x/libexec/pyenv\" exec \"$program\" \"$@\"\n";
    program(&sandbox.at("pyenv/shims/python3.8"), shim, 0o755);
    sandbox
        .python("b/python3.8", "3.8.1")
        .python("pyenv/versions/3.8.9/bin/python3.8", "3.8.9");
    let path = [sandbox.at("pyenv/shims"), sandbox.at("b")];
    sandbox
        .variables
        .insert("PATH".into(), std::env::join_paths(path).unwrap());
    sandbox.check("b/python3.8");
    fs::write(sandbox.at("pyenv/version"), "3.8.9\n").unwrap();
    sandbox.check("pyenv/versions/3.8.9/bin/python3.8");
    sandbox.shebang = None;
    sandbox.check("pyenv/versions/3.8.9/bin/python3.8");
}

#[test]
fn a_virtual_environment_gives_way_to_its_base_where_asked() {
    let mut sandbox = Sandbox::new();
    let at = |path: &str| sandbox.at(path).to_str().unwrap().to_owned();
    let (prefix, base) = (at("a"), at("base"));
    let venv = [
        ("implementation", "cpython"),
        ("prefix", &*prefix),
        ("base-prefix", &*base),
    ];
    sandbox.fake("a/bin/python3.8", "3.8.1", &venv);
    let path = [sandbox.at("a/bin")];
    sandbox
        .variables
        .insert("PATH".into(), std::env::join_paths(path).unwrap());
    sandbox.check("a/bin/python3.8");
    sandbox.base = true;
    let error = sandbox.choose(|_| Ok(())).result.unwrap_err();
    assert!(
        error.starts_with(
            "Failed to resolve the base interpreter for the virtual environment at @/a."
        ),
        "{error}"
    );
    sandbox
        .python("base/bin/python3.8", "3.8.2")
        .python("base/bin/python3", "3.8.1");
    sandbox.check("base/bin/python3");
}

#[test]
fn a_constraint_that_cannot_be_read_is_an_error_of_its_own() {
    let mut sandbox = Sandbox::new();
    sandbox.constraints = list(&["CPython3"]);
    let error = sandbox.choose(|_| Ok(())).result.unwrap_err();
    assert!(
        error.starts_with("interpreter constraint `CPython3`: "),
        "{error}"
    );
}

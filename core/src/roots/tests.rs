//! Which roots are tried, for which environment.

use alloc::string::String;

use super::*;

/// The candidates of an environment, each as its kind's first letter and its path.
#[track_caller]
fn check(env: &[(&str, &str)], pex_root: &str, expect: &[&str]) {
    let found = candidates(
        |wanted| value(env, wanted),
        pex_root.as_bytes(),
        1000,
        || Some(b"/work".to_vec()),
    );
    let found: Vec<String> = found
        .iter()
        .map(|candidate| {
            let kind = match candidate.kind {
                Kind::Seed => "S",
                Kind::Explicit => "E",
                Kind::Cache => "C",
                Kind::Fallback => "F",
            };
            [kind, str::from_utf8(&candidate.path).unwrap()].concat()
        })
        .collect();
    assert_eq!(found, expect);
}

/// As [`check`], without the private directories that stand behind everywhere.
#[track_caller]
fn check_first(env: &[(&str, &str)], pex_root: &str, expect: &[&str]) {
    let behind = ["F/var/tmp/pexboot-1000", "F/tmp/pexboot-1000"];
    check(env, pex_root, &[expect, &behind].concat());
}

fn value<'e>(env: &[(&str, &'e str)], wanted: &str) -> Option<&'e [u8]> {
    env.iter()
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value.as_bytes())
}

#[test]
fn the_cache_directory_then_the_private_ones() {
    check_first(&[("HOME", "/h")], "", &["C/h/.cache/pexboot"]);
    let both = [("HOME", "/h"), ("XDG_CACHE_HOME", "/x/")];
    check_first(&both, "", &["C/x/pexboot"]);
    check_first(&[("XDG_CACHE_HOME", "/x")], "", &["C/x/pexboot"]);
    let places = [
        ("HOME", "/h"),
        ("XDG_RUNTIME_DIR", "/run/user/1000"),
        ("TMPDIR", "/job"),
    ];
    let expect = [
        "C/h/.cache/pexboot",
        "F/var/tmp/pexboot-1000",
        "F/run/user/1000/pexboot",
        "F/job/pexboot-1000",
    ];
    check(&places, "", &expect);
}

#[test]
fn a_place_that_is_none_is_passed_over() {
    for env in [&[][..], &[("HOME", "")], &[("HOME", "h")]] {
        check_first(env, "", &[]);
    }
    let relative = [
        ("HOME", "/h"),
        ("XDG_CACHE_HOME", "x"),
        ("XDG_RUNTIME_DIR", "run"),
        ("TMPDIR", "t"),
    ];
    check_first(&relative, "", &["C/h/.cache/pexboot"]);
}

#[test]
fn no_place_is_tried_twice() {
    check(&[("TMPDIR", "/var/tmp/")], "", &["F/var/tmp/pexboot-1000"]);
    let same = [("HOME", "/h"), ("PEX_ROOT", "/h/.cache")];
    check_first(&same, "", &["E/h/.cache/pexboot"]);
}

#[test]
fn a_named_root_stands_before_the_cache_directory() {
    let home = ("HOME", "/h");
    let cache = "C/h/.cache/pexboot";
    let check = |env: &[(&str, &str)], pex_root: &str, named: &str| {
        let env = [&[home], env].concat();
        check_first(&env, pex_root, &[named, cache]);
    };
    check(&[("PEX_ROOT", "/r")], "/seal", "E/r/pexboot");
    check(&[("PEX_ROOT", "")], "/seal", "E/seal/pexboot");
    check(&[], "~/seal", "E/h/seal/pexboot");
    check(&[("PEX_ROOT", "~")], "", "E/h/pexboot");
    check(&[("PEX_ROOT", "~u/r")], "", "E/work/~u/r/pexboot");
    check(&[("PEX_ROOT", "r")], "", "E/work/r/pexboot");
    check_first(&[("PEX_ROOT", "~/r")], "", &["E/work/~/r/pexboot"]);
    check_first(&[("HOME", ""), ("PEX_ROOT", "~/r")], "", &["E/r/pexboot"]);
}

#[test]
fn a_root_of_the_environment_counts_unless_its_variables_are_disabled() {
    let check = |disable: &str, named: &str| {
        let env = [("PEX_ROOT", "/r"), ("PEX_DISABLE_VARIABLES", disable)];
        check_first(&env, "/seal", &[named]);
    };
    for disable in ["1", "true", "TRUE"] {
        check(disable, "E/seal/pexboot");
    }
    for enable in ["0", "False", "", "yes"] {
        check(enable, "E/r/pexboot");
    }
    let env = [("PEX_ROOT", "/r"), ("PEX_DISABLE_VARIABLES", "1")];
    check_first(&env, "", &[]);
}

#[test]
fn seeds_come_first() {
    let env = [("PEXBOOT_SEEDS", "/a::b:/c"), ("PEX_ROOT", "/r")];
    check_first(&env, "", &["S/a", "S/c", "E/r/pexboot"]);
    let both = [("PEXBOOT_SEEDS", "/r/pexboot"), ("PEX_ROOT", "/r")];
    check_first(&both, "", &["S/r/pexboot", "E/r/pexboot"]);
}

#[test]
fn a_directory_for_one_start_lies_where_python_would_make_one() {
    let check = |env: &[(&str, &str)], expect: &[&str]| {
        let found = temporary(|wanted| value(env, wanted), Some(b"/work".to_vec())).concat();
        let expect: Vec<&[u8]> = expect.iter().map(|place| place.as_bytes()).collect();
        assert_eq!(found, expect);
    };
    check(&[], &["/tmp", "/var/tmp", "/dev/shm", "/work"]);
    let tmpdir = [("TMPDIR", "/job")];
    check(&tmpdir, &["/job", "/tmp", "/var/tmp", "/dev/shm", "/work"]);
}

#[test]
fn tildes() {
    #[track_caller]
    fn check(path: &str, home: Option<&str>, expect: &str) {
        let found = expand(path.as_bytes(), home.map(str::as_bytes));
        assert_eq!(str::from_utf8(&found), Ok(expect));
    }
    check("~", Some("/home/u"), "/home/u");
    check("~/x", Some("/home/u//"), "/home/u/x");
    check("~/x", Some("/"), "/x");
    check("~", Some("/"), "/");
    check("~/x", Some(""), "/x");
    check("~", Some(""), "/");
    check("~/x", Some("h"), "h/x");
    check("~/x", None, "~/x");
    check("~v/x", Some("/home/u"), "~v/x");
    check("a/~", Some("/home/u"), "a/~");
}

#[test]
fn booleans() {
    #[track_caller]
    fn check(text: &str, expect: Option<bool>) {
        assert_eq!(boolean(text.as_bytes()), expect, "{text:?}");
    }
    check("1", Some(true));
    check("TRUE", Some(true));
    check("0", Some(false));
    check("False", Some(false));
    check("", None);
    check(" 1", None);
    check("yes", None);
    check("2", None);
}
